"""The whole engine: the daemon as users meet it, through its socket, with real containers."""
