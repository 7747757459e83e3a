"""The keys that sign tokens: next (published already), active (signs), retired (verifies until its tokens are gone).

They live in the catalog, private halves sealed by the master key, so that every worker and replica has the same ones
and a rotation needs no restart: who reads the ring late knows the key that signs now, for it was published as `next`.
"""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import orjson

from auth.keys import InvalidKey, MasterKey, PublicKey, SigningKey, WrongMasterKey
from registry.audit import Audit, Origin
from registry.catalog.catalog import Catalog, Transaction
from registry.catalog.errors import CatalogUnavailable
from registry.catalog.keys import KeyRow

MICROSECOND = timedelta(microseconds=1)
RETIRED_FOR = timedelta(hours=2)
"""How long a retired key verifies: longer than any token that it signed lives, with leeway."""

FRESH = 5.0
"""Seconds after which the ring is read again."""

AGAIN = 1.0
"""Seconds between two looks for a key that is not known, so that made-up key ids cost no queries."""


class WrongMasterKeyError(Exception):
    """The catalog's keys were sealed with another master key; the message says what to do."""


@dataclass(frozen=True, slots=True)
class _Ring:
    """The keys at one time. `signing` is unsealed; `public` are all that verify, by their ids."""

    signing: SigningKey
    public: Mapping[str, PublicKey]
    read_at: float


class KeyRing:
    """The keys of one process, read from the catalog now and then. Safe to use from any thread."""

    def __init__(self, catalog: Catalog, master: MasterKey, audit: Audit) -> None:
        self._catalog = catalog
        self._master = master
        self._audit = audit
        self._ring: _Ring | None = None
        self._lock = threading.Lock()

    def ensure(self) -> None:
        """Make the first keys where there are none. Raises WrongMasterKeyError."""
        with self._catalog.begin() as tx:
            rows = tx.keys.all()
            foreign = [row.kid for row in rows if row.master_key_id != self._master.id and row.state != "retired"]
            if foreign:
                raise WrongMasterKeyError(
                    "the keys in the database were sealed with another master key. Give this server the one that the"
                    " others have (secrets.master_key, MOORAGE_SECRETS__MASTER_KEY_FILE, or master.key in the data"
                    " directory); if it is lost for good, run `moorage key reset`, which makes new keys"
                )
            states = {row.state for row in rows}
            for state in ("active", "next"):
                if state not in states:
                    self._add(tx, state)

    def rotate(self, origin: Origin, *, older_than: timedelta = timedelta(0)) -> str | None:
        """Make the next key the active one, and a new next one; give its id, or None where the active is younger."""
        with self._audit.begin(origin) as change:
            tx = change.tx
            rows = {row.state: row for row in tx.keys.all() if row.state != "retired"}
            active, following = rows["active"], rows["next"]
            if older_than and tx.now - (active.activated_at or 0) < older_than // MICROSECOND:
                return None
            tx.keys.set_state(active.kid, "retired")
            tx.keys.set_state(following.kid, "active")
            self._add(tx, "next")
            self._forget_old(tx)
            change.record("key.rotate", reason=f"{following.kid} signs now, {active.kid} is retired")
        self.reload()
        return following.kid

    def reset(self, origin: Origin) -> str:
        """Throw every key away and make new ones; all tokens end at once. For a lost or leaked master key."""
        with self._audit.begin(origin) as change:
            for row in change.tx.keys.all():
                change.tx.keys.remove(row.kid)
            active = self._add(change.tx, "active")
            self._add(change.tx, "next")
            change.record("key.reset", reason=f"{active} signs now; every earlier token is void")
        return active

    def signing(self) -> SigningKey:
        """Give the key to sign with."""
        return self._fresh(FRESH).signing

    @property
    def seen(self) -> Mapping[str, PublicKey] | None:
        """Give the keys that verified at the last reading; None: there was none. The same object while they last."""
        ring = self._ring
        return ring.public if ring is not None else None

    def look(self) -> Mapping[str, PublicKey]:
        """Give the keys that verify, read a second ago at most."""
        return self._fresh(AGAIN).public

    def jwks(self) -> dict[str, object]:
        """Give the public keys as a JWK set (RFC 7517)."""
        return {"keys": [key.jwk() for key in self._fresh(FRESH).public.values()]}

    def rows(self) -> list[KeyRow]:
        """List the keys as the catalog has them."""
        with self._catalog.read() as tx:
            return tx.keys.all()

    def reload(self) -> _Ring:
        """Read the ring again. Raises CatalogUnavailable, also where the active key cannot be unsealed."""
        with self._catalog.read() as tx:
            rows = tx.keys.all()
            horizon = tx.now - RETIRED_FOR // MICROSECOND
        valid = [row for row in rows if row.state != "retired" or (row.retired_at or 0) > horizon]
        active = next(row for row in rows if row.state == "active")
        known = self._ring
        if known is not None and known.public.keys() == {row.kid for row in valid}:
            public = known.public
        else:
            public = {row.kid: PublicKey.from_jwk(orjson.loads(row.public)) for row in valid}
        signing = known.signing if known and known.signing.kid == active.kid else self._unsealed(active)
        ring = _Ring(signing, public, time.monotonic())
        self._ring = ring
        return ring

    def _fresh(self, seconds: float) -> _Ring:
        ring = self._ring
        if ring is not None and time.monotonic() - ring.read_at < seconds:
            return ring
        with self._lock:
            ring = self._ring
            if ring is not None and time.monotonic() - ring.read_at < seconds:
                return ring
            return self.reload()

    def _unsealed(self, row: KeyRow) -> SigningKey:
        try:
            return SigningKey.unseal(row.sealed, self._master, row.kid)
        except (WrongMasterKey, InvalidKey):
            # Somebody reset the keys under another master key meanwhile: this server signs no more until it has that.
            raise CatalogUnavailable(
                "the signing key was sealed with another master key than this server has"
            ) from None

    def _add(self, tx: Transaction, state: str) -> str:
        key = SigningKey.generate()
        public = orjson.dumps(key.public.jwk()).decode("ascii")
        tx.keys.add(KeyRow(key.kid, state, public, key.sealed(self._master), self._master.id, tx.now), state)
        return key.kid

    def _forget_old(self, tx: Transaction) -> None:
        horizon = tx.now - RETIRED_FOR // MICROSECOND
        for row in tx.keys.all():
            if row.state == "retired" and (row.retired_at or 0) < horizon:
                tx.keys.remove(row.kid)
