"""Forged tokens whose header says something else: which algorithm, which key, which rules."""

import hashlib
import hmac
from functools import partial

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from tests.auth.forging import Forge, Forgery, b64, part, refused, signature


def forged_headers(forge: Forge) -> list[Forgery]:
    """One row for each idea."""
    return [
        *_no_algorithm(forge),
        *_symmetric(forge),
        *_other_algorithms(forge),
        *_odd_algorithms(forge),
        *_odd_kids(forge),
        *_keys_in_the_header(forge),
        *_rules_in_the_header(forge),
        *_no_headers(forge),
    ]


def _no_algorithm(forge: Forge) -> list[Forgery]:
    rows = {}
    for name in ("none", "None", "NONE", "nOnE"):
        rows[f"alg {name} without signature"] = f"{forge.message(alg=name)}."
        rows[f"alg {name} with a signature"] = forge.headed(alg=name)
    rows["alg none without kid"] = f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(forge.claims())}."
    rows["alg none with 64 zero bytes"] = f"{forge.message(alg='none')}.{b64(bytes(64))}"
    return refused(rows)


def _symmetric(forge: Forge) -> list[Forgery]:
    """The public key, in each form it is published in, as the secret of an HMAC."""
    public = forge.key.public.key
    info, point = serialization.PublicFormat.SubjectPublicKeyInfo, serialization.PublicFormat.UncompressedPoint
    forms = {
        "PEM": public.public_bytes(serialization.Encoding.PEM, info),
        "DER": public.public_bytes(serialization.Encoding.DER, info),
        "point": public.public_bytes(serialization.Encoding.X962, point),
        "JWK": part(forge.key.public.jwk()).encode("ascii"),
        "kid": forge.key.kid.encode("ascii"),
        "nothing": b"",
    }
    rows = {}
    for form, secret in forms.items():
        message = forge.message(alg="HS256")
        rows[f"HS256 with {form}"] = f"{message}.{b64(hmac.digest(secret, message.encode('ascii'), 'sha256'))}"
    message = forge.message()
    rows["alg ES256 with an HMAC"] = f"{message}.{b64(hmac.digest(forms['PEM'], message.encode('ascii'), 'sha512'))}"
    for size in ("384", "512"):
        message = forge.message(alg=f"HS{size}")
        rows[f"HS{size} with PEM"] = f"{message}.{b64(hmac.digest(forms['PEM'], message.encode(), f'sha{size}'))}"
    return refused(rows)


def _other_algorithms(forge: Forge) -> list[Forgery]:
    """Right signatures of the forger's own keys, of other algorithms."""
    pair = rsa.generate_private_key(65537, 2048)
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    signers = {
        "RS256": lambda message: pair.sign(message, padding.PKCS1v15(), hashes.SHA256()),
        "PS256": lambda message: pair.sign(message, pss, hashes.SHA256()),
        "EdDSA": ed25519.Ed25519PrivateKey.generate().sign,
    }
    rows = {}
    for algorithm, sign in signers.items():
        message = forge.message(alg=algorithm)
        rows[f"alg {algorithm}"] = f"{message}.{b64(sign(message.encode('ascii')))}"
        rows[f"alg {algorithm} with a signature of ES256"] = forge.headed(alg=algorithm)
    curves: dict[str, tuple[ec.EllipticCurve, hashes.HashAlgorithm]] = {
        "ES384": (ec.SECP384R1(), hashes.SHA384()),
        "ES512": (ec.SECP521R1(), hashes.SHA512()),
        "ES256K": (ec.SECP256K1(), hashes.SHA256()),
    }
    for algorithm, (curve, digest) in curves.items():
        sign_ec = partial(signature, key=ec.generate_private_key(curve), digest=digest)
        for claimed in (algorithm, "ES256"):
            message = forge.message(alg=claimed)
            rows[f"alg {claimed} with a signature of {algorithm}"] = f"{message}.{b64(sign_ec(message))}"
    message = forge.message(alg="ES384")
    rows["alg ES384 with our key"] = f"{message}.{b64(signature(message, forge.key.key, hashes.SHA384()))}"
    return refused(rows)


def _odd_algorithms(forge: Forge) -> list[Forgery]:
    odd = ["es256", "Es256", "ES256 ", " ES256", "ES256\x00", "ES-256", "", 256, True, None, ["ES256"], {"ES256": 1}]
    rows = {f"alg {value!r}": forge.headed(alg=value) for value in odd}
    rows["alg missing"] = forge.signed({"typ": "JWT", "kid": forge.key.kid})
    for value in ("jwt", "at+jwt", "JOSE", "JWE", "", None, 1, ["JWT"]):
        rows[f"typ {value!r}"] = forge.headed(typ=value)
    rows["typ missing"] = forge.signed({"alg": "ES256", "kid": forge.key.kid})
    return refused(rows)


def _odd_kids(forge: Forge) -> list[Forgery]:
    kid = forge.key.kid
    odd: dict[str, object] = {
        "null": None,
        "zero": 0,
        "a float": 1.5,
        "true": True,
        "a list": [kid],
        "an object": {"$ne": ""},
        "empty": "",
        "of no key": "A" * 43,
        "in other case": kid.swapcase(),
        "with a blank": f"{kid} ",
        "with a line break": f"{kid}\n",
        "with a NUL": f"{kid}\x00",
        "cut": kid[:-1],
        "twice": kid * 2,
        "huge": "A" * 5000,
        "of a file": "../../../../../../dev/null",
        "of a device": "/dev/null",
        "of a URL": "http://169.254.169.254/latest/meta-data/",
        "of a file's URL": "file:///etc/passwd",
        "of SQL": "' OR '1'='1",
        "of SQL that joins": "x' UNION SELECT 'c2VjcmV0' -- ",
        "of a template": "{{7*7}}${7*7}",
        "of a command": "$(id)|id",
        "not ASCII": "\u212a" + kid[1:],
        "half a character": "\ud800",
    }
    rows = {f"kid {name}": forge.headed(kid=value) for name, value in odd.items()}
    rows["kid missing"] = forge.signed({"alg": "ES256", "typ": "JWT"})
    rows["kid ours, key another's"] = forge.signed(by=forge.other)
    rows["kid another's, key ours"] = forge.headed(kid=forge.other.kid)
    rows["key no longer known"] = forge.signed(forge.header(kid=forge.other.kid), by=forge.other)
    return refused(rows)


def _keys_in_the_header(forge: Forge) -> list[Forgery]:
    """A token that brings the key it is to be checked by."""
    other, sign = forge.other, partial(forge.signed, by=forge.other)
    jwk = other.public.jwk()
    certificate = b64(other.public.key.public_bytes(*_DER))
    fingerprint = b64(hashlib.sha256(certificate.encode("ascii")).digest())
    brought: dict[str, object] = {
        "jwk": jwk,
        "x5c": [certificate],
        "jku": "https://evil.example/jwks.json",
        "x5u": "https://evil.example/chain.pem",
        "x5t": fingerprint,
        "x5t#S256": fingerprint,
        "key": jwk,
        "secret": "x",
    }
    rows = {f"{name} with our kid": sign(forge.header() | {name: value}) for name, value in brought.items()}
    rows |= {
        f"{name} with its kid": sign(forge.header(kid=other.kid) | {name: value}) for name, value in brought.items()
    }
    rows["jwk without kid"] = sign({"alg": "ES256", "typ": "JWT", "jwk": jwk})
    rows["jwk of our own key"] = forge.headed(jwk=forge.key.public.jwk())
    rows["jwk symmetric"] = forge.headed(jwk={"kty": "oct", "k": "AAAA"})
    return refused(rows)


_DER = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _rules_in_the_header(forge: Forge) -> list[Forgery]:
    fields: dict[str, dict[str, object]] = {
        "crit of exp": {"crit": ["exp"], "exp": 0},
        "crit of what is unknown": {"crit": ["moorage"], "moorage": True},
        "crit empty": {"crit": []},
        "crit no list": {"crit": "b64"},
        "crit null": {"crit": None},
        "b64 true and critical": {"b64": True, "crit": ["b64"]},
        "b64 false and critical": {"b64": False, "crit": ["b64"]},
        "b64 false": {"b64": False},
        "zip": {"zip": "DEF"},
        "cty": {"cty": "JWT"},
        "enc": {"enc": "A256GCM"},
        "p2c": {"p2c": 2**31},
        "a claim in the header": {"aud": forge.audience},
        "a field that nobody knows": {"x": 1},
    }
    rows = {name: forge.headed(**changes) for name, changes in fields.items()}
    unencoded = f"{part(forge.header(b64=False, crit=['b64']))}."
    rows["b64 false, detached"] = f"{unencoded}.{b64(signature(unencoded, forge.key.key))}"
    inner = forge.signed().encode("ascii")
    rows["a JWT in a JWT"] = forge.signed(forge.header(cty="JWT"), inner)
    rows["a JWT in a JWT without cty"] = forge.signed(payload=inner)
    return refused(rows)


def _no_headers(forge: Forge) -> list[Forgery]:
    written = part(forge.header())
    kid = forge.key.kid.encode("ascii")
    start = b'{"alg":"ES256","typ":"JWT","kid":"' + kid + b'"'
    headers: dict[str, object] = {
        "empty object": b"{}",
        "list": [forge.header()],
        "string": written,
        "number": 1,
        "null": b"null",
        "not JSON": b"alg=ES256",
        "cut": start,
        "with more after it": start + b"}{}",
        "single quotes": start.replace(b'"', b"'") + b"}",
        "comment": start + b"/**/}",
        "not UTF-8": start + b',"x":"\xff"}',
        "byte order mark": b"\xef\xbb\xbf" + start + b"}",
        "UTF-16": (start + b"}").decode("ascii").encode("utf-16"),
        "UTF-32": (start + b"}").decode("ascii").encode("utf-32"),
        "alg twice, the good one last": b'{"alg":"none",' + start[1:] + b"}",
        "alg twice, the good one first": start + b',"alg":"none"}',
        "alg twice, both good": start + b',"alg":"ES256"}',
        "alg twice, one escaped": start + b',"\\u0061lg":"ES256"}',
        "kid twice": b'{"kid":"x",' + start[1:] + b"}",
        "nested deeply": start + b',"x":' + b"[" * 2500 + b"]" * 2500 + b"}",
        "nested deeply, never closed": b"[" * 5000,
        "objects nested deeply": b'{"a":' * 1000 + b"1" + b"}" * 1000,
        "not a number": start + b',"x":NaN}',
    }
    return refused({f"header {name}": forge.signed(content) for name, content in headers.items()})
