"""Starts nginx and Caddy with the configurations in deploy/, on loopback ports and in a directory that goes with them.

What is changed of an operator's file is where it listens, which servers it stands before and, for nginx, where its
certificate is; what is said about bodies, headers and retries stays as it is.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.parts.commands import run, start, stop, wait_until
from tests.parts.server import accepts, free_port, group_members, peak_resident
from tests.parts.tools import ROOT, require

Name = Literal["nginx", "caddy"]

NGINX = """
daemon off; pid {place}/pid; worker_processes 2; {user}
events {{ worker_connections 512; }}
http {{
  access_log {place}/access.log;
  client_body_temp_path {place}/body; proxy_temp_path {place}/proxy; fastcgi_temp_path {place}/fastcgi;
  uwsgi_temp_path {place}/uwsgi; scgi_temp_path {place}/scgi;
  include {place}/moorage.conf;
}}
"""
"""What a distribution's /etc/nginx/nginx.conf is to a file in conf.d; nothing in it is about bodies or headers."""


@dataclass(frozen=True, slots=True)
class ReverseProxy:
    """A running proxy; `group` is the process group of its processes."""

    name: Name
    scheme: Literal["http", "https"]
    port: int
    group: int
    place: Path

    @property
    def host(self) -> str:
        """What stands before the first slash of an image's name."""
        return f"127.0.0.1:{self.port}"

    @property
    def address(self) -> str:
        """What clients know it by."""
        return f"{self.scheme}://{self.host}"

    @property
    def certificates(self) -> Path:
        """A directory with the certificate that clients trust, as ca.crt; only where the scheme is https."""
        return self.place / "trust"

    def spooled(self) -> int:
        """Bytes that its processes hold in open files, deleted ones included; logs are none of them."""
        files = {}
        for pid in group_members(self.group):
            for entry in _descriptors(pid):
                file = _spool(entry, self.place)
                if file is not None:
                    files[file.st_ino] = file.st_size
        return sum(files.values())

    def peak_memory(self) -> int:
        """The largest VmHWM of any of its processes, in bytes."""
        return max(peak_resident(pid) for pid in group_members(self.group))


@contextmanager
def start_proxy(
    name: Name,
    ports: Sequence[int],
    *,
    configuration: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[ReverseProxy]:
    """nginx with TLS, or Caddy without, before servers on these loopback ports.

    Args: configuration: the text of deploy/nginx.conf or deploy/Caddyfile, if it is not to be as it is there.
          environment: variables for Caddy's, such as MOORAGE_WAIT.
    """
    file = ROOT / "deploy" / ("nginx.conf" if name == "nginx" else "Caddyfile")
    text = file.read_text(encoding="utf-8") if configuration is None else configuration
    program = require(name)
    with tempfile.TemporaryDirectory(prefix=f"moorage-{name}-") as directory:
        place, port = Path(directory), free_port()
        prepare = _nginx if name == "nginx" else _caddy
        command, variables = prepare(program, place, port, ports, text)
        variables |= environment or {}
        log = place / "log"
        process = start("env", *(f"{key}={value}" for key, value in variables.items()), *command, log=log)
        try:
            wait_until(lambda: accepts(port) or process.poll() is not None, f"the start of {name}", log)
            assert process.poll() is None, log.read_text()
            yield ReverseProxy(name, "https" if name == "nginx" else "http", port, process.pid, place)
        finally:
            stop(process)


def nginx_server(text: str, port: int, ports: Sequence[int], place: Path) -> str:
    """deploy/nginx.conf with other addresses, ports and paths."""
    upstream = re.findall(r"^    server 127\.0\.0\.1:5000 .+$", text, re.MULTILINE)
    assert len(upstream) == 1, "deploy/nginx.conf has one replica that is not commented out"
    servers = "\n".join(upstream[0].replace("5000", str(number)) for number in ports)
    changes = {
        upstream[0]: servers,
        "listen 80;": f"listen 127.0.0.1:{free_port()};",
        "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
        "/etc/nginx/tls/registry.": f"{place}/moorage.",
    }
    for old, new in changes.items():
        assert old in text, f"deploy/nginx.conf has no {old!r}"
        text = text.replace(old, new)
    return text


def _nginx(program: str, place: Path, port: int, ports: Sequence[int], text: str) -> tuple[list[str], dict[str, str]]:
    run(Path(sys.executable).with_name("moorage"), "tls", "self-signed", "127.0.0.1", "--out", place)
    (place / "trust").mkdir()
    (place / "trust" / "ca.crt").symlink_to(place / "moorage.crt")
    (place / "moorage.conf").write_text(nginx_server(text, port, ports, place))
    user = "user root;" if os.geteuid() == 0 else ""
    (place / "nginx.conf").write_text(NGINX.format(place=place, user=user))
    command = [program, "-e", str(place / "error.log"), "-p", str(place), "-c", str(place / "nginx.conf")]
    run(*command, "-t")
    return command, {}


def _caddy(program: str, place: Path, port: int, ports: Sequence[int], text: str) -> tuple[list[str], dict[str, str]]:
    (place / "Caddyfile").write_text(text)
    environment = {
        "MOORAGE_SITE": f"http://127.0.0.1:{port}",
        "MOORAGE_UPSTREAMS": " ".join(f"127.0.0.1:{number}" for number in ports),
        "CADDY_ADMIN": "off",
        "TMPDIR": str(place),
        "XDG_DATA_HOME": str(place / "data"),
        "XDG_CONFIG_HOME": str(place / "config"),
    }
    return [program, "run", "--config", str(place / "Caddyfile"), "--adapter", "caddyfile"], environment


def _descriptors(pid: int) -> list[Path]:
    try:
        return list(Path(f"/proc/{pid}/fd").iterdir())
    except (FileNotFoundError, ProcessLookupError):
        return []  # it ended between the listing and the question


def _spool(descriptor: Path, place: Path) -> os.stat_result | None:
    """Give what an open file in the proxy's directory is, deleted or not; None for logs and for all others."""
    try:
        target = descriptor.readlink()
        log = target.name == "log" or target.suffix == ".log"
        return descriptor.stat() if target.is_relative_to(place) and not log else None
    except (FileNotFoundError, ProcessLookupError):
        return None
