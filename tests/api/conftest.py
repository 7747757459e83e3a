"""The fixtures of tests/spec, on files."""

from tests.spec.conftest import Start, driver, engines, fast_directory, name, registry, start

__all__ = ["Start", "driver", "engines", "fast_directory", "name", "registry", "start"]
