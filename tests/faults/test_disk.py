"""The simulated power cut must lose what was not synced and keep what was: otherwise A3 proves nothing."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.disk import cut_power, image_on, make_image, scratch
from tests.faults.report import Options
from tests.faults.target import Server
from tests.parts.tools import require, require_root

pytestmark = pytest.mark.faults

WRITER = """
import os, sys, time
root = sys.argv[1]
def write(name, file_sync, directory_sync):
    with open(f"{root}/{name}.part", "wb") as file:
        file.write(name.encode() * 1000)
        file.flush()
        if file_sync:
            os.fsync(file.fileno())
    os.rename(f"{root}/{name}.part", f"{root}/{name}")
    if directory_sync:
        os.fsync(os.open(root, os.O_RDONLY))
write("kept", True, True)
write("no-directory-sync", True, False)
write("no-sync", False, False)
print("ready", flush=True)
time.sleep(60)
"""


@dataclass(slots=True)
class Writer(Server):
    """Something that writes three files and waits."""

    def start(self) -> float:
        """Start it and wait for its word."""
        command = [sys.executable, "-c", WRITER, str(self.data)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
        assert self.process.stdout is not None
        with self.process.stdout as out:
            assert out.readline() == b"ready\n"
        return 0.0


def test_a_cut_keeps_what_was_synced_and_loses_the_rest() -> None:
    require("mkfs.ext4")
    require_root()
    with scratch("moorage-cut-") as work:
        make_image(work / "disk.img", 64)
        with image_on(work / "disk.img", work / "live") as live, Writer(live, Options(1, 1)) as writer:
            writer.start()
            cut_power(writer, [(work / "disk.img", work / "disk.cut")])
            with image_on(work / "disk.cut", work / "copy") as copy:
                found = {path.name: path.stat().st_size for path in Path(copy).iterdir() if path.is_file()}
    assert found.pop("kept") == 4000
    assert found.pop("no-directory-sync", 0) == 0
    assert found.pop("no-sync", 0) == 0
