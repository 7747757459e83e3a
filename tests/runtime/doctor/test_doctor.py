"""What the doctor says of programs that are here, missing, broken or old."""

import stat
from dataclasses import replace
from pathlib import Path

import pytest

from runtime.config import Settings
from runtime.doctor import Finding, findings, tools, warnings
from runtime.doctor.machine import Machine, look
from runtime.doctor.tools import Tool


def program(directory: Path, name: str, script: str) -> Path:
    """A program that says something."""
    path = directory / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    runc = program(tmp_path, "runc", "echo runc version 1.3.4; echo commit: v1.3.4-0-gabc")
    return replace(Settings(), runtime=str(runc), socket_group="root")


def texts(found: tuple[Finding, ...]) -> str:
    return "\n".join(map(str, found))


def test_versions_are_read_from_what_programs_say(tmp_path: Path) -> None:
    for said, version, commit in (
        ("runc version 1.1.5+ds1\ncommit: abc\nspec: 1.0", "1.1.5+ds1", "abc"),
        ("conmon version 2.1.6\ncommit: unknown", "2.1.6", "unknown"),
        ("nftables v1.0.6 (Lester Gooch #5)", "1.0.6", ""),
        ("ip utility, iproute2-6.1.0, libbpf 1.1.0", "6.1.0", ""),
        ("nsenter from util-linux 2.38.1", "2.38.1", ""),
        ("nothing of use", "", ""),
    ):
        path = program(tmp_path, "tool", f"cat <<'END'\n{said}\nEND")
        assert tools.found("tool", str(path)) == Tool("tool", str(path), version, commit)


def test_a_program_that_fails_is_here_all_the_same(tmp_path: Path) -> None:
    path = program(tmp_path, "tool", "echo unknown option >&2; exit 2")
    assert tools.found("tool", str(path)) == Tool("tool", str(path))
    assert tools.found("tool", str(tmp_path / "none")) is None


@pytest.mark.parametrize(
    ("version", "holes"),
    [
        ("1.0.0", "CVE-2024-21626"),
        ("1.1.11", "CVE-2024-21626"),
        ("1.1.12", "CVE-2025-31133"),
        ("1.2.7", "CVE-2025-31133"),
        ("1.2.8", ""),
        ("1.2", "CVE-2025-31133"),
        ("1.3.2", "CVE-2025-31133"),
        ("1.3.3", ""),
        ("1.4.0", ""),
        ("2.0.0", ""),
        ("unknown", ""),
    ],
)
def test_old_runtimes_are_told_of(version: str, holes: str) -> None:
    said = tools.open_holes(Tool("runc", "/runc", version))
    assert (holes in said) if holes else said == ""


def test_an_engine_that_has_everything_of_its_runtime(settings: Settings) -> None:
    assert "ok       runc 1.3.4" in texts(findings(settings))
    assert not any("runc" in text for text in warnings(settings))


def test_a_runtime_that_is_missing_is_said_with_the_line_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("runtime.programs._ALSO", (str(tmp_path),))
    found = texts(findings(replace(Settings(), socket_group="root")))
    assert "MISSING  runc or crun not found, so nothing can run; install it with: apt-get install runc conmon" in found
    assert "MISSING  conmon not found; install it with: apt-get install conmon" in found
    assert "MISSING  nft not found; install it with: apt-get install nftables" in found


def test_a_group_that_is_missing_is_said(settings: Settings) -> None:
    found = texts(findings(replace(settings, socket_group="no-such-group")))
    assert "no group no-such-group, so only root may use the engine" in found or "newuidmap" in found


def test_this_machine_can_be_looked_at() -> None:
    machine = look()
    assert machine.cpus > 0 and machine.memory > 2**20 and machine.cgroup_version in {"1", "2"}
    assert machine.kernel and machine.name


def test_limits_that_are_missing_are_said(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    def poor(*, rootless: bool = False) -> Machine:
        return replace(look(), memory_limit=False, pids_limit=False, overlay=False, seccomp=False, nofile=1024)

    monkeypatch.setattr("runtime.doctor.examination.look", poor)
    found = texts(findings(settings))
    assert "no control group for memory" in found and "pids" in found
    assert "MISSING  no overlay file system" in found
    assert "no seccomp in this kernel" in found
    assert "at most 1024 open files" in found
