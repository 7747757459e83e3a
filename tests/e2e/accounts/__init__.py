"""Real clients against a server with accounts: passwords, tokens and robots, over TLS and on plain loopback.

The accounts are made with the command line, as a person would, and each client trusts the certificate by the files that
docs/clients.md names.
"""
