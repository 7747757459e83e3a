"""Logins: Docker's own config.json and credential helpers, so that what `docker login` stored is found by `moor` too.

Passwords are written into the file only where no helper is chosen, base64 as Docker does, and the file is 0600.
Source: docker/cli cli/config (configfile/file.go), docker/docker-credential-helpers for the helpers' protocol.
"""

import base64
import binascii
import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runtime.cli.options import Failure

HELPER_WITHIN = 60.0
TOKEN = "<token>"  # noqa: S105  # the user name under which helpers keep identity tokens
NOT_FOUND = "credentials not found in native keychain"


class Logins:
    """The logins in one directory's config.json."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "config.json"

    def document(self) -> dict[str, Any]:
        """The whole file; {} where there is none. Raises: Failure where it is no JSON object."""
        try:
            found = json.loads(self._path.read_bytes())
        except FileNotFoundError:
            return {}
        except (ValueError, OSError) as error:
            raise Failure(f"Error loading config file: {self._path}: {error}") from error
        if not isinstance(found, dict):
            raise Failure(f"Error loading config file: {self._path}: it holds no JSON object")
        return found

    def any(self) -> bool:
        """Whether there may be a login at all."""
        document = self.document()
        return bool(document.get("auths") or document.get("credsStore") or document.get("credHelpers"))

    def find(self, registry: str) -> dict[str, str]:
        """What X-Registry-Auth is to carry for a registry; {} where nobody is logged in. Raises: Failure."""
        document = self.document()
        helper = _helper(document, registry)
        if helper:
            return _from_helper(helper, registry)
        for key, entry in (document.get("auths") or {}).items():
            if key == registry or _host(key) == registry:
                return _from_entry(key, entry)
        return {}

    def store(self, registry: str, username: str, secret: str, *, token: bool) -> str:
        """Keep a login; `secret` is a password or an identity token. Returns the helper that has it, or "".

        Raises: Failure.
        """
        document = self.document()
        helper = _helper(document, registry)
        if helper:
            entry = {"ServerURL": registry, "Username": TOKEN if token else username, "Secret": secret}
            _ask(helper, "store", json.dumps(entry))
            kept: dict[str, str] = {}
        else:
            password = "" if token else secret
            kept = {"auth": base64.b64encode(f"{username}:{password}".encode()).decode()}
            if token:
                kept["identitytoken"] = secret
        document.setdefault("auths", {})[registry] = kept
        self._write(document)
        return helper

    def forget(self, registry: str) -> bool:
        """Remove a login; says whether there was one in the file. Raises: Failure."""
        document = self.document()
        helper = _helper(document, registry)
        if helper:
            _ask(helper, "erase", registry)
        auths = document.get("auths") or {}
        known = [key for key in auths if key == registry or _host(key) == registry]
        for key in known:
            del auths[key]
        if known:
            self._write(document)
        return bool(known)

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    def _write(self, document: Mapping[str, Any]) -> None:
        """Replace the file, 0600 from its first byte on; a link to it stays one."""
        target = self._path.resolve()
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = target.with_name(f".{target.name}.{os.getpid()}")
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            with open(fd, "w") as file:  # noqa: PTH123  # a descriptor
                json.dump(document, file, indent="\t")
                file.flush()
                os.fsync(fd)
            fresh.replace(target)
        except BaseException:
            fresh.unlink(missing_ok=True)
            raise


def header(credentials: Mapping[str, Any]) -> dict[str, str]:
    """X-Registry-Auth of credentials."""
    return {"X-Registry-Auth": base64.urlsafe_b64encode(json.dumps(credentials).encode()).decode()}


def _helper(document: Mapping[str, Any], registry: str) -> str:
    chosen = (document.get("credHelpers") or {}).get(registry) or document.get("credsStore") or ""
    if not isinstance(chosen, str) or "/" in chosen:
        raise Failure(f"the credential helper {chosen!r} is no name of a program")
    return chosen


def _from_helper(helper: str, registry: str) -> dict[str, str]:
    try:
        found = json.loads(_ask(helper, "get", registry))
    except NotStored:
        return {}
    except ValueError as error:
        raise Failure(f"docker-credential-{helper} does not answer in JSON") from error
    username, secret = str(found.get("Username", "")), str(found.get("Secret", ""))
    if username == TOKEN:
        return {"identitytoken": secret, "serveraddress": registry}
    return {"username": username, "password": secret, "serveraddress": registry}


class NotStored(Exception):
    """The helper has no login for that registry."""


def _ask(helper: str, verb: str, text: str) -> str:
    program = f"docker-credential-{helper}"
    try:
        done = subprocess.run(
            [program, verb], input=text, capture_output=True, text=True, timeout=HELPER_WITHIN, check=False
        )
    except FileNotFoundError:
        raise Failure(
            f'error getting credentials - err: exec: "{program}": executable file not found in $PATH, out: ``'
        ) from None
    except subprocess.TimeoutExpired:
        raise Failure(f"{program} did not answer within {HELPER_WITHIN:.0f} s") from None
    said = (done.stdout or done.stderr).strip()
    if done.returncode == 0:
        return done.stdout
    if NOT_FOUND in said:
        if verb == "erase":
            return ""
        raise NotStored
    doing = {"get": "getting", "store": "saving", "erase": "erasing"}[verb]
    raise Failure(f"error {doing} credentials - err: exit status {done.returncode}, out: `{said}`")


def _from_entry(key: str, entry: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {"serveraddress": key}
    try:
        username, _, password = base64.b64decode(entry.get("auth", ""), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise Failure(f"Invalid auth configuration file: the login for {key} cannot be read") from None
    found |= {"username": username, "password": password.rstrip("\0")}
    found |= {name: str(entry[name]) for name in ("identitytoken", "registrytoken") if entry.get(name)}
    return {name: value for name, value in found.items() if value}


def _host(key: str) -> str:
    """The host of a key as older clients wrote it: https://host/v1/."""
    return key.removeprefix("https://").removeprefix("http://").partition("/")[0]
