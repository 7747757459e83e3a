"""Instructions that change the configuration alone, mounts of steps, and documents: pure, case by case."""

from typing import Any

import pytest

from runtime.build.configure import configured
from runtime.build.mounts import BuildMount, read_mount
from runtime.build.parser import parse, parse_line
from runtime.build.running import command_of
from runtime.build.state import empty
from runtime.build.transfer import wish
from runtime.errors import EngineError


def after(*lines: str, runtime: dict[str, Any] | None = None, **variables: str) -> dict[str, Any]:
    found = runtime or {}
    for line in lines:
        found = configured(found, parse_line(line), variables, "\\")
    return found


@pytest.mark.parametrize(
    ("lines", "name", "value"),
    [
        (("ENV A=1", 'ENV A=2 B="x y" C=$V'), "Env", ["A=2", "B=x y", "C=v"]),
        (("ENV A x  y",), "Env", ["A=x  y"]),
        (("ENV abc=hello", "ENV abc=bye def=$abc"), "Env", ["abc=bye", "def="]),
        (("LABEL a=b", "LABEL a=c d='e f'"), "Labels", {"a": "c", "d": "e f"}),
        (("EXPOSE 80 $V2/udp 8000-8002",), "ExposedPorts",
         {"80/tcp": {}, "443/udp": {}, "8000/tcp": {}, "8001/tcp": {}, "8002/tcp": {}}),
        (("VOLUME /a /b", 'VOLUME ["/c d"]'), "Volumes", {"/a": {}, "/b": {}, "/c d": {}}),
        (("WORKDIR /a", "WORKDIR b/../c", "WORKDIR ../$V"), "WorkingDir", "/a/v"),
        (("WORKDIR ../../..",), "WorkingDir", "/"),
        (("USER $V:1",), "User", "v:1"),
        (("CMD echo $V",), "Cmd", ["/bin/sh", "-c", "echo $V"]),
        (('SHELL ["a", "b"]', "ENTRYPOINT x"), "Entrypoint", ["a", "b", "x"]),
        (('CMD ["x", "y"]',), "Cmd", ["x", "y"]),
        (("CMD",), "Cmd", []),
        (("HEALTHCHECK NONE",), "Healthcheck", {"Test": ["NONE"]}),
        (('HEALTHCHECK --timeout=1m30s --start-period=1.5s CMD ["a"]',), "Healthcheck",
         {"Test": ["CMD", "a"], "Timeout": 90 * 10**9, "StartPeriod": 1500 * 10**6}),
        (("ONBUILD RUN a", "ONBUILD COPY --chown=1 a b"), "OnBuild", ["RUN a", "COPY --chown=1 a b"]),
        (("STOPSIGNAL $V",), "StopSignal", "v"),
    ],
)  # fmt: skip
def test_the_configuration_after(lines: tuple[str, ...], name: str, value: object) -> None:
    assert after(*lines, V="v", V2="443")[name] == value


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("EXPOSE 70000", "invalid containerPort"),
        ("EXPOSE 9-1", "invalid containerPort"),
        ("EXPOSE x", "invalid containerPort"),
        ("HEALTHCHECK FOO", "Unknown type"),
        ("HEALTHCHECK CMD", "Missing command"),
        ("HEALTHCHECK NONE x", "takes no arguments"),
        ("HEALTHCHECK --retries=-1 CMD x", "invalid syntax"),
        ("HEALTHCHECK --interval=1us CMD x", "cannot be less than 1ms"),
        ("WORKDIR $NONE", "WORKDIR needs a path"),
        ("ENV $NONE=x", "names can not be blank"),
    ],
)
def test_what_is_refused(line: str, sentence: str) -> None:
    with pytest.raises(EngineError, match=sentence):
        after(line)


@pytest.mark.parametrize(
    ("text", "mount"),
    [
        ("target=/x", BuildMount("bind", "/x", identity="/x")),
        ("type=bind,from=a,src=b,dst=/x,rw", BuildMount("bind", "/x", "b", "a", writable=True, identity="/x")),
        ("type=cache,id=i,target=/x,mode=0700,uid=5",
         BuildMount("cache", "/x", writable=True, identity="i", mode=0o700, uid=5)),
        ("type=cache,target=/x,ro", BuildMount("cache", "/x", identity="/x")),
        ("type=tmpfs,target=/x,size=2k", BuildMount("tmpfs", "/x", writable=True, identity="/x", size=2048)),
    ],
)  # fmt: skip
def test_a_mount(text: str, mount: BuildMount) -> None:
    assert read_mount(text) == mount


@pytest.mark.parametrize(
    "text", ["type=secret,id=x", "type=ssh", "type=foo,target=/x", "type=bind", "type=tmpfs,target=/x,size=y",
             "type=cache,target=/x,mode=9", "type=bind,target=/x,foo=1", "type=cache,target=/x,sharing=y"],
)  # fmt: skip
def test_a_mount_that_is_refused(text: str) -> None:
    with pytest.raises(EngineError):
        read_mount(text)


def test_documents_of_a_step() -> None:
    def words(text: str) -> list[str]:
        return command_of(empty({}), parse(f"FROM a\n{text}").instructions[1])

    assert words("RUN <<EOF\na\nb\nEOF\n") == ["/bin/sh", "-c", "a\nb\n"]
    assert words("RUN <<-EOF\n\ta\n\tEOF\n") == ["/bin/sh", "-c", "a\n"]
    assert words("RUN cat <<EOF\na\nEOF\n") == ["/bin/sh", "-c", "cat <<EOF\na\nEOF\n"]
    assert words("RUN <<EOF\n#!/bin/x\na\nEOF\n")[2].startswith("cat > /dev/shm/")
    assert words('RUN ["a", "b"]\n') == ["a", "b"]


def test_documents_that_are_copied() -> None:
    text = "FROM a\nCOPY <<a <<'b' c /x/\n\"$V\" 'y' \\$V\na\n$V\nb\n"
    found = wish(parse(text).instructions[1], {}, {"V": "v"}, "\\")
    assert dict(found.documents) == {"a": b"\"v\" 'y' $V\n", "b": b"$V\n"}
    assert (found.sources, found.target) == (("c",), "/x/")


@pytest.mark.parametrize(
    ("target", "absolute"),
    [("x", "/w/x"), (".", "/w/"), ("./", "/w/"), ("../x/", "/x/"), ("/", "/"), ("/../../x", "/x")],
)
def test_where_files_go(target: str, absolute: str) -> None:
    found = wish(parse_line(f"COPY a {target}"), {"WorkingDir": "/w"}, {}, "\\")
    assert found.target == absolute
