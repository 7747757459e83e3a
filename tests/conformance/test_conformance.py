"""The official tool finds nothing: no failure, error or skip; both engines, both databases, files and S3.

Sparse manifests or not. Where clients are sent to the store, what the store's answers lack is known by name.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.access.live import live
from tests.access.world import OPERATOR, PASSWORD
from tests.conformance.redirected import REDIRECTED
from tests.conformance.tool import read_report, run_tool
from tests.parts.ceph import Ceph
from tests.parts.far_nginx import TRUST, start_nginx
from tests.parts.postgres import Postgres
from tests.parts.server import Engine, start_moorage
from tests.parts.tools import require
from tests.parts.versitygw import VersityGateway

pytestmark = pytest.mark.conformance

SPARSE = "[manifests]\nallow_missing = true\n"
FEWEST = 980  # the pinned tool runs 986 and with sparse manifests more; fewer means that something was left out
FEWEST_SPARSE = 1000
ENGINES: tuple[Engine, ...] = ("uvicorn", "granian")


@pytest.mark.parametrize("engine", ENGINES)
def test_every_test_passes(engine: Engine, tmp_path: Path) -> None:
    tool = require("conformance")
    with start_moorage(tmp_path / "data", workers=2, engine=engine) as server:
        report = run_tool(tool, server.url, tmp_path / "results")
    assert report.clean, str(report)
    assert report.tests >= FEWEST


@pytest.mark.postgresql
def test_every_test_passes_on_postgresql(postgres: Postgres, tmp_path: Path) -> None:
    tool = require("conformance")
    settings = {"MOORAGE_DATABASE__URL": postgres.url(postgres.create())}
    with start_moorage(tmp_path / "data", workers=2, environment=settings) as server:
        report = run_tool(tool, server.url, tmp_path / "results")
    assert report.clean, str(report)
    assert report.tests >= FEWEST


@pytest.mark.parametrize("engine", ENGINES)
def test_every_test_passes_with_sparse_manifests(engine: Engine, tmp_path: Path) -> None:
    tool = require("conformance")
    with start_moorage(tmp_path / "data", workers=2, engine=engine, config=SPARSE) as server:
        report = run_tool(tool, server.url, tmp_path / "results", sparse=True)
    assert report.clean, str(report)
    assert report.tests >= FEWEST_SPARSE


@pytest.mark.parametrize("engine", ENGINES)
def test_every_test_passes_for_somebody_who_signs_in(engine: Engine, tmp_path: Path) -> None:
    """With tokens, as the owner of the repositories that the tool pushes to: the user `conformance`."""
    tool = require("conformance")
    with live(tmp_path / "live", engine=engine) as running:
        running.accounts.user("conformance")
        report = run_tool(tool, running.server.url, tmp_path / "results", login=("conformance", PASSWORD))
        assert running.call("GET", "/v2/conformance/repo1/tags/list").status == 401
    assert report.clean, str(report)
    assert report.tests >= FEWEST


@pytest.mark.parametrize("engine", ENGINES)
def test_every_test_passes_for_a_robot_that_maintains(engine: Engine, tmp_path: Path) -> None:
    """With a secret instead of a password, and with rights that were granted, not owned."""
    tool = require("conformance")
    with live(tmp_path / "live", engine=engine) as running:
        running.accounts.organizations.add("conformance", OPERATOR)
        running.accounts.robots.add("conformance+ci", OPERATOR)
        running.accounts.grant("conformance+ci", ("maintain", "conformance"))
        secret = running.accounts.secret("conformance+ci")
        report = run_tool(tool, running.server.url, tmp_path / "results", login=("conformance+ci", secret))
    assert report.clean, str(report)
    assert report.tests >= FEWEST


@pytest.mark.parametrize("engine", ENGINES)
def test_every_test_passes_on_s3(engine: Engine, ceph: Ceph, tmp_path: Path) -> None:
    tool = require("conformance")
    config = ceph.configuration(ceph.bucket(), "redirect = false\n")
    with start_moorage(tmp_path / "data", workers=2, engine=engine, config=config) as server:
        report = run_tool(tool, server.url, tmp_path / "results")
    assert report.clean, str(report)
    assert report.tests >= FEWEST


def test_every_test_passes_on_another_s3_server(versitygw: VersityGateway, tmp_path: Path) -> None:
    tool = require("conformance")
    config = versitygw.configuration(versitygw.bucket(), "redirect = false\n")
    with start_moorage(tmp_path / "data", workers=2, config=config) as server:
        report = run_tool(tool, server.url, tmp_path / "results")
    assert report.clean, str(report)
    assert report.tests >= FEWEST


@pytest.mark.postgresql
def test_every_test_passes_on_s3_and_postgresql(ceph: Ceph, postgres: Postgres, tmp_path: Path) -> None:
    tool = require("conformance")
    config = ceph.configuration(ceph.bucket(), "redirect = false\n")
    settings = {"MOORAGE_DATABASE__URL": postgres.url(postgres.create())}
    with start_moorage(tmp_path / "data", workers=2, config=config, environment=settings) as server:
        report = run_tool(tool, server.url, tmp_path / "results")
    assert report.clean, str(report)
    assert report.tests >= FEWEST


def test_where_clients_are_sent_to_the_store_only_its_missing_header_is_found(ceph: Ceph, tmp_path: Path) -> None:
    """The tool looks at the store's answer, which knows nothing of digests; ours had the header."""
    tool = require("conformance")
    config = ceph.configuration(ceph.bucket())
    with (
        start_moorage(tmp_path / "data", workers=2, config=config, environment=TRUST) as server,
        start_nginx(server.port) as far,
    ):
        report = run_tool(tool, far, tmp_path / "results")
    assert Counter(report.troubles) == REDIRECTED
    assert (report.failures, report.errors, report.skipped, report.disabled) == (REDIRECTED.total(), 0, 0, 0)
    assert report.tests >= FEWEST


def test_a_report_with_troubles_is_not_clean(tmp_path: Path) -> None:
    junit = tmp_path / "junit.xml"
    junit.write_text(
        '<testsuites><testsuite tests="3" failures="1" errors="0" skipped="1">'
        '<testcase name="ping" status="passed"/><testcase name="tags" status="skipped"/>'
        '<testcase name="mount" status="failure"><system-out>want 201</system-out></testcase></testsuite></testsuites>'
    )
    report = read_report(junit)
    assert not report.clean
    assert str(report) == "3 tests, 1 failures, 0 errors, 1 skipped, 0 disabled\ntags: \nmount: want 201"
