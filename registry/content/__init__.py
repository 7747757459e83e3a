"""The use cases: push, pull, mount, tag, delete, refer. Synchronous, and free of HTTP and SQL.

Each raises RegistryError for what a client must be told, and lets trouble with storage or the catalog pass through.
"""
