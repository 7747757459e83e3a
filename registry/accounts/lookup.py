"""From what a person typed to an account, a team or a repository of the catalog, or a sentence that says what is wrong.

Knows no rights: who may ask is settled before.
"""

from collections.abc import Iterator

from auth.policy import Limits, Reach
from registry.accounts.errors import AccountsError, shown
from registry.accounts.names import AccountName, InvalidAccountName
from registry.catalog.accounts import Account
from registry.catalog.catalog import Transaction
from registry.catalog.errors import NotFound
from registry.catalog.repositories import Repository
from registry.catalog.teams import Team
from registry.oci.names import InvalidName, RepositoryName

PAGE = 500

ARTICLES = {"user": "a user", "organization": "an organisation", "robot": "a robot"}


def new_name(text: str) -> AccountName:
    """Check a name for a new account or team. Raises AccountsError."""
    try:
        return AccountName.parse(text)
    except InvalidAccountName as error:
        lowered = text.lower()
        advice = f"; try {lowered}" if lowered != text and _is_name(lowered) else ""
        raise AccountsError(f"{error}{advice}") from None


def find_user(tx: Transaction, name: str) -> Account:
    """Find a user. Raises AccountsError."""
    return _of_kind(tx, name, "user", "`moorage user list` shows who there is")


def find_organization(tx: Transaction, name: str) -> Account:
    """Find an organisation. Raises AccountsError."""
    return _of_kind(tx, name, "organization", "`moorage org list` shows them, `moorage org add` makes one")


def find_robot(tx: Transaction, name: str) -> Account:
    """Find a robot by its whole name, `team+ci`. Raises AccountsError."""
    return _of_kind(tx, name, "robot", "`moorage robot list` shows them, `moorage robot add` makes one")


def find_holder(tx: Transaction, name: str) -> Account:
    """Find a user or a robot: what can hold rights and secrets. Raises AccountsError."""
    if "+" in name:
        return find_robot(tx, name)
    found = account_or_none(tx, name)
    if found is not None and found.kind == "organization":
        raise AccountsError(
            f"{name} is an organisation, and nobody signs in as one; name a user,"
            f" or one of its robots ({name}+ROBOT, see `moorage robot list {name}`)"
        )
    return find_user(tx, name)


def find_team(tx: Transaction, name: str) -> Team:
    """Find a team by its whole name, `acme/devs`. Raises AccountsError."""
    organization, team = split_team(name)
    owner = find_organization(tx, organization)
    try:
        return tx.teams.get(owner.id, team)
    except NotFound:
        raise AccountsError(
            f"{organization} has no team {shown(team)}; `moorage team list {organization}` shows its teams"
        ) from None


def split_team(name: str) -> tuple[str, str]:
    """Part a team's whole name. Raises AccountsError."""
    organization, slash, team = name.partition("/")
    if not slash or not team or "/" in team:
        raise AccountsError(f"a team is written ORGANISATION/TEAM, such as acme/devs; got {shown(name)}")
    return organization, team


def repository_name(text: str) -> RepositoryName:
    """Check a repository's name. Raises AccountsError."""
    try:
        return RepositoryName.parse(text)
    except InvalidName as error:
        raise AccountsError(f"{shown(text)} is no name for a repository: {error}") from None


def find_repository(tx: Transaction, text: str) -> Repository:
    """Find a repository. Raises AccountsError."""
    name = repository_name(text)
    try:
        return tx.repositories.get(name)
    except NotFound:
        raise AccountsError(
            f"there is no repository {name}; `moorage repo list` shows them, a push or `moorage repo create` makes one"
        ) from None


def account_or_none(tx: Transaction, name: str) -> Account | None:
    """Find an account of any kind; None: nothing is called so."""
    try:
        return tx.accounts.get(name)
    except NotFound:
        return None


def every_account(tx: Transaction, kind: str) -> Iterator[Account]:
    """List all accounts of a kind by name."""
    page = tx.accounts.page(kind, "", PAGE)
    while page:
        yield from page
        page = tx.accounts.page(kind, page[-1].name, PAGE)


def every_team(tx: Transaction, organization_id: int) -> Iterator[Team]:
    """List all teams of an organisation by name."""
    page = tx.teams.page(organization_id, "", PAGE)
    while page:
        yield from page
        page = tx.teams.page(organization_id, page[-1].name, PAGE)


def every_repository(tx: Transaction, namespace: str | None = None) -> Iterator[Repository]:
    """List all repositories, or those of a namespace, by name; the empty ones too."""
    page = tx.repositories.listed("", PAGE, namespace)
    while page:
        yield from page
        page = tx.repositories.listed(page[-1].name.value, PAGE, namespace)


def refuse_stranding(tx: Transaction, name: str) -> None:
    """Refuse to take away the account that images belong to. Raises AccountsError."""
    of_namespace = Reach(False, False, False, frozenset({name}), frozenset(), Limits())
    if held := len(tx.repositories.visible(of_namespace, "", PAGE)):
        raise AccountsError(
            f"{name} still owns {counted(held)} with images (`moorage repo list {name}`), which nobody would own then;"
            " delete the images first"
        )


def counted(number: int) -> str:
    """Say how many repositories a page holds."""
    if number == 1:
        return "1 repository"
    return f"{PAGE} repositories or more" if number >= PAGE else f"{number} repositories"


def taken(tx: Transaction, name: str) -> AccountsError:
    """Give the sentence for a name that an account has."""
    kind = ARTICLES[tx.accounts.get(name).kind]
    return AccountsError(f"the name {name} is taken: it is {kind}. Users and organisations share one set of names")


def teams_of(tx: Transaction, account: Account) -> list[str]:
    """List the teams that somebody is in, by their whole names."""
    return [
        f"{team.organization}/{team.name}"
        for membership in tx.teams.memberships(account.id)
        for team in every_team(tx, tx.accounts.get(membership.organization).id)
        if account.name in tx.teams.members_of(team.id)
    ]


def _of_kind(tx: Transaction, name: str, kind: str, advice: str) -> Account:
    found = account_or_none(tx, name)
    wanted = ARTICLES[kind]
    if found is None:
        raise AccountsError(f"there is no {wanted.partition(' ')[2]} {shown(name)}; {advice}")
    if found.kind != kind:
        raise AccountsError(f"{name} is {ARTICLES[found.kind]}, not {wanted}; {advice}")
    return found


def _is_name(text: str) -> bool:
    try:
        AccountName.parse(text)
    except InvalidAccountName:
        return False
    return True
