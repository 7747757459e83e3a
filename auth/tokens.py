"""Bearer tokens: JWTs that say what their holder may do for some minutes (Distribution, "Token Authentication
Implementation"; RFC 7519).

One algorithm, ES256, and three header fields; whatever else a header says is refused, so a token never brings the key
or the rules it is checked by. PyJWT sees key objects only and does the signature; what was signed is read here, with
every claim checked by type, and with times compared to the `now` that the caller gives, in whole seconds.
"""

import base64
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import jwt

from auth.keys import PublicKey, SigningKey
from auth.policy import Kind
from auth.scopes import Scope

TOKEN_LIMIT = 8192
LEEWAY = 30
LIFETIME_LIMIT = 3600

ALGORITHM = "ES256"
REPOSITORY_ACTIONS = frozenset({"pull", "push", "delete"})
REGISTRY_ACTIONS = frozenset({"*", "search"})

_HEADER_FIELDS = frozenset({"alg", "typ", "kid"})
# Three parts of base64url; the last is the 64 bytes of r and s.
_COMPACT = re.compile(r"([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{86}", re.ASCII)


class InvalidToken(Exception):
    """The token is refused. The message is for logs and holds nothing of it.

    Args: expired: only its time is over; unknown_key: it names a key that is not among those that were given.
    """

    def __init__(self, message: str, *, expired: bool = False, unknown_key: bool = False) -> None:
        super().__init__(message)
        self.expired = expired
        self.unknown_key = unknown_key


class TokenTooLarge(ValueError):
    """What was asked for does not fit into a token that would be taken again."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says, checked: whose it is, and what it may do to which repositories and to the registry."""

    subject: str
    kind: Kind
    credential: str | None
    access: Mapping[str, frozenset[str]]
    registry: frozenset[str]
    expires_at: int
    token_id: str


class Issuer:
    """Makes tokens. It grants what it is told: to narrow what was asked to what may be had comes before."""

    def __init__(self, *, issuer: str, audience: str, lifetime: int) -> None:
        if not 0 < lifetime <= LIFETIME_LIMIT:
            raise ValueError(f"a token lives 1 to {LIFETIME_LIMIT} seconds")
        self._issuer = issuer
        self._audience = audience
        self._lifetime = lifetime
        self._jws = jwt.PyJWS(algorithms=[ALGORITHM])

    def issue(
        self,
        key: SigningKey,
        *,
        subject: str,
        kind: Kind,
        credential: str | None,
        scopes: tuple[Scope, ...],
        now: int,
        token_id: str,
    ) -> str:
        """Sign a token that is good from `now` for the lifetime.

        Args:    credential: the id of the credential it was given for, if there was one.
        Raises:  TokenTooLarge if the scopes do not fit into TOKEN_LIMIT bytes.
        """
        claims: dict[str, object] = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": subject,
            "kind": kind.value,
            "jti": token_id,
            "iat": now,
            "nbf": now,
            "exp": now + self._lifetime,
            "access": [{"type": s.type, "name": s.name, "actions": list(s.actions)} for s in scopes],
        }
        if credential is not None:
            claims["cid"] = credential
        payload = json.dumps(claims, separators=(",", ":")).encode("ascii")
        token = self._jws.encode(payload, key.key, algorithm=ALGORITHM, headers={"kid": key.kid})
        if len(token) > TOKEN_LIMIT:
            raise TokenTooLarge(f"{len(scopes)} scopes with names of this length do not fit into one token")
        return token


class Verifier:
    """Reads tokens that an `Issuer` of the same issuer and audience made."""

    def __init__(self, *, issuer: str, audience: str, leeway: int = LEEWAY) -> None:
        self._issuer = issuer
        self._audience = audience
        self._leeway = leeway
        self._jws = jwt.PyJWS(algorithms=[ALGORITHM])

    def verify(self, token: str, keys: Mapping[str, PublicKey], now: int) -> Claims:
        """Check a token and return what it says.

        Args:    keys: those that may have signed it, by their names.
        Raises:  InvalidToken, and nothing else, whatever the text is.
        """
        claims = _document(self._payload(token, _key(token, keys)), "payload")
        if claims.get("iss") != self._issuer:
            raise InvalidToken("the token is of another issuer")
        if claims.get("aud") not in (self._audience, [self._audience]):
            raise InvalidToken("the token is for another audience")
        read = _claims(claims)
        self._check_times(claims, now)
        return read

    def _payload(self, token: str, key: PublicKey) -> bytes:
        try:
            payload: bytes = self._jws.decode(token, key.key, algorithms=[ALGORITHM])
        except jwt.PyJWTError:
            raise InvalidToken("the signature does not match") from None
        return payload

    def _check_times(self, claims: Mapping[str, object], now: int) -> None:
        expires, not_before, issued = (_seconds(claims, name) for name in ("exp", "nbf", "iat"))
        if expires - issued > LIFETIME_LIMIT:
            raise InvalidToken("the token's lifetime is longer than any that is issued here")
        if max(not_before, issued) > now + self._leeway:
            raise InvalidToken("the token is not yet valid")
        if expires <= now - self._leeway:
            raise InvalidToken("the token has expired", expired=True)


def _key(token: str, keys: Mapping[str, PublicKey]) -> PublicKey:
    """The key that the header names, after the header has been found to be one of ours."""
    match = _COMPACT.fullmatch(token) if len(token) <= TOKEN_LIMIT else None
    if match is None:
        raise InvalidToken("this is no token, or one that is too long")
    header = _document(_decoded(match[1]), "header")
    if header.keys() != _HEADER_FIELDS:
        raise InvalidToken("the header has other fields than alg, typ and kid")
    if (header["alg"], header["typ"]) != (ALGORITHM, "JWT"):
        raise InvalidToken(f"the token is no JWT that is signed with {ALGORITHM}")
    name = header["kid"]
    key = keys.get(name) if isinstance(name, str) else None
    if key is None:
        raise InvalidToken("the token is signed with a key that is not known here", unknown_key=True)
    return key


def _decoded(part: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except ValueError:
        raise InvalidToken("the header is not base64url") from None


def _document(data: bytes, what: str) -> dict[str, object]:
    """Read a JSON object in which no name stands twice."""
    try:
        document: object = json.loads(data.decode("utf-8"), object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        raise InvalidToken(f"the {what} is not JSON, or says a thing twice") from None
    if not isinstance(document, dict):
        raise InvalidToken(f"the {what} is no JSON object")
    return document


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a name stands twice")
    return document


def _claims(claims: Mapping[str, object]) -> Claims:
    subject, kind = _text(claims, "sub"), _kind(claims.get("kind"))
    if (subject == "") is not (kind is Kind.ANONYMOUS):
        raise InvalidToken("the token's subject is not of its kind")
    access, registry = _access(claims.get("access"))
    return Claims(
        subject=subject,
        kind=kind,
        credential=_identifier(claims, "cid") if "cid" in claims else None,
        access=access,
        registry=registry,
        expires_at=_seconds(claims, "exp"),
        token_id=_identifier(claims, "jti"),
    )


def _text(claims: Mapping[str, object], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not value.isascii() or not value.isprintable():
        raise InvalidToken(f"the claim {name} is missing, or not plain text")
    return value


def _identifier(claims: Mapping[str, object], name: str) -> str:
    value = _text(claims, name)
    if not value:
        raise InvalidToken(f"the claim {name} is empty")
    return value


def _seconds(claims: Mapping[str, object], name: str) -> int:
    value = claims.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidToken(f"the claim {name} is missing, or no whole number")
    return value


def _kind(value: object) -> Kind:
    try:
        return Kind(value)
    except ValueError:
        raise InvalidToken("the claim kind is missing, or none that is known here") from None


def _access(entries: object) -> tuple[Mapping[str, frozenset[str]], frozenset[str]]:
    """What the token grants: actions by repository, and actions on the registry. What is not known grants nothing."""
    if not isinstance(entries, list):
        raise InvalidToken("the claim access is missing, or no list")
    repositories: dict[str, frozenset[str]] = {}
    registry: frozenset[str] = frozenset()
    for kind, name, actions in map(_entry, entries):
        if kind == "repository" and (known := REPOSITORY_ACTIONS.intersection(actions)):
            repositories[name] = repositories.get(name, frozenset()) | known
        elif (kind, name) == ("registry", "catalog"):
            registry |= REGISTRY_ACTIONS.intersection(actions)
    return MappingProxyType(repositories), registry


def _entry(entry: object) -> tuple[str, str, Iterable[str]]:
    match entry:
        case {"type": str(kind), "name": str(name), "actions": list(actions)}:
            if all(isinstance(action, str) for action in actions):
                return kind, name, actions
    raise InvalidToken("an entry of the claim access is not a type, a name and a list of actions")
