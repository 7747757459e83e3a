"""A client of any registry that speaks the distribution-spec, for hosts that are not trusted.

Synchronous, and safe from any thread. What it reads is bounded in bytes and time, and checked against its digest; a
credential goes to the registry that it is for and to nobody else. Knows nothing of the engine or of our server's rooms.
"""
