"""Secrets stay where they belong: none that anybody used or tried is in a log, in the trail or in the database.

Neither are characters that steer a terminal, whatever header, path or name they came in. Everything that a person can
type wrongly is typed wrongly here, and then every file of the server is searched for it.
"""

from __future__ import annotations

import base64
import json
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest

from tests.access.live import ADMIN, Live, live
from tests.access.world import OPERATOR, PASSWORD, basic
from tests.parts.server import ADMIN_PASSWORD, Engine

pytestmark = [pytest.mark.faults, pytest.mark.slow]

FORM = {"content-type": "application/x-www-form-urlencoded"}
NAME = "team/app"
ESCAPE = "\x1b[31m"
ENGINES: tuple[Engine, ...] = ("uvicorn", "granian")


@dataclass
class Used:
    """A server, and every secret that somebody showed it."""

    live: Live
    secrets: list[str] = field(default_factory=list)

    def secret(self, text: str) -> str:
        """Remember a secret."""
        self.secrets.append(text)
        return text


@pytest.fixture(
    scope="module", params=[(engine, form) for engine in ENGINES for form in ("text", "json")], ids="-".join
)
def used(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Used]:
    engine, form = request.param
    with live(
        tmp_path_factory.mktemp(f"secrecy-{engine}-{form}"),
        workers=1,
        engine=engine,
        LOG__FORMAT=form,
        LOG__LEVEL="debug",
    ) as running:
        running.stock(NAME)
        running.accounts.user("ada")
        running.accounts.organizations.add("team", OPERATOR, owners=["ada"])
        running.accounts.robots.add("team+ci", OPERATOR)
        found = Used(running)
        for do in (_right, _wrong, _misplaced, _hostile):
            do(found)
        time.sleep(2)  # the trail's rows are written every second
        yield found


def _right(used: Used) -> None:
    """Everything as it should be."""
    running, accounts = used.live, used.live.accounts
    used.secret(PASSWORD)
    used.secret(ADMIN_PASSWORD)
    for name, word in (
        ("ada", PASSWORD),
        ("admin", ADMIN_PASSWORD),
        ("ada", used.secret(accounts.secret("ada"))),
        ("team+ci", used.secret(accounts.secret("team+ci"))),
    ):
        headers = basic(name, word)
        used.secret(headers["authorization"].removeprefix("Basic "))
        token = running.token(headers, f"repository:{NAME}:pull,push")["authorization"].removeprefix("Bearer ")
        used.secret(token)
        used.secret(token.split(".")[1])
        used.secret(token.split(".")[2])
        for target in (f"/v2/{NAME}/manifests/latest", "/v2/_catalog", "/v1/search?q=app"):
            running.call("GET", target, headers)
            running.call("GET", target, {"authorization": f"Bearer {token}"})
    fields = {"grant_type": "password", "username": "ada", "password": PASSWORD, "access_type": "offline"}
    reply = running.call("POST", "/token", FORM, urlencode(fields).encode())
    refresh = used.secret(json.loads(reply.body)["refresh_token"])
    body = urlencode({"grant_type": "refresh_token", "refresh_token": refresh, "service": "moorage"}).encode()
    used.secret(json.loads(running.call("POST", "/token", FORM, body).body)["access_token"])


def _wrong(used: Used) -> None:
    """Wrong in every way that a login can be."""
    for number, word in enumerate(("a-wrong-rope", "mrg_pat_" + "w" * 43, "mrg_ref_" + "r" * 43, "mrg_rob_short")):
        headers = basic("ada", used.secret(f"{word}{number}" if number in (0, 3) else word))
        used.secret(headers["authorization"].removeprefix("Basic "))
        used.live.call("GET", "/token", headers)
        used.live.call("GET", f"/v2/{NAME}/manifests/latest", headers)
        for grant in ({"grant_type": "refresh_token", "refresh_token": word}, {"grant_type": word}):
            used.live.call("POST", "/token", FORM, urlencode(grant).encode())
    token = used.secret(
        "eyJhbGciOiJub25lIn0." + base64.urlsafe_b64encode(b'{"sub":"somebody-else"}').decode() + ".AAAA"
    )
    used.live.call("GET", "/v2/", {"authorization": f"Bearer {token}"})
    used.live.call("GET", "/v2/", {"authorization": "Basic " + used.secret("not-base64-but-secret!")})
    used.live.call("GET", "/v2/", {"authorization": used.secret("a-secret-without-a-scheme")})


def _misplaced(used: Used) -> None:
    """Secrets where something else belongs."""
    word = used.secret("my-secret-in-a-names-place")
    pat = used.secret(used.live.accounts.secret("ada"))
    for secret in (word, pat):
        used.live.call("GET", "/token", basic(secret, "ada"))
        used.live.call("GET", "/token?" + urlencode({"account": secret, "service": secret, "client_id": secret}))
        used.live.call("GET", f"/v2/?access_token={secret}")
        used.live.call("GET", f"/v1/search?q={secret}", ADMIN)
        used.live.call(
            "GET", "/v2/", {"cookie": f"session={secret}", "x-api-key": secret, "proxy-authorization": secret}
        )
        used.live.call("POST", "/token", FORM, urlencode({"grant_type": "password", "username": secret}).encode())
        used.live.call(
            "POST", "/token", {"content-type": "application/json"}, json.dumps({"password": secret}).encode()
        )


def _hostile(used: Used) -> None:
    """Characters that should stay in their place."""
    for text in (ESCAPE, "\x07", "\x7f", "\u009b31m", "\u202e", "a\tb", "%0d%0aforged: line", "\x9d"):
        raw = text.encode("utf-8")
        used.live.call("GET", f"/v2/{quote(raw)}/manifests/{quote(raw)}", ADMIN)
        used.live.call("GET", f"/v2/{NAME}/manifests/{quote(raw)}", ADMIN)
        used.live.call("GET", f"/token?scope=repository:{quote(raw)}:pull", ADMIN)
        used.live.call("GET", f"/v1/search?q={quote(raw)}", ADMIN)
        used.live.call("GET", "/token", basic(f"ada{text}", f"wrong{text}"))
        for header in (b"user-agent", b"x-request-id", b"authorization", b"x-forwarded-for", b"host", b"accept"):
            _send(used.live, b"GET /token HTTP/1.1\r\n", header, b"before" + raw + b"after")
        _send(used.live, b"GET /v2/" + raw + b" HTTP/1.1\r\n", b"user-agent", b"plain")
    _send(used.live, b"GET /token HTTP/1.1\r\n", b"user-agent", b'docker" status=200 path="/forged')


def _send(running: Live, line: bytes, header: bytes, value: bytes) -> None:
    """Send a request raw, and do not care for the answer."""
    host = b"" if header == b"host" else b"host: registry.test\r\n"
    with socket.create_connection(("127.0.0.1", running.server.port), timeout=20) as connection:
        connection.sendall(line + host + b"connection: close\r\n" + header + b": " + value + b"\r\n\r\n")
        while connection.recv(65536):
            continue


def test_no_secret_is_in_any_file_of_the_server(used: Used) -> None:
    found = []
    files = [used.live.server.log, *(path for path in used.live.server.data.rglob("*") if path.is_file())]
    assert {"moorage.db", "audit.jsonl"} <= {path.name for path in files}
    for path in files:
        content = path.read_bytes()
        found += [(path.name, secret) for secret in used.secrets if secret.encode() in content]
    assert len(used.secrets) > 30
    assert not found


def test_lines_are_whole_and_printable(used: Used) -> None:
    for path in (used.live.server.log, used.live.server.data / "audit.jsonl"):
        content = path.read_bytes()
        assert content.endswith(b"\n")
        for line in content.splitlines():
            text = line.decode("utf-8")
            assert text.isprintable(), line
            assert "Traceback" not in text


def test_nobody_forged_a_line_or_a_field(used: Used) -> None:
    log, trail = used.live.log(), used.live.trail()
    assert "\nforged" not in log
    for line in trail.splitlines():
        assert json.loads(line)["action"] in {
            "login", "token", "push", "tag.move", "user.add", "repository.create"
        }  # fmt: skip
    assert 'path="/forged' not in log.replace('\\"', "'")
    assert not [line for line in log.splitlines() if line.startswith("forged")]


def test_files_are_for_their_owner_alone(used: Used) -> None:
    for name in ("audit.jsonl", "master.key", "moorage.db"):
        mode = (used.live.server.data / name).stat().st_mode & 0o777
        assert mode & 0o007 == 0 or _closed(used.live.server.data), f"{name}: {mode:o}"


def _closed(directory: Path) -> bool:
    return directory.stat().st_mode & 0o077 == 0


def test_the_master_key_is_in_its_file_and_nowhere_else(used: Used) -> None:
    data = used.live.server.data
    key = (data / "master.key").read_text().strip().encode()
    assert len(key) > 40
    holding = [
        path.name for path in (*data.rglob("*"), used.live.server.log) if path.is_file() and key in path.read_bytes()
    ]
    assert holding == ["master.key"]
