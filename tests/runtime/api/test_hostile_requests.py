"""Every endpoint is asked what makes no sense: each answer is a refusal in words, none breaks the engine.

"the engine broke" is what the router says where a handler or a service met what it did not expect.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import pytest

from runtime.api.endpoints import ENDPOINTS, Endpoint
from tests.parts.asgi import Raw
from tests.parts.engine import RunningEngine, start_engine
from tests.parts.images import busybox_tar, docker_archive
from tests.parts.tools import require

pytestmark = pytest.mark.e2e

NAMES = (
    "..",
    "../../etc/passwd",
    ".",
    "a" * 5000,
    "sha256:" + "0" * 64,
    "sha256:../../../etc",
    "é\u202e",
    "a b",
    "%",
    "-rf",
    "--help",
    "\x01\x1b[31m",
    "a\nb",
    "\udcff",
    "@",
    ":",
    "A/B:c@d",
    "0",
    "victim",
)
QUERY = (
    "all=maybe&limit=x&size=2&t=-1&signal=NOSUCH&condition=never&tail=-5&since=a&until=b&follow=x&h=-1&w=99999999999"
    "&path=../../etc/passwd&ps_args=%3Bid&repo=..&tag=..&fromImage=%2F&term=&name=..%2F..&platform=a/b/c/d/e"
    "&dockerfile=../../etc/passwd&buildargs=[1]&labels=x&remote=file:///etc/passwd&t=A:B:C&container=..&author=%00&changes=RUN"
    "&stdin=1&stream=1&logs=1&detachKeys=ctrl-%C3%A9&noOverwriteDirNonDir=x&copyUIDGID=x&force=x&noprune=x&pause=x&type=x"
)
FILTERS = (
    "[1]",
    '{"a":1}',
    '{"id":["x"]}',
    '{"label":{"a":true}}',
    '{"until":["soon"]}',
    "{",
    '{"name":["("]}',
    '"a"',
    "[" * 9000,
)
BODIES: tuple[object, ...] = (
    {},
    [],
    None,
    "text",
    {"Image": 5},
    {"Image": "busybox:1", "Cmd": 7},
    {"Image": "busybox:1", "Env": {"a": "b"}},
    {"Image": "busybox:1", "HostConfig": []},
    {"Image": "busybox:1", "HostConfig": {"Binds": [5], "Memory": "lots", "NetworkMode": 7}},
    {"Image": "busybox:1", "HostConfig": {"PortBindings": {"80": 5}, "NetworkMode": "bridge"}},
    {"Image": "busybox:1", "HostConfig": {"PortBindings": {"99999/tcp": [{"HostPort": "x"}]}}},
    {"Image": "busybox:1", "HostConfig": {"NetworkMode": "container:"}},
    {"Image": "busybox:1", "NetworkingConfig": {"EndpointsConfig": {"bridge": {"IPAMConfig": 5, "Aliases": {"a": 1}}}}},
    {"Image": "busybox:1", "Labels": ["a"], "User": 5, "WorkingDir": ["x"]},
    {"Image": "busybox:1", "Healthcheck": {"Test": 5, "Interval": "x"}},
    {"Image": "busybox:1", "HostConfig": {"Mounts": [{"Type": 5, "Target": None}], "Tmpfs": ["a"]}},
    {"Image": "busybox:1", "HostConfig": {"Ulimits": [5], "Sysctls": [1], "Devices": [{"PathOnHost": 5}]}},
    {"Image": "busybox:1", "HostConfig": {"LogConfig": {"Type": "syslog"}, "RestartPolicy": {"Name": 5}}},
    {"Cmd": [5], "AttachStdin": "x", "Tty": "x", "User": "nobody-here", "Env": [5]},
    {"Cmd": ["true"], "ConsoleSize": ["a"], "DetachKeys": 5},
    {"Name": "../x", "Driver": 5, "IPAM": {"Config": [{"Subnet": "999.0.0.0/8"}]}},
    {"Name": "n", "IPAM": {"Config": 5}, "Options": [1], "Labels": 5},
    {"Name": "v", "DriverOpts": [1], "Labels": [5]},
    {"Container": 5, "EndpointConfig": [1]},
    {"username": 5, "password": [], "serveraddress": {"a": 1}},
    {"serveraddress": "http://[::1"},
    {"Memory": "x", "NanoCpus": -5, "RestartPolicy": 5},
    {"Detach": "x", "Tty": 5},
)
READ_BODIES = ("/create", "/update", "/exec", "/start", "/connect", "/disconnect", "/auth", "/commit")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEngine]:
    archive = tmp_path_factory.mktemp("image") / "busybox.tar"
    docker_archive(archive, "busybox:1", [busybox_tar(require("busybox"), ("sh", "sleep"))], command=("sleep", "600"))
    with start_engine() as running:
        running.docker("load", "--input", archive)
        yield running


@pytest.fixture
def victim(engine: RunningEngine) -> Iterator[None]:
    """A container that runs, for what asks something of one."""
    engine.docker("run", "-d", "--network=none", "--name", "victim", "busybox:1", "sleep", "600")
    yield
    engine.remove_containers()


def ask(engine: RunningEngine, method: str, target: str, body: bytes = b"", headers: bytes = b"") -> bytes:
    """Ask on a connection of its own; of what has no end, the beginning is the answer."""
    with Raw(engine.socket) as client:
        head = b"%b %b HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n%b\r\n"
        client.send(head % (method.encode(), target.encode(), len(body), headers))
        client.send(body)
        said = client.until(b"\r\n\r\n")
        client.socket.settimeout(0.3)
        with suppress(TimeoutError):
            said += client.rest()
        return said


def targets(row: Endpoint, name: str) -> str:
    """The row's path with a name in it."""
    path = row.pattern.replace(r"(?P<id>[^/]+)", "\0").replace(r"(?P<name>.+)", "\0")
    return path.replace("\0", quote(name, safe="/", errors="surrogateescape"))


def broke(engine: RunningEngine) -> str:
    """What the engine's log says of handlers that broke, since the daemon's start."""
    log = engine.log.read_text(errors="replace")
    return "\n".join(part[-1500:] for part in log.split("Traceback")[1:])


@pytest.mark.usefixtures("victim")
def test_names_that_mean_no_good(engine: RunningEngine) -> None:
    for row in ENDPOINTS:
        if "(?P<" not in row.pattern:
            continue
        for name in NAMES:
            if name != "victim":
                said = ask(engine, row.method, targets(row, name), b"{}")
                assert b"the engine broke" not in said, (row.method, name, broke(engine))
    assert engine.docker("ps", "--format", "{{.Names}}") == "victim"


@pytest.mark.usefixtures("victim")
@pytest.mark.parametrize("name", ["victim", "busybox:1", "bridge"])
def test_queries_that_make_no_sense(engine: RunningEngine, name: str) -> None:
    for row in ENDPOINTS:
        if row.method == "DELETE" or row.pattern.endswith("/kill"):
            continue
        said = ask(engine, row.method, f"{targets(row, name)}?{QUERY}", b"{}")
        assert b"the engine broke" not in said, (row, broke(engine))


def test_filters_that_make_no_sense(engine: RunningEngine) -> None:
    for row in ENDPOINTS:
        if row.method != "GET" or "(?P<" in row.pattern:
            continue
        for filters in FILTERS:
            said = ask(engine, "GET", f"{row.pattern}?until=1&term=a&filters={quote(filters)}")
            assert b"the engine broke" not in said, (row, filters, broke(engine))


@pytest.mark.usefixtures("victim")
def test_bodies_that_make_no_sense(engine: RunningEngine) -> None:
    for row in ENDPOINTS:
        if row.method != "POST" or not row.pattern.endswith(READ_BODIES) or row.pattern == "/images/create":
            continue
        for body in BODIES:
            said = ask(engine, row.method, targets(row, "victim"), json.dumps(body).encode())
            assert b"the engine broke" not in said, (row, body, broke(engine))


def test_credentials_that_make_no_sense(engine: RunningEngine) -> None:
    for value in (b"%%%", b"W10=", b"e30", b"bnVsbA==", b"eyJ1c2VybmFtZSI6NX0=", b"\xff", b"A" * 60_000):
        for path in ("/images/create?fromImage=a&tag=b", "/images/busybox:1/push", "/build"):
            said = ask(
                engine, "POST", path, headers=b"X-Registry-Auth: %b\r\nX-Registry-Config: %b\r\n" % (value, value)
            )
            assert b"the engine broke" not in said, (path, value, broke(engine))


def test_archives_that_are_none(engine: RunningEngine, tmp_path: Path) -> None:
    for path in ("/images/load", "/images/create?fromSrc=-", "/build"):
        for body in (b"", b"no archive", bytes(10240), b"\x1f\x8b" + bytes(100), b"\x28\xb5\x2f\xfd" + bytes(100)):
            said = ask(engine, "POST", path, body)
            assert b"the engine broke" not in said, (path, body[:10], broke(engine))


def test_nothing_broke_behind_an_answer(engine: RunningEngine) -> None:
    """The last test here: streams and background work have no answer to break."""
    assert engine.answers()
    assert "Traceback" not in engine.log.read_text(errors="replace"), broke(engine)
