"""A connection to PostgreSQL that waits for an answer only so long.

What the network swallows, libpq's keepalives and tcp_user_timeout notice. A database whose processes are stopped while
their machine lives is noticed by nobody else: the machine takes each question, and its statement_timeout never comes.
"""

from typing import Any

from psycopg import Connection, OperationalError
from psycopg.errors import _WaitTimeout

ANSWER_WITHIN = 9.0
"""Seconds; a second more than the statement_timeout of a request's transactions, which tells more."""


class PromptConnection(Connection[Any]):
    """Gives a question up, and itself, when there is no answer in time."""

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """Wait for an answer. Raises OperationalError, after which the connection is closed."""
        try:
            return super().wait(gen, interval, ANSWER_WITHIN if timeout is None else timeout)
        except _WaitTimeout:
            self.close()
            raise OperationalError(f"the database gave no answer in {ANSWER_WITHIN:.0f} seconds") from None
