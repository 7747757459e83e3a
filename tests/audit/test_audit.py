"""The trail: rows that commit with what they tell of, lines that are written whatever happens, nothing twice."""

import json
import os
import stat
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from registry import audit as module
from registry.audit import Audit, Origin, as_line, line_file, no_lines
from registry.catalog.catalog import Catalog
from registry.catalog.errors import CatalogUnavailable
from registry.oci.names import RepositoryName
from tests.catalog.conftest import Clock, catalog, clock, database, fast_directory, place

__all__ = ["Clock", "catalog", "clock", "database", "fast_directory", "place"]

ANN = Origin("ann", "user", "c1", "192.0.2.7", "docker/28", "r1")


def actions(catalog: Catalog) -> list[str]:
    with catalog.read() as tx:
        return [line.event.action for line in reversed(tx.audit.page())]


def test_what_commits_is_recorded_in_rows_and_lines(catalog: Catalog) -> None:
    lines: list[bytes] = []
    trail = Audit(catalog, lines.append)
    with trail.begin(ANN) as change:
        change.tx.repositories.ensure(RepositoryName.parse("team/app"))
        change.record("push", repository="team/app", reference="latest", old="sha256:a", new="sha256:b", reason="why")
        assert lines == []
    with catalog.read() as tx:
        (row,) = tx.audit.page()
    assert (row.event.actor, row.event.credential, row.event.address) == ("ann", "c1", "192.0.2.7")
    assert (row.event.old_digest, row.event.new_digest, row.event.result) == ("sha256:a", "sha256:b", "ok")
    (line,) = [json.loads(line) for line in lines]
    assert line.pop("time").endswith("Z")
    assert line == {
        "request_id": "r1",
        "actor": "ann",
        "actor_kind": "user",
        "credential": "c1",
        "address": "192.0.2.7",
        "agent": "docker/28",
        "action": "push",
        "repository": "team/app",
        "reference": "latest",
        "old_digest": "sha256:a",
        "new_digest": "sha256:b",
        "result": "ok",
        "reason": "why",
    }


def test_what_rolls_back_leaves_neither(catalog: Catalog) -> None:
    lines: list[bytes] = []
    with pytest.raises(KeyError), Audit(catalog, lines.append).begin(ANN) as change:
        change.record("push")
        raise KeyError
    assert (actions(catalog), lines) == ([], [])


def test_a_change_fails_that_cannot_be_recorded(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pushes, deletes and rights fail closed: no change without its row."""

    def refuse(*_: object) -> None:
        raise CatalogUnavailable("the disk is full")

    monkeypatch.setattr("registry.catalog.audit.AuditTrail.record", refuse)
    name = RepositoryName.parse("team/app")
    with pytest.raises(CatalogUnavailable), Audit(catalog, no_lines).begin(ANN) as change:
        change.tx.repositories.ensure(name)
        change.record("push")
    with catalog.read() as tx:
        assert tx.repositories.place(name.value) is None


def test_a_note_is_a_line_at_once_and_a_row_later(catalog: Catalog) -> None:
    lines: list[bytes] = []
    trail = Audit(catalog, lines.append)
    trail.note(ANN.event("login"))
    assert len(lines) == 1
    assert actions(catalog) == []
    assert trail.flush() == 1
    assert actions(catalog) == ["login"]
    assert trail.flush() == 0


def test_rows_wait_in_order_while_the_database_takes_none(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    trail = Audit(catalog, no_lines)
    monkeypatch.setattr(module, "BATCH", 2)
    for number in range(5):
        trail.note(ANN.event(f"a{number}"))

    def refuse(*_: object) -> None:
        raise CatalogUnavailable("locked")

    with monkeypatch.context() as patch:
        patch.setattr("registry.catalog.audit.AuditTrail.record_many", refuse)
        with pytest.raises(CatalogUnavailable):
            trail.flush()
    trail.note(ANN.event("a5"))
    assert trail.flush() == 6
    assert actions(catalog) == [f"a{number}" for number in range(6)]


def test_past_the_limit_rows_are_dropped_and_counted_and_lines_are_not(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[bytes] = []
    trail = Audit(catalog, lines.append)
    monkeypatch.setattr(module, "QUEUE_LIMIT", 3)
    for _ in range(5):
        trail.note(ANN.event("login"))
    with capture_logs() as said:
        assert trail.flush() == 3
    assert len(lines) == 5
    assert [entry["rows"] for entry in said] == [2]


@pytest.mark.parametrize("evil", ["a\nb", "a\x1b[31mb", "a\x7fb", "\u2028", '"},{"actor":"root'])
def test_nothing_forges_a_line(evil: str) -> None:
    line = as_line(Origin(evil, "user", agent=evil).event("login", reason=evil))
    assert line.count(b"\n") == 1 and line.endswith(b"\n")
    assert json.loads(line)["actor"] == evil


def test_lines_go_to_a_private_file_that_may_be_moved_away(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    write = line_file(path)
    write(b"one\n")
    write(b"two\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.rename(tmp_path / "audit.1")
    write(b"three\n")
    assert ((tmp_path / "audit.1").read_bytes(), path.read_bytes()) == (b"one\ntwo\n", b"three\n")


def test_a_file_that_cannot_be_written_is_told_and_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with capture_logs() as said:
        line_file(tmp_path / "missing" / "audit.jsonl")(b"x\n")
        write = line_file(tmp_path / "audit.jsonl")

        def full(*_: object) -> int:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "write", full)
        write(b"x\n")
        monkeypatch.undo()
    assert [entry["log_level"] for entry in said] == ["error", "error"]
