"""The catalog: all SQL of the server, behind small classes that take and return frozen values.

It knows no HTTP and no storage driver. `Catalog.begin()` is one transaction; its attributes are the nouns.
"""
