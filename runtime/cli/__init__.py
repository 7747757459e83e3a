"""`moor`: the engine's command line, in Docker's own words. It speaks to the daemon's socket and holds no logic."""


def main() -> None:
    """Run `moor` with the process's arguments."""
    from runtime.cli.main import moor  # the entry point must not pay for what it does not run

    moor()
