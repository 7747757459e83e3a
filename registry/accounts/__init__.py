"""Use cases about people and machines: signing in, tokens, keys, rights. Synchronous, without HTTP.

Decisions are `auth.policy`'s; what this room adds is where the facts come from, and the sentences for people.
"""
