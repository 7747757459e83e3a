"""The Authorization header, and the challenge that asks for one."""

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth.policy import Action
from registry.edge.authorization import (
    Basic,
    Bearer,
    MalformedAuthorization,
    parse_authorization,
    raw_authorization,
)
from registry.edge.callers import ACTION_NAMES, NOBODY, Caller, Means, address_of, origin_of
from registry.edge.challenges import Challenges, host_of, scopes_for
from registry.oci.errors import RegistryError


def basic(text: str) -> bytes:
    return b"Basic " + base64.b64encode(text.encode())


def scope(*headers: tuple[bytes, bytes], **more: Any) -> dict[str, Any]:
    return {"type": "http", "scheme": "https", "headers": list(headers), **more}


@given(st.text(st.characters(blacklist_characters=":")), st.text())
def test_basic_holds_any_name_and_any_secret(name: str, secret: str) -> None:
    try:
        value = basic(f"{name}:{secret}")
    except UnicodeEncodeError:  # lone surrogates are no text
        return
    assert parse_authorization(value) == Basic(name, secret)


def test_the_scheme_may_be_written_in_any_case() -> None:
    assert parse_authorization(b"bEARER  abc ") == Bearer("abc")
    assert parse_authorization(b"BASIC Og==") == Basic("", "")
    assert Basic("", "").empty and not Basic("a", "").empty


@pytest.mark.parametrize(
    "value",
    [b"", b"Digest x", b"Basic", b"Basic !!!", b"Basic " + base64.b64encode(b"no colon"), b"Basic /////w==", b"token"],
)
def test_what_is_neither_is_refused_without_being_repeated(value: bytes) -> None:
    with pytest.raises(MalformedAuthorization) as told:
        parse_authorization(value)
    assert not value or value.decode("latin-1") not in str(told.value).replace("Basic", "", 1) or len(value) < 7


@given(st.binary(max_size=100))
def test_nothing_else_is_raised(value: bytes) -> None:
    try:
        parse_authorization(value)
    except MalformedAuthorization:
        return


def test_two_headers_are_refused() -> None:
    assert raw_authorization(scope()) is None
    assert raw_authorization(scope((b"authorization", b"a"))) == b"a"
    with pytest.raises(MalformedAuthorization):
        raw_authorization(scope((b"authorization", b"a"), (b"authorization", b"a")))


@pytest.mark.parametrize(
    "host", [b"hub.example", b"hub.example:5000", b"127.0.0.1:5000", b"[::1]:5000", b"a_b", b"h", b"hub.example."]
)
def test_a_host_is_echoed_that_is_one(host: bytes) -> None:
    header = Challenges(public_url=None, service="moorage").header(scope((b"host", host)))
    assert header == f'Bearer realm="https://{host.decode()}/token",service="moorage"'


@pytest.mark.parametrize(
    "host",
    [
        b"",
        b'x",realm="http://evil',
        b"a b",
        b"a/b",
        b"user@host",
        b"h:x",
        b"h:123456",
        b"-a",
        b"a..b",
        b"\xff",
        b"a" * 262,
        b"evil.example/#",
        b"h\r\nx: y",
        b"[::1",
        b"::1",
    ],
)
def test_a_host_that_is_none_is_refused(host: bytes) -> None:
    with pytest.raises(RegistryError) as told:
        host_of(scope((b"host", host)))
    assert told.value.code.status == 400


def test_the_public_address_is_what_clients_are_sent_to() -> None:
    challenges = Challenges(public_url="https://hub.example/", service="moorage")
    assert challenges.header(scope((b"host", b"evil.example"))).startswith('Bearer realm="https://hub.example/token"')


def test_what_is_said_cannot_leave_its_quotes() -> None:
    header = Challenges(public_url="https://h", service="moorage").header(
        scope(),
        scopes_for(Action.PUSH, "team/app", "team/base"),
        error="insufficient_scope",
        description='a"b\\c\r\nd: é',
    )
    assert header == (
        'Bearer realm="https://h/token",service="moorage"'
        ',scope="repository:team/app:pull,push repository:team/base:pull"'
        ',error="insufficient_scope",error_description="a\'b?c??d: ?"'
    )


def test_every_action_on_a_repository_has_a_scope() -> None:
    for action in ACTION_NAMES:
        (asked,) = scopes_for(action, "a")
        assert ACTION_NAMES[action] in asked.actions
    assert scopes_for(Action.PING) == ()
    assert [str(s) for s in scopes_for(Action.CATALOG)] == ["registry:catalog:*"]
    assert [str(s) for s in scopes_for(Action.SEARCH)] == ["registry:catalog:search"]


@pytest.mark.parametrize("action", list(Action))
def test_nobody_may_do_nothing_but_what_is_for_anyone(action: Action) -> None:
    assert NOBODY.may(action, "a") == (action is Action.ANYONE)


def test_an_action_that_no_scope_names_is_closed() -> None:
    caller = Caller("ann", "user", Means.BEARER, access={"a": frozenset({"pull", "push", "delete"})})
    assert not caller.may(Action.DELETE_REPOSITORY, "a")
    assert not caller.may(Action.PULL, None)
    assert caller.may(Action.DELETE_TAG, "a") and not caller.may(Action.PULL, "b")
    assert Caller("", "anonymous", Means.BEARER, registry=frozenset({"*"})).may(Action.SEARCH, None)


def test_where_a_request_came_from() -> None:
    assert address_of(scope(client=("192.0.2.7", 1))) == "192.0.2.7"
    assert address_of(scope(client=None)) == "local"
    origin = origin_of(scope((b"user-agent", b"a\x1bb" + b"c" * 400), client=None, state={"request_id": "r"}))
    assert (origin.actor, origin.kind, origin.request_id) == ("", "anonymous", "r")
    assert origin.agent.startswith("a\\x1bb") and origin.agent.isprintable()
