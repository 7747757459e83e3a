"""What the catalog itself may answer with, beside values; `content` decides what it means to a client."""


class CatalogError(Exception):
    """The catalog could not do what was asked."""


class NotFound(CatalogError):
    """There is no such row."""


class Conflict(CatalogError):
    """The row is no longer what the caller saw; somebody else was quicker."""


class CatalogUnavailable(CatalogError):
    """The database cannot answer now (locked, unreachable, disk trouble); trying again later may help."""


class CatalogFull(CatalogUnavailable):
    """The disk that holds the database is full."""


class OutcomeUnknown(CatalogUnavailable):
    """The connection broke while a COMMIT was under way: look again to know whether it happened."""


MOVED = "the catalog has moved to PostgreSQL"
"""What a sealed SQLite catalog refuses every write with."""


class CatalogMoved(CatalogUnavailable):
    """This SQLite catalog is sealed: it has moved to PostgreSQL, and only a server on that can write."""
