"""Which capabilities a container has: Docker's default set, what was added and dropped, and what we can give.

Pure but for `held`. Names as in capabilities(7); the default set as in the Engine API's reference.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from runtime.errors import BadParameter

NAMES = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
]
"""Every capability, at its number."""

DEFAULT = frozenset(
    [
        "CAP_CHOWN",
        "CAP_DAC_OVERRIDE",
        "CAP_FSETID",
        "CAP_FOWNER",
        "CAP_MKNOD",
        "CAP_NET_RAW",
        "CAP_SETGID",
        "CAP_SETUID",
        "CAP_SETFCAP",
        "CAP_SETPCAP",
        "CAP_NET_BIND_SERVICE",
        "CAP_SYS_CHROOT",
        "CAP_KILL",
        "CAP_AUDIT_WRITE",
    ]
)


def held(status: Path = Path("/proc/self/status")) -> frozenset[str]:
    """The capabilities that this process may give away: its bounding set."""
    for line in status.read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("CapBnd:"):
            mask = int(line.split()[1], 16)
            return frozenset(name for number, name in enumerate(NAMES) if mask >> number & 1)
    return frozenset()


def given(added: Iterable[str], dropped: Iterable[str], *, privileged: bool, ours: frozenset[str]) -> tuple[str, ...]:
    """Work out a container's capabilities, sorted. Raises: BadParameter for an unknown name.

    `ours`: those we hold; others are left out in silence, as runc refuses what it cannot give.
    """
    add, drop = _named(added, "CapAdd"), _named(dropped, "CapDrop")
    if privileged:
        return tuple(sorted(ours))
    start = frozenset(NAMES) if "ALL" in add else DEFAULT
    start = frozenset() if "ALL" in drop and "ALL" not in add else start
    return tuple(sorted(((start | (add - {"ALL"})) - (drop - add)) & ours))


def _named(given: Iterable[str], field: str) -> frozenset[str]:
    """Names in one form: upper case, with CAP_."""
    names: set[str] = set()
    for text in given:
        name = text.upper()
        name = name if name == "ALL" or name.startswith("CAP_") else f"CAP_{name}"
        if name != "ALL" and name not in NAMES:
            raise BadParameter(f'invalid {field}: unknown capability: "{name}"')
        names.add(name)
    return frozenset(names)


def check(added: Sequence[str], dropped: Sequence[str]) -> None:
    """Raise BadParameter for an unknown name."""
    _named(added, "CapAdd")
    _named(dropped, "CapDrop")
