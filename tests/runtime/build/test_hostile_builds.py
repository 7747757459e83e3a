"""Hostile contexts, Dockerfiles and base images: the host is not read, not written, and nothing stays behind."""

import gzip
import hashlib
import io
import json
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.parts.engine import RunningEngine
from tests.runtime.build.builds import build, context, leftovers, link
from tests.runtime.build.test_building import in_image

pytestmark = pytest.mark.e2e

SECRET = "secret of the host"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file of the host that nothing may read or change."""
    path = tmp_path / "secret"
    path.write_text(SECRET)
    return path


@pytest.fixture(autouse=True)
def nothing_stays(engine: RunningEngine, secret: Path) -> Iterator[None]:
    """Whatever the build was: the host's file is as it was, and the engine has nothing left over."""
    yield
    assert [path.name for path in secret.parent.iterdir()] == ["secret"]
    assert secret.read_text() == SECRET
    assert leftovers(engine) == []


def header(name: str, kind: bytes, **fields: int) -> tarfile.TarInfo:
    made = link(name, "", kind)
    for field, value in fields.items():
        setattr(made, field, value)
    return made


@pytest.mark.parametrize(
    "source",
    [
        "../../..{secret}",
        "{secret}",
        "link",
        "link/",
        "up/secret",
        "chain/secret",
        "di*/secret",
        "up/*",
        "%2e%2e{secret}",
    ],
)
@pytest.mark.parametrize("word", ["COPY", "ADD"])
def test_no_source_leads_out_of_the_context(engine: RunningEngine, secret: Path, source: str, word: str) -> None:
    links = (
        link("link", str(secret)),
        link("up", "../" * 30 + str(secret.parent)),
        link("chain", "up"),
        link("dir", str(secret.parent)),
    )
    text = f"FROM busybox\n{word} {source.format(secret=secret)} /x\n"
    built = build(engine, context(text, more=links))
    assert "COPY failed: " in built.error
    assert SECRET not in str(built)


def test_a_link_below_a_directory_is_copied_as_a_link(engine: RunningEngine, secret: Path) -> None:
    build(engine, context("FROM busybox\nCOPY d /d\n", more=(link("d/l", str(secret)),)), t="links:1").image  # noqa: B018
    assert in_image(engine, "links:1", "ls", "-l", "/d/l").endswith(f"/d/l -> {secret}")


@pytest.mark.parametrize(
    "name", ["../../../etc/passwd", "/etc/passwd", "l", "d/passwd", "pipe", "missing", ".", "a\0b"]
)
def test_no_dockerfile_leads_out_of_the_context(engine: RunningEngine, name: str) -> None:
    more = (link("l", "/etc/passwd"), link("d", "/etc"), header("pipe", tarfile.FIFOTYPE))
    built = build(engine, context("FROM busybox\n", more=more), dockerfile=name)
    assert built.error.startswith("Cannot locate specified Dockerfile")
    assert "root:" not in str(built)


@pytest.mark.parametrize(
    "step",
    ["COPY a.txt {target}/x", "COPY a.txt {target}", "COPY d {target}", "ADD a.tar {target}/", "WORKDIR {target}/new",
     "ADD a.tar /out/", "COPY d /"],
)  # fmt: skip
def test_no_target_leads_out_of_the_image(engine: RunningEngine, secret: Path, step: str) -> None:
    """The image's own links, absolute and climbing, to a directory of the host."""
    tar = context("x", {"x": b"evil", "secret": b"evil"})
    text = f"FROM busybox\nRUN ln -s {secret.parent} /out && ln -s ../../../../../..{secret.parent} /climb\n"
    files = {"a.txt": b"evil", "d/secret": b"evil", "d/out/secret": b"evil", "a.tar": tar}
    for target in ("/out", "/climb"):
        build(engine, context(text + step.format(target=target) + "\n", files))


def test_a_stage_gives_nothing_of_the_host(engine: RunningEngine, secret: Path) -> None:
    text = f"FROM busybox AS s\nRUN ln -s {secret} /l && ln -s {secret.parent} /d\nFROM scratch\nCOPY --from=s "
    for source in ("/l", "/d/secret", f"/../..{secret}", "/d/*"):
        built = build(engine, context(f"{text}{source} /x\n"))
        assert "COPY failed" in built.error


def hostile_tars(secret: Path) -> dict[str, bytes]:
    found = {}
    cases: dict[str, list[tuple[str, str | None]]] = {
        "climbing": [("../../../../../.." + str(secret), None)],
        "absolute": [(str(secret), None)],
        "link-then-write": [("l", str(secret.parent)), ("l/secret", None)],
        "link-chain": [("a", ".."), ("b", "a/../../../../.." + str(secret.parent)), ("b/secret", None)],
        "dot": [(".", str(secret.parent)), ("secret", None)],
    }
    for name, entries in cases.items():
        written = io.BytesIO()
        with tarfile.open(fileobj=written, mode="w") as tar:
            for path, target in entries:
                if target is None:
                    made = tarfile.TarInfo(path)
                    made.size = 4
                    tar.addfile(made, io.BytesIO(b"evil"))
                else:
                    tar.addfile(link(path, target))
        found[name] = written.getvalue()
    return found


@pytest.mark.parametrize("case", ["climbing", "absolute", "link-then-write", "link-chain", "dot"])
def test_hostile_archives(engine: RunningEngine, secret: Path, case: str) -> None:
    """As a context, and as what ADD unpacks, plain and packed."""
    tar = hostile_tars(secret)[case]
    assert build(engine, tar).error
    for data in (tar, gzip.compress(tar)):
        build(engine, context("FROM busybox\nADD a.tar /there/\nADD a.tar /\n", {"a.tar": data}))


@pytest.mark.parametrize(
    ("more", "step"),
    [
        (header("n", tarfile.FIFOTYPE), "COPY n /n"),
        (header("n", tarfile.CHRTYPE, devmajor=1, devminor=5), "COPY n /n"),
        (header("d/n", tarfile.BLKTYPE, devmajor=8, devminor=0), "COPY d /d"),
        (header("d/.wh.n", tarfile.REGTYPE), "COPY d /d"),
        (link("l", "l"), "COPY l /l"),
    ],
)
def test_what_is_no_file_is_not_copied(engine: RunningEngine, more: tarfile.TarInfo, step: str) -> None:
    built = build(engine, context(f"FROM busybox\n{step}\n", more=(more,)))
    assert built.error
    assert built.status in {200, 400}


def test_a_context_that_is_deep(engine: RunningEngine) -> None:
    deep = header("/".join(["d"] * 400), tarfile.DIRTYPE, mode=0o755)
    assert "deep" in build(engine, context("FROM busybox\nCOPY d /d\n", more=(deep,))).error


@pytest.mark.parametrize("body", [b"", b"no tar at all" * 100, gzip.compress(b"x" * 2000), b"\x1f\x8b\x08broken"])
def test_a_context_that_is_no_archive(engine: RunningEngine, body: bytes) -> None:
    built = build(engine, body)
    assert built.error
    assert built.status in {200, 400, 500}


@pytest.mark.parametrize(
    ("dockerfile", "sentence"),
    [
        ("", r"the Dockerfile \(Dockerfile\) cannot be empty"),
        ("# nothing\n", "file with no instructions"),
        ("FROM nothing/here:1\n", ""),
        ("FROM busybox\nUSER nobody-such\nRUN true\n", "unable to find user nobody-such"),
        ("FROM busybox\nCOPY --chown=nobody-such Dockerfile /\n", "unable to find user nobody-such"),
        ("FROM busybox\nCOPY a b c /x\n", "COPY failed: file not found in build context or excluded by .dockerignore"),
        ("FROM busybox\nCOPY Dockerfile Dockerfile /x\n", "the destination must be a directory and end with a /"),
        ("FROM busybox\nCOPY Dockerfile /bin\nCOPY bin /bin/busybox\n", ""),
        ("FROM busybox\nRUN --mount=type=secret,id=x true\n", "needs BuildKit's session"),
        ("FROM busybox\nRUN --network=host true\n", "granting entitlement network.host is not allowed"),
        ("FROM busybox\nRUN --security=insecure true\n", "confinement"),
        ("FROM busybox\nADD https://example.invalid/x.git /x\n", "does not fetch git repositories"),
        ("FROM busybox\nONBUILD ONBUILD RUN true\n", "Chaining ONBUILD"),
        ("FROM busybox\nENV A=${B\n", "syntax error: missing '}'"),
        ("FROM busybox\nEXPOSE 0\n", "invalid containerPort: 0"),
        ("FROM busybox\nHEALTHCHECK --interval=1x CMD true\n", "invalid duration"),
        ("FROM busybox\nCOPY --chmod=999 Dockerfile /\n", "invalid chmod parameter"),
        ("FROM busybox\nRUN --mount=type=bind,source=../../etc,target=/x ls /x/passwd\n", "invalid mount"),
    ],
)
def test_dockerfiles_that_are_refused(engine: RunningEngine, dockerfile: str, sentence: str) -> None:
    built = build(engine, context(dockerfile))
    assert built.error
    assert re.search(sentence, built.error), built.error


def test_a_base_image_with_hostile_triggers(engine: RunningEngine) -> None:
    """Written by hand into an image: what no Dockerfile may say."""
    for trigger in ("ONBUILD RUN true", "FROM scratch", "FOO", "COPY ../../etc/passwd /x", "", "RUN <<EOF"):
        made = build(engine, context("FROM busybox\nCMD true\n"), t="t:1").image
        _with_trigger(engine, made, trigger)
        built = build(engine, context("FROM evil:1\nENV X=1\n"))
        assert built.error, trigger


def _with_trigger(engine: RunningEngine, image: str, trigger: str) -> None:
    archive = engine.directory / "evil.tar"
    engine.docker("save", "--output", archive, image)
    written = io.BytesIO()
    with tarfile.open(archive) as old, tarfile.open(fileobj=written, mode="w") as new:
        manifest = json.loads(old.extractfile("manifest.json").read())[0]  # type: ignore[union-attr]
        config = json.loads(old.extractfile(manifest["Config"]).read())  # type: ignore[union-attr]
        config["config"]["OnBuild"] = [trigger]
        data = json.dumps(config).encode()
        name = f"{hashlib.sha256(data).hexdigest()}.json"
        manifest |= {"Config": name, "RepoTags": ["evil:1"]}
        parts = {"manifest.json": json.dumps([manifest]).encode(), name: data}
        for member, content in parts.items():
            made = tarfile.TarInfo(member)
            made.size = len(content)
            new.addfile(made, io.BytesIO(content))
        for layer in manifest["Layers"]:
            new.addfile(old.getmember(layer), old.extractfile(layer))
    archive.write_bytes(written.getvalue())
    engine.docker("load", "--input", archive)
    archive.unlink()
