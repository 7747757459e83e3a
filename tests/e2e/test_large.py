"""What is large passes through: 1,000 layers, and a layer of 2 GiB without memory growing with it.

Memory is the most that one process of the server ever held (VmHWM).
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.e2e.clients import Run
from tests.parts.images import MEBIBYTE, Layout, many_layers_image, one_layer_image
from tests.parts.registry_view import RegistryView
from tests.parts.server import Engine, RunningServer, start_moorage

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

MANY = 1000
PATIENCE = 800.0  # for skopeo with 1,000 layers, on a machine that does other things too
BIG = 2048 * MEBIBYTE
MOST_MEMORY = 120 * MEBIBYTE  # of one process, whatever passes through it
MOST_GROWTH = 48 * MEBIBYTE
ENGINES: tuple[Engine, ...] = ("uvicorn", "granian")


@pytest.fixture(scope="module")
def thousand(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A layout with one image of 1,000 layers."""
    path = tmp_path_factory.mktemp("thousand") / "layout"
    many_layers_image(Layout(path), "many", MANY)
    return path


def test_1000_layers_by_crane(
    crane: Run, thousand: Path, server: RunningServer, view: RegistryView, repository: str, tmp_path: Path
) -> None:
    first, second = f"{server.host}/{repository}:many", f"{server.host}/{repository}/copy:many"
    crane("push", thousand, first)
    assert len(view.manifest(repository, "many")["layers"]) == MANY
    crane("copy", first, second)
    crane("pull", "--format=oci", second, tmp_path / "out")
    assert blobs(tmp_path / "out") == blobs(thousand)


def test_1000_layers_by_skopeo(
    crane: Run, skopeo: Run, thousand: Path, server: RunningServer, view: RegistryView, repository: str, tmp_path: Path
) -> None:
    # skopeo draws 1,000 progress bars even where nobody looks, a minute of its own time each way: both ways at once.
    pushed, pulled = f"docker://{server.host}/{repository}:many", f"{server.host}/{repository}/crane:many"
    crane("push", thousand, pulled)
    plain = ("copy", "--quiet", "--preserve-digests", "--src-tls-verify=false", "--dest-tls-verify=false")
    with ThreadPoolExecutor() as threads:
        push = threads.submit(skopeo, *plain, f"oci:{thousand}:many", pushed, patience=PATIENCE)
        pull = threads.submit(skopeo, *plain, f"docker://{pulled}", f"oci:{tmp_path}/out:many", patience=PATIENCE)
        push.result()
        pull.result()
    assert blobs(tmp_path / "out") == blobs(thousand)
    assert view.digest(repository, "many") == view.digest(f"{repository}/crane", "many") is not None


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A layout with one image of one layer of 2 GiB, removed at once when its tests are done."""
    path = tmp_path_factory.mktemp("big") / "layout"
    descriptor = one_layer_image(Layout(path), "big", BIG)
    yield path
    for blob in (path / "blobs" / "sha256").iterdir():
        blob.unlink()
    assert descriptor.size > 0


@pytest.mark.parametrize("engine", ENGINES)
def test_a_layer_of_2_gib_and_no_more_memory(
    engine: Engine, skopeo: Run, crane: Run, big: Path, tmp_path: Path
) -> None:
    with start_moorage(tmp_path / "data", engine=engine) as server:
        crane("catalog", server.host)
        before = server.peak_memory()
        reference = f"{server.host}/e2e/big:big"
        skopeo("copy", "--preserve-digests", "--dest-tls-verify=false", f"oci:{big}:big", f"docker://{reference}")
        after_push = server.peak_memory()
        crane("pull", "--format=oci", reference, tmp_path / "out")
        after_pull = server.peak_memory()
    assert blobs(tmp_path / "out") == blobs(big)
    peaks = {"before": before, "after_push": after_push, "after_pull": after_pull}
    assert after_pull < MOST_MEMORY, peaks
    assert after_pull - before < MOST_GROWTH, peaks


def blobs(layout: Path) -> dict[str, int]:
    """The blobs of a layout and their sizes; clients check digests when they write them."""
    return {path.name: path.stat().st_size for path in (layout / "blobs" / "sha256").iterdir()}
