"""Reading JSON documents strictly, so that no two readers can understand the same bytes differently.

Refused: bytes that are not UTF-8, a byte order mark, NaN and infinities, duplicate keys at any depth, keys that
differ from a field of the specification only by case (Go's decoder would take them for it), and deep nesting.
Documents are read to be checked, never to be written again (design: manifest confusion, CVE-2021-41190).
"""

import json
from collections import Counter
from collections.abc import Sequence
from typing import NoReturn

DEPTH_LIMIT = 32

FIELDS = frozenset(
    {
        "annotations",
        "architecture",
        "artifactType",
        "blobs",
        "config",
        "data",
        "digest",
        "features",
        "layers",
        "manifests",
        "mediaType",
        "os",
        "os.features",
        "os.version",
        "platform",
        "schemaVersion",
        "size",
        "subject",
        "urls",
        "variant",
    }
)
_FOLDED = {field.casefold(): field for field in FIELDS}


class InvalidDocument(ValueError):
    """The bytes are no document that is read in only one way; the message says why."""


def read_document(content: bytes) -> dict[str, object]:
    """Parse the bytes of one JSON object.

    Raises: InvalidDocument with the reason.
    """
    try:
        text = content.decode("utf-8")
        document = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise InvalidDocument(f"it is not UTF-8 (byte {error.start})") from None
    except json.JSONDecodeError as error:
        raise InvalidDocument(f"it is not JSON: {error.msg} at character {error.pos}") from None
    except RecursionError:
        raise InvalidDocument(f"it is nested deeper than {DEPTH_LIMIT} levels") from None
    except InvalidDocument:
        raise
    except ValueError:
        raise InvalidDocument("it holds a number with too many digits") from None
    if not isinstance(document, dict):
        raise InvalidDocument("it is not a JSON object")
    _check_tree(document)
    return document


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        counts = Counter(key for key, _ in pairs)
        raise InvalidDocument(f"the key {_shown(counts.most_common(1)[0][0])} stands twice in one object")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise InvalidDocument(f"{name} is not a JSON number")


def _check_tree(document: dict[str, object]) -> None:
    """Walk the document without recursion: its depth, and its keys everywhere but inside annotations."""
    waiting: list[tuple[object, int, bool]] = [(document, 1, False)]
    while waiting:
        node, depth, free = waiting.pop()
        if depth > DEPTH_LIMIT and isinstance(node, dict | list):
            raise InvalidDocument(f"it is nested deeper than {DEPTH_LIMIT} levels")
        if isinstance(node, dict):
            if not free:
                _check_keys(node)
            waiting.extend((value, depth + 1, free or key == "annotations") for key, value in node.items())
        elif isinstance(node, list):
            waiting.extend((value, depth + 1, free) for value in node)


def _check_keys(node: dict[str, object]) -> None:
    for key in node:
        if key not in FIELDS and (field := _FOLDED.get(key.casefold())) is not None:
            raise InvalidDocument(
                f"the key {_shown(key)} differs from {field!r} only by case; some readers confuse them"
            )


def _is_text(text: str) -> bool:
    """Tell whether a string can be written as UTF-8; JSON's escapes can spell one that cannot."""
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def _shown(text: str) -> str:
    return ascii(text if len(text) <= 64 else text[:61] + "...")


class Reader:
    """Typed access to one object of a document; every complaint names the place, such as `layers[3].size`."""

    __slots__ = ("fields", "place")

    def __init__(self, fields: dict[str, object], place: str = "") -> None:
        self.fields = fields
        self.place = place

    def where(self, key: str) -> str:
        """Name a field's place in the document."""
        return f"{self.place}.{key}" if self.place else key

    def text(self, key: str) -> str | None:
        """Give a string field, or None where it is absent or null. Raises InvalidDocument."""
        value = self.fields.get(key)
        if value is not None and not isinstance(value, str):
            raise InvalidDocument(f"{self.where(key)} is not a string")
        return value or None

    def number(self, key: str) -> int | None:
        """Give a whole number (never a boolean or a float), or None where it is absent. Raises InvalidDocument."""
        value = self.fields.get(key)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            raise InvalidDocument(f"{self.where(key)} is not a whole number")
        return value

    def child(self, key: str) -> "Reader | None":
        """Give a nested object, or None where it is absent or null. Raises InvalidDocument."""
        value = self.fields.get(key)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise InvalidDocument(f"{self.where(key)} is not an object")
        return Reader(value, self.where(key))

    def children(self, key: str) -> Sequence["Reader"]:
        """Give a list of objects; absent and null are the empty list, as Go writes one. Raises InvalidDocument."""
        value = self.fields.get(key)
        if value is None:
            return ()
        if not isinstance(value, list):
            raise InvalidDocument(f"{self.where(key)} is not a list")
        place = self.where(key)
        for position, item in enumerate(value):
            if not isinstance(item, dict):
                raise InvalidDocument(f"{place}[{position}] is not an object")
        return tuple(Reader(item, f"{place}[{position}]") for position, item in enumerate(value))

    def texts(self, key: str) -> dict[str, str]:
        """Give an object of strings, such as `annotations`; absent is empty. Raises InvalidDocument."""
        child = self.child(key)
        if child is None:
            return {}
        found: dict[str, str] = {}
        for name, value in child.fields.items():
            if not isinstance(value, str):
                raise InvalidDocument(f"{child.place}[{_shown(name)}] is not a string")
            if not (_is_text(name) and _is_text(value)):
                raise InvalidDocument(f"{child.place}[{_shown(name)}] holds half of a surrogate pair, which is no text")
            found[name] = value
        return found
