"""Records are whole or not there: what a reader finds after a write, a failed write and damage."""

from pathlib import Path

import pytest

from runtime import records


def test_a_record_is_read_back_and_is_private(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    records.save(path, {"name": "å", "ports": [80]})
    assert records.load(path) == {"name": "å", "ports": [80]}
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_write_leaves_the_old_record(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    records.save(path, {"kept": True})
    with pytest.raises(TypeError):
        records.save(path, {"not JSON": object()})
    assert records.load(path) == {"kept": True}


def test_what_a_killed_writer_left_is_written_over(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    path.with_name(".record.json.new").write_text("half of")
    records.save(path, {"whole": 1})
    assert records.load(path) == {"whole": 1}


def test_a_planted_link_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    (tmp_path / ".record.json.new").symlink_to(victim)
    with pytest.raises(OSError):
        records.save(tmp_path / "record.json", {})
    assert victim.read_text() == "untouched"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff"])
def test_damage_is_told_with_the_path(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "record.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"record\.json is damaged"):
        records.load(path)
