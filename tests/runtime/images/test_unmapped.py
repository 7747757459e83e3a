"""Layers in a user namespace, as an ordinary user's engine unpacks them: marks that it may write, and no devices."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.parts.tools import lacking

pytestmark = pytest.mark.e2e

PROGRAM = """
import os, sys
from pathlib import Path
from runtime.errors import EngineError
from tests.runtime.images.conftest import open_store
from tests.runtime.images.tars import device, directory, file, tar

store = open_store(Path(sys.argv[1]), userxattr=True)
members = (file(".wh.gone", b""), directory("o"), file("o/.wh..wh..opq", b""), device("null", b"3", 1, 3), file("f"))
root = store.layers.path(store.layers.unpack(None, iter([tar(*members)])).diff_id)
print(sorted(path.name for path in root.iterdir()), (root / "gone").lstat().st_rdev, os.listxattr(root / "o"))
try:
    store.layers.unpack(None, iter([tar(file("f", uid=5000))]))
except EngineError as error:
    print(error)
print(store.remains())
store.layers.close()
"""


def test_layers_are_unpacked_in_a_user_namespace(tmp_path: Path) -> None:
    inside = ["unshare", "--user", "--map-root-user", "--mount"]
    if subprocess.run([*inside, "true"], check=False, capture_output=True).returncode != 0:
        lacking("user namespaces are switched off here; allow them: sysctl kernel.unprivileged_userns_clone=1")
    done = subprocess.run(
        [*inside, sys.executable, "-c", PROGRAM, tmp_path / "data"],
        cwd=Path(__file__).parents[3],
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines() == [
        "['f', 'gone', 'o'] 0 ['user.overlay.opaque']",
        "failed to register layer: invalid argument"
        " (try increasing the number of subordinate IDs in /etc/subuid and /etc/subgid)",
        "[]",
    ]
