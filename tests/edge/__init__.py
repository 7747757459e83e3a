"""What every HTTP face shares, driven as plain ASGI without a server."""
