"""What importing the product does: nothing to the outside, and nothing that only some runs need."""

import json
import subprocess
import sys

import pytest

from tests.house.sources import PRODUCT, ROOT

# Alembic runs its environment itself, with a connection in its context.
NEVER_IMPORTED = frozenset({"migrations.env"})

LOADED = "import json, sys, {module}; print(json.dumps(sorted({{name.partition('.')[0] for name in sys.modules}})))"

# Told of every file, socket and process that is opened, it keeps those that a line of the product asked for while its
# module was being imported; what the import system does to read a module, and what other packages do, is theirs.
WATCHED_IMPORT = """
import importlib, json, sys
root, modules = sys.argv[1], sys.argv[2:]
seen = []

def asked_by():
    frame = sys._getframe(2)
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith("<frozen importlib"):
            return None
        if file.startswith(root) and "site-packages" not in file and frame.f_code.co_name != "audit":
            return f"{file}:{frame.f_lineno}"
        if "site-packages" in file:
            return None
        frame = frame.f_back

def audit(event, details):
    if event in {"open", "socket.connect", "socket.bind", "subprocess.Popen", "os.mkdir", "os.listdir", "os.remove"}:
        place = asked_by()
        if place is not None:
            seen.append(f"{place}: {event} {details[0]!r}")

sys.addaudithook(audit)
for module in modules:
    importlib.import_module(module)
print(json.dumps(seen))
"""


def run(code: str, *arguments: str) -> list[str]:
    """Run Python on its own and read the JSON that it prints."""
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found, list)
    return found


def modules() -> list[str]:
    """The dotted name of every module, without those that another program imports."""
    names = []
    for room in PRODUCT:
        for path in sorted((ROOT / room).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            names.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return [name for name in names if name not in NEVER_IMPORTED and not name.endswith("__main__")]


def test_no_module_touches_the_outside_when_it_is_imported() -> None:
    assert run(WATCHED_IMPORT, str(ROOT), *modules()) == []


def test_the_watch_sees_a_file_that_is_read_at_import(tmp_path_factory: pytest.TempPathFactory) -> None:
    directory = tmp_path_factory.mktemp("nosy")
    (directory / "nosy.py").write_text("from pathlib import Path\nTEXT = Path('/etc/hostname').read_bytes()\n")
    found = run(f"import sys; sys.path.insert(0, {str(directory)!r})\n{WATCHED_IMPORT}", str(directory), "nosy")
    assert len(found) == 1 and "nosy.py:2: open" in found[0]


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("registry.cli", {"sqlalchemy", "starlette", "uvicorn", "granian", "alembic", "cryptography"}),
        ("registry.app", {"alembic", "boto3", "botocore", "psycopg", "granian", "uvicorn"}),
        ("registry.serving.serve", {"granian", "uvicorn", "cryptography", "sqlalchemy"}),
        ("runtime.cli.main", {"starlette", "h11", "urllib3", "zstandard", "dnslib"}),
        ("storage.blobs", {"sqlalchemy", "starlette", "pydantic", "boto3"}),
    ],
)
def test_what_only_some_runs_need_is_imported_late(module: str, absent: set[str]) -> None:
    loaded = set(run(LOADED.format(module=module)))
    assert not loaded & absent
    assert module.partition(".")[0] in loaded
