"""The engine: pulls images and runs them behind the Docker Engine API, on a unix socket.

Rooms, from the outside in: cli, daemon, api, build, containers, images with networks and volumes, and the vocabulary
(config, errors, events, records, moments). ARCHITECTURE.md draws them; `make check` holds who may import whom.
"""

API_VERSION = (1, 47)
"""The newest Engine API that the daemon claims; older versions are accepted too."""

MIN_API_VERSION = (1, 24)
