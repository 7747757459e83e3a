"""The fixtures of tests/spec, on files."""

from tests.spec.conftest import Start, backing, driver, fast_directory, name, registry, start

__all__ = ["Start", "backing", "driver", "fast_directory", "name", "registry", "start"]
