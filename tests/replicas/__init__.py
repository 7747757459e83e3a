"""Several servers that are one registry: each finishes any upload, serves any pull, and knows what the others did.

They are real processes on one PostgreSQL and one S3 store behind nginx, which gives every request to the next of them.
"""
