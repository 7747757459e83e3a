"""Forged tokens of another shape: more parts or fewer, other letters, other signatures."""

import json
from urllib.parse import quote

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from auth.tokens import TOKEN_LIMIT
from tests.auth.forging import ORDER, Forge, Forgery, b64, good, part, raw, refused, signature


def forged_parts(forge: Forge) -> list[Forgery]:
    """One row for each idea."""
    return [
        *_shapes(forge),
        *_letters(forge),
        *_sizes(forge),
        *_signatures(forge),
        *_swapped_parts(forge),
        *_malleable(forge),
    ]


def _shapes(forge: Forge) -> list[Forgery]:
    token = forge.signed()
    header, payload, end = token.split(".")
    flat = {"protected": header, "payload": payload, "signature": end}
    general = {"payload": payload, "signatures": [{"protected": header, "signature": end}]}
    rows = {
        "nothing": "",
        "one dot": ".",
        "two dots": "..",
        "four dots": "....",
        "a word": "token",
        "three words": "a.b.c",
        "a part": header,
        "two parts": f"{header}.{payload}",
        "four parts": f"{token}.{end}",
        "five parts": f"{header}.{payload}.{end}.{payload}.{end}",
        "a dot before": f".{token}",
        "a dot after": f"{token}.",
        "no header": f".{payload}.{end}",
        "no payload": f"{header}..{end}",
        "no signature": f"{header}.{payload}.",
        "JWE": f"{part({'alg': 'dir', 'enc': 'A256GCM', 'kid': forge.key.kid})}..{b64(bytes(12))}.{payload}.{end}",
        "JWE with PBES2": f"{part({'alg': 'PBES2-HS256+A128KW', 'p2c': 2**31})}.{end}.{end}.{payload}.{end}",
        "JWE header with three parts": f"{part({'alg': 'dir', 'enc': 'A256GCM'})}.{payload}.{end}",
        "JSON, flattened": json.dumps(flat),
        "JSON, general": json.dumps(general),
        "two tokens": f"{token} {token}",
        "two tokens with a comma": f"{token},{token}",
        "with its scheme": f"Bearer {token}",
        "PASETO": f"v4.public.{payload}",
        "an access token": "mrg_pat_" + "A" * 43,
    }
    return refused({f"shape: {name}": text for name, text in rows.items()})


def _letters(forge: Forge) -> list[Forgery]:
    token = forge.signed()
    header, payload, end = token.split(".")
    message = f"{header}=.{payload}="
    rows = {
        "a blank before": f" {token}",
        "a blank after": f"{token} ",
        "a line break after": f"{token}\n",
        "a line break before": f"\r\n{token}",
        "a line break inside": f"{header}.\n{payload}.{end}",
        "a tab inside": f"{header}.{payload}\t.{end}",
        "a NUL after": f"{token}\x00",
        "a NUL inside": f"{header}\x00.{payload}.{end}",
        "padding in the header": f"{header}=.{payload}.{end}",
        "padding in the payload": f"{header}.{payload}=.{end}",
        "padding in the signature": f"{token}==",
        "padding that is signed": f"{message}.{b64(signature(message, forge.key.key))}",
        "a header one letter short": f"{header[:-1]}.{payload}.{end}",
        "a header of 4n+1 letters": f"{header[: len(header) // 4 * 4]}A.{payload}.{end}",
        "the other base64": f"{header}.{payload}.{'+/' * 43}",
        "quotes around": f'"{token}"',
        "percent-encoded": quote(token).replace(".", "%2E"),
        "a letter that is not ASCII": f"{header}.{payload}.{end[:-1]}\u212a",
        "wide letters": f"{header}.{payload}.{chr(0xFF21) * 86}",
        "wide dots": token.replace(".", "\uff0e"),
        "half a character": f"{header}.{payload}.{end[:-1]}\ud800",
        "digits of another script": f"{header}.{payload}.{chr(0x660) * 86}",
        "bits behind the end": f"{header}.{payload}.{end[:-1]}{_next(end[-1])}",
        "upper case": token.upper(),
        "only dots and dashes": f"{'-' * 20}.{'_' * 20}.{'-' * 86}",
    }
    return refused({f"letters: {name}": text for name, text in rows.items()})


def _next(letter: str) -> str:
    """A letter that decodes to the same byte where the last of its bits are not looked at."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return letters[letters.index(letter) ^ 1]


def _sizes(forge: Forge) -> list[Forgery]:
    long = forge.claiming(note="x" * TOKEN_LIMIT)
    rows = {
        "a good token that is too long": long,
        "a mebibyte": "A" * 2**20,
        "a mebibyte of dots": "." * 2**20,
        "a long signature": f"{forge.message()}.{'A' * 7000}",
        "a long header": forge.headed(kid="A" * 20_000),
        "many parts": "a." * 4000,
    }
    return refused({f"size: {name}": text for name, text in rows.items()})


def _signatures(forge: Forge) -> list[Forgery]:
    message = forge.message()
    der = forge.key.key.sign(message.encode("ascii"), ec.ECDSA(hashes.SHA256()))
    r, s = decode_dss_signature(der)
    right = raw(r, s)
    ends = {
        "a byte short": right[:-1],
        "a byte longer": right + b"\x00",
        "a byte before": b"\x00" + right,
        "half": right[:32],
        "one byte": right[:1],
        "twice": right * 2,
        "r and s swapped": raw(s, r),
        "zero": bytes(64),
        "r zero": raw(0, s),
        "s zero": raw(r, 0),
        "r and s one": raw(1, 1),
        "r the order": raw(ORDER, s),
        "s the order": raw(r, ORDER),
        "all ones": b"\xff" * 64,
        "r plus one": raw(r % ORDER + 1, s),
        "DER": der,
        "DER of zeros": encode_dss_signature(0, 0),
        "hexadecimal": right.hex().encode("ascii"),
        "backwards": right[::-1],
        "little-endian": right[31::-1] + right[:31:-1],
        "first bit": bytes([right[0] ^ 0x80]) + right[1:],
        "last bit": right[:-1] + bytes([right[-1] ^ 1]),
        "of SHA-384": signature(message, forge.key.key, hashes.SHA384()),
        "of SHA-512": signature(message, forge.key.key, hashes.SHA512()),
        "of another key": signature(message, forge.other.key),
        "of the payload alone": signature(message.partition(".")[2], forge.key.key),
        "of the header alone": signature(message.partition(".")[0], forge.key.key),
        "of nothing": signature("", forge.key.key),
        "of the message with a dot": signature(f"{message}.", forge.key.key),
    }
    return refused({f"signature: {name}": forge.ended(end) for name, end in ends.items()})


def _swapped_parts(forge: Forge) -> list[Forgery]:
    """Parts of two good tokens, of which one grants less."""
    header, payload, end = forge.granting().split(".")
    more = part(forge.claims())
    rows = {
        "a payload that was changed": f"{header}.{more}.{end}",
        "parts in another order": f"{payload}.{header}.{end}",
        "a header that was written anew": f"{part(json.dumps(forge.header()).encode())}.{payload}.{end}",
        "a header with fields in another order": f"{part(dict(sorted(forge.header().items())))}.{payload}.{end}",
        "a header where the payload is": f"{header}.{header}.{end}",
    }
    return refused(rows)


def _malleable(forge: Forge) -> list[Forgery]:
    """Whoever sees (r, s) can write (r, order - s), which is as right. It grants what the token granted: no more."""
    message = forge.message()
    r, s = decode_dss_signature(forge.key.key.sign(message.encode("ascii"), ec.ECDSA(hashes.SHA256())))
    spaced = forge.signed(json.dumps(forge.header(), indent=1).encode(), json.dumps(forge.claims(), indent=1).encode())
    return good({"signature: the other s": forge.ended(raw(r, ORDER - s)), "letters: JSON with blanks": spaced})
