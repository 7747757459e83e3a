"""The commands of `moor`, one file a subject; which name is where stands in `runtime.cli.main`."""
