"""Which images this machine runs: its architecture in Go's words, as image configurations and indexes have it."""

import os
from collections.abc import Mapping
from types import MappingProxyType

OS = "linux"

_ARCHITECTURES: Mapping[str, str] = MappingProxyType(
    {
        "x86_64": "amd64",
        "aarch64": "arm64",
        "armv7l": "arm",
        "armv6l": "arm",
        "i686": "386",
        "i386": "386",
        "ppc64le": "ppc64le",
        "riscv64": "riscv64",
        "s390x": "s390x",
        "loongarch64": "loong64",
    }
)


def architecture() -> str:
    """Return this machine's architecture."""
    machine = os.uname().machine
    return _ARCHITECTURES.get(machine, machine)
