"""The parts do what the other tests count on: skips that say how, failures that show the log, images that are valid.

A part that failed silently would turn every test built on it green.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.parts.commands import CommandFailed, run
from tests.parts.guides import Guide
from tests.parts.images import ZSTD_BLOCK, Layout, digest_of, many_layers_image, one_layer_image, tar_of, zstd
from tests.parts.netns import new_namespace
from tests.parts.postgres import Postgres
from tests.parts.server import ServerFailed, answers, start_moorage
from tests.parts.tools import TABLE, Tool, find, named, require


def test_every_tool_has_one_source() -> None:
    assert [tool.name for tool in TABLE if sum(map(bool, (tool.apt, tool.go, tool.pip))) != 1] == []


def test_a_missing_tool_skips_with_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.parts.tools.find", lambda _: None)
    monkeypatch.delenv("MOORAGE_TEST_ALL", raising=False)
    with pytest.raises(pytest.skip.Exception, match=r"skopeo 1\.9 or newer is not here.*apt-get install -y skopeo"):
        require("skopeo")


def test_a_missing_tool_fails_where_all_are_promised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.parts.tools.find", lambda _: None)
    monkeypatch.setenv("MOORAGE_TEST_ALL", "1")
    with pytest.raises(pytest.fail.Exception, match=r"go install oras\.land/oras"):
        require("oras")


def test_an_old_tool_counts_as_missing() -> None:
    assert find(Tool("python3", least=(3,), apt="python3")) is not None
    assert find(Tool("python3", least=(99,), apt="python3")) is None


def test_an_unknown_name_says_which_there_are() -> None:
    with pytest.raises(KeyError, match="skopeo"):
        named("scopeo")


def test_a_server_that_does_not_start_shows_its_log(tmp_path: Path) -> None:
    with (
        pytest.raises(ServerFailed, match="no-such-option"),
        start_moorage(tmp_path / "data", args=["--no-such-option"]),
    ):
        pass


def test_a_server_stops_restarts_and_dies(tmp_path: Path) -> None:
    with start_moorage(tmp_path / "data", workers=2) as server:
        assert len(server.pids) >= 2
        assert server.peak_memory() > 0
        assert server.stop() == 0
        assert not answers(server.port)
        server.start()
        server.kill()
        assert not answers(server.port)
        server.restart()
        assert answers(server.port)


@pytest.mark.parametrize("size", [0, 1, ZSTD_BLOCK, ZSTD_BLOCK + 1, 3 * ZSTD_BLOCK])
def test_zstd_frames_are_read_by_zstd(size: int, tmp_path: Path) -> None:
    content = bytes(range(256)) * (size // 256 + 1)
    (tmp_path / "frame.zst").write_bytes(zstd(content[:size]))
    run(require("zstd"), "-q", "-d", tmp_path / "frame.zst", "-o", tmp_path / "content")
    assert (tmp_path / "content").read_bytes() == content[:size]


def test_layouts_are_the_same_each_time(tmp_path: Path) -> None:
    first = many_layers_image(Layout(tmp_path / "first"), "tag", 3)
    assert many_layers_image(Layout(tmp_path / "second"), "tag", 3) == first
    assert (tmp_path / "first" / "index.json").read_bytes() == (tmp_path / "second" / "index.json").read_bytes()


def test_a_big_layer_has_the_size_asked_for(tmp_path: Path) -> None:
    one_layer_image(Layout(tmp_path), "big", 3_000_000)
    sizes = [blob.stat().st_size for blob in (tmp_path / "blobs" / "sha256").iterdir()]
    assert 3_000_000 <= max(sizes) < 3_010_000


def test_an_artifact_names_its_subject(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    subject = layout.tag("image", layout.image([layout.layer(tar_of({"file": b""}))]))
    artifact = layout.artifact("application/vnd.moorage.test", b"content", subject)
    stored = (tmp_path / "blobs" / "sha256" / artifact.digest.partition(":")[2]).read_bytes()
    assert digest_of(stored) == artifact.digest
    assert json.loads(stored)["subject"] == {
        "mediaType": subject.media_type,
        "digest": subject.digest,
        "size": subject.size,
    }


@pytest.mark.postgresql
def test_a_database_is_made_like_another_and_goes_again(postgres: Postgres) -> None:
    one = postgres.create()
    postgres.psql("CREATE TABLE boat (name text)", one)
    two = postgres.create(template=one)
    postgres.psql("INSERT INTO boat VALUES ('Ahab')", two)
    assert postgres.psql("SELECT name FROM boat", two) == "Ahab"
    assert postgres.psql("SELECT count(*) FROM boat", one) == "0"
    for name in (one, two):
        postgres.drop(name)
    with pytest.raises(CommandFailed, match="does not exist"):
        postgres.psql("SELECT 1", one)


def test_a_guide_s_blocks_stand_under_their_headings() -> None:
    text = (
        "# One\n```sh\n# no heading\nfirst\n```\n## Two\n```toml\n# /etc/file\na = 1\n```\ntext\n```sh\nsecond\n```\n"
    )
    guide = Guide("guide.md", text)
    assert guide.commands("One") == ["# no heading\nfirst\n"]
    assert guide.files("Two") == {"/etc/file": "# /etc/file\na = 1\n"}
    assert guide.commands("Two") == ["second\n"]
    with pytest.raises(AssertionError, match="no block below the heading 'Three'"):
        guide.blocks("Three")


@pytest.mark.e2e
def test_a_namespace_sees_the_server_that_is_let_in_and_no_other(tmp_path: Path) -> None:
    with start_moorage(tmp_path / "data") as server, new_namespace() as namespace:
        asked = ("curl", "--silent", "--max-time", "10", f"{server.url}/v2/")
        with pytest.raises(CommandFailed):
            namespace(*asked)
        with namespace.let_in(server.port):
            assert namespace(*asked) == "{}"
        with pytest.raises(CommandFailed):
            namespace(*asked)
