"""Upload sessions: opening, asking, cancelling, and what happens to those that nobody finished.

The bytes themselves pass through `registry.content.reception`. A session belongs to its repository and to the
subject who opened it; for anybody else it does not exist.
"""

import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from registry.catalog.catalog import Catalog, Transaction
from registry.catalog.errors import NotFound
from registry.catalog.uploads import UploadSession
from registry.oci.errors import ErrorCode, RegistryError
from registry.oci.names import RepositoryName
from storage.blobs import BlobStore
from storage.digest import ALGORITHMS
from storage.errors import Busy

IDLE = timedelta(minutes=10)
NEVER_WRITTEN = timedelta(minutes=1)
SIGN_OF_LIFE = timedelta(seconds=20)
"""How long a session may take bytes without its row's telling; well below NEVER_WRITTEN."""

MICROSECOND = timedelta(microseconds=1)
SWEEP_BATCH = 100
FILE_KEY_LIFETIME = timedelta(seconds=10)
REMOTE_KEY_LIFETIME = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """How long a session may rest, how many one subject may have, and how large a blob may get (bytes)."""

    expiry: timedelta = timedelta(hours=24)
    per_subject: int = 256
    blob_bytes: int = 20 * 2**30

    @property
    def sign_of_life(self) -> timedelta:
        """How often a request that writes says so in the session's row, so that no process takes it for idle."""
        return min(SIGN_OF_LIFE, self.expiry / 4)


class Uploads:
    """The use cases about upload sessions. New sessions go to the store named `store`."""

    def __init__(self, catalog: Catalog, stores: Mapping[str, BlobStore], *, store: str, limits: UploadLimits) -> None:
        self.catalog = catalog
        self.stores = stores
        self.limits = limits
        self._store = store

    def start(self, name: RepositoryName, *, subject: str, algorithm: str = "sha256") -> str:
        """Open a session (end-4a, end-4c) and give its id.

        Raises: DIGEST_INVALID for an unknown algorithm; TOOMANYREQUESTS while all of the subject's sessions move.
        """
        if algorithm not in ALGORITHMS:
            raise RegistryError(
                ErrorCode.DIGEST_INVALID,
                f"this registry knows the digest algorithms {' and '.join(ALGORITHMS)}, not {algorithm[:64]!a}",
            )
        session_id = uuid.uuid4().hex
        with self.catalog.begin(durable=False) as tx:
            crowded = tx.uploads.count(subject) >= self.limits.per_subject
            if not crowded:
                self._open(tx, session_id, name, subject, algorithm)
        if crowded:
            self._make_room(subject)
            with self.catalog.begin(durable=False) as tx:
                self._open(tx, session_id, name, subject, algorithm)
        return session_id

    def status(self, name: RepositoryName, session_id: str, *, subject: str) -> UploadSession:
        """Tell how far a session is (end-13). Raises BLOB_UPLOAD_UNKNOWN."""
        with self.catalog.read() as tx:
            return find_session(tx, name, session_id, subject=subject)

    def cancel(self, name: RepositoryName, session_id: str, *, subject: str) -> None:
        """Give a session up and free what it holds (end-14).

        Raises: BLOB_UPLOAD_UNKNOWN; BLOB_UPLOAD_INVALID while another request is writing to it.
        """
        session = self.status(name, session_id, subject=subject)
        if not self.remove(session):
            self.status(name, session_id, subject=subject)  # perhaps somebody else has removed it
            raise RegistryError(
                ErrorCode.BLOB_UPLOAD_INVALID, "another request is still writing to this upload; let it end first"
            )

    def sweep_sessions(self) -> int:
        """Remove sessions that rested too long, and what stores hold for sessions that are gone; give how many.

        Harmless at any time, in any number of processes, and after a kill at any point of an earlier sweep.
        """
        with self.catalog.read() as tx:
            stale = tx.uploads.stale(tx.now - self.limits.expiry // MICROSECOND, SWEEP_BATCH)
        return sum(self.remove(session) for session in stale) + self._sweep_strangers()

    def sweep_keys(self) -> int:
        """Delete the bytes of replaced keys whose time has come; give how many. As harmless as `sweep_sessions`."""
        with self.catalog.read() as tx:
            keys = tx.blobs.discarded(SWEEP_BATCH)
        for store, key in keys:
            self._delete_key(store, key)
        return len(keys)

    def _open(self, tx: Transaction, session_id: str, name: RepositoryName, subject: str, algorithm: str) -> None:
        repository = tx.repositories.ensure(name)
        state = self.stores[self._store].begin(session_id, algorithm).suspend()
        tx.uploads.open(session_id, repository.id, subject=subject, store=self._store, state=state)

    def _make_room(self, subject: str) -> None:
        """Cancel the subject's longest idle session. Raises TOOMANYREQUESTS where none is idle."""
        with self.catalog.read() as tx:
            candidates = [
                session
                for session in tx.uploads.oldest(subject, self.limits.per_subject)
                if tx.now - session.active_at > (IDLE if session.offset else NEVER_WRITTEN) // MICROSECOND
            ]
        if not any(self.remove(session) for session in candidates):
            raise RegistryError(
                ErrorCode.TOOMANYREQUESTS,
                f"you have {self.limits.per_subject} uploads under way; finish or cancel some first",
                headers={"retry-after": "30"},
            )

    def settle(self, store: str, session_id: str) -> None:
        """Undo what a commit published just before a crash, so that the catalog never heard of it. Raises Busy."""
        self.stores[store].settle(session_id, lambda key: self._known_or_undone(store, session_id, key))

    def remove(self, session: UploadSession) -> bool:
        """Free a session's bytes, then forget it; False where somebody is writing to it, or has since it was read.

        The holder of a session is known in its own process, or on files on its own machine; that bytes came through
        another one, only the row tells.
        """
        with self.catalog.read() as tx:
            if not tx.uploads.stands(session):
                return False
        try:
            self._free(session.store, session.id, session.state)
        except Busy:
            return False
        with self.catalog.begin() as tx:
            return tx.uploads.close(session.id)

    def _free(self, store: str, session_id: str, state: bytes | None) -> None:
        self.settle(store, session_id)
        self.stores[store].discard(session_id, state)

    def _sweep_strangers(self) -> int:
        """Free what stores hold for sessions that the catalog does not know: a crash came after the commit."""
        strangers = 0
        for name, store in self.stores.items():
            for session_id in store.uploads():
                with self.catalog.read() as tx:
                    known = tx.uploads.exists(session_id)
                if not known:
                    with suppress(Busy):
                        self._free(name, session_id, None)
                        strangers += 1
        return strangers

    def _known_or_undone(self, store: str, session_id: str, key: str) -> bool:
        """Tell whether a row names a key; where none does, see to it that none will.

        On a store without locks between processes, the writer that published the key may be about to commit its row.
        """
        with self.catalog.begin() as tx:
            tx.uploads.settle(session_id)
            if tx.blobs.key_known(store, key):
                return True
            tx.uploads.take_over(session_id)
            return False

    def _delete_key(self, store: str, key: str) -> None:
        """Delete a key that no row names, outside of a transaction.

        A store elsewhere may take seconds to fail, and SQLite has one writer, whom pushes to another store wait for.
        """
        with self.catalog.read() as tx:
            known = tx.blobs.key_known(store, key)
        if not known:
            self.stores[store].delete(key)
        with self.catalog.begin() as tx:
            tx.blobs.forget_discarded(store, key)


def key_lifetime(store: BlobStore, key: str) -> timedelta:
    """Tell how long the bytes of a replaced key stay: for who has just looked it up, or has a presigned address."""
    return FILE_KEY_LIFETIME if store.local_path(key) is not None else REMOTE_KEY_LIFETIME


def find_session(tx: Transaction, name: RepositoryName, session_id: str, *, subject: str) -> UploadSession:
    """Find a session that belongs to this repository and subject. Raises BLOB_UPLOAD_UNKNOWN."""
    try:
        session = tx.uploads.get(session_id)
    except NotFound:
        raise RegistryError(ErrorCode.BLOB_UPLOAD_UNKNOWN) from None
    if session.repository != name or session.subject != subject:
        raise RegistryError(ErrorCode.BLOB_UPLOAD_UNKNOWN)
    return session
