"""The journal: each committed change gets a number in its own transaction.

Its lines are what a catalog could be rebuilt from; an outbox carries them to storage (design: "Journal").
"""

from enum import Enum

from sqlalchemy import Connection, insert

from registry.catalog import tables


class Change(Enum):
    """What kind of thing changed."""

    TAG = "tag"
    LINK = "link"
    MANIFEST = "manifest"
    KEY = "key"


class Journal:
    """The journal, within one transaction."""

    def __init__(self, connection: Connection, now: int) -> None:
        self._connection = connection
        self._now = now

    def record(self, change: Change, subject: str, value: str | None, *, repository_id: int | None = None) -> None:
        """Note one change: what it became, or None where it was removed."""
        row = {
            "at": self._now,
            "repository_id": repository_id,
            "kind": change.value,
            "subject": subject,
            "value": value,
        }
        self._connection.execute(insert(tables.journal), row)
