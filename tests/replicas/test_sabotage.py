"""Replicas that keep to themselves what the others must know are caught by the checks beside this file.

Any check can be seen red by hand: `FAULTS_SABOTAGE=remember-rights PYTHONPATH=tests/faults/sabotaged pytest …`.
"""

from __future__ import annotations

import os
from pathlib import Path
from random import Random

import pytest

from tests.faults.chunks import Variant, in_order, two_writers
from tests.faults.sessions import Session
from tests.faults.target import SABOTAGED
from tests.faults.wire import Lost
from tests.parts.ceph import Ceph
from tests.parts.postgres import Postgres
from tests.parts.replicas import shared_parts, start_replicas
from tests.replicas.conftest import SETTINGS
from tests.replicas.front import Front

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.postgresql]


@pytest.mark.parametrize(
    ("sabotage", "variant", "sign"),
    [
        pytest.param("know-own-sessions-only", in_order, "got 404", id="memory"),
        pytest.param("let-every-writer-win", two_writers, "2 writers were told 202", id="no judge"),
    ],
)
def test_catches_replicas_that_share_too_little(
    postgres: Postgres, ceph: Ceph, tmp_path: Path, sabotage: str, variant: Variant, sign: str
) -> None:
    path = os.pathsep.join(filter(None, (str(SABOTAGED), os.environ.get("PYTHONPATH"))))
    environment = {"PYTHONPATH": path, "FAULTS_SABOTAGE": sabotage}
    found: list[str] = []
    with (
        shared_parts(postgres, ceph, SETTINGS) as shared,
        start_replicas(shared, tmp_path, args=["--open"], environment=environment) as replicas,
    ):
        for number in range(5):
            content = Random(number).randbytes(4_000)
            try:
                found += variant(Session(Front(replicas), "sabotage/app").open(), content, 2_000, Random(number))
            except Lost as error:
                found.append(f"no answer: {error}")
    assert any(sign in text for text in found), found
