"""`moor`: the engine's command line, in Docker's own words. It speaks to the daemon's socket and holds no logic."""


def main() -> None:
    """Run `moor` with the process's arguments."""
    import sys

    from runtime.cli.main import run  # the entry point must not pay for what it does not run

    sys.exit(run(sys.argv[1:]))
