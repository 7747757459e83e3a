"""What happens in the engine, as it happens (Engine API, "Monitor events"; rules of moby, daemon/events/filter.go)."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from runtime.api.call import Call
from runtime.api.streams import Lines
from runtime.events import Event

WAITING = 4096
"""Events kept for a client that reads slowly; one that is slower is cut off, for it would miss some unknowingly."""

_WITH_DETAIL = frozenset({"health_status", "exec_create", "exec_start", "exec_die"})
_OBJECTS = ("container", "volume", "network", "daemon", "plugin", "node", "service", "secret", "config")

Filters = Mapping[str, Sequence[str]]


async def monitor(call: Call) -> ASGIApp:
    """GET /events?since=&until=&filters=: past events since a moment, then new ones until another."""
    since, until, filters = call.moment("since"), call.moment("until"), call.filters()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        inbox = _Inbox()
        with call.engine.events.listening(inbox.tell) as past:  # before the head, after which a client misses nothing
            kept = () if since is None and until is None else past
            lines = _lines([event for event in kept if event.moment >= (since or 0)], inbox, until, filters)
            await Lines(call, lines, at_once=True)(scope, receive, send)

    return app


class _Inbox:
    """Events on their way from any thread to one client."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[Event] = asyncio.Queue(WAITING)
        self.overrun = False
        self._loop = asyncio.get_running_loop()

    def tell(self, event: Event) -> None:
        with suppress(RuntimeError):  # the loop has ended: nobody listens any more
            self._loop.call_soon_threadsafe(self._put, event)

    def _put(self, event: Event) -> None:
        try:
            self.queue.put_nowait(event)
        except asyncio.QueueFull:
            self.overrun = True


async def _lines(
    past: Sequence[Event], inbox: _Inbox, until: int | None, filters: Filters
) -> AsyncIterator[dict[str, Any]]:
    for event in past:
        if (until is None or event.moment <= until) and matches(filters, event):
            yield event.document()
    while not inbox.overrun:
        new = await _next(inbox.queue, until)
        if new is None:
            return
        if matches(filters, new):
            yield new.document()
    raise ConnectionAbortedError("a listener to events is too slow")


async def _next(queue: asyncio.Queue[Event], until: int | None) -> Event | None:
    """Wait for the next event; None once `until` has passed."""
    left = None if until is None else max(0.0, (until - time.time_ns()) / 10**9)
    try:
        async with asyncio.timeout(left):
            event = await queue.get()
    except TimeoutError:
        return None
    return event if until is None or event.moment <= until else None


def matches(filters: Filters, event: Event) -> bool:
    """Whether an event passes: every filter that is given, by any of its values (labels by all)."""
    return (
        _exact(filters, "type", event.type)
        and _exact(filters, "scope", "local")
        and _action(filters, event.action)
        and all(_begins(filters, kind, event) for kind in _OBJECTS)
        and _image(filters, event)
        and _labels(filters, event.attributes)
    )


def _exact(filters: Filters, name: str, *values: str) -> bool:
    wanted = filters.get(name)
    return not wanted or any(value in wanted for value in values)


def _action(filters: Filters, action: str) -> bool:
    """`exec_start` means each of them, whatever was run."""
    name = action.partition(":")[0]
    return _exact(filters, "event", action, *((name,) if name in _WITH_DETAIL else ()))


def _begins(filters: Filters, kind: str, event: Event) -> bool:
    """An object is meant by the beginning of its id or name."""
    wanted = filters.get(kind)
    known = (event.actor, event.attributes.get("name", ""))
    return not wanted or any(text.startswith(value) for value in wanted for text in known if text)


def _image(filters: Filters, event: Event) -> bool:
    named = event.attributes.get("image" if event.type == "container" else "name", "")
    texts = (event.actor, named)
    return _exact(filters, "image", *texts, *(_without_tag(text) for text in texts))


def _without_tag(text: str) -> str:
    name, colon, tag = text.rpartition(":")
    return name if colon and "/" not in tag else text


def _labels(filters: Filters, attributes: Mapping[str, str]) -> bool:
    return all(
        name in attributes and (not equals or attributes[name] == value)
        for name, equals, value in (label.partition("=") for label in filters.get("label", ()))
    )
