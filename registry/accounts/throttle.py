"""Sliding-window limits on failed sign-ins, counted in the catalog, so that all workers and replicas share them.

Never a hard lock: a window slides on by itself; a right secret of 256 bits is never held up, for nobody guesses one;
and whoever signed in from a network before is not held up there by what others try elsewhere. What was typed as a name
may be a password: only its hash is kept. A network is an IPv4 address, or the /64 of an IPv6 address.
"""

import hashlib
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network

from registry.catalog.catalog import Catalog, Transaction
from registry.catalog.errors import CatalogUnavailable
from registry.oci.errors import ErrorCode, RegistryError

SECOND = 1_000_000
SHORT = 300 * SECOND
LONG = 3600 * SECOND


@dataclass(frozen=True, slots=True)
class ThrottleLimits:
    """How many failures are let pass: of a name in one network and of a network in 5 minutes, of a name in an hour.

    A network has more room than a name: an office sits behind one address.
    """

    pair: int = 10
    network: int = 100
    name: int = 100


class Throttle:
    """Counts failures and says when there were too many."""

    def __init__(self, catalog: Catalog, limits: ThrottleLimits) -> None:
        self._catalog = catalog
        self._limits = limits

    def check(self, name: str, address: str, *, known_network: str | None) -> None:
        """Let an attempt pass, or raise TOOMANYREQUESTS with the time to wait.

        Args: known_network: where this account last signed in; there only its own failures count.
        """
        subject, network = subject_of(name), network_of(address)
        with self._catalog.read() as tx:
            wait = self._wait(tx, subject, network, known=known_network == network)
        if wait > 0:
            raise too_many(wait)

    def failed(self, name: str, address: str) -> None:
        """Count a failure. One that cannot be written is not counted: signing in must work on a full disk."""
        try:
            with self._catalog.begin(durable=False) as tx:
                tx.failures.note(subject_of(name), network_of(address))
        except CatalogUnavailable:
            return

    def succeeded(self, name: str, address: str) -> None:
        """Forget what failed before from here."""
        subject, network = subject_of(name), network_of(address)
        with self._catalog.read() as tx:
            some = tx.failures.count_pair(subject, network, tx.now - SHORT)
        if some:
            with self._catalog.begin(durable=False) as tx:
                tx.failures.clear_pair(subject, network)

    def purge(self) -> int:
        """Drop failures that count no more; give how many."""
        with self._catalog.begin(durable=False) as tx:
            return tx.failures.purge(tx.now - LONG)

    def _wait(self, tx: Transaction, subject: str, network: str, *, known: bool) -> int:
        """Give the seconds until the next attempt is welcome; 0: now."""
        limits = self._limits
        since = tx.now - SHORT
        if tx.failures.count_pair(subject, network, since) >= limits.pair:
            return _until(tx.failures.oldest_of_pair(subject, network, since, among=limits.pair), SHORT, tx.now)
        if known:
            return 0
        if tx.failures.count_network(network, since) >= limits.network:
            return _until(tx.failures.oldest_of_network(network, since, among=limits.network), SHORT, tx.now)
        if tx.failures.count_subject(subject, tx.now - LONG) >= limits.name:
            # Backs off instead of locking: a minute after the last failure there is room for one attempt.
            return _until(tx.failures.oldest_of_subject(subject, tx.now - LONG, among=1), 60 * SECOND, tx.now)
        return 0


def too_many(wait: int) -> RegistryError:
    """Say when to come back."""
    return RegistryError(
        ErrorCode.TOOMANYREQUESTS,
        f"too many failed sign-ins; try again in {wait} seconds, with the right password or a personal access token",
        headers={"retry-after": str(wait)},
    )


def subject_of(name: str) -> str:
    """Hash what was typed as a name."""
    return hashlib.sha256(b"moorage login name\0" + name.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def network_of(address: str) -> str:
    """Give the network that an address belongs to; a text that is no address is a network of its own."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ip_network((parsed, 64), strict=False))
    return str(parsed)


def _until(start: int | None, window: int, now: int) -> int:
    if start is None:
        return 0
    return max(0, -(-(start + window - now) // SECOND))
