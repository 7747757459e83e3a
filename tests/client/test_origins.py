"""Addresses: which are read, which are refused, and which lead inward."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.client.errors import Untrusted
from registry.client.origins import Origin, Url, origin_of, parse

BASE = Url(Origin("https", "registry.example.org", 443), "/v2/a/blobs/uploads/?x=1")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://a.example/x?y=1", "https://a.example/x?y=1"),
        ("https://a.example:443", "https://a.example/"),
        ("http://A.example:8080/#part", "http://a.example:8080/"),
        ("http://[::1]:5000/v2/", "http://[::1]:5000/v2/"),
        ("/v2/next?n=1", "https://registry.example.org/v2/next?n=1"),
    ],
)
def test_what_is_read(text: str, shown: str) -> None:
    assert str(parse(text, BASE)) == shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "file:///etc/passwd",
        "ftp://a/",
        "//a.example/x",
        "http://",
        "http://user@a.example/",
        "http://user:password@a.example/",
        "http://a.example\\@b.example/",
        "http://a.example /",
        "http://a.example/\r\nX: y",
        "http://a.example/é",
        "http://a.example:99999/",
        "http://[::1/",
        "unix:///run/docker.sock",
    ],
)
def test_what_is_refused(text: str) -> None:
    with pytest.raises(Untrusted):
        parse(text, BASE)


@given(st.text())
def test_anything_is_read_or_refused(text: str) -> None:
    try:
        url = parse(text, BASE)
    except Untrusted:
        return
    assert url.origin.scheme in {"http", "https"}
    assert url.target.startswith("/")


@pytest.mark.parametrize(
    ("host", "loopback", "inward"),
    [
        ("localhost:5000", True, True),
        ("127.0.0.1", True, True),
        ("127.1.2.3:1", True, True),
        ("[::1]:5000", True, True),
        ("169.254.169.254", False, True),
        ("0.0.0.0:80", False, True),
        ("10.0.0.1", False, False),
        ("localhost.example.org", False, False),
    ],
)
def test_where_addresses_lead(host: str, loopback: bool, inward: bool) -> None:
    origin = origin_of("http", host)
    assert (origin.loopback, origin.inward) == (loopback, inward)
