"""What is wrong with a bucket or a database is told in one sentence, with the setting and what to do, and no secret.

Real processes against real servers: each case is looked at by `moorage config check` and started by `moorage serve`.
"""

import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.cli.bad_set_ups import ON_POSTGRESQL, ON_S3, SECRETS, Case, Parts, Settings, bucket, database, silent_port
from tests.parts.ceph import Ceph
from tests.parts.postgres import Postgres, start_standby
from tests.parts.server import clean_environment
from tests.parts.tools import require
from tests.parts.versitygw import VersityGateway

pytestmark = [pytest.mark.slow, pytest.mark.postgresql]

PATIENCE = 120.0  # seconds; for a machine that does a lot besides
CHECK = ("config", "check")
SERVE = ("serve", "--listen", "127.0.0.1:0", "--workers", "1")


@pytest.fixture(scope="module")
def parts(ceph: Ceph, versitygw: VersityGateway, postgres: Postgres) -> Iterator[Parts]:
    """Give every server that cases are made of."""
    with start_standby(postgres) as standby, silent_port() as silent:
        yield Parts(ceph, versitygw, postgres, standby, silent)


def started(
    arguments: Sequence[str], settings: Settings, data: Path, launcher: Sequence[str] = ()
) -> subprocess.Popen[str]:
    """Start `moorage` on a data directory of its own."""
    program = str(Path(sys.executable).with_name("moorage"))
    environment = {**clean_environment(), **settings, "MOORAGE_STORAGE__PATH": str(data)}
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [*launcher, program, *arguments], env=environment, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True
    )


@pytest.mark.parametrize(
    "case",
    [
        *(pytest.param(case, id=f"s3, {name}") for name, case in ON_S3.items()),
        *(pytest.param(case, id=f"postgresql, {name}") for name, case in ON_POSTGRESQL.items()),
    ],
)
def test_what_is_wrong_is_told_in_one_sentence(case: Case, parts: Parts, tmp_path: Path) -> None:
    launcher = [require(case.launcher[0]), *case.launcher[1:]] if case.launcher else []
    settings = case.settings(parts)
    both = [
        started(arguments, settings, tmp_path / arguments[0], launcher) for arguments in (CHECK, SERVE)
    ]  # at once, for most of the time is the start of Python
    for process in both:
        try:
            out, told = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
        assert (process.returncode, out) == (1, ""), told
        assert re.fullmatch(r"moorage: [^\n]+\n", told), told
        for words in case.words:
            assert re.search(words, told), told
        assert not [secret for secret in SECRETS if secret in told]


def test_nothing_is_wrong_with_a_set_up_that_is_right(parts: Parts, tmp_path: Path) -> None:
    """A database and a bucket that are empty, then as a start leaves them."""
    settings = {**bucket(parts), **database(parts.postgres.url(parts.postgres.create()))}
    for _ in range(2):
        process = started(CHECK, settings, tmp_path / "data")
        out, told = process.communicate(timeout=PATIENCE)
        assert (process.returncode, out, told) == (0, "The settings are valid.\n", "")
        process = started(SERVE, settings, tmp_path / "data")
        assert process.stderr is not None
        assert "is ready at" in process.stderr.readline()
        process.terminate()
        process.communicate(timeout=PATIENCE)
        assert process.returncode == 0
