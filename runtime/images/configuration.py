"""An image's configuration (image-spec config.md, and what Docker adds to it), checked once, then trusted in its shape.

Whoever wrote the image wrote this. Every field that the engine reads has the type that it ought to have, or the image
is refused. What the values may mean (a path, a user, a signal) is for whoever uses them.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from runtime import moments
from runtime.errors import EngineError
from storage.digest import Digest, InvalidDigest

LIMIT = 4 * 2**20
"""Bytes of a configuration; Docker refuses more than these as well."""
LAYER_LIMIT = 125
"""As many as Docker takes; their names and those of a container's directories fit into one page of mount options."""


class BadConfiguration(EngineError):
    """The configuration cannot be that of an image."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """What an image is: `document` as it was written, and its parts that are read here.

    `created`: nanoseconds since 1970, or moments.NEVER.
    """

    document: Mapping[str, Any]
    diff_ids: tuple[Digest, ...]
    created: int

    @property
    def runtime(self) -> Mapping[str, Any]:
        """What a container of it runs: `config` of the document."""
        return self.document.get("config") or {}

    @property
    def labels(self) -> Mapping[str, str]:
        """The image's labels."""
        return self.runtime.get("Labels") or {}


def read(content: bytes) -> Configuration:
    """Read and check a configuration. Raises BadConfiguration."""
    if len(content) > LIMIT:
        raise BadConfiguration(f"the image's configuration has more than {LIMIT} bytes")
    try:
        document = json.loads(content)
        _check(document, _DOCUMENT, "")
        _check(document.get("config") or {}, _RUNTIME, "config.")
        rootfs = document.get("rootfs") or {}
        diff_ids = tuple(Digest.parse(text) for text in rootfs.get("diff_ids") or ())
        created = moments.parse_rfc3339(document["created"]) if document.get("created") else moments.NEVER
    except InvalidDigest as error:
        raise BadConfiguration(f"invalid image configuration: rootfs.diff_ids: {error}") from None
    except (ValueError, RecursionError) as error:
        raise BadConfiguration(f"invalid image configuration: {error}") from None
    if len(diff_ids) > LAYER_LIMIT:
        raise BadConfiguration(f"max depth exceeded: the image has {len(diff_ids)} layers, more than {LAYER_LIMIT}")
    return Configuration(document, diff_ids, created)


def _check(document: object, fields: Mapping[str, Callable[[object], bool]], place: str) -> None:
    if not isinstance(document, dict):
        raise ValueError(f"{place or 'it'} is no JSON object")
    for name, fits in fields.items():
        value = document.get(name)
        if value is not None and not fits(value):
            raise ValueError(f"{place}{name} has the wrong type")


def _text(value: object) -> bool:
    return isinstance(value, str) and "\0" not in value


def _number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _flag(value: object) -> bool:
    return isinstance(value, bool)


def _texts(value: object) -> bool:
    return isinstance(value, list) and all(_text(item) for item in value)


def _map_of_texts(value: object) -> bool:
    return isinstance(value, dict) and all(_text(key) and _text(item) for key, item in value.items())


def _set(value: object) -> bool:
    """A set as Go writes one: names, each with an empty object."""
    return isinstance(value, dict) and all(_text(key) and item in ({}, None) for key, item in value.items())


def _healthcheck(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    times = (value.get(name) for name in ("Interval", "Timeout", "StartPeriod", "StartInterval", "Retries"))
    return all(item is None or _number(item) for item in times) and _texts(value.get("Test") or [])


def _rootfs(value: object) -> bool:
    return isinstance(value, dict) and value.get("type", "layers") == "layers" and _texts(value.get("diff_ids") or [])


def _history(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) and _history_item(item) for item in value)


def _history_item(item: dict[str, object]) -> bool:
    texts = (item.get(name) for name in ("created", "created_by", "author", "comment"))
    return all(text is None or _text(text) for text in texts) and isinstance(item.get("empty_layer") or False, bool)


_DOCUMENT: Mapping[str, Callable[[object], bool]] = {
    "created": _text,
    "author": _text,
    "comment": _text,
    "docker_version": _text,
    "architecture": _text,
    "variant": _text,
    "os": _text,
    "config": lambda value: isinstance(value, dict),
    "rootfs": _rootfs,
    "history": _history,
}
_RUNTIME: Mapping[str, Callable[[object], bool]] = {
    "Hostname": _text,
    "Domainname": _text,
    "User": _text,
    "Env": _texts,
    "Cmd": _texts,
    "Entrypoint": _texts,
    "WorkingDir": _text,
    "Labels": _map_of_texts,
    "Volumes": _set,
    "ExposedPorts": _set,
    "StopSignal": _text,
    "StopTimeout": _number,
    "Shell": _texts,
    "OnBuild": _texts,
    "Healthcheck": _healthcheck,
    "ArgsEscaped": _flag,
}
