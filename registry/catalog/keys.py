"""Signing keys: the public half as it is published, the private half sealed under a master key that is not here."""

from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, Executable, delete, insert, select, update

from registry.catalog import tables
from registry.catalog.errors import NotFound

_row = tables.signing_key
_all = select(*_row.c).order_by(_row.c.created_at, _row.c.kid)


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A signing key. `state` is `next`, `active` or `retired`; `public` is a JSON Web Key; times in µs since 1970."""

    kid: str
    state: str
    public: str
    sealed: bytes
    master_key_id: str
    created_at: int
    activated_at: int | None = None
    retired_at: int | None = None


class SigningKeys:
    """The signing keys, within one transaction."""

    def __init__(self, connection: Connection, now: int) -> None:
        self._connection = connection
        self._now = now

    def all(self) -> list[KeyRow]:
        """List every key, the oldest first."""
        return [KeyRow(**row._mapping) for row in self._connection.execute(_all)]

    def add(self, row: KeyRow, state: str) -> None:
        """Keep a new key in a state, whatever the row itself says of that."""
        values: dict[str, Any] = {**asdict(row), **self._in(state)}
        self._connection.execute(insert(_row), values)

    def set_state(self, kid: str, state: str) -> None:
        """Move a key on, and note when. Raises NotFound."""
        self._one(update(_row).where(_row.c.kid == kid).values(**self._in(state)), kid)

    def remove(self, kid: str) -> None:
        """Forget a key. Raises NotFound."""
        self._one(delete(_row).where(_row.c.kid == kid), kid)

    def _in(self, state: str) -> dict[str, object]:
        since = {"active": {"activated_at": self._now}, "retired": {"retired_at": self._now}}
        return {"state": state, **since.get(state, {})}

    def _one(self, statement: Executable, kid: str) -> None:
        if not self._connection.execute(statement).rowcount:
            raise NotFound(kid)
