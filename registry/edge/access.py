"""The one enforcement point: who asks, and may they? Fed by the endpoint table, closed by default.

It knows tokens and addresses; the decision itself is `auth.policy`. In open mode the subject is the network address.
"""

from starlette.types import Scope

from auth.policy import Action, Policy, Subject
from registry.oci.errors import ErrorCode, RegistryError
from registry.oci.names import RepositoryName


class Access:
    """Asks the policy on behalf of every endpoint."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    def subject(self, scope: Scope) -> Subject:
        """Tell who sent a request."""
        client = scope.get("client")
        return Subject(client[0] if client else "local")

    def require(self, subject: Subject, action: Action, repository: RepositoryName | None) -> None:
        """Let the request pass, or raise DENIED."""
        if not self._policy.decide(subject, action, repository.value if repository else None):
            what = f"{action.value} {repository}" if repository else action.value
            raise RegistryError(ErrorCode.DENIED, f"you may not {what}")
