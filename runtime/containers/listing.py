"""Containers as `docker ps` shows them: which the filters leave, and one line of each.

Pure. Source: Engine API 1.47, GET /containers/json; the words of `Status` are Docker's (moby, container/state.go).
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from runtime.containers.health import STARTING, Health
from runtime.containers.inspect import mount_point
from runtime.containers.model import CREATED, EXITED, PAUSED, RESTARTING, RUNNING, Container
from runtime.containers.specification import spec
from runtime.errors import BadParameter
from runtime.moments import parse_rfc3339

Filters = Mapping[str, Sequence[str]]

KNOWN = frozenset(
    {
        "ancestor",
        "before",
        "exited",
        "expose",
        "health",
        "id",
        "is-task",
        "isolation",
        "label",
        "label!",
        "name",
        "network",
        "publish",
        "since",
        "status",
        "volume",
        "until",
    }
)
_STATUSES = frozenset({CREATED, RUNNING, PAUSED, RESTARTING, EXITED, "removing", "dead"})
_SECOND = 10**9

Find = Callable[[str], Container]
Has = Callable[[Container, Sequence[str]], bool]


def chosen(
    containers: Iterable[Container], filters: Filters, *, find: Find, extra: Mapping[str, Has]
) -> list[Container]:
    """The containers that every filter takes. Raises: BadParameter for an unknown filter; NotFound.

    Args: find: looks another container up (before, since); extra: filters that need a neighbour (ancestor, network,
    health), by name.
    """
    for name in filters:
        if name not in KNOWN:
            raise BadParameter(f"invalid filter '{name}'")
    tests = [_test(name, values, find, extra) for name, values in filters.items() if values]
    return [container for container in containers if all(test(container) for test in tests)]


def summary(
    container: Container, *, image: str, network: Mapping[str, Any], health: Health | None, volumes: str = ""
) -> dict[str, Any]:
    """One line. `image`: the image's name now, or its id where it has none."""
    words = spec.argv(container)
    return {
        "Id": container.id,
        "Names": [f"/{container.name}"],
        "Image": image,
        "ImageID": container.image_id,
        "Command": " ".join(words),
        "Created": container.created // _SECOND,
        "Ports": _ports(network.get("Ports") or {}, container.config["ExposedPorts"] or {}, container.state.alive),
        "Labels": container.config["Labels"] or {},
        "State": container.state.status,
        "Status": status(container, health),
        "HostConfig": {"NetworkMode": container.host_config["NetworkMode"]},
        "NetworkSettings": {"Networks": network.get("Networks") or {}},
        "Mounts": [mount_point(mount, volumes) for mount in container.mounts],
    }


def status(container: Container, health: Health | None, now: int = 0) -> str:
    """`Up 3 minutes (healthy)`, `Exited (1) 2 hours ago`, `Created`."""
    state, now = container.state, now or time.time_ns()
    if state.status in {RUNNING, PAUSED}:
        said = f"Up {_ago(now - state.started_at)}"
        if state.status == PAUSED:
            return f"{said} (Paused)"
        if health is not None:
            said += f" ({'health: starting' if health.status == STARTING else health.status})"
        return said
    if state.status == RESTARTING:
        return f"Restarting ({state.exit_code}) {_ago(now - state.finished_at)} ago"
    if state.status == EXITED:
        return f"Exited ({state.exit_code}) {_ago(now - state.finished_at)} ago"
    return state.status.capitalize()


def _ago(nanoseconds: int) -> str:
    """A span as Docker tells it (docker/go-units, HumanDuration)."""
    seconds = max(0, nanoseconds // _SECOND)
    if seconds < 1:
        return "Less than a second"
    if seconds < 60:
        return "1 second" if seconds == 1 else f"{seconds} seconds"
    minutes, hours = seconds // 60, (seconds + 1800) // 3600
    if minutes < 60:
        return "About a minute" if minutes == 1 else f"{minutes} minutes"
    if hours < 48:
        return "About an hour" if hours == 1 else f"{hours} hours"
    days = hours // 24
    spans = ((14, 1, "days"), (60, 7, "weeks"), (730, 30, "months"))
    for limit, size, word in spans:
        if days < limit:
            return f"{days // size} {word}"
    return f"{days // 365} years"


def _ports(bound: Mapping[str, Any], exposed: Iterable[str], alive: bool) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    for port in sorted({*bound, *exposed}):
        number, _, protocol = port.partition("/")
        entry = {"PrivatePort": int(number), "Type": protocol or "tcp"} if number.isdecimal() else None
        if entry is None or not alive:
            continue
        hosts = [{"IP": each["HostIp"], **entry, "PublicPort": int(each["HostPort"])} for each in bound.get(port) or ()]
        made += hosts or [entry]
    return made


def _test(name: str, values: Sequence[str], find: Find, extra: Mapping[str, Has]) -> Callable[[Container], bool]:
    if name in extra:
        return lambda container: extra[name](container, values)
    if name == "status" and (unknown := set(values) - _STATUSES):
        raise BadParameter(f"invalid filter 'status={sorted(unknown)[0]}'")
    if name in {"before", "since"}:
        moments = [find(value).created for value in values]
        if name == "before":
            return lambda container: container.created < max(moments)
        return lambda container: container.created > min(moments)
    if name == "until":
        limit = min(_moment(value) for value in values)
        return lambda container: container.created < limit
    if name == "exited":
        codes = {_code(value) for value in values}
        return lambda container: container.state.status == EXITED and container.state.exit_code in codes
    plain = _PLAIN.get(name)
    return (lambda _: True) if plain is None else lambda container: any(plain(container, value) for value in values)


def labelled(labels: Mapping[str, str], values: Sequence[str]) -> bool:
    """Whether every `NAME` or `NAME=VALUE` is among the labels."""
    for value in values:
        name, equals, wanted = value.partition("=")
        if name not in labels or (equals and labels[name] != wanted):
            return False
    return True


def _moment(text: str) -> int:
    """`until`: a moment, seconds since 1970, or a span such as 10m before now."""
    try:
        return int(float(text) * _SECOND)
    except ValueError:
        pass
    units = {"s": 1, "m": 60, "h": 3600, "d": 86400}
    if text[:-1].isdecimal() and text[-1] in units:
        return time.time_ns() - int(text[:-1]) * units[text[-1]] * _SECOND
    try:
        return parse_rfc3339(text)
    except ValueError:
        raise BadParameter(f'invalid filter "until={text}"') from None


def _code(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise BadParameter(f"invalid filter 'exited={text}'") from None


_PLAIN: Mapping[str, Callable[[Container, str], bool]] = {
    "id": lambda container, value: container.id.startswith(value),
    "name": lambda container, value: value.removeprefix("/") in container.name,
    "status": lambda container, value: container.state.status == value,
    "label": lambda container, value: labelled(container.config["Labels"] or {}, [value]),
    "label!": lambda container, value: not labelled(container.config["Labels"] or {}, [value]),
    "volume": lambda container, value: any(value in {mount.source, mount.target} for mount in container.mounts),
    "expose": lambda container, value: any(
        port.partition("/")[0] == value.partition("/")[0] for port in container.config["ExposedPorts"] or ()
    ),
    "publish": lambda container, value: any(
        port.partition("/")[0] == value.partition("/")[0] for port in container.host_config["PortBindings"] or ()
    ),
}
