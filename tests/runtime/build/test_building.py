"""Whole builds by a real daemon: every instruction, the cache, failures, and clients that go away."""

import bz2
import functools
import gzip
import io
import json
import lzma
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import docker
import pytest

from tests.parts.commands import CommandFailed
from tests.parts.engine import RunningEngine, start_engine
from tests.runtime.build.builds import build, context, leftovers

pytestmark = pytest.mark.e2e

EVERYTHING = """\
ARG VERSION=latest
FROM busybox:$VERSION AS one
ARG NAME=x
ENV A=1 B="two $NAME"
WORKDIR /work/$NAME
COPY a.txt sub/*.txt ./
COPY --chown=5:6 --chmod=640 a.txt /owned/
RUN echo $A $B $NAME && cat a.txt b.txt && rm a.txt && echo built > out.txt
RUN <<EOF
echo one > lines.txt
echo two >> lines.txt
EOF
COPY <<"END" <<other /conf/
x=$A
END
y=$A
other

FROM busybox
COPY --from=one /work /work
COPY --from=one /conf /conf
COPY --from=one /owned /owned
LABEL a=b "c d"="e f"
EXPOSE 80 90-91/udp
VOLUME /data
USER 1:2
STOPSIGNAL SIGINT
HEALTHCHECK --interval=5s --retries=2 CMD true
SHELL ["/bin/sh", "-e", "-c"]
ENTRYPOINT ["cat"]
CMD ["/work/x/out.txt"]
"""
FILES = {"a.txt": b"a\n", "sub/b.txt": b"b\n"}


@contextmanager
def serving(directory: Path) -> Iterator[int]:
    """Serve a directory on a port of the loopback."""
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(directory))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()


def inspected(engine: RunningEngine, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(engine.request("GET", f"/images/{name}/json")[1])
    return found


def in_image(engine: RunningEngine, name: str, *command: str) -> str:
    return engine.docker(
        "run", "--rm", "--network", "none", "--user", "0", "--entrypoint", command[0], name, *command[1:]
    )


def test_stock_docker_builds_every_instruction(engine: RunningEngine, tmp_path: Path) -> None:
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    (tmp_path / "Dockerfile").write_text(EVERYTHING)
    said = engine.docker("build", "--no-cache", "--network", "none", "--tag", "every:1", "--label", "z=1", tmp_path)
    assert "1 two x x\na\nb\n" in said
    assert "Successfully tagged every:1" in said
    assert engine.docker("run", "--rm", "--network", "none", "every:1") == "built"
    assert in_image(engine, "every:1", "cat", "/work/x/lines.txt", "/conf/END", "/conf/other") == "one\ntwo\nx=$A\ny=1"
    assert in_image(engine, "every:1", "stat", "-c", "%u:%g %a", "/owned/a.txt") == "5:6 640"
    config = inspected(engine, "every:1")["Config"]
    assert config["Labels"] == {"a": "b", "c d": "e f", "z": "1"}
    assert config["ExposedPorts"] == {"80/tcp": {}, "90/udp": {}, "91/udp": {}}
    assert config["Healthcheck"] == {"Test": ["CMD-SHELL", "true"], "Interval": 5 * 10**9, "Retries": 2}
    assert (config["User"], config["StopSignal"], config["Volumes"]) == ("1:2", "SIGINT", {"/data": {}})
    assert (config["Entrypoint"], config["Cmd"]) == (["cat"], ["/work/x/out.txt"])


def test_docker_py_builds(engine: RunningEngine, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM busybox\nRUN echo from-py > /x\n")
    client = docker.DockerClient(base_url=f"unix://{engine.socket}", timeout=120)
    try:
        image, lines = client.images.build(path=str(tmp_path), tag="py:1", network_mode="none")
        assert any("Successfully built" in line.get("stream", "") for line in lines)
        assert image.tags == ["py:1"]
        with pytest.raises(docker.errors.BuildError, match="returned a non-zero code: 3"):
            client.images.build(fileobj=io.BytesIO(b"FROM busybox\nRUN exit 3\n"), network_mode="none", rm=True)
    finally:
        client.close()


def test_a_second_build_finds_everything_in_the_cache(engine: RunningEngine) -> None:
    first = build(engine, context(EVERYTHING, FILES), t="cached:1")
    again = build(engine, context(EVERYTHING, FILES), t="cached:1")
    assert again.image == first.image
    assert "Running in" not in again.text
    assert again.text.count("Using cache") == 20
    changed = build(engine, context(EVERYTHING, {**FILES, "a.txt": b"other\n"}))
    assert changed.image != first.image
    assert changed.text.count("Using cache") == 5, "three before the file is copied, two of what became the same"
    assert build(engine, context(EVERYTHING, FILES), nocache="1").image != first.image


def test_what_does_not_matter_does_not_miss_the_cache(engine: RunningEngine) -> None:
    text = "FROM busybox\nCOPY a.txt /\nARG UNUSED\nENV X=1\n"
    first = build(engine, context(text, {"a.txt": b"1", "b.txt": b"1"}), buildargs='{"UNUSED":"1"}')
    again = build(engine, context(text, {"a.txt": b"1", "b.txt": b"2"}), buildargs='{"UNUSED":"2"}')
    assert first.image == again.image


def test_an_argument_that_a_step_sees_misses_the_cache(engine: RunningEngine) -> None:
    text = "FROM busybox\nARG SEEN\nRUN echo seen=$SEEN\n"
    assert "seen=1\n" in build(engine, context(text), buildargs='{"SEEN":"1"}').text
    assert "seen=2\n" in build(engine, context(text), buildargs='{"SEEN":"2"}').text


def test_rules_of_arguments(engine: RunningEngine) -> None:
    text = (
        "ARG G=global\nFROM busybox\nARG G\nARG D=default\nARG E=arg\nENV E=env\n"
        "RUN echo [$G] [$D] [$E] [$NOT] [$HTTP_PROXY]\n"
    )
    said = build(engine, context(text), buildargs='{"D":"given","NOT":"x","HTTP_PROXY":"p","NULL":null}').text
    assert "[global] [given] [env] [] [p]\n" in said
    assert "[Warning] One or more build-args [NOT] were not consumed" in said


def test_the_same_context_gives_the_same_image_anywhere(engine: RunningEngine, base: Path) -> None:
    arguments = {"buildargs": '{"SOURCE_DATE_EPOCH":"1700000000"}', "nocache": "1"}
    first = build(engine, context(EVERYTHING, FILES), **arguments).image
    with start_engine() as other:
        other.docker("load", "--input", base)
        assert build(other, context(EVERYTHING, FILES), **arguments).image == first


def test_a_step_that_fails(engine: RunningEngine, tmp_path: Path) -> None:
    before = engine.request("GET", "/images/json")[1]
    (tmp_path / "Dockerfile").write_text("FROM busybox\nRUN echo so; exit 7\n")
    with pytest.raises(CommandFailed, match="The command '/bin/sh -c echo so; exit 7' returned a non-zero code: 7"):
        engine.docker("build", "--network", "none", tmp_path)
    failed = build(engine, context("FROM busybox\nRUN exit 7\n"))
    assert failed.lines[-1]["errorDetail"]["code"] == 7
    assert build(engine, context('FROM busybox\nRUN ["/not/there"]\n')).error
    assert leftovers(engine) == []
    assert engine.request("GET", "/images/json")[1] == before


def test_target_and_quiet(engine: RunningEngine) -> None:
    text = "FROM busybox AS a\nENV X=a\nFROM busybox AS b\nRUN exit 1\n"
    assert build(engine, context(text), target="a").image
    quiet = build(engine, context(text), target="a", q="1")
    assert quiet.text.strip() == build(engine, context(text), target="a").image
    assert 'target stage "x" could not be found' in build(engine, context(text), target="x").error


def test_triggers_of_a_base(engine: RunningEngine) -> None:
    build(engine, context("FROM busybox\nONBUILD ARG Y=1\nONBUILD COPY t.txt /t\nONBUILD RUN cat /t\n"), t="trigger:1")
    child = build(engine, context("FROM trigger:1\nENV Z=1\n", {"t.txt": b"triggered\n"}), t="child:1")
    assert "# Executing 3 build triggers" in child.text
    assert "triggered\n" in child.text
    assert not inspected(engine, "child:1")["Config"].get("OnBuild")


def test_mounts_of_a_step_leave_nothing_in_the_layer(engine: RunningEngine) -> None:
    text = (
        "FROM busybox\n"
        "RUN --mount=type=cache,target=/cache/a touch /cache/a/kept-$X\n"
        "RUN --mount=type=cache,target=/cache/a --mount=type=bind,source=sub,target=/in "
        "--mount=type=tmpfs,target=/t ls /cache/a /in && touch /t/x && ! touch /in/x\n"
    )
    built = build(engine, context(text, FILES), t="mounts:1", nocache="1")
    assert "kept-" in built.text and "b.txt" in built.text
    listed = in_image(engine, "mounts:1", "ls", "/").split()
    assert not {"cache", "in", "t"} & set(listed)


def test_archives_that_are_added(engine: RunningEngine) -> None:
    plain = context("x", {"inside.txt": b"in\n"})
    packed = {
        "a.tar": plain,
        "b.tgz": gzip.compress(plain),
        "c.txz": lzma.compress(plain),
        "d.tbz": bz2.compress(plain),
    }
    text = (
        "FROM busybox\n"
        + "".join(f"ADD {name} /{name[0]}/\n" for name in packed)
        + "COPY a.tar /copied/\nADD note.gz /n/\n"
    )
    build(engine, context(text, {**packed, "note.gz": gzip.compress(b"no archive" * 100)}), t="added:1").image  # noqa: B018
    listed = in_image(
        engine, "added:1", "ls", *(f"/{name[0]}/inside.txt" for name in packed), "/copied/a.tar", "/n/note.gz"
    )
    assert len(listed.split()) == 6


def test_files_are_fetched(engine: RunningEngine, tmp_path: Path) -> None:
    (tmp_path / "f.txt").write_text("fetched\n")
    with serving(tmp_path) as port, engine.namespace.let_in(port):
        url = f"http://127.0.0.1:{port}"
        digest = sha256(b"fetched\n").hexdigest()
        text = f"FROM busybox\nADD --checksum=sha256:{digest} {url}/f.txt /there/\nADD {url}/f.txt /named\n"
        build(engine, context(text), t="fetched:1").image  # noqa: B018
        assert in_image(engine, "fetched:1", "cat", "/there/f.txt", "/named") == "fetched\nfetched"
        assert in_image(engine, "fetched:1", "stat", "-c", "%a", "/named") == "600"
        assert "status 404" in build(engine, context(f"FROM busybox\nADD {url}/g.txt /\n")).error
        assert "cannot determine filename" in build(engine, context(f"FROM busybox\nADD {url}/ /\n")).error
        wrong = f"FROM busybox\nADD --checksum=sha256:{'0' * 64} {url}/f.txt /\n"
        assert "digest mismatch" in build(engine, context(wrong)).error
        (tmp_path / "Remote").write_text("FROM busybox\nRUN echo from-remote\n")
        assert "from-remote\n" in build(engine, b"", remote=f"{url}/Remote").text
    assert "does not fetch git" in build(engine, b"", remote="https://example.invalid/a.git").error


def test_the_cache_is_pruned(base: Path) -> None:
    with start_engine() as own:
        own.docker("load", "--input", base)
        layers = own.data / "layers"
        before = sorted(path.name for path in layers.iterdir())
        build(own, context("FROM busybox\nRUN echo x > /x\n"), t="gone:1").image  # noqa: B018
        own.docker("rmi", "gone:1")
        own.docker("builder", "prune", "--force")
        assert sorted(path.name for path in layers.iterdir()) == before
