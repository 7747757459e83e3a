"""The soak: pushes, deletions and collections beside each other; MOORAGE_SOAK=600 is the long form, in seconds."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.faults.soak import Soak, collecting, reachable
from tests.parts.server import RunningServer, start_moorage

pytestmark = [pytest.mark.faults, pytest.mark.slow]

GRACE = 20
KEY_LIFETIME = 10  # seconds; bytes on files go so much later than their row
SECONDS = float(os.environ.get("MOORAGE_SOAK", "45"))
CONFIG = f"[gc]\ngrace = {GRACE}\ni_know = true\nenabled = false\n"
SEED = 20261125


def collect(server: RunningServer, grace: str) -> None:
    subprocess.run(collecting(server, grace), check=True, capture_output=True, timeout=120)


def kept(server: RunningServer) -> dict[str, int]:
    """What the store holds: digest by file name, and size."""
    files = [path for path in (server.data / "blobs").rglob("*") if path.is_file()]
    return {f"sha256:{path.name.partition('.')[0]}": path.stat().st_size for path in files}


def test_collections_beside_pushes_lose_nothing_and_leave_nothing(tmp_path: Path) -> None:
    with start_moorage(tmp_path / "data", config=CONFIG) as server:
        soak = Soak(server, SEED)
        soak.run(SECONDS, clients=4, collect=collecting(server, f"{GRACE}s"), every=2)
        assert soak.wrong == [], dict(soak.done)
        assert soak.done["blobs collected"] > 10 and soak.done["collections"] > SECONDS / 10, dict(soak.done)
        time.sleep(GRACE)
        collect(server, f"{GRACE}s")
        time.sleep(KEY_LIFETIME + 1)
        collect(server, f"{GRACE}s")
        assert kept(server) == reachable(server)
        print(dict(soak.done))


def test_a_collector_without_grace_is_caught(tmp_path: Path) -> None:
    """The red run: blobs go between the HEAD that promised them and the manifest."""
    with start_moorage(tmp_path / "data", config=CONFIG) as server:
        soak = Soak(server, SEED)
        soak.run(60, clients=4, collect=collecting(server, "0s"), every=0.2)
        assert any("MANIFEST_BLOB_UNKNOWN" in what for what in soak.wrong), (soak.wrong, dict(soak.done))
