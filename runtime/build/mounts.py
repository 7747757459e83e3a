"""`RUN --mount=`: what it says, put in order. Pure.

Source: Dockerfile reference, "RUN --mount". There are bind, cache and tmpfs; secrets and ssh need BuildKit's session.
"""

import re
from dataclasses import dataclass

from runtime.errors import BadParameter, Unsupported

_SIZES = {"": 1, "b": 1, "k": 2**10, "m": 2**20, "g": 2**30}
_KEYS = {
    "bind": {"target", "source", "from", "rw"},
    "cache": {"target", "id", "ro", "sharing", "mode", "uid", "gid", "source", "from"},
    "tmpfs": {"target", "size"},
}
_NAMES = {"dst": "target", "destination": "target", "src": "source", "readwrite": "rw", "readonly": "ro"}


@dataclass(frozen=True, slots=True)
class BuildMount:
    """One mount. `source`: a path below `origin` (a stage, an image, or "" for the context); `size`: bytes, or 0."""

    kind: str
    target: str
    source: str = ""
    origin: str = ""
    writable: bool = False
    identity: str = ""
    size: int = 0
    mode: int = 0o755
    uid: int = 0
    gid: int = 0


def mount_source(text: str) -> str:
    """Tell from which stage or image a mount takes its files; "" for none. Never raises."""
    return next((part[5:] for part in text.split(",") if part.startswith("from=")), "")


def read_mount(text: str) -> BuildMount:
    """Read one `--mount`. Raises: BadParameter; Unsupported for secret and ssh."""
    given: dict[str, str] = {}
    for part in text.split(","):
        key, equals, value = part.partition("=")
        key = key.strip().lower()
        given[_NAMES.get(key, key)] = value if equals else "true"
    kind = given.pop("type", "bind")
    if kind in {"secret", "ssh"}:
        raise Unsupported(
            f"RUN --mount=type={kind} needs BuildKit's session, which this engine has not; give the file with the "
            "context, and use --mount=type=bind"
        )
    if kind not in _KEYS:
        raise BadParameter(f'unsupported mount type "{kind}"')
    for key in given:
        if key not in _KEYS[kind]:
            raise BadParameter(f"unexpected key '{key}' for mount type '{kind}'")
    if not given.get("target"):
        raise BadParameter("invalid mount: target is required")
    if kind == "cache" and given.get("sharing", "shared") not in {"shared", "private", "locked"}:
        raise BadParameter(f"unsupported sharing value {given['sharing']!r}")
    writable = kind != "bind" and given.get("ro", "false") == "false"
    return BuildMount(
        kind=kind,
        target=given["target"],
        source=given.get("source", ""),
        origin=given.get("from", ""),
        writable=writable or given.get("rw", "false") == "true",
        identity=given.get("id", given["target"]),
        size=_size(given.get("size", "0")),
        mode=_number(given.get("mode", "0755"), 8),
        uid=_number(given.get("uid", "0"), 10),
        gid=_number(given.get("gid", "0"), 10),
    )


def _size(text: str) -> int:
    match = re.fullmatch(r"(\d{1,15})([bkmg]?)b?", text.lower(), re.ASCII)
    if match is None:
        raise BadParameter(f"invalid size: '{text}'")
    return int(match[1]) * _SIZES[match[2]]


def _number(text: str, base: int) -> int:
    try:
        value = int(text, base)
    except ValueError:
        value = -1
    if not 0 <= value < 2**31:
        raise BadParameter(f"invalid number: {text!r}")
    return value
