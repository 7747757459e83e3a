"""Whatever entries a layer is made of, nothing ever leaves its root, and what came of it can be packed and unpacked."""

import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime.errors import EngineError
from runtime.images.pack import pack
from tests.runtime.images.conftest import Store
from tests.runtime.images.tars import device, directory, file, hardlink, member, symlink, tar
from tests.runtime.images.test_hostile_layers import beside, seen

Entry = Callable[[str], bytes]
"""Makes one entry, given the path of the victim's directory."""

NAMES = st.sampled_from(
    [
        "a",
        "b",
        "a/b",
        "a/b/c",
        "b/a",
        "./a",
        "/a",
        "a/",
        "..",
        "../victim/file",
        "a/../../victim",
        "{v}",
        "{v}/file",
        ".",
        ".wh.a",
        "a/.wh.b",
        ".wh..wh..opq",
        "a/.wh..wh..opq",
        ".wh...",
        "b/.wh..",
    ]
)
TARGETS = st.sampled_from(
    ["a", "b", "/", "..", "../../..", "../victim", "{v}", "{v}/file", "a/b", "/a/b", ".", "/proc/self"]
)
ENTRIES: st.SearchStrategy[Entry] = st.one_of(
    st.builds(lambda n: lambda v: file(n.format(v=v), b"changed"), NAMES),
    st.builds(lambda n: lambda v: directory(n.format(v=v)), NAMES),
    st.builds(lambda n, t: lambda v: symlink(n.format(v=v), t.format(v=v)), NAMES, TARGETS),
    st.builds(lambda n, t: lambda v: hardlink(n.format(v=v), t.format(v=v)), NAMES, TARGETS),
    st.builds(lambda n: lambda v: member(n.format(v=v), tarfile.FIFOTYPE), NAMES),
    st.builds(lambda n: lambda v: device(n.format(v=v), tarfile.CHRTYPE, 1, 3), NAMES),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(entries=st.lists(ENTRIES, min_size=1, max_size=8))
def test_nothing_leaves_the_root(store: Store, victim: Path, entries: list[Entry]) -> None:
    data, before, neighbours = tar(*(entry(str(victim)) for entry in entries)), seen(victim), beside(victim)
    try:
        layer = store.layers.unpack(None, iter([data]))
    except EngineError:
        layer = None
    assert seen(victim) == before and beside(victim) == neighbours and store.remains() == []
    if layer is not None:
        packed = b"".join(pack(store.layers.path(layer.diff_id)))
        again = store.layers.unpack(None, iter([packed]))
        assert b"".join(pack(store.layers.path(again.diff_id))) == packed


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    place=st.integers(0, 511),
    value=st.integers(0, 255),
    kind=st.sampled_from([file("f", b"x" * 600), directory("d"), symlink("l", "t"), hardlink("h", "t")]),
)
def test_one_wrong_byte_in_a_header_harms_nobody(
    store: Store, victim: Path, place: int, value: int, kind: bytes
) -> None:
    damaged = bytearray(kind)
    damaged[place] = value
    damaged[148:156] = b" " * 8
    damaged[148:156] = b"%06o\0 " % sum(damaged[:512])
    before = seen(victim)
    try:
        store.layers.unpack(None, iter([tar(bytes(damaged))]))
    except EngineError as error:
        assert "could not be unpacked" not in str(error), "the process did not foresee it"
    assert seen(victim) == before and store.remains() == []


def test_the_properties_see_a_layer_that_does_leave(store: Store, victim: Path) -> None:
    before = seen(victim)
    (victim / "file").chmod(0o600)
    assert seen(victim) != before
    (victim.parent / "dropped").touch()
    assert "dropped" in beside(victim)
    with pytest.raises(AssertionError):
        assert seen(victim) == before
