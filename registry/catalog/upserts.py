"""INSERT … ON CONFLICT, which SQLAlchemy has no common construct for: each dialect writes it with a class of its own.

A statement is prepared once for each dialect, at its first use there, so that nobody who is on SQLite loads the other.
"""

from functools import cached_property
from typing import Any

from sqlalchemy import Column, Connection, Insert, Table


class Upsert:
    """One such statement on a table.

    Args: keys: the columns of the constraint that may be hit; none: any.
          changed: the columns that a row that is there takes from the new one; none: it stays as it is.
          returning: what is given back of a row that was written.
    """

    def __init__(
        self,
        table: Table,
        keys: tuple[str, ...] = (),
        *,
        changed: tuple[str, ...] = (),
        returning: tuple[Column[Any], ...] = (),
    ) -> None:
        self._table = table
        self._keys = keys
        self._changed = changed
        self._returning = returning

    def on(self, connection: Connection) -> Insert:
        """Give the statement as the connection's dialect has it."""
        return self._sqlite if connection.dialect.name == "sqlite" else self._postgresql

    @cached_property
    def _sqlite(self) -> Insert:
        from sqlalchemy.dialects.sqlite import insert

        fresh = insert(self._table)
        if not self._changed:
            return self._finished(fresh.on_conflict_do_nothing(index_elements=self._keys or None))
        changes = {name: fresh.excluded[name] for name in self._changed}
        return self._finished(fresh.on_conflict_do_update(index_elements=self._keys, set_=changes))

    @cached_property
    def _postgresql(self) -> Insert:
        from sqlalchemy.dialects.postgresql import insert

        fresh = insert(self._table)
        if not self._changed:
            return self._finished(fresh.on_conflict_do_nothing(index_elements=self._keys or None))
        changes = {name: fresh.excluded[name] for name in self._changed}
        return self._finished(fresh.on_conflict_do_update(index_elements=self._keys, set_=changes))

    def _finished(self, statement: Insert) -> Insert:
        if self._returning:
            return statement.returning(*self._returning)
        return statement.inline().execution_options(preserve_rowcount=True)
