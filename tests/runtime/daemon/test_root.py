"""The data root: private, and held by one daemon at a time."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.daemon.root import held
from runtime.errors import Conflict, EngineError


def test_both_directories_are_made_and_the_data_is_private(tmp_path: Path) -> None:
    data, run = tmp_path / "a/data", tmp_path / "b/run"
    with held(data, run):
        assert stat.S_IMODE(data.stat().st_mode) == 0o700
        assert stat.S_IMODE((data / "lock").stat().st_mode) == 0o600
        assert run.is_dir()


def test_data_that_others_may_read_is_made_private(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with held(tmp_path, tmp_path):
        assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700


def test_a_second_daemon_is_refused_and_told_who_has_it(tmp_path: Path) -> None:
    said = rf"another daemon \(process {os.getpid()}\) holds "
    with held(tmp_path, tmp_path), pytest.raises(Conflict, match=said), held(tmp_path, tmp_path):
        pass
    with held(tmp_path, tmp_path):
        pass


def test_a_killed_daemon_holds_nothing(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from runtime.daemon.root import held\n"
        "with held(Path(sys.argv[1]), Path(sys.argv[1])): print('held', flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE) as holder:
        try:
            assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
            with pytest.raises(Conflict), held(tmp_path, tmp_path):
                pass
        finally:
            holder.kill()
    with held(tmp_path, tmp_path):
        pass


def test_a_lock_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    data = tmp_path / "data"
    data.mkdir()
    (data / "lock").symlink_to(victim)
    with pytest.raises(EngineError, match="cannot use"), held(data, data):
        pass
    assert victim.read_text() == "precious"


def test_data_that_cannot_be_a_directory_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EngineError, match=r"cannot use .*file"), held(tmp_path / "file", tmp_path):
        pass
