"""Moorage's server: an OCI image registry behind one ASGI app.

Rooms, from the outside in: cli, serving, app, api, edge, content, catalog, oci.
ARCHITECTURE.md draws them; `make check` holds who may import whom.
"""

__version__ = "0.1.0"
