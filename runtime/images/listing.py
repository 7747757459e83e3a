"""Which images a list shows: the filters of `docker images` and of prune.

Patterns are Go's path.Match, where `*` stops at a slash; a pattern is compared with the name alone and with its tag.
"""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from runtime import moments
from runtime.errors import BadParameter
from runtime.images.image import Image
from runtime.images.images import Images
from runtime.images.reference import ImageReference

Filters = Mapping[str, Sequence[str]]

FILTERS = frozenset({"reference", "dangling", "label", "label!", "before", "since", "until"})
_TRUE = frozenset({"1", "true", "t"})
_FALSE = frozenset({"0", "false", "f"})
_DURATION = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)", re.ASCII)
_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}


def listed(images: Images, filters: Filters) -> list[Image]:
    """Give the images that pass every filter, the newest first; with `reference`, with the names that match alone.

    Raises: BadParameter "invalid filter 'X'"; NotFound where `before` or `since` names no image.
    """
    check(filters, FILTERS)
    found = list(images.all())
    if wanted := filters.get("dangling"):
        dangling = truth("dangling", wanted)
        found = [image for image in found if is_dangling(image) == dangling]
    if patterns := filters.get("reference"):
        found = [image for image in (_matching(images, image, patterns) for image in found) if _is_named(image)]
    if references := filters.get("before"):
        limit = min(images.resolve(reference).created for reference in references)
        found = [image for image in found if image.created < limit]
    if references := filters.get("since"):
        limit = max(images.resolve(reference).created for reference in references)
        found = [image for image in found if image.created > limit]
    if moments_ := filters.get("until"):
        found = [image for image in found if image.created < min(moment(text) for text in moments_)]
    return [image for image in found if has_labels(image.labels, filters)]


def check(filters: Filters, known: frozenset[str]) -> None:
    """Raise BadParameter for a filter that is not known."""
    for name in filters:
        if name not in known:
            raise BadParameter(f"invalid filter '{name}'")


def truth(name: str, values: Sequence[str]) -> bool:
    """Read a filter that is a boolean. Raises BadParameter."""
    if len(values) == 1 and values[0].lower() in _TRUE | _FALSE:
        return values[0].lower() in _TRUE
    raise BadParameter(f"invalid filter '{name}={list(values)}'")


def moment(text: str, now: int | None = None) -> int:
    """Read a moment as Docker's filters have it: seconds since 1970, RFC 3339, or how long ago (`1h30m`).

    Returns: nanoseconds since 1970. Raises: BadParameter.
    """
    parts = _DURATION.findall(text)
    if parts and "".join(number + unit for number, unit in parts) == text:
        ago = sum(int(float(number) * _UNITS[unit]) for number, unit in parts)
        return (time.time_ns() if now is None else now) - ago
    if re.fullmatch(r"\d{1,12}(\.\d{1,9})?", text, re.ASCII):
        seconds, _, fraction = text.partition(".")
        return int(seconds) * 10**9 + int(fraction.ljust(9, "0"))
    for ending in ("", "Z", "T00:00:00Z"):
        try:
            return moments.parse_rfc3339(text + ending)
        except ValueError:
            continue
    raise BadParameter(f'invalid value for "until": {text!r} is neither a time nor a duration')


def has_labels(labels: Mapping[str, str], filters: Filters) -> bool:
    """Tell whether labels fulfil `label` (`key` or `key=value`, all of them) and `label!` (none of them)."""
    wanted, unwanted = filters.get("label", ()), filters.get("label!", ())
    return all(_has(labels, text) for text in wanted) and not any(_has(labels, text) for text in unwanted)


def is_dangling(image: Image) -> bool:
    """Tell whether no tag means the image any more."""
    return not image.tags


def matches(pattern: str, text: str) -> bool:
    """Compare as Go's path.Match does. Raises BadParameter where the pattern is malformed."""
    try:
        return re.fullmatch(_expression(pattern), text) is not None
    except (re.error, IndexError):
        raise BadParameter(f"syntax error in pattern {pattern!r}") from None


def _expression(pattern: str) -> str:
    pieces = {"*": "[^/]*", "?": "[^/]"}
    out, position = [], 0
    while position < len(pattern):
        character = pattern[position]
        if character == "[":
            end = pattern.index("]", position + 2) if "]" in pattern[position + 2 :] else len(pattern) + 1
            body = pattern[position + 1 : end].replace("\\", "\\\\").replace("[", "\\[")
            out.append(f"(?!/)[{body}{pattern[end]}")
            position = end
        elif character == "\\":
            position += 1
            out.append(re.escape(pattern[position]))
        else:
            out.append(pieces.get(character) or re.escape(character))
        position += 1
    return "".join(out)


def _matching(images: Images, image: Image, patterns: Sequence[str]) -> Image:
    """Keep of an image's names those that a pattern matches."""

    def fits(reference: ImageReference) -> bool:
        whole = images.familiar(reference)
        name = images.familiar(replace(reference, tag=None, digest=None))
        return any(matches(pattern, text) for pattern in patterns for text in (whole, name))

    return replace(image, tags=tuple(filter(fits, image.tags)), digests=tuple(filter(fits, image.digests)))


def _is_named(image: Image) -> bool:
    return bool(image.tags or image.digests)


def _has(labels: Mapping[str, str], text: str) -> bool:
    key, equals, value = text.partition("=")
    return key in labels and (not equals or labels[key] == value)
