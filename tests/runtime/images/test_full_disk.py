"""A disk that is full while a layer is unpacked: one sentence, and nothing of the layer is left."""

import subprocess
from pathlib import Path

import pytest

from runtime.errors import EngineError
from runtime.images import arrivals
from runtime.images.unpack import Limits, room
from tests.parts.tools import require_root
from tests.runtime.images.conftest import open_store
from tests.runtime.images.tars import blocks, file, tar

pytestmark = pytest.mark.faults

SIZE = 4 * 2**20


def test_a_full_disk_costs_the_layer_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require_root()
    data = tmp_path / "data"
    data.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", data], check=True)
    try:
        store = open_store(data)
        kept = store.layers.unpack(None, iter([tar(file("kept"))]))
        with pytest.raises(EngineError, match="more bytes than a layer may have"):
            store.layers.unpack(None, iter(blocks(tar(file("f", bytes(SIZE))))))
        monkeypatch.setattr("runtime.images.layers.room", lambda _: Limits(100, 2**40))  # others fill it meanwhile
        with pytest.raises(EngineError, match=r"^failed to register layer: no space left on device$"):
            store.layers.unpack(None, iter(blocks(tar(file("f", bytes(2 * SIZE))))))
        with pytest.raises((EngineError, OSError), match=r"(?i)no space left on device"):
            noise = bytes(range(256)) * (SIZE // 200)
            arrivals.take(store.layers, store.content, None, iter(blocks(tar(file("f", noise), file("g", noise)))))
        assert store.layers.all() == (kept,) and store.remains() == [] and list(store.content.digests()) == []
        assert room(data).size > SIZE // 2
        store.layers.close()
    finally:
        subprocess.run(["umount", data], check=True)
