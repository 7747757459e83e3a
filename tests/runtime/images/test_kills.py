"""After kill -9 at any moment the store opens, holds only whole things, and has cleared away the rest."""

import random
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from runtime.images.pack import pack
from storage.digest import Digest
from tests.parts.tools import require_root
from tests.runtime.images.busy import layer_of
from tests.runtime.images.conftest import Store, open_store

pytestmark = pytest.mark.faults

KILLS = 20
LONGEST = 0.6


def killed_after(data: Path, seconds: float) -> None:
    """Let the store be worked on for a while, then kill."""
    command = [sys.executable, "-m", "tests.runtime.images.busy", str(data)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(seconds)
        process.kill()
    limit = time.monotonic() + 20
    while unpacking(data):
        assert time.monotonic() < limit, "the unpacking process does not end with its pipe"
        time.sleep(0.005)


def unpacking(data: Path) -> bool:
    """Whether a process that unpacks a layer lives on."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if b"unpack_child" in (command := path.read_bytes()) and str(data).encode() in command:
                return True
    return False


def check(store: Store) -> None:
    """Everything that shows is whole, and nothing half-done is left."""
    assert store.remains() == []
    links = {path.name: path for path in (store.data / "l").iterdir()}
    for layer in store.layers.all():
        assert links.pop(layer.link.removeprefix("l/")).resolve() == store.layers.path(layer.diff_id)
        content = b"".join(store.layers.archive(layer.diff_id))
        assert Digest.of(content) == layer.diff_id
        assert (
            sum(path.stat().st_size for path in store.layers.path(layer.diff_id).rglob("*") if path.is_file())
            == layer.size
        )
    assert links == {}
    for image in store.images.all():
        assert all(store.layers.has(diff_id) for diff_id in image.diff_ids)
        for tag in image.tags:
            assert store.images.resolve(str(tag)).id == image.id
            first = int(tag.tag or "-1")
            assert image.diff_ids == (Digest.of(layer_of(first)), Digest.of(layer_of(first + 1)))
    for digest, _ in store.content.digests():
        assert Digest.of(store.content.path(digest).read_bytes()) == digest


def test_kills_at_random_moments(tmp_path: Path) -> None:
    require_root()
    data, chance = tmp_path / "data", random.Random(5)
    data.mkdir()
    seen = 0
    for _ in range(KILLS):
        killed_after(data, chance.uniform(0, LONGEST))
        store = open_store(data)
        check(store)
        seen = max(seen, len(store.images.all()))
        store.layers.close()
    assert seen > 0, "nothing was ever finished"


def test_layers_that_were_there_are_packed_the_same(tmp_path: Path) -> None:
    require_root()
    data = tmp_path / "data"
    data.mkdir()
    killed_after(data, LONGEST)
    store = open_store(data)
    for layer in store.layers.all():
        if store.layers.blob(layer.diff_id) is None:
            assert Digest.of(b"".join(pack(store.layers.path(layer.diff_id)))) == layer.diff_id
    store.layers.close()
