"""D2: the corpus of forged and odd tokens against the server's doors, signed with its own key where a row says so.

None is let in beyond what it may rightly grant, none is answered with a 5xx, and none leaves itself in a log. The
corpus itself is in tests/auth; over sockets it is sent byte for byte, on both engines.
"""

from __future__ import annotations

import base64
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from auth.keys import SigningKey
from tests.access.live import Live, live
from tests.access.world import ADMIN_PASSWORD, Accounts, Signed, basic, harbour
from tests.auth.forgeries import Forgery, corpus, odd_scopes
from tests.auth.forging import GRANTED
from tests.parts.server import Engine
from tests.spec.asgi import Answer
from tests.spec.contents import OCI_INDEX, index
from tests.spec.registry import Registry

REPOSITORY = "team/app"
DOORS = {
    "pull": ("GET", f"/v2/{REPOSITORY}/manifests/latest", 200),
    "push": ("POST", f"/v2/{REPOSITORY}/blobs/uploads/", 202),
    "delete": ("DELETE", f"/v2/{REPOSITORY}/manifests/nothing", 404),
}
OTHER_DOORS = (
    ("GET", "/v2/team/other/manifests/latest"),
    ("PUT", "/v2/team/other/manifests/latest"),
    ("DELETE", "/v2/team/other/manifests/latest"),
    ("GET", "/v2/_catalog"),
    ("GET", "/v1/search?q=app"),
)
ISSUER = "harbour-master"
MANY = 150
ON_THE_EDGE = ("leeway", "second", "just", "longest", "lifetime", "not yet", "future")
"""Rows about the clock, which goes on while a real server is asked."""
BLANK = ("letters: a blank before", "letters: a blank after", "letters: a line break after")
"""Rows that are good tokens over HTTP, where blanks and a line's end around a value do not count (RFC 9110, 5.5)."""


@dataclass(frozen=True, slots=True)
class Gate:
    """A server in this process, and the corpus made for it."""

    registry: Registry
    accounts: Accounts
    rows: list[Forgery]


def shown(token: str) -> dict[str, str]:
    """Give the header with a token's bytes, whatever they are."""
    return {"authorization": "Bearer " + token.encode("utf-8", "surrogatepass").decode("latin-1")}


@pytest.fixture(scope="module")
def gate(fast_directory: Path) -> Iterator[Gate]:
    directory = fast_directory / "gate"
    auth = {"mode": "accounts", "issuer": ISSUER}
    with harbour(directory, auth=auth) as (registry, accounts), pytest.MonkeyPatch.context() as patch:
        admin = Signed(registry, basic("admin", ADMIN_PASSWORD))
        for name in (REPOSITORY, "team/other"):
            admin.put_manifest(name, "latest", index(), OCI_INDEX).expect(201)
        accounts.user("ada")
        now = int(time.time())
        patch.setattr("registry.edge.access.time", SimpleNamespace(time=lambda: now))
        key = accounts.key_ring(directory).signing()
        yield Gate(registry, accounts, corpus(key, SigningKey.generate(), now, ISSUER, "moorage"))


def test_the_corpus_is_large_enough() -> None:
    key = SigningKey.generate()
    rows = corpus(key, SigningKey.generate(), int(time.time()), ISSUER, "moorage")
    assert len(rows) + len(odd_scopes()) >= MANY
    assert sum(row.refused for row in rows) >= MANY


def test_a_forged_token_opens_no_door(gate: Gate) -> None:
    wrong = []
    for row in gate.rows:
        if row.refused and row.name not in BLANK[:2]:
            for method, target in (
                *((method, target) for method, target, _ in DOORS.values()),
                *OTHER_DOORS,
                ("GET", "/v2/"),
            ):
                answer = gate.registry.request(method, target, headers=shown(row.token))
                if answer.status != 401 or 'error="invalid_token"' not in answer["www-authenticate"]:
                    wrong.append(f"{row.name}: {method} {target}: {answer.status}")
    assert not wrong, "\n".join(wrong[:20])


def test_an_odd_token_opens_the_doors_that_it_names_and_no_others(gate: Gate) -> None:
    wrong = []
    for row in gate.rows:
        if not row.refused:
            for action, (method, target, open_) in DOORS.items():
                status = gate.registry.request(method, target, headers=shown(row.token)).status
                if status != (open_ if (REPOSITORY, action) in row.may else 401):
                    wrong.append(f"{row.name}: {action}: {status}")
            for method, target in OTHER_DOORS:
                status = gate.registry.request(method, target, headers=shown(row.token)).status
                if status != 401:
                    wrong.append(f"{row.name}: {method} {target}: {status}")
    assert not wrong, "\n".join(wrong[:20])


def test_a_token_is_looked_at_again_when_its_time_is_over(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was remembered is not good for longer than the token."""
    row = next(row for row in gate.rows if row.name == "letters: JSON with blanks")
    method, target, _ = DOORS["pull"]
    for _ in range(3):
        gate.registry.request(method, target, headers=shown(row.token)).expect(200)
    monkeypatch.setattr("registry.edge.access.time", SimpleNamespace(time=lambda: time.time() + 400))
    gate.registry.request(method, target, headers=shown(row.token)).expect(401)


@pytest.mark.parametrize("warm", [False, True], ids=["at first sight", "remembered"])
def test_two_authorization_headers_are_refused(gate: Gate, warm: bool) -> None:
    """Whichever of them a proxy looked at."""
    row = next(row for row in gate.rows if row.name == "letters: JSON with blanks")
    good = shown(row.token)["authorization"].encode("latin-1")
    method, target, _ = DOORS["pull"]
    if warm:
        gate.registry.request(method, target, headers=shown(row.token)).expect(200)
    for values in ((good, b"Bearer bad"), (b"Bearer bad", good), (good, good), (good, basic_bytes("ada", "x"))):
        _with_headers(gate.registry, method, target, values).expect(401, "UNAUTHORIZED")


def basic_bytes(name: str, secret: str) -> bytes:
    """Give a Basic header's bytes."""
    return basic(name, secret)["authorization"].encode("ascii")


def _with_headers(registry: Registry, method: str, target: str, values: tuple[bytes, ...]) -> Answer:
    async def send() -> list[dict[str, object]]:
        sent: list[dict[str, object]] = []
        scope = registry._scope(method, target, {})
        scope["headers"] = [*scope["headers"], *((b"authorization", value) for value in values)]

        async def receive() -> dict[str, object]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def note(message: object) -> None:
            sent.append(dict(message))  # type: ignore[call-overload]  # an ASGI message

        await registry.app(scope, receive, note)
        return sent

    start, body = registry.run(send())[:2]
    headers = tuple((n.decode(), v.decode()) for n, v in start["headers"])  # type: ignore[attr-defined]  # as above
    return Answer(int(str(start["status"])), headers, bytes(body["body"]))  # type: ignore[call-overload]  # as above


HEADERS = {
    "a mebibyte of Basic": b"Basic " + base64.b64encode(b"a:" + b"b" * 2**20),
    "a long name": b"Basic " + base64.b64encode(b"a" * 5000 + b":b"),
    "a name with NUL": b"Basic " + base64.b64encode(b"ad\x00a:b"),
    "a name with a line break": b"Basic " + base64.b64encode(b"ad\r\na: b:c"),
    "a name with an escape": b"Basic " + base64.b64encode(b"\x1b[2J:b"),
    "a name that is not UTF-8": b"Basic " + base64.b64encode(b"\xff\xfe:b"),
    "a name in wide letters": b"Basic " + base64.b64encode("\uff41\uff44\uff41:b".encode()),
    "a name that composes": b"Basic " + base64.b64encode("e\u0301:b".encode()),
    "many accents": b"Basic " + base64.b64encode(b"ada:" + "e\u0301\u0302".encode() * 300),
    "a password of accents": b"Basic " + base64.b64encode(b"ada:" + "\u0301".encode() * 900),
    "base64 with blanks": b"Basic YWRh OmI=",
    "the other base64": b"Basic YWRh-_-_",
    "base64 with a tail": b"Basic YWRhOmI=====",
    "Basic in lower case": b"basic YWRhOmI=",
    "NTLM": b"NTLM TlRMTVNTUAABAAAA",
    "Negotiate": b"Negotiate YIIZ",
    "two schemes": b"Basic YWRhOmI=, Bearer abc",
    "a tab for a blank": b"Bearer\tabc",
    "blanks": b"      ",
    "no blank": b"Bearer",
    "a comma": b"Bearer ,",
    "not ASCII": b"B\xe9arer abc",
    "a lone colon": b"Basic Og=",
    "a refresh token": b"Bearer mrg_ref_" + b"A" * 43,
}


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize("target", ["/v2/", f"/v2/{REPOSITORY}/tags/list", "/token", "/v2/_catalog", "/v1/search?q=x"])
def test_a_malformed_header_is_a_clear_refusal(gate: Gate, name: str, target: str) -> None:
    answer = gate.registry.request("GET", target, headers={"authorization": HEADERS[name].decode("latin-1")})
    assert answer.status == 401
    assert answer.errors[0]["code"] == "UNAUTHORIZED"
    assert answer["www-authenticate"].isprintable()
    gate.accounts.forgive()


@pytest.mark.faults
@pytest.mark.slow
@pytest.mark.parametrize("engine", ["uvicorn", "granian"])
def test_the_corpus_over_a_socket(engine: Engine, tmp_path: Path) -> None:
    """Bytes as they are, also those that no header may hold; a refusal of the engine's own is as good."""
    with live(tmp_path / "live", workers=1, engine=engine, AUTH__ISSUER=ISSUER) as running:
        for name in (REPOSITORY, "team/other"):
            running.stock(name)
        running.accounts.user("ada")
        key = running.accounts.key_ring(running.server.data).signing()
        rows = corpus(key, SigningKey.generate(), int(time.time()), ISSUER, "moorage")
        wrong = [trouble for row in rows for trouble in _over_a_socket(running, row)]
        assert not wrong, "\n".join(wrong[:20])
        _nothing_of_them_is_told(running, rows)


def _over_a_socket(running: Live, row: Forgery) -> Iterator[str]:
    token = row.token.encode("utf-8", "surrogatepass")
    for action, (method, target, open_) in DOORS.items():
        status = _status(running.server.port, method, target, token)
        odd = row.name in BLANK or any(word in row.name for word in ON_THE_EDGE)
        right = (REPOSITORY, action) in (GRANTED if odd else row.may)
        if not (400 <= status < 500 or (right and status == open_)):
            yield f"{row.name}: {action}: {status}"


def _status(port: int, method: str, target: str, token: bytes) -> int:
    """Send a request raw; 400 where the server hangs up without a word."""
    request = f"{method} {target} HTTP/1.1\r\nhost: h\r\nconnection: close\r\ncontent-length: 0\r\n".encode()
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        try:
            connection.sendall(request + b"authorization: Bearer " + token + b"\r\n\r\n")
            answer = connection.recv(4096)
        except (ConnectionResetError, BrokenPipeError):
            return 400
    return int(answer[9:12]) if answer else 400


def _nothing_of_them_is_told(running: Live, rows: list[Forgery]) -> None:
    """Neither the log nor the trail holds a token, or a character that steers a terminal."""
    for text in (running.log(), running.trail()):
        assert "Traceback" not in text
        assert all(line.isprintable() for line in text.splitlines())
        for row in rows:
            for piece in row.token.split("."):
                assert len(piece) < 24 or piece not in text, row.name
