"""Logins in Docker's config.json, and with a real credential helper: a program that speaks the helpers' protocol."""

from __future__ import annotations

import base64
import json
import os
import stat
from pathlib import Path

import pytest

from runtime.cli.credentials import Logins, header
from runtime.cli.options import Failure

HELPER = """#!/bin/sh
# A credential helper that keeps each login in a file: docker-credential-helpers' protocol on standard input and output.
store=%(store)s
case "$1" in
  store) cat > "$store/in"; sed -n 's/.*"ServerURL": *"\\([^"]*\\)".*/\\1/p' "$store/in" | tr '/:' '__' > "$store/name"
         mv "$store/in" "$store/$(cat "$store/name").json" ;;
  get)   read -r server; file="$store/$(printf %%s "$server" | tr '/:' '__').json"
         if [ -f "$file" ]; then cat "$file"; else echo "credentials not found in native keychain"; exit 1; fi ;;
  erase) read -r server; rm -f "$store/$(printf %%s "$server" | tr '/:' '__').json" ;;
  *) echo "unknown verb" >&2; exit 2 ;;
esac
"""


@pytest.fixture
def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`docker-credential-files` on the PATH; returns where it keeps things."""
    store = tmp_path / "kept"
    store.mkdir()
    program = tmp_path / "docker-credential-files"
    program.write_text(HELPER % {"store": store})
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return store


def config(directory: Path, document: object) -> Logins:
    """Logins over a file with this content."""
    (directory / "config.json").write_text(json.dumps(document))
    return Logins(directory)


def test_a_login_is_kept_as_docker_keeps_it_and_only_its_user_may_read_it(tmp_path: Path) -> None:
    logins = Logins(tmp_path / "new" / "docker")
    logins.store("registry.test:5000", "ann", "s3cret:with colon", token=False)
    document = json.loads(logins.path.read_text())
    encoded = base64.b64encode(b"ann:s3cret:with colon").decode()
    assert document == {"auths": {"registry.test:5000": {"auth": encoded}}}
    assert stat.S_IMODE(logins.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(logins.path.parent.stat().st_mode) == 0o700
    found = logins.find("registry.test:5000")
    assert (found["username"], found["password"]) == ("ann", "s3cret:with colon")


def test_an_identity_token_is_kept_without_the_password(tmp_path: Path) -> None:
    logins = Logins(tmp_path)
    logins.store("r.test", "ann", "the-token", token=True)
    assert logins.find("r.test") == {"serveraddress": "r.test", "username": "ann", "identitytoken": "the-token"}
    assert "the-token" not in base64.b64decode(logins.document()["auths"]["r.test"]["auth"]).decode()


def test_what_else_is_in_the_file_stays(tmp_path: Path) -> None:
    logins = config(tmp_path, {"detachKeys": "ctrl-x", "auths": {"other": {"auth": "YTpi"}}, "future": {"x": 1}})
    logins.store("r.test", "ann", "p", token=False)
    assert logins.forget("r.test")
    assert logins.document() == {"detachKeys": "ctrl-x", "auths": {"other": {"auth": "YTpi"}}, "future": {"x": 1}}
    assert not logins.forget("r.test")


def test_a_file_that_is_a_link_stays_one(tmp_path: Path) -> None:
    target = tmp_path / "dotfiles.json"
    target.write_text("{}")
    (tmp_path / "config.json").symlink_to(target)
    Logins(tmp_path).store("r.test", "ann", "p", token=False)
    assert (tmp_path / "config.json").is_symlink()
    assert "r.test" in target.read_text()


def test_older_keys_with_a_scheme_and_a_path_are_found(tmp_path: Path) -> None:
    logins = config(tmp_path, {"auths": {"https://r.test/v1/": {"auth": base64.b64encode(b"a:b").decode()}}})
    assert logins.find("r.test")["username"] == "a"
    assert logins.find("other.test") == {}


@pytest.mark.parametrize("key", ["credsStore", "credHelpers"])
def test_a_helper_keeps_the_secret_and_the_file_does_not(tmp_path: Path, helper: Path, key: str) -> None:
    logins = config(tmp_path, {key: "files" if key == "credsStore" else {"r.test:5": "files"}})
    assert logins.store("r.test:5", "ann", "s3cret", token=False) == "files"
    assert "s3cret" not in logins.path.read_text()
    assert logins.document()["auths"] == {"r.test:5": {}}
    assert "s3cret" in (helper / "r.test_5.json").read_text()
    assert logins.find("r.test:5") == {"username": "ann", "password": "s3cret", "serveraddress": "r.test:5"}
    logins.forget("r.test:5")
    assert not list(helper.glob("*.json"))
    assert logins.find("r.test:5") == {}


def test_a_helper_that_keeps_a_token_says_so_by_the_name(tmp_path: Path, helper: Path) -> None:
    logins = config(tmp_path, {"credsStore": "files"})
    logins.store("r.test", "ann", "tok", token=True)
    assert logins.find("r.test") == {"identitytoken": "tok", "serveraddress": "r.test"}


def test_a_helper_that_is_not_there_is_told_in_dockers_words(tmp_path: Path) -> None:
    logins = config(tmp_path, {"credsStore": "nowhere"})
    with pytest.raises(Failure, match=r"docker-credential-nowhere.*executable file not found"):
        logins.find("r.test")


def test_a_helper_is_a_name_and_never_a_path(tmp_path: Path) -> None:
    logins = config(tmp_path, {"credsStore": "../../tmp/evil"})
    with pytest.raises(Failure, match="no name of a program"):
        logins.find("r.test")


@pytest.mark.parametrize("text", ["{", "[]", "\x00"])
def test_a_damaged_file_is_told_and_never_overwritten(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(text)
    with pytest.raises(Failure, match="Error loading config file"):
        Logins(tmp_path).store("r.test", "a", "b", token=False)
    assert path.read_text() == text


def test_a_damaged_entry_is_told(tmp_path: Path) -> None:
    with pytest.raises(Failure, match=r"the login for r\.test cannot be read"):
        config(tmp_path, {"auths": {"r.test": {"auth": "%%%"}}}).find("r.test")


def test_the_header_is_base64url_of_json() -> None:
    value = header({"username": "ü?>", "password": "x"})["X-Registry-Auth"]
    assert json.loads(base64.urlsafe_b64decode(value)) == {"username": "ü?>", "password": "x"}
    assert "+" not in value and "/" not in value
