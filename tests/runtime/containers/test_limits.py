"""Limits in the runtime's words, on machines that have all, some or none of them."""

import resource
from pathlib import Path

import pytest

from runtime.containers.specification import limits
from runtime.containers.specification.limits import Abilities
from runtime.errors import BadParameter

NONE = Abilities(False, False, False, False)


def test_every_limit() -> None:
    wanted = {"Memory": 2**26, "NanoCpus": 1_500_000_000, "PidsLimit": 50, "CpuShares": 512, "CpusetCpus": "0"}
    assert limits.resources(wanted, Abilities()) == {
        "memory": {"limit": 2**26, "swap": 2**27},
        "cpu": {"period": 100_000, "quota": 150_000, "shares": 512, "cpus": "0"},
        "pids": {"limit": 50},
    }


def test_what_the_machine_cannot_do_is_left_out_and_said() -> None:
    wanted = {"Memory": 2**26, "NanoCpus": 10**9, "PidsLimit": 50}
    assert limits.resources(wanted, NONE) == {}
    assert len(limits.warnings(wanted, NONE)) == 3
    assert limits.resources(wanted, Abilities(swap=False))["memory"] == {"limit": 2**26}
    assert "Memory limited without swap" in limits.warnings(wanted, Abilities(swap=False))[0]
    assert limits.warnings(wanted, Abilities()) == []


def test_swap_without_end() -> None:
    assert limits.resources({"Memory": 2**26, "MemorySwap": -1}, Abilities())["memory"]["swap"] == -1


def test_abilities_of_version_1_and_hybrid(tmp_path: Path) -> None:
    for name in ("memory", "cpu"):
        (tmp_path / name).mkdir()
    assert Abilities.found(tmp_path) == Abilities(memory=True, swap=False, cpu=True, pids=False)
    (tmp_path / "memory/memory.memsw.limit_in_bytes").touch()
    (tmp_path / "unified").mkdir()
    assert Abilities.found(tmp_path).swap


def test_abilities_of_version_2(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpu memory pids\n")
    assert Abilities.found(tmp_path) == Abilities()
    (tmp_path / "cgroup.controllers").write_text("cpuset\n")
    assert Abilities.found(tmp_path) == NONE
    assert limits.unified(tmp_path)


def test_an_ordinary_user_s_engine_limits_nothing(tmp_path: Path) -> None:
    assert Abilities.found(tmp_path, rootless=True) == NONE


def test_ulimits_stay_below_our_own() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    (made,) = limits.ulimits([{"Name": "nofile", "Soft": 100, "Hard": 2**40}])
    assert made["type"] == "RLIMIT_NOFILE" and made["soft"] == 100
    assert made["hard"] == (2**40 if hard == resource.RLIM_INFINITY else hard)
    (made,) = limits.ulimits([{"Name": "nofile", "Soft": -1, "Hard": -1}])
    assert made["soft"] == made["hard"]


@pytest.mark.parametrize("text", ["", "NOSUCH", "saved_limits; rm"])
def test_unknown_ulimits(text: str) -> None:
    with pytest.raises(BadParameter, match="invalid ulimit type"):
        limits.ulimits([{"Name": text, "Soft": 1, "Hard": 1}])
