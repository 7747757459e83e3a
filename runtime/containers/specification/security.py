"""`--security-opt`, read: what a client may loosen or tighten for one container. Pure.

`label` and `apparmor` are taken and mean nothing here: no SELinux label and no AppArmor profile is set by this engine.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from runtime.errors import BadParameter

UNCONFINED, BUILTIN = "unconfined", "builtin"
_IGNORED = frozenset({"label", "apparmor"})


@dataclass(frozen=True, slots=True)
class Options:
    """`seccomp`: unconfined, builtin, or a whole profile in JSON; `unmasked`: all of /proc and /sys is shown."""

    no_new_privileges: bool = False
    seccomp: str = BUILTIN
    unmasked: bool = False


def read(given: Iterable[str]) -> Options:
    """Read every option, `name=value` or, as older clients write it, `name:value`. Raises: BadParameter."""
    no_new_privileges, seccomp, unmasked = False, BUILTIN, False
    for text in given:
        name, separator, value = text.partition("=")
        if not separator:
            name, separator, value = text.partition(":")
        if name == "no-new-privileges" and value.lower() in {"", "true", "1", "false", "0"}:
            no_new_privileges = value.lower() not in {"false", "0"}
        elif name == "seccomp" and value:
            seccomp = value
        elif name == "systempaths" and value == UNCONFINED:
            unmasked = True
        elif name not in _IGNORED:
            raise BadParameter(f'invalid --security-opt 2: "{text[:200]}"')
    return Options(no_new_privileges, seccomp, unmasked)
