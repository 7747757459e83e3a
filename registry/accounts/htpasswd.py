"""Taking over users from an htpasswd file: names and bcrypt hashes, as they are.

Other hashes are too weak to be kept, and passwords cannot be had from them. No message holds a hash, nor a line that
is not understood. Who is there already stays as they are.
"""

from dataclasses import dataclass

from auth.passwords import is_bcrypt
from registry.accounts.errors import AccountsError
from registry.accounts.lookup import account_or_none, new_name
from registry.accounts.people import refuse_adoption
from registry.audit import Audit, Change, Origin
from registry.catalog.catalog import Catalog, Transaction

FORMATS = {"$apr1$": "MD5 (apr1)", "$1$": "MD5", "{SHA}": "SHA-1", "$5$": "SHA-256", "$6$": "SHA-512"}
"""What htpasswd files also hold, by how it begins."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the file that says something; without a name it could not be read."""

    line: int
    name: str
    hash: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an entry: `added`, `exists` or `skipped`, with the reason."""

    line: int
    name: str
    result: str
    reason: str = ""


def parse_htpasswd(text: str) -> list[Entry]:
    """Read the lines that are neither empty nor comments."""
    entries = []
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if stripped and not stripped.startswith("#"):
            name, colon, stored = stripped.partition(":")
            entries.append(Entry(number, name if colon else "", stored))
    return entries


class Htpasswd:
    """Takes users over."""

    def __init__(self, catalog: Catalog, audit: Audit) -> None:
        self._catalog = catalog
        self._audit = audit

    def preview(self, text: str, *, adopt: bool = False) -> list[Outcome]:
        """Tell what `take` would do, and do nothing."""
        with self._catalog.read() as tx:
            return [outcome for outcome, _ in _judged(tx, text, adopt=adopt)]

    def take(self, text: str, origin: Origin, *, adopt: bool = False) -> list[Outcome]:
        """Add every user whose line can be used, all of them or, where the database fails, none."""
        with self._audit.begin(origin) as change:
            judged = _judged(change.tx, text, adopt=adopt)
            for outcome, entry in judged:
                if outcome.result == "added":
                    _add(change, entry)
        return [outcome for outcome, _ in judged]


def _add(change: Change, entry: Entry) -> None:
    change.tx.accounts.add_user(entry.name, password=entry.hash)
    change.record("user.add", reason=f"{entry.name}, from an htpasswd file")


def _judged(tx: Transaction, text: str, *, adopt: bool) -> list[tuple[Outcome, Entry]]:
    judged = []
    first: dict[str, int] = {}
    for entry in parse_htpasswd(text):
        known = first.setdefault(entry.name, entry.line) if entry.name else entry.line
        if known != entry.line:
            outcome = Outcome(entry.line, entry.name, "skipped", f"line {known} has the same name")
        else:
            outcome = _outcome(tx, entry, adopt=adopt)
        judged.append((outcome, entry))
    return judged


def _outcome(tx: Transaction, entry: Entry, *, adopt: bool) -> Outcome:
    if not entry.name:
        return Outcome(entry.line, "", "skipped", "not NAME:HASH")
    try:
        name = new_name(entry.name).value
        account = account_or_none(tx, name)
        if account is not None and account.kind == "user":
            return Outcome(entry.line, name, "exists", "left as it is")
        if account is not None:
            raise AccountsError(f"{name} is an organisation")
        if not is_bcrypt(entry.hash):
            raise AccountsError(_unusable(entry.hash))
        if not adopt:
            refuse_adoption(tx, name)
    except AccountsError as error:
        return Outcome(entry.line, entry.name, "skipped", str(error))
    return Outcome(entry.line, name, "added")


def _unusable(stored: str) -> str:
    if stored.startswith("$2"):
        return "its hash is damaged, or bcrypt of a cost outside 4 to 17; make it anew: htpasswd -B"
    kind = next((kind for start, kind in FORMATS.items() if stored.startswith(start)), "crypt or plain text")
    return f"its password is kept as {kind}; only bcrypt is taken over: htpasswd -B"
