"""The forger's tools: tokens with any header, any payload and any signature, made without the code that is tested."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from auth.keys import SigningKey

Pairs = frozenset[tuple[str, str]]
NOTHING: Pairs = frozenset()
GRANTED: Pairs = frozenset({("team/app", "pull"), ("team/app", "push")})
"""What the claims of every forged token say, unless the row is about just that."""

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of the group of P-256


@dataclass(frozen=True, slots=True)
class Forgery:
    """A forged or odd token, and the (repository, action) pairs that it may rightly grant.

    `refused` says that it is no token at all; a good token may grant nothing too.
    """

    name: str
    token: str
    may: Pairs = NOTHING
    refused: bool = True


def b64(data: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def part(content: object) -> str:
    """A part of a token: bytes as they are, anything else as JSON."""
    data = content if isinstance(content, bytes) else json.dumps(content, separators=(",", ":")).encode("ascii")
    return b64(data)


def raw(r: int, s: int) -> bytes:
    """A signature as JWS writes it."""
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def signature(message: str, key: ec.EllipticCurvePrivateKey, digest: hashes.HashAlgorithm | None = None) -> bytes:
    """Sign, as JWS does; the length follows the curve."""
    r, s = decode_dss_signature(key.sign(message.encode("utf-8"), ec.ECDSA(digest or hashes.SHA256())))
    size = (key.curve.key_size + 7) // 8
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


@dataclass(frozen=True, slots=True)
class Forge:
    """What is known of the registry (its issuer, its audience), its key, and a key that it does not know."""

    key: SigningKey
    other: SigningKey
    now: int
    issuer: str
    audience: str

    def header(self, **changes: object) -> dict[str, object]:
        """The header of a good token, changed."""
        return {"alg": "ES256", "typ": "JWT", "kid": self.key.kid} | changes

    def claims(self, **changes: object) -> dict[str, object]:
        """The claims of a good token, changed."""
        good: dict[str, object] = {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": "ada",
            "kind": "user",
            "jti": "0123456789abcdef",
            "iat": self.now,
            "nbf": self.now,
            "exp": self.now + 300,
            "access": [{"type": "repository", "name": "team/app", "actions": ["pull", "push"]}],
        }
        return good | changes

    def without(self, name: str) -> dict[str, object]:
        """The claims of a good token but for one."""
        return {claim: value for claim, value in self.claims().items() if claim != name}

    def signed(self, header: object = None, payload: object = None, *, by: SigningKey | None = None) -> str:
        """A token with a right signature, of the registry's key unless another is given."""
        message = f"{part(header or self.header())}.{part(payload or self.claims())}"
        return f"{message}.{b64(signature(message, (by or self.key).key))}"

    def headed(self, **changes: object) -> str:
        """A signed token with changes in its header."""
        return self.signed(self.header(**changes))

    def claiming(self, **changes: object) -> str:
        """A signed token with changes in its claims."""
        return self.signed(payload=self.claims(**changes))

    def granting(self, *entries: object) -> str:
        """A signed token with another access claim."""
        return self.claiming(access=list(entries))

    def ended(self, end: bytes) -> str:
        """A good token with another signature."""
        return f"{self.message()}.{b64(end)}"

    def message(self, **changes: object) -> str:
        """The two parts of a good token that are signed, with changes in the header."""
        return f"{part(self.header(**changes))}.{part(self.claims())}"


def refused(rows: Mapping[str, str]) -> list[Forgery]:
    """Rows that are no tokens at all."""
    return [Forgery(name, token) for name, token in rows.items()]


def empty(rows: Mapping[str, str]) -> list[Forgery]:
    """Rows that are good tokens and grant nothing."""
    return [Forgery(name, token, NOTHING, refused=False) for name, token in rows.items()]


def good(rows: Mapping[str, str], may: Pairs = GRANTED) -> list[Forgery]:
    """Rows that look odd and are good tokens."""
    return [Forgery(name, token, may, refused=False) for name, token in rows.items()]
