"""A served toy in a process of its own, and raw HTTP over its sockets, for what libraries hide is the point."""

import contextlib
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PATIENCE = 20.0


@dataclass
class Answer:
    """One HTTP answer, taken apart."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error(self) -> dict[str, Any]:
        """The first error of an OCI error document."""
        first: dict[str, Any] = json.loads(self.body)["errors"][0]
        return first


class Connection:
    """A client's end of one connection."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.sock.settimeout(PATIENCE)
        self.kept = b""

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def ask(self, path: str = "/", method: str = "GET", headers: str = "", body: bytes = b"") -> Answer:
        self.send(f"{method} {path} HTTP/1.1\r\nHost: toy\r\n{headers}\r\n".encode() + body)
        return self.answer(head=method == "HEAD")

    def more(self) -> bytes:
        """Give the next bytes; empty when the server has closed."""
        try:
            return self.sock.recv(65536)
        except ConnectionResetError:
            return b""

    def answer(self, *, head: bool = False) -> Answer:
        """Read one answer. A connection that ends in the middle gives what came, with `status` 0 if nothing did."""
        while b"\r\n\r\n" not in self.kept:
            piece = self.more()
            if not piece:
                return Answer(0, {}, self.kept)
            self.kept += piece
        top, _, self.kept = self.kept.partition(b"\r\n\r\n")
        lines = top.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        status = int(lines[0].split()[1])
        length = 0 if head or status == 100 else int(headers.get("content-length", 0))
        return Answer(status, headers, self.exactly(length))

    def exactly(self, count: int) -> bytes:
        parts, have = [self.kept], len(self.kept)
        while have < count:
            piece = self.more()
            if not piece:
                break
            parts.append(piece)
            have += len(piece)
        whole = b"".join(parts)
        self.kept = whole[count:]
        return whole[:count]

    def closed_within(self, seconds: float) -> bool:
        """Read on and say whether the server ends the connection in time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.sock.settimeout(max(0.01, end - time.monotonic()))
            try:
                if not self.more():
                    return True
            except TimeoutError:
                return False
        return False

    def close(self) -> None:
        self.sock.close()

    def reset(self) -> None:
        """End the connection with an RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.close()


class Running:
    """A served toy."""

    def __init__(self, engine: str, plan: dict[str, Any], process: subprocess.Popen[str], log: Path) -> None:
        self.engine = engine
        self.plan = plan
        self.process = process
        self.log = log
        assert process.stdout is not None
        self.url = process.stdout.readline().strip()

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @contextlib.contextmanager
    def connect(self, trust: Path | None = None) -> Iterator[Connection]:
        if self.plan.get("uds"):
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            sock.connect(self.plan["uds"])
        else:
            sock = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
        if trust is not None:
            sock = ssl.create_default_context(cafile=str(trust)).wrap_socket(sock, server_hostname="127.0.0.1")
        connection = Connection(sock)
        try:
            yield connection
        finally:
            connection.close()

    def ask(self, path: str = "/", method: str = "GET", headers: str = "", body: bytes = b"") -> Answer:
        with self.connect() as connection:
            return connection.ask(path, method, headers, body)

    def workers(self) -> list[int]:
        """Give the process ids of the children."""
        listed = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in listed.split()]

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


@contextlib.contextmanager
def running(tmp_path: Path, engine: str, *, fails: bool = False, **plan: Any) -> Iterator[Running]:
    """Serve the toy until the block ends."""
    plan = {"port": 0, "drain_timeout": 10, **plan}
    log = tmp_path / f"server-{time.monotonic_ns()}.log"
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.serving.toy", engine, json.dumps(plan)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={**os.environ, "TOY_FAILS": "yes" if fails else ""},
        )
    with process:
        try:
            yield Running(engine, plan, process, log)
        finally:
            if process.poll() is None:
                process.kill()


def wait_for(condition: Callable[[], object], what: str) -> None:
    """Wait until something holds."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"{what}: not within {PATIENCE} s"
        time.sleep(0.02)
