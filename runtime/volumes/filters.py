"""The filters of GET /volumes and POST /volumes/prune. Source: moby volume/service/convert.go. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from runtime.errors import BadParameter
from runtime.volumes.volume import DRIVER, Volume

_KNOWN = frozenset({"dangling", "driver", "label", "label!", "name", "all"})
_TRUE, _FALSE = frozenset({"1", "true"}), frozenset({"0", "false"})


@dataclass(frozen=True, slots=True)
class Filters:
    """What a client wants to see."""

    given: Mapping[str, Collection[str]]

    @staticmethod
    def of(given: Mapping[str, Collection[str]]) -> "Filters":
        """Check them. Raises BadParameter."""
        for name, values in given.items():
            if name not in _KNOWN:
                raise BadParameter(f"invalid filter '{name}'")
            if name in {"dangling", "all"} and not {value.lower() for value in values} <= _TRUE | _FALSE:
                raise BadParameter(f"invalid filter '{name}={next(iter(values))}'")
        return Filters(given)

    @property
    def every(self) -> bool:
        """Whether named volumes are meant too (`docker volume prune --all`)."""
        return any(value.lower() in _TRUE for value in self.given.get("all", ()))

    def match(self, volume: Volume, holders: Collection[str]) -> bool:
        """Whether a volume is one of them."""
        return all(_passes(volume, holders, name, values) for name, values in self.given.items())


def _passes(volume: Volume, holders: Collection[str], name: str, values: Collection[str]) -> bool:
    if name == "dangling":
        return all((value.lower() in _TRUE) == (not holders) for value in values)
    if name == "label":
        return all(_labelled(volume, value) for value in values)
    if name == "label!":
        return not any(_labelled(volume, value) for value in values)
    if name == "driver":
        return not values or DRIVER in values
    if name == "name":
        return not values or any(value in volume.name for value in values)
    return True


def _labelled(volume: Volume, text: str) -> bool:
    name, equals, value = text.partition("=")
    return name in volume.labels and (not equals or volume.labels[name] == value)
