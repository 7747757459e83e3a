"""Grants: rights for a user, a team or a robot, on one repository or on a whole namespace.

A subject is written `ada`, `acme/devs` (a team) or `acme+ci` (a robot); a target `acme/app`, or `acme` for everything
that is or will be below it.
"""

from collections.abc import Iterator

from auth.policy import NONE, Right, namespace_of, rights_text
from registry.accounts.errors import AccountsError, shown
from registry.accounts.lookup import PAGE, account_or_none, find_holder, find_team, repository_name
from registry.audit import Audit, Change, Origin
from registry.catalog.catalog import Catalog, Transaction
from registry.catalog.errors import NotFound
from registry.catalog.grants import GrantLine, GrantTarget
from registry.oci.names import InvalidName, RepositoryName


class Grants:
    """Administers grants."""

    def __init__(self, catalog: Catalog, audit: Audit) -> None:
        self._catalog = catalog
        self._audit = audit

    def put(self, subject: str, rights: Right, target: str, origin: Origin) -> GrantLine:
        """Grant exactly these rights, whatever was granted there before. Raises AccountsError."""
        if rights == NONE:
            raise AccountsError("there is nothing to grant; to take rights away: moorage grant remove")
        with self._audit.begin(origin) as change:
            where = _resolved(change.tx, subject, target)
            change.tx.grants.put(where, rights.value, by=origin.actor)
            line = _line(change.tx, subject, where)
            if line is None:
                raise AssertionError("the grant that was just made is there")
            _record(change, "grant.put", line)
        return line

    def remove(self, subject: str, target: str, origin: Origin) -> None:
        """Take away what was granted to a subject on a target. Raises AccountsError."""
        with self._audit.begin(origin) as change:
            where = _resolved(change.tx, subject, target)
            line = _line(change.tx, subject, where)
            if line is None:
                raise AccountsError(
                    f"nothing is granted to {subject} on {target} itself; `moorage grant list {subject}` shows what is"
                )
            change.tx.grants.put(where, NONE.value, by=origin.actor)
            _record(change, "grant.remove", line)

    def list(self, name: str | None = None) -> list[GrantLine]:
        """List all grants, or those to a subject or on a target; on a repository with those on its namespace."""
        with self._catalog.read() as tx:
            lines = list(every_grant(tx))
            if name is None:
                return lines
            wanted = name.removesuffix("/*").removesuffix("/")
            targets = {wanted, f"{wanted}/*"}
            if _is_repository(tx, wanted):
                targets.add(f"{namespace_of(wanted)}/*")
        return [line for line in lines if line.subject == wanted or line.target in targets]


def every_grant(tx: Transaction) -> Iterator[GrantLine]:
    """List all grants, the oldest first."""
    page = tx.grants.page(0, PAGE)
    while page:
        yield from page
        page = tx.grants.page(page[-1].id, PAGE)


def _resolved(tx: Transaction, subject: str, target: str) -> GrantTarget:
    team_id = find_team(tx, subject).id if "/" in subject else None
    account_id = find_holder(tx, subject).id if team_id is None else None
    name = target.removesuffix("/*").removesuffix("/")
    if name != target or "/" not in name:
        account = account_or_none(tx, name)
        if account is not None and account.kind != "robot":
            return GrantTarget(account_id=account_id, team_id=team_id, namespace=name)
        if name != target or not _is_repository(tx, name):
            raise AccountsError(
                f"there is no organisation or user {shown(name)} to grant rights on; `moorage org list` and"
                " `moorage user list` show them"
            )
    return GrantTarget(account_id=account_id, team_id=team_id, repository_id=_repository(tx, name))


def _is_repository(tx: Transaction, text: str) -> bool:
    try:
        return tx.repositories.place(RepositoryName.parse(text).value) is not None
    except InvalidName:
        return False


def _repository(tx: Transaction, text: str) -> int:
    name = repository_name(text)
    try:
        return tx.repositories.get(name).id
    except NotFound:
        raise AccountsError(
            f"there is no repository {name}; make it first (moorage repo create {name}), or grant the rights on all of"
            f" {namespace_of(text)}"
        ) from None


def _line(tx: Transaction, subject: str, where: GrantTarget) -> GrantLine | None:
    lines = tx.grants.on(where.repository_id, where.namespace)
    return next((line for line in lines if line.subject == subject), None)


def _record(change: Change, action: str, line: GrantLine) -> None:
    repository = None if line.target.endswith("/*") else line.target
    reason = f"{line.subject}: {rights_text(Right(line.rights))} on {line.target}"
    change.record(action, repository=repository, reason=reason)
