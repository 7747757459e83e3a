"""The daemon: settings in, one process that serves the Engine API until it is told to stop.

The only place where the engine's parts meet (`services`) and where signals, the lock of the data root and systemd are
known (`process`).
"""


def main() -> int:
    """Run the daemon with the settings of this user; returns the process's exit status."""
    from runtime.daemon.process import run  # whoever only looks at this package must not pay for everything

    return run()
