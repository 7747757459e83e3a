"""The one table of peers: how each server is found, installed, configured and started.

Every peer keeps its data on the same disk, writes one access-log line a request to a file, has deletion on and
background work (purges, collectors) off or far away. Whatever else it does is its own default.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BIN = ROOT / ".tools" / "bin"
SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin")  # where daemons live, and what a plain user's PATH lacks
INSTALL_WITHIN = 3600.0  # seconds; a Go registry is hundreds of packages on a small machine

DISTRIBUTION = "github.com/distribution/distribution/v3/cmd/registry@v3.1.2"
ZOT = "zotregistry.dev/zot/v2/cmd/zot@v2.1.20"

MOORAGE_UVICORN = "moorage-uvicorn"
MOORAGE_GRANIAN = "moorage-granian"
OTHER = "other-"  # what the peers of a second checkout are called by
DOCKER_REGISTRY = "docker-registry"
DISTRIBUTION_3 = "distribution-3"
ZOT_2 = "zot"
NGINX = "nginx"
BOTO3 = "boto3"  # no server: a program that pushes to S3 by itself


class Unavailable(RuntimeError):
    """A program is not on this machine and cannot be installed; says what would help."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where one start of a peer happens."""

    program: str
    directory: Path  # its own; holds configuration, data and log
    port: int
    workers: int

    @property
    def data(self) -> Path:
        """The peer's data, on the disk that all peers share."""
        return self.directory / "data"


@dataclass(frozen=True, slots=True)
class Peer:
    """One server. `configure` writes its configuration and returns the arguments that start it."""

    name: str
    program: str
    configure: Callable[[Place], list[str]]
    ready: str = "/v2/"
    package: str = ""  # of Debian
    go: str = ""  # Go package at a pinned version, and what its own Makefile builds it with
    go_environment: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    is_registry: bool = True

    @property
    def is_moorage(self) -> bool:
        """Whether it is a Moorage, of this checkout or of another."""
        return self.name.startswith(("moorage-", OTHER))

    def find(self) -> str:
        """The program's path; a Go program that is missing is installed first. Raises Unavailable."""
        path = os.pathsep.join((str(BIN), os.environ.get("PATH", os.defpath), *SBIN))
        found = shutil.which(self.program, path=path)
        if found is None and self.go:
            install_go(self.go, self.go_environment)
            found = shutil.which(self.program, path=path)
        if found is None:
            raise Unavailable(f"no {self.program}" + (f"; apt-get install {self.package}" if self.package else ""))
        return found


def install_go(package: str, variables: Mapping[str, str]) -> None:
    """Build a Go program into the checkout's own tools. Raises Unavailable."""
    go = shutil.which("go", path=os.pathsep.join((str(BIN), os.environ.get("PATH", os.defpath))))
    if go is None:
        raise Unavailable(f"no Go to build {package} with")
    print(f"building {package}; this takes minutes, once", file=sys.stderr, flush=True)
    environment = {**os.environ, "GOBIN": str(BIN), "CGO_ENABLED": "0", **variables}
    try:
        subprocess.run(
            [go, "install", package],
            env=environment,
            check=True,
            capture_output=True,
            text=True,
            timeout=INSTALL_WITHIN,
        )
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise Unavailable(f"go install {package} failed: {last}") from None


def _moorage(engine: str) -> Callable[[Place], list[str]]:
    def configure(place: Place) -> list[str]:
        return [
            *("serve", "--open", "--listen", f"127.0.0.1:{place.port}", "--data", str(place.data)),
            *("--workers", str(place.workers), "--server", engine),
        ]

    return configure


def _distribution(place: Place) -> list[str]:
    return distribution(place, {"filesystem": {"rootdirectory": str(place.data), "maxthreads": 100}})


def distribution(place: Place, storage: Mapping[str, object]) -> list[str]:
    """Both generations read this file. `warn` leaves the access log as the only line a request."""
    config = {
        "version": "0.1",
        "log": {"level": "warn", "accesslog": {"disabled": False}},
        "storage": {
            **storage,
            "cache": {"blobdescriptor": "inmemory"},  # as in the sample configuration of both
            "delete": {"enabled": True},
            "maintenance": {"uploadpurging": {"enabled": False}},
        },
        "http": {"addr": f"127.0.0.1:{place.port}"},
    }
    file = place.directory / "config.yml"
    file.write_text(json.dumps(config))  # JSON is YAML
    return ["serve", str(file)]


def _zot(place: Place) -> list[str]:
    config = {
        "distSpecVersion": "1.1.1",
        "storage": {"rootDirectory": str(place.data), "gc": False},
        "http": {"address": "127.0.0.1", "port": str(place.port), "compat": ["docker2s2"]},  # or no docker push
        "log": {"level": "info"},  # its access log is of this level
    }
    file = place.directory / "config.json"
    file.write_text(json.dumps(config))
    return ["serve", str(file)]


def _nginx(place: Place) -> list[str]:
    """Static files below `data`; worker processes as many as Moorage's."""
    place.data.mkdir(exist_ok=True)
    file = place.directory / "nginx.conf"
    file.write_text(
        f"""daemon off; pid {place.directory}/pid; error_log {place.directory}/error.log;
worker_processes {place.workers}; {"user root;" if os.geteuid() == 0 else ""}
events {{ worker_connections 1024; }}
http {{
  access_log {place.directory}/access.log; default_type application/octet-stream;
  sendfile on; tcp_nopush on; keepalive_requests 1000000;
  client_body_temp_path {place.directory}/body; proxy_temp_path {place.directory}/proxy;
  fastcgi_temp_path {place.directory}/fastcgi; uwsgi_temp_path {place.directory}/uwsgi;
  scgi_temp_path {place.directory}/scgi;
  server {{ listen 127.0.0.1:{place.port}; root {place.data}; location = /ready {{ return 200; }} }}
}}
"""
    )
    return ["-e", str(place.directory / "error.log"), "-p", str(place.directory), "-c", str(file)]


def peers(against: Path | None = None) -> tuple[Peer, ...]:
    """Every peer there could be, in the order of the report; `against` is a second checkout of Moorage."""
    here = Path(sys.executable).with_name("moorage")
    rows = [
        Peer(MOORAGE_UVICORN, str(here), _moorage("uvicorn"), ready="/readyz"),
        Peer(MOORAGE_GRANIAN, str(here), _moorage("granian"), ready="/readyz"),
    ]
    if against is not None:
        other = str(against.absolute() / ".venv" / "bin" / "moorage")
        rows += [
            Peer(f"{OTHER}{engine}", other, _moorage(engine), ready="/readyz") for engine in ("uvicorn", "granian")
        ]
    return (
        *rows,
        Peer(DOCKER_REGISTRY, "docker-registry", _distribution, package="docker-registry"),
        Peer(DISTRIBUTION_3, "registry", _distribution, go=DISTRIBUTION, environment={"OTEL_TRACES_EXPORTER": "none"}),
        Peer(ZOT_2, "zot", _zot, go=ZOT, go_environment={"GOEXPERIMENT": "jsonv2"}),
        Peer(NGINX, "nginx", _nginx, ready="/ready", package="nginx-light", is_registry=False),
        Peer(BOTO3, sys.executable, lambda _: [], is_registry=False),
    )
