"""The default profile as runc gets it, with and without capabilities, and profiles that clients send."""

import json
from typing import Any

import pytest

from runtime.containers.specification import capabilities
from runtime.containers.specification.seccomp import Seccomp
from runtime.errors import BadParameter


def actions(profile: dict[str, Any], name: str) -> list[tuple[str, bool]]:
    """What happens to a system call: actions, and whether arguments decide."""
    return [(rule["action"], "args" in rule) for rule in profile["syscalls"] if name in rule["names"]]


@pytest.fixture(scope="module")
def default() -> dict[str, Any]:
    """What a container with Docker's default capabilities gets."""
    return Seccomp("x86_64").default(capabilities.DEFAULT)


@pytest.mark.parametrize("name", ["mount", "unshare", "setns", "bpf", "reboot", "add_key", "keyctl", "io_uring_setup"])
def test_refused_by_default(default: dict[str, Any], name: str) -> None:
    assert {action for action, _ in actions(default, name)} <= {"SCMP_ACT_ERRNO"}


@pytest.mark.parametrize("name", ["read", "execve", "futex", "openat2", "clock_gettime", "chroot", "fchmodat2"])
def test_allowed_by_default(default: dict[str, Any], name: str) -> None:
    assert ("SCMP_ACT_ALLOW", False) in actions(default, name)


def test_new_namespaces_are_refused_by_argument(default: dict[str, Any]) -> None:
    assert actions(default, "clone") == [("SCMP_ACT_ALLOW", True)]
    assert [rule["errnoRet"] for rule in default["syscalls"] if "clone3" in rule["names"]] == [38]


def test_what_is_not_listed_is_not_implemented(default: dict[str, Any]) -> None:
    assert (default["defaultAction"], default["defaultErrnoRet"]) == ("SCMP_ACT_ERRNO", 38)
    assert default["architectures"] == ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]


def test_a_capability_opens_its_calls() -> None:
    profile = Seccomp("x86_64").default([*capabilities.DEFAULT, "CAP_SYS_ADMIN"])
    for name in ("mount", "unshare", "clone3"):
        assert actions(profile, name) == [("SCMP_ACT_ALLOW", False)]
    assert ("SCMP_ACT_ALLOW", False) not in actions(Seccomp("x86_64").default([]), "chroot")


def test_architectures() -> None:
    assert actions(Seccomp("aarch64").default([]), "arch_prctl") == []
    assert actions(Seccomp("x86_64").default([]), "arch_prctl") != []


def test_a_client_s_profile_in_docker_s_format() -> None:
    text = json.dumps(
        {
            "defaultAction": "SCMP_ACT_ERRNO",
            "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]}],
            "syscalls": [
                {"names": ["read"], "action": "SCMP_ACT_ALLOW"},
                {"name": "write", "action": "SCMP_ACT_ALLOW"},
                {"names": ["mount"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}},
                {"names": ["bpf"], "action": "SCMP_ACT_ERRNO", "excludes": {"caps": ["CAP_SYS_ADMIN"]}},
            ],
        }
    )
    made = Seccomp("x86_64").custom(text, [])
    assert [rule["names"] for rule in made["syscalls"]] == [["read"], ["write"], ["bpf"]]
    assert made["architectures"] == ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"defaultAction": "x", "syscalls": [3]}', '{"defaultAction": 1, "syscalls": 5}']
)
def test_a_client_s_nonsense(text: str) -> None:
    with pytest.raises(BadParameter, match="Decoding seccomp profile failed"):
        Seccomp("x86_64").custom(text, [])


def test_capabilities() -> None:
    ours = frozenset(capabilities.NAMES) - {"CAP_SYS_RESOURCE"}
    assert set(capabilities.given([], [], privileged=False, ours=ours)) == capabilities.DEFAULT
    assert capabilities.given([], ["all"], privileged=False, ours=ours) == ()
    assert capabilities.given(["net_admin"], ["ALL"], privileged=False, ours=ours) == ("CAP_NET_ADMIN",)
    assert "CAP_SYS_RESOURCE" not in capabilities.given(["ALL"], [], privileged=False, ours=ours)
    assert "CAP_CHOWN" not in capabilities.given(["ALL"], ["chown"], privileged=False, ours=ours)
    assert set(capabilities.given([], [], privileged=True, ours=ours)) == ours
    assert capabilities.held()
