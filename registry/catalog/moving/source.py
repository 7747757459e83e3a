"""The SQLite side: read in short batches, so that no picture is held while the server writes, and then held still."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from sqlalchemy import Connection, text

from registry.catalog import schema
from registry.catalog.engine import Database
from registry.catalog.errors import CatalogUnavailable
from registry.catalog.moving.errors import MoveError
from registry.catalog.moving.shapes import NUMBERED, SHAPES, Row, Shape
from registry.catalog.trouble import translated

BATCH = 2000
BATCH_BYTES = 8 * 2**20
TURNS = 12
"""How often a turn to write is asked for; SQLite gives no place in a queue, and each time waits for ten seconds."""


class Source:
    """A SQLite catalog that is to be moved. `database` has to be one."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def check(self) -> None:
        """See that it can be moved: there, at this version's schema, with no row that refers to nothing.

        Raises: MoveError, SchemaError, CatalogUnavailable.
        """
        if not self._database.is_sqlite:
            raise MoveError("database.url is not SQLite: leave the settings as they were before the move, and use --to")
        if self._database.path is None or not self._database.path.exists():
            raise MoveError("there is no SQLite catalog to move; give --data or --config as the server has it")
        found = schema.standing(self._database)
        if found.pending:
            raise MoveError(
                f"the catalog is at schema {found.current}, and this version of Moorage moves {schema.HEAD}:"
                " run `moorage db upgrade` first, or start the server once"
            )
        with self.reading() as connection:
            broken = connection.execute(text("PRAGMA foreign_key_check")).first()
        if broken is not None:
            which = f"row {broken[1]}" if broken[1] is not None else "a row"
            raise MoveError(
                f"{which} of table {broken[0]} refers to a row of {broken[2]} that is not there, which PostgreSQL"
                " would not take. Moorage does not leave such rows: find out who does, and remove it"
            )

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a short reading transaction. Raises CatalogUnavailable."""
        with translated(), self._database.reading() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Open a writing transaction. Raises CatalogUnavailable."""
        with translated(), self._database.writing() as connection:
            yield connection

    @contextmanager
    def still(self) -> Iterator[Connection]:
        """Keep every writer waiting until the block ends; the connection may seal. Raises CatalogUnavailable."""
        with ExitStack() as held:
            yield self._turn(held)

    def _turn(self, held: ExitStack) -> Connection:
        for _ in range(TURNS - 1):
            with suppress(CatalogUnavailable):
                return held.enter_context(self.writing())
        return held.enter_context(self.writing())

    def counts(self) -> dict[str, int]:
        """Count the rows of every table."""
        with self.reading() as connection:
            counted = (f'SELECT count(*) FROM "{shape.name}"' for shape in SHAPES)  # noqa: S608  # our own tables
            return {
                shape.name: connection.exec_driver_sql(query).scalar_one()
                for shape, query in zip(SHAPES, counted, strict=True)
            }

    def numbers(self) -> dict[str, int]:
        """Give the highest number that each counted table has ever given to a row; 0: none yet."""
        with self.reading() as connection:
            query = text("SELECT name, seq FROM sqlite_sequence")
            given: dict[str, int] = {row.name: row.seq for row in connection.execute(query)}
        return {shape.name: given.get(shape.name, 0) for shape in NUMBERED}

    def batches(self, shape: Shape) -> Iterator[list[Row]]:
        """Give a table's rows in key order, each batch as it is when it is asked for.

        What is added behind the last row of a batch that is not full waits for the next walk: while others write, a
        walk would never end otherwise.
        """
        start = f'SELECT {shape.listed} FROM "{shape.name}"'  # noqa: S608  # our own tables and columns
        marks = ", ".join("?" * shape.key_length)
        after = f"{start} WHERE ({shape.keys_listed}) > ({marks})"
        order = f" ORDER BY {shape.keys_listed} LIMIT {BATCH}"
        batch, full = self._batch(shape, start + order, ())
        while batch:
            yield batch
            if not full:
                return
            batch, full = self._batch(shape, after + order, batch[-1][: shape.key_length])

    def _batch(self, shape: Shape, query: str, key: Row) -> tuple[list[Row], bool]:
        """Read rows until there are enough, or their bytes are; tells also whether there may be more."""
        batch: list[Row] = []
        held = 0
        with self.reading() as connection:
            for row in connection.connection.driver_connection.execute(query, key):  # type: ignore[union-attr]
                batch.append(row)
                held += sum(len(row[place]) for place in shape.wide)
                if held > BATCH_BYTES:
                    break
        return batch, len(batch) == BATCH or held > BATCH_BYTES
