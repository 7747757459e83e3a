"""Versions as the API writes them: its own, and this package's."""


def dotted(version: tuple[int, int]) -> str:
    """Write an API version: `1.47`."""
    return f"{version[0]}.{version[1]}"


def own_version() -> str:
    """Return this package's version."""
    from importlib.metadata import version  # some megabytes, for two endpoints only

    return version("moorage")
