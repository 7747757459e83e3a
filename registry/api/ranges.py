"""Byte ranges (RFC 9110, section 14): which parts of a blob a request asks for.

A range that ends before it starts is answered 416, as the conformance tool wants, although the RFC lets a server
ignore it. Overlapping ranges are merged, so that no request makes us send more than the blob.
"""

import itertools
import re

from registry.oci.errors import ErrorCode, RegistryError

RANGES_LIMIT = 256
_SPEC = re.compile(r"(?:([0-9]{1,19})-([0-9]{0,19})|-([0-9]{1,19}))", re.ASCII)

Span = tuple[int, int]
"""First byte, and the byte after the last."""


def parse_ranges(header: str | None, size: int) -> list[Span] | None:
    """Read a Range header for content of `size` bytes; None: it asks for nothing that we know, so send all.

    Raises: RANGE_UNSATISFIABLE (416) if no range touches the content; REQUEST_INVALID for too many ranges.
    """
    if header is None or not header.startswith("bytes="):
        return None
    texts = [text.strip() for text in header[len("bytes=") :].split(",", RANGES_LIMIT) if text.strip()]
    if len(texts) > RANGES_LIMIT:
        raise RegistryError(ErrorCode.REQUEST_INVALID, f"more than {RANGES_LIMIT} ranges in one request")
    matches = [_SPEC.fullmatch(text) for text in texts]
    if not matches or not all(matches):
        return None
    spans = [span for match in matches if match and (span := _span(match, size)) is not None]
    if not spans:
        raise RegistryError(
            ErrorCode.RANGE_UNSATISFIABLE,
            f"the blob has {size} bytes; none of them is in the range asked for",
            headers={"content-range": f"bytes */{size}"},
        )
    return _merged(spans)


def _span(match: re.Match[str], size: int) -> Span | None:
    first, last, suffix = match.groups()
    if suffix is not None:
        start, stop = max(size - int(suffix), 0), size
    else:
        start, stop = int(first), min(int(last) + 1 if last else size, size)
    return (start, stop) if start < stop else None


def _merged(spans: list[Span]) -> list[Span]:
    """Merge where ranges overlap; ranges that do not keep the order in which they were asked for."""
    ordered = sorted(spans)
    if all(before[1] <= after[0] for before, after in itertools.pairwise(ordered)):
        return spans
    merged = [ordered[0]]
    for start, stop in ordered[1:]:
        if start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
        else:
            merged.append((start, stop))
    return merged
