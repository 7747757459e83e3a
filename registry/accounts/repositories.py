"""Repositories as their owners see them: made before the first push, shown to more people or fewer, described."""

from dataclasses import dataclass

from auth.policy import Visibility, namespace_of
from registry.accounts.errors import AccountsError, shown
from registry.accounts.lookup import every_repository, find_repository, repository_name
from registry.audit import Audit, Origin
from registry.catalog.catalog import Catalog
from registry.catalog.errors import Conflict
from registry.catalog.grants import GrantLine
from registry.catalog.repositories import Repository

DESCRIPTION_LIMIT = 1000


@dataclass(frozen=True, slots=True)
class RepositoryView:
    """A repository with the grants on it and on its namespace."""

    repository: Repository
    grants: tuple[GrantLine, ...]


class Repositories:
    """Administers repositories."""

    def __init__(self, catalog: Catalog, audit: Audit) -> None:
        self._catalog = catalog
        self._audit = audit

    def create(self, name: str, visibility: str, origin: Origin, *, description: str = "") -> None:
        """Make an empty repository. Raises AccountsError."""
        parsed, visible = repository_name(name), checked_visibility(visibility)
        _check_description(description)
        with self._audit.begin(origin) as change:
            try:
                repository = change.tx.repositories.create(parsed, visible.value)
            except Conflict:
                raise AccountsError(f"there is a repository {name} already; `moorage repo show {name}`") from None
            if description:
                change.tx.repositories.describe(repository.id, description, "operator")
            change.record("repository.create", repository=name, reason=visible.value)

    def list(self, namespace: str | None = None) -> list[Repository]:
        """List all repositories, or those of a namespace, by name; the empty ones too."""
        with self._catalog.read() as tx:
            return list(every_repository(tx, namespace.removesuffix("/") if namespace else None))

    def show(self, name: str) -> RepositoryView:
        """Show a repository and who was granted what on it. Raises AccountsError."""
        with self._catalog.read() as tx:
            repository = find_repository(tx, name)
            return RepositoryView(repository, tuple(tx.grants.on(repository.id, namespace_of(name) or None)))

    def describe(self, name: str, text: str, origin: Origin) -> None:
        """Give a repository a description, which then stays; an empty one lets images describe it again.

        Raises: AccountsError.
        """
        _check_description(text)
        with self._audit.begin(origin) as change:
            repository = find_repository(change.tx, name)
            change.tx.repositories.describe(repository.id, text, "operator" if text else "")
            change.record("repository.describe", repository=name)

    def set_visibility(self, name: str, visibility: str, origin: Origin) -> str:
        """Show a repository to more people or to fewer; tells what it was. Raises AccountsError."""
        visible = checked_visibility(visibility)
        with self._audit.begin(origin) as change:
            repository = find_repository(change.tx, name)
            change.tx.repositories.set_visibility(repository.id, visible.value)
            reason = f"{repository.visibility} before, {visible.value} now"
            change.record("repository.visibility", repository=name, reason=reason)
        return repository.visibility


def _check_description(text: str) -> None:
    if len(text) > DESCRIPTION_LIMIT or not text.isprintable():
        raise AccountsError(f"a description is one line of at most {DESCRIPTION_LIMIT} characters")


def checked_visibility(text: str) -> Visibility:
    """Read a visibility. Raises AccountsError."""
    try:
        return Visibility(text)
    except ValueError:
        raise AccountsError(
            f"a repository is public (everybody pulls), internal (every user does) or private; got {shown(text)}"
        ) from None
