"""The product's source files as syntax trees, and the rules that no linter of ours knows.

Each rule is a function from a `Source` to problems, "path:line: what is wrong", so that a test can show it red on a
few lines of text.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("registry", "storage", "auth", "migrations", "runtime")

FILE_LINES = 300
FUNCTION_LINES = 40  # without the docstring
DOCSTRING_LINES = 12

READS_ENVIRONMENT = ("registry/settings/sources.py", "runtime/config.py")
# Places where an exception of any kind ends: an answer to the client, a worker's exit status.
LAST_RESORTS = (
    "registry/api/router.py",
    "registry/jobs/runner.py",
    "registry/serving/supervisor.py",
    "runtime/api/router.py",
)
# Packages that nothing imports yet, which an import contract cannot name; each is meant for one room.
RESERVED = MappingProxyType(
    {
        "psycopg": "registry/catalog/",
    }
)
MUTABLE_CALLS = frozenset({"list", "dict", "set", "bytearray", "defaultdict", "deque", "OrderedDict", "Counter"})
# Things with a life of their own: they belong to an object that somebody starts and closes.
LIVING_CALLS = frozenset(
    {"Lock", "RLock", "Event", "Condition", "Semaphore", "Thread", "ThreadPoolExecutor", "Queue", "local", "socket"}
    | {"create_engine", "open", "count", "cycle", "WeakValueDictionary", "WeakKeyDictionary"}
)
MUTATORS = frozenset({"append", "add", "update", "extend", "insert", "pop", "popitem", "clear", "remove", "setdefault"})

Mutable = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
Function = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True, slots=True)
class Source:
    """One file: where it is, what it says, and its tree."""

    path: str
    text: str

    @property
    def tree(self) -> ast.Module:
        """The syntax tree."""
        return ast.parse(self.text)

    def problem(self, node: ast.AST, what: str) -> str:
        """A line for a person, as compilers write it."""
        return f"{self.path}:{getattr(node, 'lineno', 1)}: {what}"


def product() -> Iterator[Source]:
    """Every module of the product."""
    for room in PRODUCT:
        for path in sorted((ROOT / room).rglob("*.py")):
            yield Source(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))


def sizes(source: Source) -> Iterator[str]:
    """Files and functions stay small enough to have one subject; a module opens with a few lines, not a page."""
    lines = source.text.count("\n")
    if lines > FILE_LINES:
        yield source.problem(source.tree, f"{lines} lines; more than {FILE_LINES} are two subjects")
    if len((ast.get_docstring(source.tree) or "").splitlines()) > DOCSTRING_LINES:
        yield source.problem(source.tree, f"a docstring of more than {DOCSTRING_LINES} lines")
    if source.path.startswith("migrations/versions/"):
        return  # a list of tables, however long
    for node in ast.walk(source.tree):
        if isinstance(node, Function):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            first = node.body[0]
            if isinstance(first, ast.Expr) and ast.get_docstring(node) is not None:
                lines -= (first.end_lineno or first.lineno) - first.lineno + 1
            if lines > FUNCTION_LINES:
                yield source.problem(node, f"{node.name} has {lines} lines; {FUNCTION_LINES} is the limit")


def environment(source: Source) -> Iterator[str]:
    """One module reads the environment."""
    if source.path in READS_ENVIRONMENT:
        return
    for node in ast.walk(source.tree):
        named = isinstance(node, ast.Attribute) and node.attr in {"environ", "environb", "getenv", "putenv"}
        imported = (
            isinstance(node, ast.ImportFrom)
            and node.module == "os"
            and {n.name for n in node.names}
            & {
                "environ",
                "getenv",
            }
        )
        if named or imported:
            yield source.problem(node, "reads the environment; only the settings do that")


def reserved(source: Source) -> Iterator[str]:
    """A package that is meant for one room is imported nowhere else."""
    for node in ast.walk(source.tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
        for package in (name.partition(".")[0] for name in names):
            if not source.path.startswith(RESERVED.get(package, "")):
                yield source.problem(node, f"imports {package}, which is for {RESERVED[package]}")


def broad_handlers(source: Source) -> Iterator[str]:
    """Whoever catches everything raises it again, but for the places where an exception ends."""
    if source.path in LAST_RESORTS:
        return
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.ExceptHandler) or isinstance(node.body[-1], ast.Raise):
            continue
        if _is_broad(node.type):
            yield source.problem(node, "catches everything and goes on")


def module_state(source: Source) -> Iterator[str]:
    """A module holds constants and loggers: nothing that changes, and nothing that has to be closed."""
    mutable: set[str] = set()
    for node in source.tree.body:
        if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
            continue
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        called = _called(node.value)
        if called in LIVING_CALLS:
            yield source.problem(node, f"{called}() in a module: it belongs to an object with a beginning and an end")
        if isinstance(node.value, Mutable) or called in MUTABLE_CALLS:
            names = {target.id for target in targets if isinstance(target, ast.Name)}
            mutable |= names
            for name in sorted(names):
                if name != "__all__" and not name.isupper():
                    yield source.problem(node, f"{name} is mutable and not named as a constant")
    for inner in ast.walk(source.tree):
        if isinstance(inner, ast.Global):
            yield source.problem(inner, f"global {', '.join(inner.names)}")
        elif (name := _mutated(inner)) in mutable:
            yield source.problem(inner, f"changes the constant {name}")


def _is_broad(kind: ast.expr | None) -> bool:
    kinds = kind.elts if isinstance(kind, ast.Tuple) else [kind]
    return any(k is None or (isinstance(k, ast.Name) and k.id in {"Exception", "BaseException"}) for k in kinds)


def _called(value: ast.expr) -> str:
    """The last part of the called name: `threading.Lock()` gives Lock."""
    if not isinstance(value, ast.Call):
        return ""
    function = value.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _mutated(node: ast.AST) -> str:
    """The name that this node changes in place, if it does."""
    target: ast.expr | None = None
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
        target = node.value
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in MUTATORS:
        target = node.func.value
    return target.id if isinstance(target, ast.Name) else ""
