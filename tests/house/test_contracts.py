"""The import contracts of pyproject.toml, each shown red: a copy of the product in which every one is broken."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.house.sources import PRODUCT, ROOT

LINTER = Path(sys.executable).with_name("lint-imports")
VIOLATIONS = {
    "registry/parlour/__init__.py": "",  # a room that has no place among the layers
    "registry/oci/nosy.py": """
        import alembic
        import argon2
        import bcrypt
        import boto3
        import click
        import dnslib
        import h11
        import urllib3
        import zstandard
        import jwt
        import pydantic
        import sqlalchemy
        import starlette
        import typer
        import uvicorn
        from migrations import env
        from registry.content import blobs
        from registry.settings import Settings
    """,
    "runtime/parlour/__init__.py": "",
    "runtime/images/nosy.py": "import registry.catalog.tables",
    "storage/nosy.py": "import registry.oci.names",
    "migrations/nosy.py": "import registry.oci.names",
}


def lint(directory: Path) -> subprocess.CompletedProcess[str]:
    """Run the linter over the copy; where it is run, its packages are found first."""
    command = [str(LINTER), "--no-logo", "--no-cache"]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=120, check=False)


def test_each_contract_is_kept_and_can_be_broken(tmp_path: Path) -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    contracts = {contract["name"] for contract in tomllib.loads(project)["tool"]["importlinter"]["contracts"]}
    (tmp_path / "pyproject.toml").write_text(project)
    for room in PRODUCT:
        shutil.copytree(ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    before = lint(tmp_path)
    assert before.returncode == 0, before.stdout + before.stderr

    for name, text in VIOLATIONS.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(line.strip() for line in text.splitlines()))
    after = lint(tmp_path)
    assert after.returncode == 1
    assert set(re.findall(r"^(.+) BROKEN\b", after.stdout, re.MULTILINE)) == contracts
