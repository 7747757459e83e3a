"""Keys: the pairs that sign tokens (ECDSA on P-256), and the master key that they are encrypted with at rest.

A pair is named by the thumbprint of its public half (RFC 7638), which goes out as a JWK (RFC 7517). Private halves
leave this module only sealed, with AES-256-GCM and the pair's name as associated data, so that no row of a table can
be put in another's place. Where keys are stored, and when they are changed, is not known here.
"""

import base64
import hashlib
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MASTER_KEY_PREFIX = "mrg_key_"

_KEY_BYTES = 32
_NONCE_BYTES = 12
_MASTER_KEY = re.compile(rf"{MASTER_KEY_PREFIX}([A-Za-z0-9_-]{{43}})", re.ASCII)
_COORDINATE = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_ID_LABEL = b"moorage master key id\x00"
_SIGNING_LABEL = b"moorage signing key\x00"


class InvalidMasterKey(ValueError):
    """The text is no master key; the message does not repeat it."""


class WrongMasterKey(Exception):
    """What was sealed does not open: it was sealed with another key or for another purpose, or it is damaged."""


class InvalidKey(ValueError):
    """A stored key is not one that this registry made."""


@dataclass(frozen=True, slots=True)
class MasterKey:
    """The key that all other keys are sealed with. Made by `generate` and by `parse`; its repr shows nothing."""

    _key: bytes = field(repr=False)

    @classmethod
    def generate(cls) -> "MasterKey":
        """Make a new key."""
        return cls(secrets.token_bytes(_KEY_BYTES))

    @classmethod
    def parse(cls, text: str) -> "MasterKey":
        """Read a key as `text` writes it; blanks and line breaks around it do not count. Raises InvalidMasterKey."""
        match = _MASTER_KEY.fullmatch(text.strip())
        if match is None:
            raise InvalidMasterKey(f"a master key is {MASTER_KEY_PREFIX} and 43 characters of base64url")
        return cls(_decoded(match[1]))

    @property
    def text(self) -> str:
        """The key in the form to keep in a file, without a line break."""
        return MASTER_KEY_PREFIX + _encoded(self._key)

    @property
    def id(self) -> str:
        """A name that tells keys apart and tells nothing of the key: 16 hexadecimal digits."""
        return hashlib.sha256(_ID_LABEL + self._key).hexdigest()[:16]

    def seal(self, plain: bytes, context: bytes) -> bytes:
        """Encrypt bytes for one purpose, which `context` names and `open` has to name again."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + AESGCM(self._key).encrypt(nonce, plain, context)

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """Decrypt what `seal` made. Raises WrongMasterKey."""
        nonce, encrypted = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            return AESGCM(self._key).decrypt(nonce, encrypted, context)
        except (InvalidTag, ValueError):  # ValueError: too short to hold a nonce
            raise WrongMasterKey("what was sealed with another master key, or was damaged, does not open") from None


@dataclass(frozen=True, slots=True)
class PublicKey:
    """The half that verifies. Its name is its thumbprint, so two of the same name are the same key."""

    kid: str
    key: ec.EllipticCurvePublicKey = field(repr=False, compare=False)

    @classmethod
    def of(cls, key: ec.EllipticCurvePublicKey) -> "PublicKey":
        """Name a key of the curve P-256."""
        document = json.dumps(_coordinates(key), separators=(",", ":"), sort_keys=True)
        return cls(_encoded(hashlib.sha256(document.encode("ascii")).digest()), key)

    @classmethod
    def from_jwk(cls, document: Mapping[str, object]) -> "PublicKey":
        """Read what `jwk` wrote. Raises InvalidKey if it is another curve, no point, or of another name."""
        if (document.get("kty"), document.get("crv")) != ("EC", "P-256"):
            raise InvalidKey("a key that verifies tokens is of the curve P-256")
        numbers = ec.EllipticCurvePublicNumbers(
            _coordinate(document.get("x")), _coordinate(document.get("y")), ec.SECP256R1()
        )
        try:
            public = cls.of(numbers.public_key())
        except ValueError:
            raise InvalidKey("the key is no point of its curve") from None
        if document.get("kid") != public.kid:
            raise InvalidKey("the key's name is not its thumbprint")
        return public

    def jwk(self) -> dict[str, str]:
        """Write the key for a JWK set."""
        return {**_coordinates(self.key), "kid": self.kid, "use": "sig", "alg": "ES256"}


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A pair that signs tokens. Made by `generate` and by `unseal`; its repr shows its name only."""

    public: PublicKey
    key: ec.EllipticCurvePrivateKey = field(repr=False, compare=False)

    @classmethod
    def generate(cls) -> "SigningKey":
        """Make a new pair."""
        return cls._of(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def unseal(cls, sealed: bytes, master: MasterKey, kid: str) -> "SigningKey":
        """Open what `sealed` made for the pair of that name.

        Raises: WrongMasterKey if it does not open; InvalidKey if what was in it is not that pair.
        """
        scalar = int.from_bytes(master.open(sealed, _context(kid)), "big")
        try:
            pair = cls._of(ec.derive_private_key(scalar, ec.SECP256R1()))
        except ValueError:
            raise InvalidKey("the sealed bytes are no private key of P-256") from None
        if pair.kid != kid:
            raise InvalidKey("the sealed key is not the one that its name says")
        return pair

    @property
    def kid(self) -> str:
        """The thumbprint of the public half (RFC 7638)."""
        return self.public.kid

    def sealed(self, master: MasterKey) -> bytes:
        """Encrypt the private half for the table of keys."""
        scalar = self.key.private_numbers().private_value
        return master.seal(scalar.to_bytes(_KEY_BYTES, "big"), _context(self.kid))

    @classmethod
    def _of(cls, key: ec.EllipticCurvePrivateKey) -> "SigningKey":
        return cls(PublicKey.of(key.public_key()), key)


def _context(kid: str) -> bytes:
    return _SIGNING_LABEL + kid.encode("utf-8", "surrogatepass")


def _coordinates(key: ec.EllipticCurvePublicKey) -> dict[str, str]:
    """The members that RFC 7638 hashes: those that a key of a curve cannot do without."""
    numbers = key.public_numbers()
    x, y = (_encoded(number.to_bytes(_KEY_BYTES, "big")) for number in (numbers.x, numbers.y))
    return {"kty": "EC", "crv": "P-256", "x": x, "y": y}


def _coordinate(value: object) -> int:
    if not isinstance(value, str) or _COORDINATE.fullmatch(value) is None:
        raise InvalidKey("a coordinate of P-256 is 43 characters of base64url")
    return int.from_bytes(_decoded(value), "big")


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _decoded(text: str) -> bytes:
    """The 32 bytes of 43 characters."""
    return base64.urlsafe_b64decode(text + "=")
