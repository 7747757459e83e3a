"""Documents: what is accepted is what every JSON reader understands alike; nothing else breaks the reader."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from registry.oci.documents import DEPTH_LIMIT, FIELDS, InvalidDocument, Reader, read_document
from tests.oci.strategies import json_values


def depth_of(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max((depth_of(inner) for inner in value.values()), default=0)
    if isinstance(value, list):
        return 1 + max((depth_of(inner) for inner in value), default=0)
    return 0


@given(st.dictionaries(st.text(max_size=12), json_values, max_size=5))
def test_what_json_writes_is_read_as_it_was(document: dict[str, Any]) -> None:
    content = json.dumps(document).encode()
    try:
        assert read_document(content) == document
    except InvalidDocument as error:
        assert "only by case" in str(error) or "too many digits" in str(error)


@given(st.binary(max_size=60))
@example(b"\xef\xbb\xbf{}")
@example(b'{"a": 1e999}')
@example(b"[" * 100_000)
@example(b'{"a":' * 100_000)
@example(b"9" * 5000)
def test_any_bytes_are_a_document_or_invalid(content: bytes) -> None:
    try:
        assert isinstance(read_document(content), dict)
    except InvalidDocument as error:
        assert str(error).isascii()


@given(st.sampled_from(sorted(FIELDS)), st.data())
def test_a_case_variant_of_a_field_is_refused_at_any_depth(field: str, data: st.DataObject) -> None:
    variant = "".join(data.draw(st.sampled_from([letter.lower(), letter.upper()])) for letter in field)
    document = data.draw(st.sampled_from([{variant: 1}, {"x": {variant: 1}}, {"x": [[{variant: 1}]]}]))
    free = {"annotations": {variant: "1"}, "x": {"annotations": {"y": {variant: 1}}}}
    assert read_document(json.dumps(free).encode()) == free
    if variant in FIELDS:
        assert read_document(json.dumps(document).encode()) == document
        return
    with pytest.raises(InvalidDocument, match="only by case"):
        read_document(json.dumps(document).encode())


@given(st.integers(1, 60), st.sampled_from(["list", "object", "mixed"]))
def test_depth(depth: int, kind: str) -> None:
    value: object = 1
    for level in range(depth):
        value = [value] if kind == "list" or (kind == "mixed" and level % 2) else {"k": value}
    document = {"x": value}
    assert depth_of(document) == depth + 1
    if depth + 1 <= DEPTH_LIMIT:
        assert read_document(json.dumps(document).encode()) == document
        return
    with pytest.raises(InvalidDocument, match="nested deeper"):
        read_document(json.dumps(document).encode())


@given(st.dictionaries(st.text(min_size=1, max_size=8), st.integers(), min_size=1, max_size=5), st.data())
def test_a_key_that_stands_twice_is_refused_and_named(members: dict[str, int], data: st.DataObject) -> None:
    twice = data.draw(st.sampled_from(sorted(members)))
    pairs = [*members.items(), (twice, 0)]
    text = "{" + ", ".join(f"{json.dumps(key)}: {value}" for key, value in pairs) + "}"
    for wrapped in (text, f'{{"outer": [{text}]}}', f'{{"annotations": {text}}}'):
        with pytest.raises(InvalidDocument, match="twice") as refused:
            read_document(wrapped.encode())
        assert ascii(twice) in str(refused.value)


def test_a_long_key_is_cut_short_in_the_message() -> None:
    key = "k" * 5000
    with pytest.raises(InvalidDocument) as refused:
        read_document(f'{{"{key}": 1, "{key}": 2}}'.encode())
    assert len(str(refused.value)) < 120


READERS = ("text", "number", "child", "children", "texts")


@given(st.sampled_from(READERS), json_values)
def test_a_reader_gives_the_type_or_complains_with_the_place(method: str, value: object) -> None:
    kinds: dict[str, type | tuple[type, ...]] = {
        "text": (str, type(None)),
        "number": (int, type(None)),
        "child": (Reader, type(None)),
        "children": tuple,
        "texts": dict,
    }
    reader = Reader({"key": value}, "layers[3]")
    try:
        found = getattr(reader, method)("key")
    except InvalidDocument as error:
        assert str(error).startswith("layers[3].key")
    else:
        assert isinstance(found, kinds[method])
        assert not isinstance(found, bool)


@pytest.mark.parametrize("fields", [{}, {"key": None}])
def test_absent_and_null_are_the_same(fields: dict[str, object]) -> None:
    """Go writes a nil slice as null; its readers take both alike."""
    reader = Reader(fields)
    assert reader.text("key") is None
    assert reader.number("key") is None
    assert reader.child("key") is None
    assert reader.children("key") == ()
    assert reader.texts("key") == {}


def test_places() -> None:
    reader = Reader({"config": {"a": {"b": 1}}, "layers": [{}, {"size": 1}]})
    config = reader.child("config")
    assert config is not None
    assert config.where("a") == "config.a"
    assert [child.place for child in reader.children("layers")] == ["layers[0]", "layers[1]"]
    assert reader.where("x") == "x"
    assert reader.text("empty") is None
    assert Reader({"empty": ""}).text("empty") is None


@given(st.text(), st.text())
def test_texts_takes_what_utf_8_can_write(key: str, value: str) -> None:
    assert Reader({"annotations": {key: value}}).texts("annotations") == {key: value}


@pytest.mark.parametrize("half", ["\ud800", "\udbff", "\udc00", "\udfff", "a\ud800b"])
def test_texts_refuses_half_of_a_surrogate_pair(half: str) -> None:
    for annotations in ({half: "x"}, {"x": half}):
        with pytest.raises(InvalidDocument, match="surrogate"):
            Reader({"annotations": annotations}).texts("annotations")
