"""The system calls that a container may make, as the OCI runtime-spec's `linux.seccomp`.

The default profile lies beside this module (`seccomp.json`, with its licence note); profiles that a client sends are in
Docker's format or the OCI's. Knows no container: capabilities in, document out.
"""

import json
import platform
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from runtime.errors import BadParameter

_DATA = Path(__file__).with_name("seccomp.json")
_ENOSYS = 38
_GO_ARCHES = {
    "x86_64": {"amd64", "x86", "x32"},
    "aarch64": {"arm64", "arm"},
    "ppc64le": {"ppc64le"},
    "s390x": {"s390x"},
}


class Seccomp:
    """The default profile, read once."""

    def __init__(self, machine: str = "") -> None:
        self._machine = machine or platform.machine()

    def default(self, capabilities: Iterable[str]) -> dict[str, Any]:
        """The default profile for a process that holds these capabilities."""
        caps = frozenset(capabilities)
        return {
            "defaultAction": "SCMP_ACT_ERRNO",
            "defaultErrnoRet": _ENOSYS,
            "architectures": self._profile["architectures"].get(self._machine, []),
            "syscalls": [_syscall(rule) for rule in self._profile["rules"] if self._holds(rule, caps)],
        }

    def custom(self, text: str, capabilities: Iterable[str]) -> dict[str, Any]:
        """A client's profile: `includes` and `excludes` are decided here, the rest is the runtime's to check.

        Raises: BadParameter.
        """
        try:
            profile = json.loads(text)
            return self._converted(profile, frozenset(capabilities))
        except (ValueError, AttributeError, TypeError, KeyError) as error:
            raise BadParameter(f"Decoding seccomp profile failed: {error}") from None

    @cached_property
    def _profile(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(_DATA.read_bytes())
        return document

    def _holds(self, rule: Mapping[str, Any], caps: frozenset[str]) -> bool:
        arches = rule.get("arches")
        if arches and not _GO_ARCHES.get(self._machine, {self._machine}) & set(arches):
            return False
        if "caps" in rule and not caps.intersection(rule["caps"]):
            return False
        return not caps.intersection(rule.get("without", ()))

    def _converted(self, profile: Mapping[str, Any], caps: frozenset[str]) -> dict[str, Any]:
        made: dict[str, Any] = {"defaultAction": str(profile["defaultAction"])}
        for name in ("defaultErrnoRet", "flags"):
            if profile.get(name) is not None:
                made[name] = profile[name]
        made["architectures"] = profile.get("architectures") or self._mapped(profile.get("archMap") or ())
        made["syscalls"] = [
            _plain(syscall) for syscall in profile.get("syscalls") or () if self._holds(_conditions(syscall), caps)
        ]
        return made

    def _mapped(self, arch_map: Iterable[Mapping[str, Any]]) -> list[str]:
        mine = (self._profile["architectures"].get(self._machine) or [""])[0]
        for entry in arch_map:
            if entry["architecture"] == mine:
                return [mine, *(entry.get("subArchitectures") or ())]
        return []


def _conditions(syscall: Mapping[str, Any]) -> dict[str, Any]:
    """Docker's `includes` and `excludes` as our own rules write them."""
    includes, excludes = syscall.get("includes") or {}, syscall.get("excludes") or {}
    conditions: dict[str, Any] = {"without": excludes.get("caps") or ()}
    if includes.get("caps"):
        conditions["caps"] = includes["caps"]
    if includes.get("arches"):
        conditions["arches"] = includes["arches"]
    return conditions


def _plain(syscall: Mapping[str, Any]) -> dict[str, Any]:
    names = syscall.get("names") or [syscall["name"]]
    made: dict[str, Any] = {"names": list(names), "action": str(syscall["action"])}
    for name in ("args", "errnoRet"):
        if syscall.get(name):
            made[name] = syscall[name]
    return made


def _syscall(rule: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {"names": rule["names"], "action": "SCMP_ACT_ALLOW"}
    if rule.get("errno"):
        made |= {"action": "SCMP_ACT_ERRNO", "errnoRet": rule["errno"]}
    if rule.get("args"):
        made["args"] = [
            {"index": index, "op": op, "value": value, "valueTwo": second} for index, op, value, second in rule["args"]
        ]
    return made
