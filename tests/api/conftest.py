"""The fixtures of tests/spec, on files."""

from tests.spec.conftest import Start, driver, fast_directory, engines, name, registry, start

__all__ = ["Start", "driver", "fast_directory", "engines", "name", "registry", "start"]
