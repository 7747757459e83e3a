"""Why may somebody do something, or why not, and what would change that. For administrators: it tells what exists.

The answer is `auth.policy.decide`'s own; what is added is where the rights come from and who could give those missing.
"""

from dataclasses import dataclass, replace

from auth.policy import (
    ANONYMOUS,
    Holder,
    Limits,
    Place,
    Right,
    decide,
    namespace_of,
    rights_text,
)
from registry.accounts.errors import AccountsError, shown
from registry.accounts.holders import is_live, load_holder
from registry.accounts.lookup import account_or_none, find_holder, repository_name, teams_of
from registry.accounts.tokens import place_of
from registry.catalog.accounts import Account
from registry.catalog.catalog import Catalog, Transaction
from registry.catalog.credentials import Credential
from registry.catalog.errors import NotFound

NOBODY = "anonymous"


@dataclass(frozen=True, slots=True)
class Explanation:
    """Yes or no, the reason, what it rests on, and, for a no, what to do to make it a yes."""

    allowed: bool
    because: str
    facts: tuple[str, ...] = ()
    advice: str = ""


class Explainer:
    """Explains decisions."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def explain(self, name: str, right: str, repository: str, *, token: str | None = None) -> Explanation:
        """Say whether a user or robot has a right on a repository, which need not exist.

        Args:   name: `anonymous` for who is not signed in; token: the id of the secret that is used.
        Raises: AccountsError.
        """
        wanted = _one_right(right)
        parsed = repository_name(repository)
        with self._catalog.read() as tx:
            place = place_of(tx, parsed)
            if name == NOBODY:
                return _explained(tx, None, ANONYMOUS, wanted, place)
            account = find_holder(tx, name)
            credential = _credential(tx, account, token) if token is not None else None
            shut = _shut_out(tx, account, credential)
            if shut is None:
                return _explained(tx, account, load_holder(tx, account, credential), wanted, place)
            public = decide(ANONYMOUS, wanted, place)
            return Explanation(True, public.because, (shut.because,)) if public else shut


def _one_right(text: str) -> Right:
    for right in Right:
        if rights_text(right) == text:
            return right
    raise AccountsError(f"the right is one of pull, push, create, delete and admin; got {shown(text)}")


def _credential(tx: Transaction, account: Account, token: str) -> Credential:
    try:
        credential, owner = tx.credentials.get(token)
    except NotFound:
        owner = None
    if owner is None or owner.id != account.id:
        raise AccountsError(
            f"{account.name} has no token with that id; `moorage token list {account.name}` shows the ids"
        )
    return credential


def _shut_out(tx: Transaction, account: Account, credential: Credential | None) -> Explanation | None:
    """Say why whoever it is cannot even sign in; None: they can."""
    if account.disabled:
        advice = f"let it in again: moorage {account.kind} enable {account.name}"
        return Explanation(False, f"{account.name} is disabled", advice=advice)
    if credential is not None and not is_live(credential, tx.now):
        what = "was revoked" if credential.revoked_at is not None else "has expired"
        return Explanation(
            False, f"the token {credential.id} {what}", advice=f"make another: moorage token create {account.name}"
        )
    return None


def _explained(tx: Transaction, account: Account | None, holder: Holder, right: Right, place: Place) -> Explanation:
    decision = decide(holder, right, place)
    facts = _facts(tx, account, place)
    if decision:
        return Explanation(True, decision.because, facts)
    return Explanation(False, decision.because, facts, _advice(tx, holder, right, place))


def _facts(tx: Transaction, account: Account | None, place: Place) -> tuple[str, ...]:
    """Tell what bears on the place: its visibility, ownership, the account's grants and its teams' grants."""
    namespace = namespace_of(place.name)
    facts = [
        f"{place.name} is {place.visibility.value}" if place.visibility else f"there is no repository {place.name}"
    ]
    if account is None:
        return tuple(facts)
    if account.administrator:
        facts.append(f"{account.name} is an administrator")
    if account.kind == "user" and namespace in tx.teams.owned_by(account.id):
        facts.append(f"{account.name} is an owner of {namespace}")
    teams = set(teams_of(tx, account))
    for line in tx.grants.on(_id(tx, place), namespace or None):
        if line.subject == account.name or line.subject in teams:
            who = f"{account.name} is in the team {line.subject}, which" if line.subject in teams else account.name
            facts.append(f"{who} has {rights_text(Right(line.rights))} on {line.target}")
    return tuple(facts)


def _id(tx: Transaction, place: Place) -> int | None:
    return tx.repositories.get(repository_name(place.name)).id if place.visibility else None


def _advice(tx: Transaction, holder: Holder, right: Right, place: Place) -> str:
    if holder is ANONYMOUS:
        return _advice_to_nobody(right, place)
    if decide(replace(holder, limits=Limits()), right, place):
        return f"make a token that is less limited: moorage token create {holder.name}"
    namespace = namespace_of(place.name)
    if not namespace:
        return "nobody owns names without a slash: use one such as NAMESPACE/" + place.name
    if place.visibility is None and account_or_none(tx, namespace) is None:
        return f"there is no user or organisation {namespace} either: moorage org add {namespace}"
    helpers = tx.grants.administrators_of(place.name, namespace)
    who = ", ".join([*helpers, "or an administrator"]) if helpers else "an administrator"
    needed = right | Right.CREATE if right is Right.PUSH and place.visibility is None else right
    target = place.name if place.visibility else namespace
    return f"{who} can grant it: moorage grant add {holder.name} {rights_text(needed)} {target}"


def _advice_to_nobody(right: Right, place: Place) -> str:
    if right is not Right.PULL:
        return "only pulling is ever open to everybody: sign in (docker login)"
    if place.visibility is None:
        return "push to it first, or make it: moorage repo create"
    return f"sign in (docker login), or let everybody pull: moorage repo visibility {place.name} public"
