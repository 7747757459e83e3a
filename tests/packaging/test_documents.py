"""The files around the code keep their form: Dockerfile, systemd unit, Makefile, hooks, and what the guides promise."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from registry.settings.sources import load
from tests.house.sources import ROOT
from tests.parts.commands import run
from tests.parts.guides import all_blocks, read_guide
from tests.parts.tools import lacking

BIN = Path(sys.executable).parent
GUIDES = (
    *("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md"),
    *("docs/install.md", "docs/administration.md", "docs/clients.md", "docs/ci.md", "docs/kubernetes.md"),
    *("docs/postgresql.md", "docs/s3.md", "docs/growing.md", "docs/running-on-kubernetes.md", "docs/engine.md"),
)


def text_of(name: str) -> str:
    """A file of the project."""
    return (ROOT / name).read_text(encoding="utf-8")


def found(program: Path | str) -> str:
    """A program that the tools' table does not have, for it comes with the machine or with the test requirements."""
    path = subprocess.run(["which", str(program)], capture_output=True, text=True, check=False).stdout.strip()
    if not path:
        lacking(f"{program} is not here")
    return path


def test_the_dockerfile_has_no_lint() -> None:
    run(found(BIN / "hadolint"), ROOT / "Dockerfile")


def test_the_context_of_the_image_holds_what_the_dockerfile_copies() -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", text_of("Dockerfile"), re.MULTILINE)
    sources = {source.rstrip("/*") for line in copied for source in line.split()}
    allowed = {line[1:] for line in text_of(".dockerignore").splitlines() if line.startswith("!")}
    assert sources == allowed


UNITS = ("moorage.service", "moorage-worker.service")


@pytest.mark.parametrize("name", UNITS)
def test_the_unit_is_what_systemd_expects(name: str, tmp_path: Path) -> None:
    analyze = found("systemd-analyze")
    unit = tmp_path / name
    unit.write_text(text_of(f"deploy/{name}").replace("/opt/moorage/bin", str(BIN)))
    said = subprocess.run([analyze, "verify", "--man=no", unit], capture_output=True, text=True, check=False)
    assert (said.returncode, said.stderr) == (0, "")


def test_the_engines_units_are_what_systemd_expects(tmp_path: Path) -> None:
    """The service and the socket that starts it; it is root by its nature, so nothing shuts it off."""
    analyze = found("systemd-analyze")
    units = [tmp_path / name for name in ("moorage-engine.service", "moorage-engine.socket")]
    for unit in units:
        unit.write_text(text_of(f"deploy/{unit.name}").replace("/opt/moorage/bin", str(BIN)))
    said = subprocess.run([analyze, "verify", "--man=no", *units], capture_output=True, text=True, check=False)
    assert (said.returncode, said.stderr) == (0, "")


@pytest.mark.parametrize("name", UNITS)
def test_the_unit_is_shut_off_from_the_machine(name: str, tmp_path: Path) -> None:
    analyze = found("systemd-analyze")
    unit = tmp_path / name
    unit.write_text(text_of(f"deploy/{name}"))
    # 15 of 100: what is left is reaching the network, and being a process at all.
    run(analyze, "security", "--offline=true", "--threshold=15", unit)


def test_the_unit_s_settings_are_settings(tmp_path: Path) -> None:
    """The file that the guide writes for the unit is read by the program that the unit starts."""
    (settings,) = re.findall(r"moorage\.toml <<'END'\n(.+?)\nEND\n", text_of("docs/install.md"), re.DOTALL)
    (tmp_path / "moorage.toml").write_text(settings)
    run(BIN / "moorage", "config", "check", "--config", tmp_path / "moorage.toml", cwd=tmp_path)


def test_the_settings_on_the_way_to_replicas_are_settings(tmp_path: Path) -> None:
    guide = read_guide("growing.md")
    written = [block.text for block in all_blocks(guide.text) if block.path.endswith("moorage.toml")]
    assert written
    for number, text in enumerate(written):
        file = tmp_path / f"{number}.toml"
        file.write_text(text)
        load(file)


def test_help_names_every_target() -> None:
    (declared,) = re.findall(r"^\.PHONY: (.+)$", text_of("Makefile"), re.MULTILINE)
    said = run("make", "--no-print-directory", "help", cwd=ROOT)
    assert set(re.findall(r"^ *make (\S+)", said, re.MULTILINE)) == set(declared.split())


@pytest.mark.parametrize("guide", GUIDES)
def test_a_guide_names_only_targets_and_files_that_exist(guide: str) -> None:
    text = text_of(guide)
    declared = set(re.findall(r"^([a-z]+):", text_of("Makefile"), re.MULTILINE))
    assert set(re.findall(r"(?:^|`)make ([a-z]+)", text, re.MULTILINE)) <= declared
    links = re.findall(r"\]\((?!https?://)([^)#]+)\)", text)
    assert [link for link in links if not (ROOT / guide).parent.joinpath(link).exists()] == []


def test_the_version_is_the_same_everywhere() -> None:
    from registry import __version__

    assert tomllib.loads(text_of("pyproject.toml"))["project"]["version"] == __version__


def test_the_hooks_run_what_make_check_runs() -> None:
    entries = re.findall(r"entry: \.venv/bin/(\S+(?: format| check)?)", text_of(".pre-commit-config.yaml"))
    checked = re.search(r"^check:.*\n((?:\t.+\n)+)", text_of("Makefile"), re.MULTILINE)
    assert checked
    for entry in entries:
        assert entry == "python" or f"$(BIN)/{entry}" in checked[1]
