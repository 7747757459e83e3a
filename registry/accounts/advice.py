"""The sentence for a person who was refused: which right is missing and who can grant it, for those who may know.

Who may not pull a repository is told the same whether it is absent or hidden, after the same steps.
"""

from dataclasses import replace

from auth.policy import NEEDS, Action, Kind, Limits, Right, decide, namespace_of, rights_text
from registry.accounts.holders import load_named
from registry.accounts.tokens import place_of
from registry.catalog.catalog import Catalog, Transaction
from registry.oci.names import RepositoryName


class Advice:
    """Explains refusals to those who met them."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def refused(
        self, name: str, credential: str | None, action: Action, repository: RepositoryName, *, host: str
    ) -> str:
        """Say why `name` (empty: nobody signed in) may not do `action` on `host`, and what to try."""
        with self._catalog.read() as tx:
            holder = load_named(tx, name, credential)
            place = place_of(tx, repository)
            if holder.kind is Kind.ANONYMOUS or not decide(holder, Right.PULL, place):
                return _hidden(name, action, repository, host)
            right = NEEDS[action]
            decision = decide(holder, right, place)
            if decision:
                return f"this token may not {_what(action)} {repository}, though {name} may; ask for that scope"
            if decide(replace(holder, limits=Limits()), right, place):
                return f"{decision.because}; to {_what(action)} {repository}, sign in with one that may"
            if right is Right.PUSH and place.visibility is None:
                right = Right.PUSH | Right.CREATE
            return _missing(tx, name, right, repository)


def _hidden(name: str, action: Action, repository: RepositoryName, host: str) -> str:
    if not name:
        return f"sign in to {_what(action)} {repository}: docker login {host}; there may also be no such repository"
    return f"{name} may not {_what(action)} {repository}, or there is no such repository; ask its owner for access"


def _missing(tx: Transaction, name: str, right: Right, repository: RepositoryName) -> str:
    helpers = tx.grants.administrators_of(repository.value, namespace_of(repository.value))
    who = " or ".join(helpers) if helpers else "an administrator of this registry"
    return f"{name} lacks the right {rights_text(right)} on {repository}; {who} can grant it"


def _what(action: Action) -> str:
    return {
        Action.PULL: "pull",
        Action.PUSH: "push to",
        Action.DELETE_TAG: "delete tags of",
        Action.DELETE_MANIFEST: "delete manifests of",
        Action.DELETE_BLOB: "delete blobs of",
        Action.DELETE_REPOSITORY: "delete",
    }[action]
