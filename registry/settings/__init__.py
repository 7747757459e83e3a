"""The settings: one frozen model, read once. Only `app` and `cli` see it; what is below takes plain arguments."""

from registry.settings.model import Auth, Database, Log, Settings
from registry.settings.sources import PREFIX, ConfigurationError, Origins, every_key, load, variable
from registry.settings.storage import Storage

__all__ = [
    "PREFIX",
    "Auth",
    "ConfigurationError",
    "Database",
    "Log",
    "Origins",
    "Settings",
    "Storage",
    "every_key",
    "load",
    "variable",
]
