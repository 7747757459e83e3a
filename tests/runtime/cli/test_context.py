"""What `moor build` sends is what the stock docker command sends, for every .dockerignore."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.parts.tools import require
from tests.runtime.cli.conftest import Moor
from tests.runtime.cli.recorder import Asked, recording

pytestmark = pytest.mark.e2e

BUILT = (200, b'{"stream":"Step 1/1 : FROM scratch\\n"}\n{"aux":{"ID":"sha256:abc"}}\n')
ANSWERS = {"POST /build": BUILT}
FILES = (
    "Dockerfile",
    "other.Dockerfile",
    "README.md",
    "a.txt",
    "a+b.txt",
    ".git/config",
    ".git/objects/aa/bb",
    "src/main.py",
    "src/main.pyc",
    "src/deep/one/main.pyc",
    "src/deep/two/keep.txt",
    "src/deep/[x].txt",
    "node_modules/left/index.js",
    "node_modules/right/index.js",
    "docs/a.md",
    "docs/b.md",
    "dir with space/f",
    "logs/2026/x.log",
    "logs/y.log",
)
IGNORES = (
    "",
    "# comment only\n\n",
    ".git\nnode_modules\n",
    "*\n!src\n",
    "*\n!src/deep/two\n",
    "**/*.pyc\n",
    "*.pyc\n",
    "src/**/main.pyc\n!src/deep\n",
    "docs/*\n!docs/b.md\n",
    "/docs/\n",
    "./src/../docs\n",
    "*.md\n!README.md\n",
    "**\n!**/*.txt\n",
    "a?txt\nlogs/*/x.log\n",
    "a+b.txt\n",
    "src/deep/[[]x].txt\n",
    "[a-d]*\n",
    "node_modules/**\n!node_modules/left\n",
    "Dockerfile\n.dockerignore\n",
    "  logs  \n! logs/y.log\n",
    "dir with space\n",
    "src/deep/\\[x].txt\n",
    "#not a comment?\n #indented\n",
    "src/\n!src/main.py\nsrc/main.py\n",
)


def files(root: Path, ignore: str | None) -> Path:
    """A context with these files."""
    for name in FILES:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (root / "Dockerfile").write_text("FROM scratch\n")
    (root / "link").symlink_to("a.txt")
    (root / "empty").mkdir()
    if ignore is not None:
        (root / ".dockerignore").write_text(ignore)
    return root


def names(asked: Asked) -> list[str]:
    """The names in the archive that was sent, without the slash that Go puts behind directories."""
    with tarfile.open(fileobj=io.BytesIO(asked.body)) as archive:
        return sorted(member.name.rstrip("/") for member in archive.getmembers())


def docker_build(directory: Path, *words: str, cwd: Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """The stock command's classic build."""
    command = [require("docker"), "--config", str(directory / "config"), "--host", f"unix://{directory}/engine.sock"]
    environment = {**os.environ, "DOCKER_BUILDKIT": "0"}
    return subprocess.run(
        [*command, "build", *words], capture_output=True, timeout=60, check=False, env=environment, cwd=cwd, input=stdin
    )


@pytest.mark.parametrize("ignore", IGNORES)
def test_the_same_files_are_sent(short: Path, tmp_path: Path, moor: Moor, ignore: str) -> None:
    context = files(tmp_path / "context", ignore)
    with recording(short, ANSWERS) as recorder:
        theirs = docker_build(short, "-t", "x", str(context), cwd=tmp_path)
        assert theirs.returncode == 0, theirs.stderr
        expected = names(recorder.last("POST /build"))
        recorder.asked.clear()
        assert moor("build", "-t", "x", str(context)).returncode == 0
        assert names(recorder.last("POST /build")) == expected


@pytest.mark.parametrize(
    "words",
    [
        "-t a -t b:2 --build-arg A=1 --build-arg B --label x=y --no-cache --pull --target t -q",
        "-f other.Dockerfile --platform linux/amd64 --network none --shm-size 64m --memory 1g --memory-swap -1",
        "--add-host a:1.2.3.4 --ulimit nofile=10 --cache-from x --cpu-shares 5 --rm=false --force-rm",
    ],
)
def test_the_same_words_ask_for_the_same_build(short: Path, tmp_path: Path, moor: Moor, words: str) -> None:
    context = files(tmp_path / "context", None)
    with recording(short, ANSWERS) as recorder:
        if "-f" in words:
            words = words.replace("other.Dockerfile", str(context / "other.Dockerfile"))
        assert docker_build(short, *words.split(), str(context), cwd=tmp_path).returncode == 0
        expected = asked_for(recorder.last("POST /build"))
        recorder.asked.clear()
        done = moor("build", *words.split(), str(context))
        assert done.returncode == 0, done.stderr
        assert asked_for(recorder.last("POST /build")) == expected


def asked_for(asked: Asked) -> dict[str, object]:
    """A build's query without what means nothing, its JSON read."""
    found: dict[str, object] = {}
    for name, values in parse_qs(urlsplit(asked.path).query).items():
        shown = [json.loads(value) if value[:1] in "{[" or value == "null" else value for value in values]
        if shown not in ([{}], [None], ["0"], [[]], ["Dockerfile"], ["default"]):
            found[name] = shown
    return found


def test_a_dockerfile_alone_an_archive_and_one_from_outside(short: Path, tmp_path: Path) -> None:
    context = files(tmp_path / "context", None)
    outside = tmp_path / "Outside"
    outside.write_text("FROM scratch\nLABEL a=b\n")
    with recording(short, ANSWERS) as recorder:
        assert run(short, "build", "-", stdin=b"FROM scratch\n").returncode == 0
        assert names(recorder.last("POST /build")) == ["Dockerfile"]
        packed = subprocess.run(["tar", "-C", context, "-cz", "."], capture_output=True, check=True).stdout
        assert run(short, "build", "-", stdin=packed).returncode == 0
        assert recorder.last("POST /build").body == packed
        assert run(short, "build", "-f", str(outside), str(context)).returncode == 0
        asked = recorder.last("POST /build")
        (name,) = parse_qs(urlsplit(asked.path).query)["dockerfile"]
        with tarfile.open(fileobj=io.BytesIO(asked.body)) as archive:
            file = archive.extractfile(name)
            assert file is not None and file.read() == outside.read_bytes()
        assert run(short, "build", "-f", "-", str(context), stdin=b"FROM scratch\nENV x=y\n").returncode == 0


def run(directory: Path, *words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """`moor` with bytes on its standard input."""
    import sys

    from tests.runtime.cli.conftest import CODE, moor_environment

    command = [sys.executable, "-c", CODE, *words]
    return subprocess.run(
        command, capture_output=True, timeout=60, check=False, env=moor_environment(directory), input=stdin
    )


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("-",), "Dockerfile is empty"),
        (("/nonexistent/place",), 'path "/nonexistent/place" not found'),
        (("-f", "-", "-"), "can't use stdin for both"),
        (("-f", "nosuch", "{context}"), "no such file or directory"),
        (("{context}", "{context}"), "requires 1 argument"),
    ],
)
def test_what_is_no_context_is_refused(
    short: Path, tmp_path: Path, moor: Moor, words: tuple[str, ...], sentence: str
) -> None:
    context = files(tmp_path / "context", None)
    with recording(short, ANSWERS) as recorder:
        done = moor("build", *(word.format(context=context) for word in words))
        assert done.returncode != 0 and sentence in done.stderr
        assert not [one for one in recorder.asked if one.path.startswith("/build")]


def test_an_id_file_is_there_after_a_build_and_not_after_a_failure(short: Path, tmp_path: Path, moor: Moor) -> None:
    context, identifier = files(tmp_path / "context", None), tmp_path / "id"
    with recording(short, ANSWERS) as recorder:
        assert moor("build", "--iidfile", str(identifier), str(context)).returncode == 0
        assert identifier.read_text() == "sha256:abc"
        recorder.answers["POST /build"] = (200, b'{"errorDetail":{"code":7,"message":"it broke"},"error":"it broke"}\n')
        done = moor("build", "--iidfile", str(identifier), str(context))
    assert (done.returncode, "it broke" in done.stderr) == (7, True)
    assert not identifier.exists()
