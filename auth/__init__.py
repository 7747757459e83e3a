"""Who may do what, decided without HTTP, SQL or files.

This room imports nothing of ours: repository names are opaque strings to it.
"""
