"""Content-addressed bytes: digests, upload sessions that survive a crash, and the drivers that keep them.

The rest of the product uses `storage.blobs.BlobStore` and `storage.digest.Digest`, and asks `storage.layout` for the
data directory; everything else here is how they keep their word. This package knows nothing of HTTP, repositories,
SQL or settings, imports nothing else of the product, never reads the environment, and is synchronous throughout.
"""
