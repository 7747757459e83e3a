"""The wheel, built from the source archive, serves from a fresh environment in another directory.

Nothing is fetched: the build runs without isolation, and the new environment borrows this one's dependencies.
"""

import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from email.parser import HeaderParser
from pathlib import Path

import pytest

from tests.house.sources import ROOT
from tests.packaging.blobs import has_blob, push_blob
from tests.parts.commands import run
from tests.parts.server import RunningServer, free_port

pytestmark = pytest.mark.slow

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the source archive, and the wheel that was made from it."""
    directory = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", directory, ROOT, cwd=directory)
    return directory


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    """The wheel."""
    (found,) = built.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a fresh environment that holds the wheel, and sees this one's other packages."""
    environment = tmp_path_factory.mktemp("elsewhere") / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", environment)
    python = environment / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", python, "install", "--no-index")
    run(*pip, "--no-deps", wheel)
    # A path in a .pth file is searched last, and the .pth files in it are not read: not those of an editable install.
    purelib = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))")
    (Path(purelib) / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return environment / "bin"


def test_the_wheel_holds_the_product_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    tops = {name.partition("/")[0] for name in names}
    assert tops == {"registry", "storage", "auth", "migrations", "runtime", f"moorage-{PROJECT['version']}.dist-info"}
    steps = {path.relative_to(ROOT).as_posix() for path in (ROOT / "migrations").rglob("*.py")}
    assert steps <= names
    assert "runtime/containers/specification/seccomp.json" in names
    assert f"moorage-{PROJECT['version']}.dist-info/licenses/LICENSE" in names


def test_the_wheel_describes_itself(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        text = archive.read(f"moorage-{PROJECT['version']}.dist-info/METADATA").decode()
        scripts = archive.read(f"moorage-{PROJECT['version']}.dist-info/entry_points.txt").decode()
    metadata = HeaderParser().parsestr(text)
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == PROJECT["requires-python"]
    assert {"s3", "postgres", "granian", "all"} <= set(metadata.get_all("Provides-Extra", []))
    assert "moorage = registry.cli:main" in scripts


def test_the_source_archive_can_be_tested_and_built_again(built: Path) -> None:
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        names = {name.partition("/")[2] for name in tar.getnames()}
    assert {
        "pyproject.toml",
        "Makefile",
        "requirements/dev.txt",
        "requirements/make-venv",
        "tests/__init__.py",
    } <= names
    assert {"README.md", "CHANGELOG.md", "LICENSE", "Dockerfile"} <= names


def test_the_command_says_the_project_s_version(installed: Path) -> None:
    assert run(installed / "moorage", "--version", cwd=installed) == f"moorage {PROJECT['version']}"


def test_it_serves_from_another_directory(installed: Path, tmp_path: Path) -> None:
    where = run(installed / "python", "-c", "import registry; print(registry.__file__)", cwd=tmp_path)
    assert Path(where).is_relative_to(installed.parent)

    port, data = free_port(), tmp_path / "data"
    command = [str(installed / "moorage"), "serve", "--open", "--listen", f"127.0.0.1:{port}", "--data", str(data)]
    server = RunningServer(command=command, log=tmp_path / "log", data=data, port=port)
    server.start()
    try:
        assert push_blob(port, b"from the wheel") == 201
        assert has_blob(port, b"from the wheel")
    finally:
        status = server.stop()
    assert status == 0


def test_a_directory_without_the_sources_is_not_needed(installed: Path, tmp_path: Path) -> None:
    """`moorage` also runs as a module, which does not depend on the script's path."""
    done = subprocess.run([installed / "python", "-m", "registry", "config", "show"], cwd=tmp_path, capture_output=True)
    assert done.returncode == 0
    assert list(tmp_path.iterdir()) == []  # only `serve` makes anything
