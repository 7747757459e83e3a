"""The router: versions, what is not there, and what goes wrong, in Docker's words."""

from collections.abc import AsyncIterator, Iterator

import pytest
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.types import ASGIApp

from runtime.api import system
from runtime.api.call import Call
from runtime.api.endpoints import ENDPOINTS, Endpoint
from runtime.errors import Conflict, NotModified
from tests.runtime.api.calls import Api, api


async def tell(call: Call) -> ASGIApp:
    return PlainTextResponse(f"{call.version} {call.parts} {call.query}")


async def conflict(call: Call) -> ASGIApp:
    raise Conflict("it runs")


async def unchanged(call: Call) -> ASGIApp:
    raise NotModified("it runs already")


async def broken(call: Call) -> ASGIApp:
    raise LookupError("a secret of the engine's")


async def endless(call: Call) -> ASGIApp:
    async def zeros() -> AsyncIterator[bytes]:
        while True:
            yield bytes(65536)

    return StreamingResponse(zeros())


async def take(call: Call) -> ASGIApp:
    return PlainTextResponse(str(await call.json()))


@pytest.fixture
def served() -> Iterator[Api]:
    rows = (
        Endpoint("GET", "/_ping", system.ping),
        Endpoint("GET", r"/things/(?P<name>.+)/json", tell),
        Endpoint("GET", "/tell", tell),
        Endpoint("POST", "/conflict", conflict),
        Endpoint("POST", "/unchanged", unchanged),
        Endpoint("POST", "/broken", broken),
        Endpoint("POST", "/take", take),
        Endpoint("GET", "/endless", endless),
    )
    with api(rows) as running:
        yield running


def test_versions_up_to_ours_and_none(served: Api) -> None:
    assert served.ask("/v1.24/tell").body.startswith(b"(1, 24)")
    assert served.ask("/v1.47/tell").body.startswith(b"(1, 47)")
    assert served.ask("/tell").body.startswith(b"(1, 47)")


def test_other_versions_are_refused_in_dockers_words(served: Api) -> None:
    new, old = served.ask("/v1.48/tell"), served.ask("/v1.23/tell")
    assert (new.status, old.status) == (400, 400)
    assert new.json["message"] == "client version 1.48 is too new. Maximum supported API version is 1.47"
    assert old.json["message"] == (
        "client version 1.23 is too old. Minimum supported API version is 1.24, "
        "please upgrade your client to a newer version"
    )


@pytest.mark.parametrize(
    "path", ["/", "/nothing", "/v1.41", "/v1.41/", "/v1/tell", "/vx.1/tell", "/v1.99999/tell", "//tell"]
)
def test_what_is_not_there(served: Api, path: str) -> None:
    answer = served.ask(path)
    assert (answer.status, answer.json) == (404, {"message": "page not found"})


def test_another_method_is_not_there_either(served: Api) -> None:
    assert served.ask("/tell", "DELETE").status == 404
    assert served.ask("/tell", "HEAD").status == 200


def test_names_with_slashes_and_escapes(served: Api) -> None:
    assert b"'name': 'localhost:5000/a/b:1'" in served.ask("/things/localhost:5000/a/b:1/json").body
    assert b"'name': 'a/b c'" in served.ask("/things/a%2Fb%20c/json").body


@pytest.mark.parametrize("path", ["/tell%00", "/v1.41/things/a%00b/json"])
def test_no_name_holds_a_nul(served: Api, path: str) -> None:
    assert served.ask(path).status == 400


def test_buildkit_is_told_what_to_do_instead(served: Api) -> None:
    for path in ("/grpc", "/session", "/v1.47/session"):
        answer = served.ask(path, "POST")
        assert answer.status == 404
        assert "DOCKER_BUILDKIT=0" in answer.json["message"]


def test_errors_have_their_status_and_message(served: Api) -> None:
    answer = served.ask("/conflict", "POST")
    assert (answer.status, answer.json) == (409, {"message": "it runs"})
    assert answer.headers["content-type"] == "application/json"
    nothing = served.ask("/unchanged", "POST")
    assert (nothing.status, nothing.body) == (304, b"")


def test_what_breaks_is_logged_and_not_told(served: Api, caplog: pytest.LogCaptureFixture) -> None:
    answer = served.ask("/broken", "POST")
    assert answer.status == 500
    assert answer.json == {"message": "the engine broke (LookupError): see its log"}
    assert "a secret of the engine's" in caplog.text


@pytest.mark.parametrize("body", [b"{", b"[]", b'"a"', b"\xff", b"1", b"[" * 100_000])
def test_bodies_that_are_no_object(served: Api, body: bytes) -> None:
    answer = served.ask("/take", "POST", body)
    assert answer.status == 400
    assert answer.json["message"].startswith("invalid JSON")


def test_a_body_without_end_is_refused(served: Api) -> None:
    assert served.ask("/take", "POST", b" " * 5_000_000).status == 400


def test_every_answer_says_who_gave_it(served: Api) -> None:
    for path, status in (("/_ping", 200), ("/nothing", 404), ("/v1.99/tell", 400)):
        answer = served.ask(path)
        assert answer.status == status
        assert answer.headers["api-version"] == "1.47"
        assert answer.headers["ostype"] == "linux"
        assert answer.headers["docker-experimental"] == "false"
        assert answer.headers["server"].startswith("Moorage")


def test_ping_by_get_and_head(served: Api) -> None:
    for method, body in (("GET", b"OK"), ("HEAD", b"")):
        answer = served.ask("/_ping", method)
        assert (answer.status, answer.body) == (200, body)
        assert answer.headers["builder-version"] == "1"
        assert answer.headers["swarm"] == "inactive"
        assert answer.headers["cache-control"] == "no-cache, no-store, must-revalidate"


def test_a_client_that_leaves_is_no_failure(served: Api, caplog: pytest.LogCaptureFixture) -> None:
    with served.server.connect() as client:
        client.send(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
        client.until(b"\r\n\r\n")
    served.server.stop()
    assert caplog.records == []


def test_no_two_rows_are_the_same() -> None:
    rows = [(row.method, row.pattern) for row in ENDPOINTS]
    assert len(rows) == len(set(rows))
