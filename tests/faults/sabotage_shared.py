"""Ways to break what replicas share, for the checks of tests/replicas; see sabotage.py, which has the table of all.

Each replica does here what a server that was meant for one process does: it keeps to itself what the others must know.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

STALE = 5.0  # seconds


def know_own_sessions_only(app: App) -> App:
    """Know no upload session but those opened here, as if they were kept in memory (breaks C5 with replicas)."""
    opened: set[str] = set()

    async def broken(scope: Message, receive: Receive, send: Send) -> None:
        async def note(message: Message) -> None:
            if message["type"] == "http.response.start":
                opened.update(value.decode() for name, value in message["headers"] if name.lower() == b"location")
            await send(message)

        if scope["type"] == "http" and "/blobs/uploads/" in scope["path"] and scope["method"] != "POST":
            if scope["path"] not in opened:
                scope = dict(scope) | {"path": scope["path"][:-36] + "0" * 36, "raw_path": b""}
            await app(scope, receive, send)
        else:
            await app(scope, receive, note)

    return broken


def let_every_writer_win(app: App) -> App:
    """Record where an upload is without asking whether it is still where it was (breaks C5: two writers)."""
    from dataclasses import replace

    from registry.catalog.uploads import UploadSession, UploadSessions

    advance = UploadSessions.advance

    def broken(self: UploadSessions, session: UploadSession, offset: int, state: bytes) -> None:
        advance(self, replace(session, offset=self.get(session.id).offset), offset, state)

    UploadSessions.advance = broken  # type: ignore[method-assign]  # that is what a sabotage is
    return app


def remember_rights(app: App) -> App:
    """Remember for some seconds what somebody may do (breaks: what is taken away is gone at once)."""
    from auth.policy import Holder
    from registry.accounts import sign_in
    from registry.accounts.holders import load_holder
    from registry.catalog.accounts import Account

    known: dict[str, tuple[float, Holder]] = {}

    def broken(tx: Any, account: Account, credential: Any = None) -> Holder:
        if account.name not in known or time.monotonic() - known[account.name][0] > STALE:
            known[account.name] = time.monotonic(), load_holder(tx, account, credential)
        return known[account.name][1]

    vars(sign_in)["load_holder"] = broken
    return app


def take_all_for_idle(app: App) -> App:
    """Give no sign that a session takes bytes (breaks: another replica's sweep leaves it alone)."""
    from registry.content.reception import Reception

    Reception._give_sign = lambda *_: None  # type: ignore[method-assign]  # as above
    return app
