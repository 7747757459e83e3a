"""Build: a context in, lines out, an image at the end (Engine API, "Build an image", "Delete builder cache")."""

import asyncio
import base64
import json
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from runtime.api.call import Call
from runtime.api.streams import Cancelled, Feed, Line, progress
from runtime.api.uploads import Upload
from runtime.build import remote
from runtime.build.request import Request
from runtime.errors import BadParameter, Unsupported

_BLOCK = 2**20
_NUMBERS = {
    "memory": "Memory",
    "memswap": "MemorySwap",
    "cpushares": "CpuShares",
    "cpuperiod": "CpuPeriod",
    "cpuquota": "CpuQuota",
    "shmsize": "ShmSize",
}
_TEXTS = {"cpusetcpus": "CpusetCpus", "cpusetmems": "CpusetMems", "cgroupparent": "CgroupParent"}


async def build(call: Call) -> ASGIApp:
    """POST /build: the body is the context, a tar; `remote` names one to fetch in its place."""
    request = _request(call)
    place = call.query.get("remote") or ""
    blocks = remote.context(place) if place else _blocks(Upload(call))
    builder, gone = call.engine.builder, threading.Event()

    def work(feed: Feed) -> None:
        builder.build(request, blocks, _Listener(feed, gone))

    return _watched(call, progress(call, work), gone)


class _Listener:
    """The client, for a build that has nothing to say for long."""

    def __init__(self, feed: Feed, gone: threading.Event) -> None:
        self._feed = feed
        self._gone = gone

    def __call__(self, line: Line) -> None:
        """Send a line. Raises Cancelled."""
        self.check()
        self._feed(line)

    def check(self) -> None:
        """Raise Cancelled where the client has gone."""
        if self._gone.is_set():
            raise Cancelled


def _watched(call: Call, answer: ASGIApp, gone: threading.Event) -> ASGIApp:
    """Let `gone` tell, while the answer is under way, that the client left."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async def watch() -> None:
            await call.left()
            gone.set()

        watching = asyncio.ensure_future(watch())
        try:
            await answer(scope, receive, send)
        finally:
            watching.cancel()

    return app


async def prune(call: Call) -> ASGIApp:
    """POST /build/prune: the cache of steps, all of it; `all`, `filters` and `keep-storage` change nothing."""
    call.filters()
    gone, size = await call.run(call.engine.builder.prune)
    return JSONResponse({"CachesDeleted": gone or None, "SpaceReclaimed": size})


def _request(call: Call) -> Request:
    if call.query.get("version", "1") not in {"", "1"}:
        raise Unsupported("the engine has the classic builder only; set DOCKER_BUILDKIT=0")
    if call.flag("squash"):
        raise Unsupported("squash is not supported; use a last stage that copies from the others")
    for name in ("outputs", "session"):
        if call.query.get(name):
            raise Unsupported(f"{name} needs BuildKit; set DOCKER_BUILDKIT=0")
    images = call.engine.images
    tags = tuple(images.parse(text) for text in call.query.getlist("t") if text)
    if any(tag.digest is not None for tag in tags):
        raise BadParameter("build tag cannot contain a digest")
    return Request(
        dockerfile=call.query.get("dockerfile") or "Dockerfile",
        tags=tags,
        arguments=_mapping(call, "buildargs"),
        labels=_mapping(call, "labels"),
        target=call.query.get("target") or "",
        platform=call.query.get("platform") or "",
        no_cache=call.flag("nocache"),
        pull=call.flag("pull"),
        quiet=call.flag("q"),
        host=_host(call),
        credentials=_credentials(call),
        cache_from=bool(_json(call.query.get("cachefrom") or "", "cachefrom")),
    )


def _host(call: Call) -> dict[str, Any]:
    """Give the limits and the network of the steps' containers."""
    found: dict[str, Any] = {"NetworkMode": call.query.get("networkmode") or "default"}
    for name, field in _NUMBERS.items():
        number = call.number(name)
        if number:
            found[field] = number
    found |= {field: value for name, field in _TEXTS.items() if (value := call.query.get(name))}
    hosts = [text for value in call.query.getlist("extrahosts") for text in value.split(",") if text]
    if hosts:
        found["ExtraHosts"] = hosts
    for name, field in (("ulimits", "Ulimits"), ("securityopt", "SecurityOpt")):
        value = _json(call.query.get(name) or "", name)
        if value:
            found[field] = value
    return found


def _mapping(call: Call, name: str) -> dict[str, str]:
    """Read a JSON object of texts; null is an argument that the client's environment has not."""
    found = _json(call.query.get(name) or "", name) or {}
    if not isinstance(found, dict) or not all(isinstance(value, str | None) for value in found.values()):
        raise BadParameter(f"error reading build options: {name} is an object of texts")
    return {str(key): value for key, value in found.items() if value is not None}


def _credentials(call: Call) -> Mapping[str, Mapping[str, Any]]:
    """Read X-Registry-Config: base64url of {registry: credentials}; the default registry's under any of its names."""
    text = call.headers.get("x-registry-config", "")
    try:
        found = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))) if text else {}
    except ValueError:
        raise BadParameter("X-Registry-Config is not base64url of a JSON object") from None
    if not isinstance(found, dict):
        return {}
    return {str(name): value for name, value in found.items() if isinstance(value, dict)}


def _json(text: str, name: str) -> Any:
    try:
        return json.loads(text) if text else None
    except ValueError as error:
        raise BadParameter(f"error reading build options: {name}: {error}") from None


def _blocks(upload: Upload) -> Iterator[bytes]:
    while block := upload.read(_BLOCK):
        yield block
