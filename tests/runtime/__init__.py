"""The engine's tests, mirroring its rooms."""
