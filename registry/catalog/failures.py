"""Failed logins: counted by who was named and by the network it came from, so that guessing can be slowed down.

A count stops at COUNT_LIMIT, so that asking stays cheap for as long as somebody attacks.
"""

from sqlalchemy import ColumnElement, Connection, Select, bindparam, delete, func, insert, select

from registry.catalog import tables

COUNT_LIMIT = 1000
"""No count goes further; whoever failed as often has failed often enough."""

_row = tables.login_failure
_subject, _network = _row.c.subject == bindparam("subject"), _row.c.network == bindparam("network")


def _newest(*where: ColumnElement[bool]) -> Select[int]:
    """Select the times of the newest failures, as many as a count or a wait needs."""
    query = select(_row.c.at).where(*where, _row.c.at >= bindparam("since"))
    return query.order_by(_row.c.at.desc()).limit(bindparam("among"))


def _count(newest: Select[int]) -> Select[int]:
    return select(func.count()).select_from(newest.subquery())


def _oldest(newest: Select[int]) -> Select[int | None]:
    return select(func.min(newest.subquery().c.at))


_of_pair, _of_subject, _of_network = _newest(_subject, _network), _newest(_subject), _newest(_network)
_count_pair, _count_subject, _count_network = _count(_of_pair), _count(_of_subject), _count(_of_network)
_oldest_of_pair, _oldest_of_subject, _oldest_of_network = _oldest(_of_pair), _oldest(_of_subject), _oldest(_of_network)


class LoginFailures:
    """The failed logins, within one transaction. A subject is a hash of the name that was typed, never the name."""

    def __init__(self, connection: Connection, now: int) -> None:
        self._connection = connection
        self._now = now

    def note(self, subject: str, network: str) -> None:
        """Note one failure."""
        self._connection.execute(insert(_row), {"subject": subject, "network": network, "at": self._now})

    def count_pair(self, subject: str, network: str, since: int) -> int:
        """Count the failures of a subject from a network since a time (µs since 1970)."""
        return self._count(_count_pair, since, subject=subject, network=network)

    def count_subject(self, subject: str, since: int) -> int:
        """Count the failures of a subject from anywhere since a time (µs since 1970)."""
        return self._count(_count_subject, since, subject=subject)

    def count_network(self, network: str, since: int) -> int:
        """Count the failures of anybody from a network since a time (µs since 1970)."""
        return self._count(_count_network, since, network=network)

    def oldest_of_pair(self, subject: str, network: str, since: int, *, among: int = COUNT_LIMIT) -> int | None:
        """Tell when the oldest of the `among` newest such failures was (µs since 1970); None: there is none.

        With a limit of `among` failures a window, another try is due when that one leaves the window.
        """
        return self._oldest(_oldest_of_pair, since, among, subject=subject, network=network)

    def oldest_of_subject(self, subject: str, since: int, *, among: int = COUNT_LIMIT) -> int | None:
        """The same for a subject's failures from anywhere."""
        return self._oldest(_oldest_of_subject, since, among, subject=subject)

    def oldest_of_network(self, network: str, since: int, *, among: int = COUNT_LIMIT) -> int | None:
        """The same for anybody's failures from a network."""
        return self._oldest(_oldest_of_network, since, among, network=network)

    def clear_pair(self, subject: str, network: str) -> None:
        """Forget a subject's failures from a network, once it has logged in from there."""
        self._connection.execute(delete(_row).where(_row.c.subject == subject, _row.c.network == network))

    def purge(self, before: int) -> int:
        """Forget what was noted before `before` (µs since 1970); tells how many that were."""
        return self._connection.execute(delete(_row).where(_row.c.at < before)).rowcount

    def _count(self, query: Select[int], since: int, **where: str) -> int:
        return self._connection.execute(query, {"since": since, "among": COUNT_LIMIT, **where}).scalar_one()

    def _oldest(self, query: Select[int | None], since: int, among: int, **where: str) -> int | None:
        return self._connection.execute(query, {"since": since, "among": among, **where}).scalar_one()
