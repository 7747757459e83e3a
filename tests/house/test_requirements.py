"""The locked requirement files are what `make requirements` writes: exact, hashed, complete, and from no address."""

import re
import tomllib
from collections.abc import Iterable

import pytest

from tests.house.sources import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
FILES = ("runtime", "all", "build", "dev", "lock")
PIN = re.compile(r"([a-z0-9-]+)==(\S+)(?: ; [^\\]+)?")
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def locked(file: str) -> dict[str, tuple[str, list[str]]]:
    """Read a file strictly: name -> (version, hashes); any line of another form fails."""
    text = (ROOT / "requirements" / f"{file}.txt").read_text(encoding="utf-8")
    entries: dict[str, tuple[str, list[str]]] = {}
    for line in text.replace("\\\n", "").splitlines():
        if line.startswith("#"):
            continue
        head, *hashes = re.split(r"\s+(?=--hash)", line.strip())
        pin = PIN.fullmatch(head.strip())
        assert pin, f"not an exact pin: {head}"
        assert all(HASH.fullmatch(one) for one in hashes), f"not a hash: {line}"
        entries[pin[1]] = (pin[2], hashes)
    return entries


def names(requirements: Iterable[str]) -> set[str]:
    """The normalised names, our own left out: `moorage[s3]` stands for what that extra holds."""
    found = {re.sub(r"[-_.]+", "-", re.split(r"[^A-Za-z0-9._-]", entry)[0]).lower() for entry in requirements}
    return found - {PROJECT["project"]["name"]}


def wanted(file: str) -> set[str]:
    """What pyproject.toml asks for in each file."""
    project, groups = PROJECT["project"], PROJECT["dependency-groups"]
    extras = project["optional-dependencies"]
    runtime = names(project["dependencies"])
    every = runtime | {name for extra in extras if extra != "dev" for name in names(extras[extra])}
    build = names(groups["build"])
    return {
        "runtime": runtime,
        "all": every,
        "build": build,
        "dev": every | names(extras["dev"]) | build,
        "lock": names(groups["lock"]),
    }[file]


@pytest.mark.parametrize("file", FILES)
def test_every_line_is_an_exact_version_with_hashes(file: str) -> None:
    entries = locked(file)
    assert entries
    assert all(hashes for _, hashes in entries.values())


@pytest.mark.parametrize("file", FILES)
def test_no_address_of_a_package_index(file: str) -> None:
    text = (ROOT / "requirements" / f"{file}.txt").read_text(encoding="utf-8")
    assert not re.search(r"://|--(extra-)?index-url|--find-links|--trusted-host", text)


@pytest.mark.parametrize("file", FILES)
def test_everything_that_the_project_asks_for_is_there(file: str) -> None:
    assert wanted(file) <= set(locked(file))


@pytest.mark.parametrize("file", [file for file in FILES if file not in {"dev", "lock"}])
def test_a_larger_set_installs_over_a_smaller_one(file: str) -> None:
    dev = locked("dev")
    assert all(dev.get(name) == entry for name, entry in locked(file).items())


def test_what_builds_the_wheel_is_locked_too() -> None:
    assert names(PROJECT["build-system"]["requires"]) <= set(locked("build"))


def test_uvicorn_is_the_version_that_the_protocol_was_written_for() -> None:
    from registry.serving.http1 import PINNED

    assert locked("runtime")["uvicorn"][0].startswith(f"{PINNED}.")
