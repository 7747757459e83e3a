"""Tokens: asked of the realm that the registry names, kept while they last, one for each set of scopes.

Sources: Distribution's "Token Authentication Specification" (GET) and its OAuth2 form (POST). A registry can name any
realm, so the credentials go to its own origin, or over TLS to a neighbour below the same domain; to nobody else.
"""

import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from registry.client import origins
from registry.client.credentials import Credentials
from registry.client.errors import Answered, Untrusted
from registry.client.limits import Limits
from registry.client.origins import Origin, Url
from registry.client.transport import Answer, Transport

CLIENT = "moorage"
LIFE = 60
"""Seconds that a token lasts whose answer does not say so; the specification's own number."""
MARGIN = 5
LONGEST = 3600

_BEARER = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # RFC 6750, 2.1


@dataclass(frozen=True, slots=True)
class _Kept:
    value: str
    until: float


class Tokens:
    """The tokens of one user at one registry."""

    def __init__(
        self,
        transport: Transport,
        credentials: Credentials,
        limits: Limits,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._transport = transport
        self._credentials = credentials
        self._limits = limits
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, ...], _Kept] = {}
        self.refresh_token = ""
        """What the realm gave to be used in place of the password, where it did."""

    def get(self, registry: Origin, parameters: Mapping[str, str], scopes: tuple[str, ...]) -> str:
        """Give a token for all of `scopes`, fresh or kept.

        Args:   parameters: of the registry's challenge.
        Raises: Untrusted where the realm is not to be spoken to, or gives no token; Answered where it says no.
        """
        with self._lock:
            kept = self._kept.get(scopes)
            if kept is None or kept.until <= self._clock():
                kept = self._kept[scopes] = self._ask(registry, parameters, scopes)
            return kept.value

    def forget(self, scopes: tuple[str, ...], value: str) -> None:
        """Drop a token that the registry did not take."""
        with self._lock:
            kept = self._kept.get(scopes)
            if kept is not None and kept.value == value:
                del self._kept[scopes]

    def _ask(self, registry: Origin, parameters: Mapping[str, str], scopes: tuple[str, ...]) -> _Kept:
        realm = origins.parse(parameters.get("realm", ""))
        check_realm(registry, realm.origin, bool(self._credentials))
        given = self._credentials
        fields = [("service", parameters.get("service", ""))] + [("scope", scope) for scope in scopes]
        if given.identity_token:
            form = {"grant_type": "refresh_token", "refresh_token": given.identity_token, "client_id": CLIENT}
            form |= {"service": parameters.get("service", ""), "scope": " ".join(scopes)}
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            with self._transport.send("POST", realm, headers, body=urlencode(form).encode()) as answer:
                return self._read(answer)
        if given.username:
            fields += [("account", given.username)]
        url = Url(realm.origin, realm.target + ("&" if "?" in realm.target else "?") + urlencode(fields))
        with self._transport.send("GET", url, {"Authorization": given.basic} if given.basic else {}) as answer:
            return self._read(answer)

    def _read(self, answer: Answer) -> _Kept:
        if answer.status == 401:
            said = answer.error()
            raise Answered(401, "UNAUTHORIZED", str(said).removeprefix("unauthorized: "))
        if answer.status != 200:
            raise answer.error()
        document = answer.json(self._limits.document_size)
        fields = document if isinstance(document, dict) else {}
        value = fields.get("token") or fields.get("access_token")
        if not isinstance(value, str) or not _BEARER.fullmatch(value):
            raise Untrusted(f"{answer.url.origin} gave no token")
        life, refresh = fields.get("expires_in"), fields.get("refresh_token")
        seconds = life if isinstance(life, int) and life > 0 else LIFE
        self.refresh_token = refresh if isinstance(refresh, str) else self.refresh_token
        return _Kept(value, self._clock() + min(seconds, LONGEST) - MARGIN)


def check_realm(registry: Origin, realm: Origin, signed_in: bool) -> None:
    """Refuse a realm that may not be asked; with credentials, also one that they are not for. Raises Untrusted."""
    if realm == registry:
        return
    if realm.scheme != "https" or (realm.inward and not registry.inward):
        raise Untrusted(f"{registry} sends its users to {realm} to sign in, which is neither itself nor safe to ask")
    if signed_in and (registry.scheme != "https" or not _neighbours(registry.host, realm.host)):
        raise Untrusted(
            f"{registry} sends its users to {realm} to sign in; credentials go to the registry's own domain only"
        )


def _neighbours(one: str, other: str) -> bool:
    """Tell whether two names stand below one domain of their owner: registry.example.org and auth.example.org."""
    if one == other:
        return True
    domain = one.partition(".")[2]
    labels = domain.split(".")
    shared = len(labels) == 2 and len(labels[1]) == 2 and len(labels[0]) <= 3  # co.uk, com.au: everybody's
    if len(labels) < 2 or shared or labels[-1].isdigit():
        return False
    return other == domain or other.endswith(f".{domain}")
