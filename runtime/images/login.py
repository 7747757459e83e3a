"""Signing in: whether a registry takes what a user wants to sign in with (sentences: moby, registry/auth.go)."""

from collections.abc import Mapping
from typing import Any

from registry.client.errors import Answered
from runtime.errors import Unauthorized
from runtime.images.registries import Registries, failing


class LoginRefused(Unauthorized):
    """The registry takes none of it."""


def sign_in(registries: Registries, given: Mapping[str, Any]) -> str:
    """Ask the registry at `given["serveraddress"]`, the default one where there is none.

    Args:   given: the body of POST /auth: username, password, identitytoken, serveraddress.
    Returns: a token to be kept in place of the password, or "" where the registry gives none.
    Raises: LoginRefused; RegistryFailed where it cannot be asked.
    """
    address = given.get("serveraddress")
    host = registries.host_of(address) if isinstance(address, str) and address else registries.default
    with failing(), registries.open(host, given) as registry:
        try:
            return registry.sign_in()
        except Answered as error:
            if error.status in {401, 403}:
                raise LoginRefused(f"login attempt to {host} failed with status: 401 Unauthorized ({error})") from error
            raise
