"""One request to the Engine API as its handlers see it: parts of the path, query, body, and the way to the services."""

import asyncio
import base64
import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from starlette.datastructures import Headers, QueryParams
from starlette.types import Receive, Scope

from runtime.engine import Engine
from runtime.errors import BadParameter
from runtime.moments import parse_rfc3339

P = ParamSpec("P")
T = TypeVar("T")

BODY_LIMIT = 4 * 2**20
"""Bytes of JSON that a request may carry; archives are streamed and have no such limit."""

_SECONDS = re.compile(r"(-?\d{1,12})(?:\.(\d{1,30}))?", re.ASCII)
_FALSE = frozenset({"", "0", "no", "false", "none"})


class ClientGone(Exception):
    """The client went away before its request was whole."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request. `parts`: what the endpoint's pattern named in the path; `version`: what the client asked for."""

    scope: Scope
    receive: Receive
    engine: Engine
    parts: Mapping[str, str]
    version: tuple[int, int]

    @property
    def query(self) -> QueryParams:
        """The query's parameters."""
        return QueryParams(self.scope["query_string"])

    @property
    def headers(self) -> Headers:
        """The request's headers."""
        return Headers(scope=self.scope)

    def flag(self, name: str, default: bool = False) -> bool:
        """Read a boolean as Docker does: given, and none of 0, no, false, none and nothing."""
        value = self.query.get(name)
        return default if value is None else value.strip().lower() not in _FALSE

    def number(self, name: str) -> int | None:
        """Read a whole number; None where there is none. Raises BadParameter."""
        value = self.query.get(name)
        if not value:
            return None
        try:
            return int(value)
        except ValueError:
            raise BadParameter(f'strconv.Atoi: parsing "{value}": invalid syntax') from None

    def moment(self, name: str) -> int | None:
        """Read a moment, `SECONDS[.FRACTION]` since 1970 or RFC 3339, in nanoseconds; None where there is none.

        Raises: BadParameter.
        """
        text = self.query.get(name)
        if not text:
            return None
        match = _SECONDS.fullmatch(text)
        if match is None:
            with suppress(ValueError):
                return parse_rfc3339(text)
            raise BadParameter(f'strconv.ParseInt: parsing "{text}": invalid syntax')
        return int(match[1]) * 10**9 + int((match[2] or "").ljust(9, "0")[:9])

    def filters(self) -> dict[str, list[str]]:
        """Read `filters`: JSON of {name: [values]} or, from older clients, {name: {value: true}}.

        Raises: BadParameter.
        """
        text = self.query.get("filters")
        try:
            given = json.loads(text) if text else {}
            return {
                str(name): [str(v) for v in values if not isinstance(values, dict) or values[v]]
                for name, values in given.items()
            }
        except (ValueError, AttributeError, TypeError, RecursionError):
            raise BadParameter(f"invalid filter {text!r}") from None

    def credentials(self) -> Mapping[str, Any]:
        """Read X-Registry-Auth: base64url JSON of username, password, identitytoken, registrytoken, serveraddress.

        Raises: BadParameter. Nothing, and `{}`, are no credentials.
        """
        text = self.headers.get("x-registry-auth", "")
        try:
            found = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))) if text else {}
        except (ValueError, RecursionError):
            raise BadParameter("X-Registry-Auth is not base64url of a JSON object") from None
        return found if isinstance(found, dict) else {}

    async def json(self) -> dict[str, Any]:
        """Read the body as one JSON object; {} where there is none. Raises: BadParameter, ClientGone."""
        pieces: list[bytes] = []
        room = BODY_LIMIT
        while True:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            pieces.append(message.get("body", b""))
            room -= len(pieces[-1])
            if room < 0:
                raise BadParameter(f"the request's body has more than {BODY_LIMIT} bytes")
            if not message.get("more_body", False):
                break
        body = b"".join(pieces)
        try:
            found = json.loads(body) if body.strip() else {}
        except (ValueError, RecursionError) as error:
            raise BadParameter(f"invalid JSON: {error}") from None
        if not isinstance(found, dict):
            raise BadParameter("invalid JSON: the body is no object")
        return found

    async def left(self) -> None:
        """Wait until the client has gone for good; a client that only sends no more is still there."""
        waits = self.scope.get("extensions", {}).get("moorage.gone")
        if waits is not None:
            await waits()
            return
        while (await self.receive())["type"] != "http.disconnect":  # on another server, once the body is read
            pass

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a service's function in a thread and wait for its end, whatever becomes of the client meanwhile."""
        future = self.engine.threads.submit(function, *args, **kwargs)
        waiting = asyncio.wrap_future(future)
        try:
            return await asyncio.shield(waiting)
        except asyncio.CancelledError:
            await asyncio.wait([waiting])
            raise
