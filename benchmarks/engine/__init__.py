"""The engine beside dockerd and podman: what a person waits for at `run` and `pull`, and what the daemon weighs."""
