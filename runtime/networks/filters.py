"""The filters of GET /networks and POST /networks/prune. Source: moby daemon/network/filter.go. Pure."""

import re
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from runtime import moments
from runtime.errors import BadParameter
from runtime.networks.model import Network, Sandbox

_SECOND = 10**9
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?[hms])+", re.ASCII)

Values = Collection[str]


@dataclass(frozen=True, slots=True)
class Filters:
    """What a client wants to see."""

    given: Mapping[str, Values]

    @staticmethod
    def of(given: Mapping[str, Values]) -> "Filters":
        """Check them. Raises BadParameter."""
        for name, values in given.items():
            if name not in _TESTS and name not in {"until", "label", "label!", "dangling"}:
                raise BadParameter(f"invalid filter '{name}'")
            if name == "type" and not set(values) <= {"builtin", "custom"}:
                raise BadParameter(f"invalid filter: 'type'='{next(iter(set(values) - {'builtin', 'custom'}))}'")
            if name == "until":
                for value in values:
                    _moment(value)
        return Filters(given)

    def match(self, network: Network, inside: Iterable[Sandbox]) -> bool:
        """Whether a network is one of them."""
        idle = not network.fixed and not any(True for _ in inside)
        return all(_passes(network, name, values, idle=idle) for name, values in self.given.items())


def _passes(network: Network, name: str, values: Values, *, idle: bool) -> bool:
    """Labels and moments must all be met; of any other filter's values, one."""
    if name == "until":
        return all(network.created <= _moment(value) for value in values)
    if name == "label":
        return all(_labelled(network, value) for value in values)
    if name == "label!":
        return not any(_labelled(network, value) for value in values)
    if name == "dangling":
        return all((value.lower() in {"1", "true"}) == idle for value in values)
    return not values or any(_TESTS[name](network, value) for value in values)


def _labelled(network: Network, text: str) -> bool:
    name, equals, value = text.partition("=")
    return name in network.labels and (not equals or network.labels[name] == value)


def _moment(text: str) -> int:
    if _DURATION.fullmatch(text):
        seconds = sum(float(part[:-1]) * _UNITS[part[-1]] for part in re.findall(r"[\d.]+[hms]", text))
        return time.time_ns() - int(seconds * _SECOND)
    try:
        return int(float(text) * _SECOND) if text.replace(".", "", 1).isdigit() else moments.parse_rfc3339(text)
    except ValueError:
        raise BadParameter(f"invalid filter 'until': {text!r} is neither a time nor a duration") from None


_TESTS: Mapping[str, Callable[[Network, str], bool]] = {
    "driver": lambda network, value: network.driver == value,
    "id": lambda network, value: network.id.startswith(value),
    "name": lambda network, value: value in network.name,
    "scope": lambda _, value: value == "local",
    "type": lambda network, value: network.fixed == (value == "builtin"),
}
