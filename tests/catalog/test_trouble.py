"""What drivers raise has our names, told without a database; test_postgresql.py makes a real one raise it."""

import psycopg.errors
import pytest
from sqlalchemy.exc import (
    DataError,
    IntegrityError,
    InterfaceError,
    InternalError,
    InvalidRequestError,
    OperationalError,
    ProgrammingError,
)

from registry.catalog.catalog import Catalog, translated
from registry.catalog.engine import connect
from registry.catalog.errors import CatalogFull, CatalogUnavailable, Conflict

KNOWN = [
    (OperationalError, psycopg.errors.DiskFull, CatalogFull),
    (OperationalError, psycopg.errors.DeadlockDetected, CatalogUnavailable),
    (OperationalError, psycopg.errors.AdminShutdown, CatalogUnavailable),
    (InternalError, psycopg.errors.ReadOnlySqlTransaction, CatalogUnavailable),
    (ProgrammingError, psycopg.errors.UndefinedTable, CatalogUnavailable),
    (IntegrityError, psycopg.errors.UniqueViolation, Conflict),
    (IntegrityError, psycopg.errors.ForeignKeyViolation, Conflict),
    (OperationalError, psycopg.OperationalError, CatalogUnavailable),
    (InterfaceError, psycopg.InterfaceError, CatalogUnavailable),
    (IntegrityError, psycopg.errors.CheckViolation, IntegrityError),
    (ProgrammingError, psycopg.errors.SyntaxError, ProgrammingError),
    (DataError, psycopg.DataError, DataError),
]


@pytest.mark.parametrize(("outer", "inner", "kind"), KNOWN)
def test_a_driver_s_trouble_has_our_name(
    outer: type[OperationalError], inner: type[psycopg.Error], kind: type[Exception]
) -> None:
    with pytest.raises(kind) as told, translated():
        raise outer("SELECT", {}, inner("first\nsecond"))
    assert type(told.value) is kind
    assert kind is outer or str(told.value) == "first"


def test_a_database_that_closes_every_connection_at_once_is_unavailable() -> None:
    with pytest.raises(CatalogUnavailable), translated():
        raise InvalidRequestError("This connection is closed")
    with pytest.raises(InvalidRequestError), translated():
        raise InvalidRequestError("something else")


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql://nobody@127.0.0.1:1/none", "refused"),
        ("mysql://user@host/none", "neither"),
        ("none of these", "address is none"),
    ],
)
def test_what_cannot_be_reached_is_told(url: str, told: str) -> None:
    with pytest.raises(CatalogUnavailable, match=told), Catalog(connect(url, pool_size=1)).read() as tx:
        tx.repositories.page("", 1)


def test_a_driver_that_is_not_installed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object, **__: object) -> None:
        raise ModuleNotFoundError("No module named 'psycopg'")

    monkeypatch.setattr("registry.catalog.postgresql.create_engine", missing)
    with pytest.raises(CatalogUnavailable, match=r"pip install 'moorage\[postgres\]'"):
        connect("postgresql://user@host/name", pool_size=1)
