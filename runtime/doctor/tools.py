"""The programs that run containers, their versions, and which of those are known to be broken into.

A version says what upstream fixed; a distribution may have fixed more, so an old one is a warning and no refusal.
"""

import re
from dataclasses import dataclass

from runtime import programs
from runtime.errors import EngineError, Unavailable

RUNTIMES = ("runc", "crun")

_VERSION = re.compile(r"(?:version |iproute2-|util-linux |\bv)(\d[^\s,]*)")
_COMMIT = re.compile(r"^commit:? (\S+)$", re.MULTILINE)
_NUMBERS = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")


@dataclass(frozen=True, slots=True)
class Tool:
    """A program that was found. `version` and `commit` as it says them; empty where it does not."""

    name: str
    path: str
    version: str = ""
    commit: str = ""


def found(name: str, path: str = "") -> Tool | None:
    """Look for a program, at `path` where it is given, and ask its version; None where it is not here."""
    try:
        where = path or programs.find(name)
        said = programs.run(where, "--version", timeout=10.0)
    except Unavailable:
        return None
    except EngineError:
        return Tool(name, where)
    version, commit = _VERSION.search(said), _COMMIT.search(said)
    return Tool(name, where, version[1] if version else "", commit[1] if commit else "")


def runtimes(path: str = "") -> list[Tool]:
    """The low-level runtimes that are here, the preferred one first; the one at `path` alone where it is given."""
    wanted = [(path.rpartition("/")[2], path)] if path else [(name, "") for name in RUNTIMES]
    return [tool for name, where in wanted if (tool := found(name, where)) is not None]


def open_holes(tool: Tool) -> str:
    """Name the vulnerabilities that a runtime's version is known for; empty where it has none that we know of."""
    numbers = _NUMBERS.match(tool.version)
    if tool.name != "runc" or numbers is None:
        return ""
    version = int(numbers[1]), int(numbers[2]), int(numbers[3] or 0)
    if version < (1, 1, 12):
        holes = "CVE-2024-21626, CVE-2025-31133, CVE-2025-52565 and CVE-2025-52881"
    elif version < (1, 2, 8) or (1, 3, 0) <= version < (1, 3, 3):
        holes = "CVE-2025-31133, CVE-2025-52565 and CVE-2025-52881"
    else:
        return ""
    return f"runc {tool.version} is older than upstream's fixes of {holes}"
