"""D1: every route and method of the endpoint table, times every kind of caller, times four repositories.

What each cell has to be is written in `rules` and `routes`; a route without cells fails. A refusal is refused before
anything is looked up or changed, and a caller sees in lists just what they may pull.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.access.people import Caller, callers, settle
from tests.access.routes import NUMBERS, ROWS, Row, no_session, stock, table_keys
from tests.access.rules import PLACES, REFUSED, RIGHTS, SMALL, may
from tests.access.world import INTERNAL, PRIVATE, PUBLIC, SOURCE, Accounts, Signed, harbour
from tests.spec.asgi import Answer
from tests.spec.registry import Registry

NAMES = {"private": PRIVATE, "internal": INTERNAL, "public": PUBLIC}
LISTED = {PRIVATE: "private", INTERNAL: "internal", PUBLIC: "public"}
SEE_THE_SOURCE = (
    "administrator of another repository",
    "owner of another organisation",
    "robot of another organisation",
    "administrator of the registry",
    "administrator, by a token for pull",
)
MANY_CELLS = 800
MANY_CALLERS = 14
OF_A_SESSION = ("end-5", "end-6", "end-13", "end-14")
ANYBODY = ("jwks", "search-ping")

Expected = tuple[int, str | None, str | None]
"""Status, code, and `error` of the challenge."""


@dataclass(frozen=True, slots=True)
class Matrix:
    """The registry, its administrator, and who calls."""

    registry: Registry
    admin: Registry
    accounts: Accounts
    callers: list[Caller]


@pytest.fixture(scope="module")
def matrix(fast_directory: Path) -> Iterator[Matrix]:
    directory = fast_directory / "matrix"
    with harbour(directory, limits={"uploads_per_subject": 10_000}) as (registry, accounts):
        admin = settle(registry, accounts)
        yield Matrix(registry, admin, accounts, callers(registry, accounts, directory))


def test_every_route_and_method_has_cells() -> None:
    """An endpoint that is added without a row here fails, and so does a row that is no endpoint any more."""
    keys = [row.key for row in ROWS]
    assert set(keys) == table_keys()
    assert len(keys) == len(set(keys))


def test_there_are_enough_cells(matrix: Matrix) -> None:
    assert len({caller.who for caller in matrix.callers}) >= MANY_CALLERS
    assert sum(len(PLACES) if row.needs else 1 for row in ROWS) * len(matrix.callers) >= MANY_CELLS


@pytest.mark.parametrize("place", [*PLACES, "the registry"])
def test_every_cell_is_as_the_rules_say(matrix: Matrix, place: str) -> None:
    wrong: list[str] = []
    for caller in matrix.callers:
        for row in ROWS:
            if bool(row.needs) is (place != "the registry"):
                wrong += _cell(matrix, caller, row, place)
    assert not wrong, f"{len(wrong)} wrong:\n" + "\n".join(wrong[:20])


def test_nobody_changed_what_they_may_not(matrix: Matrix) -> None:
    """Whoever was refused left no trace: the content is what it was before."""
    before = _contents(matrix)
    writes = [row for row in ROWS if row.needs and row.method not in ("GET", "HEAD")]
    for caller in matrix.callers:
        for row in writes:
            for place, name in (("private", PRIVATE), ("absent", "team/never")):
                if row.needs not in may(caller.who, place):
                    _send(matrix, caller, row, name)
    assert _contents(matrix) == before
    assert "team/never" not in str(before)


@pytest.mark.parametrize(
    "method", ["OPTIONS", "TRACE", "CONNECT", "PATCH", "PUT", "DELETE", "POST", "GET", "get", "PURGE"]
)
def test_a_method_that_is_no_cell_is_refused(matrix: Matrix, method: str) -> None:
    """Whoever asks, and whatever there is: the path alone decides."""
    for row in ROWS:
        if method not in {other.method for other in ROWS if other.pattern == row.pattern}:
            target = row.make(PRIVATE, no_session()).target
            for headers in ({}, matrix.callers[1].headers(PRIVATE)):
                matrix.registry.request(method, target, headers=headers).expect(405, "UNSUPPORTED")


@pytest.mark.parametrize("sabotage", ["registry.edge.callers.Caller.may", "registry.accounts.tokens.decide"])
def test_the_matrix_sees_a_registry_that_lets_everybody_in(
    matrix: Matrix, monkeypatch: pytest.MonkeyPatch, sabotage: str
) -> None:
    monkeypatch.setattr(sabotage, lambda *_: True)
    who = next(caller for caller in matrix.callers if caller.label == "a stranger (Basic)")
    read = next(row for row in ROWS if row.id == "end-2")
    assert list(_cell(matrix, who, read, "private"))


def _cell(matrix: Matrix, caller: Caller, row: Row, place: str) -> Iterator[str]:
    name = NAMES.get(place) or f"team/absent-{next(NUMBERS)}"
    answer = _send(matrix, caller, row, name)
    wanted = _expected(caller, row, place)
    seen = (answer.status, _code(answer), _error(answer))
    if row.method == "HEAD":
        seen, wanted = (seen[0], None, seen[2]), (wanted[0], None, wanted[2])
    if seen != wanted:
        yield f"{row.id} {row.method} of {name}, {caller.label}: {seen}, not {wanted}"
    elif place == "the registry" and answer.status == 200:
        yield from _list_trouble(caller, row, answer)
    if row.undone and answer.status < 300:
        stock(matrix.admin, name)


def _send(matrix: Matrix, caller: Caller, row: Row, name: str) -> Answer:
    headers = caller.headers(name)
    if caller.means == "Basic" and caller.who in REFUSED:
        matrix.accounts.forgive()  # else the throttle answers
    request = row.make(name, _session(matrix, caller, name) if row.id in OF_A_SESSION else "")
    target = request.target
    if caller.who == "a token in the query":
        target += ("&" if "?" in target else "?") + "access_token=abc&token=abc"
    return matrix.registry.request(request.method, target, request.body, {**request.headers, **headers})


def _session(matrix: Matrix, caller: Caller, name: str) -> str:
    """Give a session of the caller's own where they may have one, else one of the administrator's."""
    if name not in LISTED:
        return no_session()
    own = "w" in may(caller.who, LISTED[name])
    opener = Signed(matrix.registry, caller.headers(name)) if own else matrix.admin
    return opener.start(name).rpartition("/")[2]


def _expected(caller: Caller, row: Row, place: str) -> Expected:
    if not row.needs:
        return _expected_of_registry(caller, row)
    if caller.who in REFUSED:
        return REFUSED[caller.who]
    if row.needs in may(caller.who, place):
        return (*(row.absent if place == "absent" else row.here), None)
    if caller.means == "Basic":
        return 403, "DENIED", None
    return 401, "UNAUTHORIZED" if caller.who == "an anonymous reader" else "DENIED", "insufficient_scope"


def _expected_of_registry(caller: Caller, row: Row) -> Expected:
    if row.id in ANYBODY:
        return 200, None, None
    if row.id == "token":
        return _expected_of_token(caller, row)
    if caller.who == "empty Basic" and row.id == "search":
        return 200, None, None
    if caller.who in REFUSED:
        return REFUSED[caller.who]
    if caller.who in SMALL and row.id in ("_catalog", "search"):
        return 401, "DENIED", "insufficient_scope"
    return 200, None, None


def _expected_of_token(caller: Caller, row: Row) -> Expected:
    """The token endpoint looks at Basic credentials only, and says no to everything else in their place."""
    if row.method == "POST":
        return (*row.here, None)
    if not caller.headers(PRIVATE).keys() & {"authorization"} or caller.who == "empty Basic":
        return 200, None, None
    if caller.means == "Basic" and caller.who in RIGHTS:
        return 200, None, None
    return 401, "UNAUTHORIZED", None


def _list_trouble(caller: Caller, row: Row, answer: Answer) -> Iterator[str]:
    """See that a list holds those of our repositories that the caller may pull, and no others."""
    if row.method == "HEAD" or row.id not in ("_catalog", "search"):
        return
    document = answer.json()
    listed = document["repositories"] if row.id == "_catalog" else [line["name"] for line in document["results"]]
    who = "an anonymous reader" if caller.who == "empty Basic" else caller.who
    wanted = {name for name, place in LISTED.items() if "p" in may(who, place)}
    if {name for name in listed if name in LISTED} != wanted:
        yield f"{row.id}, {caller.label}: {sorted(listed)}, not {sorted(wanted)}"
    if (SOURCE in listed) is not (who in SEE_THE_SOURCE):
        yield f"{row.id}, {caller.label}: {SOURCE} is {'there' if SOURCE in listed else 'missing'}"


def _code(answer: Answer) -> str | None:
    return str(answer.errors[0]["code"]) if answer.status >= 400 and answer.body else None


def _error(answer: Answer) -> str | None:
    challenge = answer.get("www-authenticate") or ""
    assert bool(challenge) is (answer.status == 401)
    found = re.search('error="([^"]*)"', challenge)
    return found[1] if found else None


def _contents(matrix: Matrix) -> dict[str, object]:
    """Everything that the repositories hold, but upload sessions."""
    with matrix.accounts.catalog.read() as tx:
        found: dict[str, object] = {"repositories": tx.repositories.page("", 100_000)}
    for name in (*NAMES.values(), SOURCE):
        tags = matrix.admin.get(f"/v2/{name}/tags/list").json()["tags"]
        found[name] = [(tag, matrix.admin.get(f"/v2/{name}/manifests/{tag}").body) for tag in tags]
    return found
