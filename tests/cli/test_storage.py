"""`moorage storage migrate`: what it does, what it says, and what it refuses before anything is moved."""

import json
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from registry.app import prepare
from registry.catalog.catalog import Catalog
from registry.catalog.errors import Conflict
from registry.catalog.exclusive import exclusive
from registry.catalog.placement import Holding
from registry.catalog.uploads import UploadSession
from registry.checks import problems
from registry.cli import app, storage
from registry.cli.storage import progress_line
from registry.content.moving import Moving, Progress
from registry.content.reception import ChunkRange, Reception
from registry.content.stores import StoreNotNamed
from registry.content.uploads import Uploads
from registry.parts import direct_database, places, stores_for, uploads_for
from registry.settings import ConfigurationError, Settings, load
from storage.digest import Digest
from storage.layout import Layout
from tests.catalog.conftest import fast_directory, place
from tests.cli.conftest import logging_as_before
from tests.cli.desk import without_settings
from tests.content.conftest import NAME
from tests.parts.fake_s3 import ACCESS_KEY, SECRET_KEY, FakeS3, start_fake_s3

__all__ = ["fast_directory", "logging_as_before", "place"]

CONTENTS = [b"content %d" % number * (number + 1) for number in range(8)]


@dataclass
class Site:
    """A data directory, a bucket, and the settings file in which both stand."""

    data: Path
    fake: FakeS3

    @property
    def file(self) -> Path:
        """The settings file."""
        return self.data.with_suffix(".toml")

    def configure(self, driver: str, former: str | None = None, more: str = "") -> Settings:
        """Write the settings file."""
        text = f'[storage]\npath = "{self.data}"\nreserve_bytes = 0\ndriver = "{driver}"\n'
        text += f'former = "{former}"\n' if former else ""
        text += f'[storage.s3]\nbucket = "bucket"\nendpoint = "{self.fake.endpoint}"\npath_style = true\n'
        text += f'access_key = "{ACCESS_KEY}"\nsecret_key = "{SECRET_KEY}"\n[auth]\nmode = "open"\n{more}'
        self.file.write_text(text)
        return load(self.file)[0]

    def uploads(self, settings: Settings) -> Uploads:
        """The use cases on these settings, once the server was started with them."""
        Layout.open(self.data, create=True)
        prepare(settings)
        return uploads_for(settings, Catalog(direct_database(settings)), stores_for(settings))

    def push(self, settings: Settings) -> list[Digest]:
        """Push some blobs."""
        uploads = self.uploads(settings)
        for content in CONTENTS:
            session_id = uploads.start(NAME, subject="ann")
            reception = Reception(uploads, NAME, session_id, subject="ann", chunk=ChunkRange())
            reception.finish([content], Digest.of(content))
        return [Digest.of(content) for content in CONTENTS]

    def pulled(self, settings: Settings) -> list[bytes]:
        """Read them."""
        uploads = self.uploads(settings)
        with uploads.catalog.read() as tx:
            blobs = [tx.blobs.linked_by_name(NAME.value, Digest.of(content)) for content in CONTENTS]
        return [b"".join(uploads.stores[blob.store].read(blob.key)) for blob in blobs]

    def migrate(self, *args: str) -> Result:
        """Run the command."""
        result = CliRunner().invoke(app, ["storage", "migrate", "--config", str(self.file), *args])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.output
        return result

    def sql(self, statement: str) -> None:
        """Change the catalog past everybody."""
        with sqlite3.connect(self.data / "moorage.db") as database:
            database.execute(statement)
        database.close()


@pytest.fixture
def site(place: Path, monkeypatch: pytest.MonkeyPatch, logging_as_before: None) -> Iterator[Site]:
    """A place with an empty bucket."""
    without_settings(monkeypatch, list(os.environ))
    with start_fake_s3() as fake:
        yield Site(place / "data", fake)


@pytest.mark.parametrize(("former", "driver"), [("files", "s3"), ("s3", "files")])
def test_there_and_what_it_says(site: Site, former: str, driver: str) -> None:
    digests = site.push(site.configure(former))
    settings = site.configure(driver, former)
    size = sum(map(len, CONTENTS))
    planned = site.migrate("--dry-run")
    assert planned.stderr.startswith(f"Would move 8 blobs, {size} B, from {former} to {driver}.")
    left = {"blobs": 8, "bytes": size, "uploads": 0, "replaced": 0}
    assert json.loads(site.migrate("--dry-run", "--json").stdout) == {"former": former, "driver": driver, "left": left}
    moved = site.migrate("--json", "--parallel", "2")
    assert moved.exit_code == 0, moved.output
    assert json.loads(moved.stdout) == {
        "former": former,
        "driver": driver,
        "moved": len(digests),
        "bytes": size,
        "failed": [],
        "stopped": None,
        "left": {"blobs": 0, "bytes": 0, "uploads": 0, "replaced": 8},
        "finished": False,
    }
    assert f"No blob is left in {former}, but the store {former} still has 8 replaced keys." in moved.stderr
    assert site.pulled(settings) == CONTENTS
    with pytest.raises(StoreNotNamed, match="8 replaced keys"):
        prepare(site.configure(driver))
    site.configure(driver, former)
    site.sql("UPDATE discarded_key SET not_before = 0")
    again = site.migrate()
    assert (again.exit_code, again.stdout) == (0, "")
    assert "take storage.former out of the settings and restart the server." in again.stderr
    assert site.pulled(site.configure(driver)) == CONTENTS
    assert len(site.fake.objects) == 1 + (len(CONTENTS) if driver == "s3" else 0)
    files = [path for path in (site.data / "blobs").rglob("*") if path.is_file()]
    assert len(files) == (len(CONTENTS) if driver == "files" else 0)


def test_damage_is_named_and_the_status_tells(site: Site) -> None:
    site.push(site.configure("files"))
    damaged = next(path for path in (site.data / "blobs").rglob("*") if path.is_file())
    damaged.write_bytes(b"?")
    site.configure("s3", "files")
    result = site.migrate()
    assert result.exit_code == 1
    key = str(damaged.relative_to(site.data))
    assert f"stays in files, {key}: its bytes have the digest {Digest.of(b'?')}" in result.stderr
    assert "Moved 7 blobs" in result.stderr
    assert "1 blob stayed in files. Push an image that has a damaged blob again" in result.stderr
    (failure,) = json.loads(site.migrate("--json").stdout)["failed"]
    assert failure["key"] == key


def test_a_full_store_stops_it_with_a_sentence(site: Site) -> None:
    site.push(site.configure("s3"))
    site.configure("files", "s3", more="")
    site.file.write_text(site.file.read_text().replace("reserve_bytes = 0", f"reserve_bytes = {2**60}"))
    # 5 % of the file system is the most that is kept free, so the test asks for all of it
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("storage.reserve._SHARE", 1)
        result = site.migrate()
    assert result.exit_code == 1
    assert "Stopped: the file system has only its reserve left" in result.stderr
    assert "8 blobs to go: run the same command again." in result.stderr
    site.file.write_text(site.file.read_text().replace(f"reserve_bytes = {2**60}", "reserve_bytes = 0"))
    assert site.migrate().exit_code == 0


def test_an_open_upload_is_told_of(site: Site) -> None:
    uploads = site.uploads(site.configure("files"))
    uploads.start(NAME, subject="ann")
    site.configure("s3", "files")
    result = site.migrate()
    assert result.exit_code == 0
    assert "No blob is left in files, but the store files still has 1 open upload." in result.stderr


def test_without_a_former_store_it_says_what_to_set(site: Site) -> None:
    site.push(site.configure("files"))
    result = site.migrate()
    assert result.exit_code == 2
    assert 'now "files", and storage.former where they were, such as "s3"' in result.stderr


def test_a_store_is_not_moved_to_itself(site: Site) -> None:
    with pytest.raises(ConfigurationError, match=r"storage\.former .*another one than storage\.driver; got 'files'"):
        site.configure("files", "files")
    assert site.migrate().exit_code == 2


def test_blobs_in_a_store_that_is_not_named_keep_a_server_from_starting(site: Site) -> None:
    site.push(site.configure("files"))
    settings = site.configure("s3")
    text = '8 blobs lie in the store files, which the settings do not name; set storage.former = "files"'
    with pytest.raises(StoreNotNamed, match=text):
        prepare(settings)
    (problem,) = problems(settings)
    assert problem.startswith(f"storage: {text}")
    refused = CliRunner().invoke(app, ["serve", "--config", str(site.file), "--listen", "127.0.0.1:0"])
    assert refused.exit_code == 1
    assert text in refused.stderr
    assert problems(site.configure("s3", "files")) == []


def test_an_older_catalog_is_moved_even_if_no_server_has_named_its_store(site: Site) -> None:
    site.push(site.configure("files"))
    site.sql("UPDATE blob SET store = 'default'")
    settings = site.configure("s3", "files")
    assert json.loads(site.migrate("--json").stdout)["moved"] == 8
    assert site.pulled(settings) == CONTENTS


def test_a_server_that_would_not_find_the_blobs_is_restarted_first(site: Site) -> None:
    before = site.configure("files")
    site.push(before)
    here = site.configure("s3", "files")
    for note, words in (
        (places(before), "with the stores files, the settings name s3:bucket/ files"),
        ("", "an older"),
    ):
        with Layout.open(site.data).lock(note):
            result = site.migrate()
        assert result.exit_code == 1
        assert "the server that is running would not find what is moved" in result.stderr
        assert words in result.stderr
    assert set(site.fake.objects) == set()
    with Layout.open(site.data).lock(places(here)):
        assert site.migrate().exit_code == 0


def test_one_at_a_time(site: Site) -> None:
    site.push(site.configure("files"))
    settings = site.configure("s3", "files")
    with exclusive(direct_database(settings), site.data / "move.lock", 1, refusal=""):
        result = site.migrate()
    assert (result.exit_code, "another `moorage storage migrate` is at work" in result.stderr) == (1, True)
    assert site.migrate().exit_code == 0


def test_who_interrupts_it_is_told_how_to_go_on(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.push(site.configure("files"))
    site.configure("s3", "files")

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Moving, "run", interrupted)
    result = site.migrate()
    assert (result.exit_code, "run the same command again to go on" in result.stderr) == (130, True)


def test_a_foreign_bucket_is_refused(site: Site) -> None:
    site.push(site.configure("s3"))
    site.fake.objects.pop("format")
    site.data.rename(site.data.with_name("elsewhere"))
    site.push(site.configure("files"))
    site.configure("s3", "files")
    result = site.migrate()
    assert (result.exit_code, "neither empty nor ours" in result.stderr) == (1, True)


def test_progress_says_how_far_how_fast_and_how_long() -> None:
    of = Holding(4096, 5 * 2**40, 0, 0)
    assert progress_line(Progress(0, 0, of, 0.0)) == "0 of 4,096 blobs, 0 B of 5.0 TiB, 0 B/s"
    told = progress_line(Progress(1024, 2**40, of, 4096.0))
    assert told == "1,024 of 4,096 blobs, 1.0 TiB of 5.0 TiB, 256.0 MiB/s, 4:33:04 to go"


def test_progress_is_told_line_by_line_and_live_on_a_terminal(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    progress = Progress(1, 1024, Holding(2, 2048, 0, 0), 1.0)
    monkeypatch.setattr(storage, "LINE_EVERY", 0.0)
    storage._reporter()(progress)
    assert capsys.readouterr().err == "1 of 2 blobs, 1.0 KiB of 2.0 KiB, 1.0 KiB/s, 0:00:01 to go\n"
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    report = storage._reporter()
    report(progress)
    report(progress)
    assert capsys.readouterr().err.count("\r1 of 2 blobs") == 2


def test_the_row_of_a_session_that_was_taken_over_cannot_be_touched(site: Site) -> None:
    uploads = site.uploads(site.configure("files"))
    session_id = uploads.start(NAME, subject="ann")
    with uploads.catalog.begin() as tx:
        session: UploadSession = tx.uploads.get(session_id)
        tx.uploads.take_over(session_id)
    with pytest.raises(Conflict), uploads.catalog.begin() as tx:
        tx.uploads.touch(session)
