"""The PostgreSQL side: who may fill a database, what is taken off it meanwhile, and how it is opened.

While it is filled its schema bears the name `moving`, which every version of Moorage refuses to start on, and it has no
foreign keys: tables are then changed in any order, and putting the keys back lets PostgreSQL itself check every one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import AddConstraint

from registry.catalog import schema
from registry.catalog.engine import Database
from registry.catalog.moving.errors import MoveError
from registry.catalog.moving.shapes import NUMBERED, SHAPES
from registry.catalog.tables import metadata
from registry.catalog.trouble import translated

State = Literal["empty", "moving", "moved"]
"""How a database stands to a source: nothing in it, being filled from it, or filled from it and opened."""

OLDEST = 130_000
"""PostgreSQL's server_version_num of version 13."""

_ABOUT = """
    SELECT current_setting('server_version_num')::int, current_setting('server_encoding'),
           has_schema_privilege(current_schema(), 'CREATE'), has_database_privilege(current_database(), 'TEMPORARY')
"""
_NOTE = "SELECT obj_description('alembic_version'::regclass)"
_FOREIGN_KEYS = """
    SELECT conrelid::regclass::text AS place, quote_ident(conname) AS name FROM pg_constraint
    WHERE contype = 'f' AND connamespace = current_schema()::regnamespace ORDER BY 1, 2
"""
_SEQUENCE = "SELECT setval(pg_get_serial_sequence(:place, :name), greatest(:number, 1), :number > 0)"


class Target:
    """A PostgreSQL database that a catalog is moved to."""

    def __init__(self, database: Database) -> None:
        self._database = database
        url = database.engine.url
        self.name = f"{url.host or 'localhost'}{f':{url.port}' if url.port else ''}/{url.database}"

    def check(self) -> None:
        """See that the server can hold a catalog. Raises MoveError, CatalogUnavailable."""
        if self._database.is_sqlite:
            raise MoveError("the target has to be PostgreSQL: postgresql://user@host/name")
        with self.reading() as connection:
            version, encoding, may_create, may_have_temporary = connection.execute(text(_ABOUT)).one()
        if version < OLDEST:
            raise MoveError(f"the target is PostgreSQL {version // 10000}; Moorage needs 13 or newer")
        if encoding != "UTF8":
            raise MoveError(f"the target's encoding is {encoding}; make a database with ENCODING 'UTF8'")
        if not (may_create and may_have_temporary):
            missing = "tables in its schema" if not may_create else "temporary tables"
            raise MoveError(f"the target's user may not make {missing}; make it the owner of the database")

    def state(self, source: str) -> State:
        """Tell how the database stands to a source, by the source's own name.

        Raises: MoveError if it holds anything else; SchemaError, CatalogUnavailable.
        """
        found = schema.current(self._database)
        if found is None:
            return "empty"
        with self.reading() as connection:
            note = connection.execute(text(_NOTE)).scalar() or ""
            filled = next((shape.name for shape in SHAPES if _has_rows(connection, shape.name)), None)
        if found == schema.MOVING:
            if note == _note(source):
                return "moving"
            raise MoveError(
                "the target is half filled from another catalog, or by another version of Moorage: drop the database,"
                " make an empty one, and run this again"
            )
        schema.standing(self._database)
        if note == _note(source):
            return "moved"
        if filled is None and found == schema.HEAD:
            return "empty"
        raise MoveError(
            f"the target is not empty: it is a catalog of its own (its table {filled} has rows). Nothing was changed;"
            " give an empty database"
        )

    def claim(self, source: str) -> None:
        """Make an empty database one that is being filled from a source. Raises SchemaError, CatalogUnavailable."""
        if schema.current(self._database) != schema.MOVING:
            schema.upgrade(self._database, Path("unused"))
        with self.writing() as connection:
            _mark(connection, schema.MOVING)
            connection.execute(text(f"COMMENT ON TABLE alembic_version IS '{_note(source)}'"))
            _drop_foreign_keys(connection)

    def analyze(self) -> None:
        """Let PostgreSQL look at what it holds, so that the first queries are planned well. Raises as `claim`."""
        with self.writing() as connection:
            for shape in SHAPES:
                connection.exec_driver_sql(f'ANALYZE "{shape.name}"')

    def finish(self, numbers: dict[str, int]) -> None:
        """Put the foreign keys back, which checks each, and let tables count on from `numbers`.

        Raises: MoveError if a row refers to nothing; CatalogUnavailable.
        """
        with self.writing() as connection:
            _drop_foreign_keys(connection)
            try:
                for table in metadata.sorted_tables:
                    for key in sorted(table.foreign_key_constraints, key=lambda key: str(key.name)):
                        connection.execute(AddConstraint(key, isolate_from_table=False))  # else tables change
            except DBAPIError as error:
                raise MoveError(
                    f"PostgreSQL does not take the rows: {str(error.orig).partition(chr(10))[0]}"
                ) from error
            for shape in NUMBERED:
                place = {"place": f'"{shape.name}"', "name": shape.columns[0].name, "number": numbers[shape.name]}
                connection.execute(text(_SEQUENCE), place)

    def open(self) -> None:
        """Let servers start on it."""
        with self.writing() as connection:
            _mark(connection, schema.HEAD)

    def close_again(self) -> None:
        """Let no server start on it any more."""
        with self.writing() as connection:
            _mark(connection, schema.MOVING)
            _drop_foreign_keys(connection)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a transaction that sees one picture, however long it takes. Raises CatalogUnavailable."""
        with translated(), self._database.reading() as connection:
            connection.execute(text(schema.LONG_TIMES))
            yield connection

    @contextmanager
    def writing(self, *, durable: bool = True) -> Iterator[Connection]:
        """Open a writing transaction that may take long. Raises CatalogUnavailable.

        Args: durable: False for what may be lost in a crash of the database until the next durable one.
        """
        with translated(), self._database.writing(durable=durable) as connection:
            connection.execute(text(schema.LONG_TIMES))
            yield connection


def _note(source: str) -> str:
    """Say where a database's rows come from, and in which form; kept as the comment of its version's table."""
    return f"moved from SQLite catalog {source} at schema {schema.HEAD}"


def _mark(connection: Connection, version: str) -> None:
    connection.execute(text("UPDATE alembic_version SET version_num = :version"), {"version": version})


def _has_rows(connection: Connection, table: str) -> bool:
    if not inspect(connection).has_table(table):
        return False
    return connection.exec_driver_sql(f'SELECT 1 FROM "{table}" LIMIT 1').first() is not None  # noqa: S608  # ours


def _drop_foreign_keys(connection: Connection) -> None:
    for place, name in connection.execute(text(_FOREIGN_KEYS)).all():
        connection.exec_driver_sql(f"ALTER TABLE {place} DROP CONSTRAINT {name}")
