"""Passwords that people choose: which are good enough, how they are stored, how one is checked.

New ones are kept as argon2id. bcrypt is read only, for what came from an htpasswd file; its hashes look at 72 bytes and
no more, so a longer password never matches one. Text is brought to NFC first: the same password, typed on two systems,
is then the same bytes. How many are hashed at once, and how often one may try, is for the caller to limit.
"""

import re
import unicodedata

import argon2
import bcrypt

SHORTEST = 12
LONGEST = 1024

_RAW_LONGEST = 4 * LONGEST  # before NFC, which takes a time that grows with the square of a run of accents
_BCRYPT_BYTES = 72
_BCRYPT = re.compile(r"\$2[aby]\$(?:0[4-9]|1[0-7])\$[./A-Za-z0-9]{53}", re.ASCII)  # the costs that htpasswd can make
_ARGON2ID = "$argon2id$"

# The commonest of the long ones, in lower case; the short ones fail by their length.
_COMMON_TEXT = """
    0123456789ab 012345678910 098765432109 111222333444 112233445566 121212121212 123123123123 1234567890ab
    123456789012 1234567890123 12345678901234 123456789abc 123456789qwe 123456abcdef 123456qwerty 123412341234
    123qweasdzxc 1q2w3e4r5t6y 1q2w3e4r5t6y7u 1qaz2wsx3edc 1qaz2wsx3edc4rfv abc123abc123 abc123456789 abcd12345678
    abcdefghijkl abcdefghijklm abcdefghijklmnop adminadminadmin adminpassword administrator administrator1 admin1234567
    admin12345678 asdfasdfasdf asdfghjkl123 asdfghjklzxc changeit1234 changeme1234 changeme12345 changemechangeme
    changemenow! changethispassword computer1234 correcthorsebatterystaple default12345 defaultpassword football1234
    harbor123456 iloveyou1234 iloveyou12345 letmein12345 letmein123456 letmeinletmein mypassword12 mypassword123
    p@ssw0rd1234 p@ssword1234 passw0rd1234 passw0rd12345 password0123 password1234 password12345 password123456
    password1234567 password12345678 password123456789 password1234! password123! passwordpassword princess1234
    q1w2e3r4t5y6 q1w2e3r4t5y6u7 qazwsxedc123 qazwsxedcrfv qazwsxedcrfvtgb qwer12345678 qwerasdfzxcv qwerty123456
    qwerty1234567 qwerty12345678 qwertyqwerty qwertyuiop12 qwertyuiop123 qwertyuiop[] qwertyuiopas qwertyuiopasdfgh
    registry1234 rootrootroot secret123456 secretsecret sunshine1234 superpassword supersecret1 supersecret123
    test12345678 testpassword testtesttest trustno1trustno1 welcome12345 welcome123456 welcomewelcome zaq12wsxcde3
    zxcvbnm12345 zxcvbnmasdfghjkl
"""
_COMMON = frozenset(_COMMON_TEXT.split())


class WeakPassword(ValueError):
    """The password is refused; the message says why and never repeats it."""


def check_password(text: str) -> str:
    """Return a new password in the form to keep, NFC.

    Raises: WeakPassword if it is too short or too long, holds control characters, or is one of the commonest.
    """
    password = unicodedata.normalize("NFC", text) if len(text) <= _RAW_LONGEST else text
    if not SHORTEST <= len(password) <= LONGEST:
        raise WeakPassword(f"a password has {SHORTEST} to {LONGEST} characters")
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in password):
        raise WeakPassword("a password holds no control characters")
    if password.lower() in _COMMON or len(set(password)) == 1:
        raise WeakPassword("this password is among the first that an attacker tries")
    return password


def is_bcrypt(text: str) -> bool:
    """Tell whether a stored hash is one of bcrypt's that we can check."""
    return _BCRYPT.fullmatch(text) is not None


class PasswordHasher:
    """Hashes and checks passwords; each costs `memory_kib` for as long as it takes."""

    def __init__(self, time_cost: int = 3, memory_kib: int = 65536, parallelism: int = 1) -> None:
        self._argon2 = argon2.PasswordHasher(time_cost=time_cost, memory_cost=memory_kib, parallelism=parallelism)
        self._dummy: str | None = None

    def hash(self, text: str) -> str:
        """Return what is to be stored of a password that `check_password` has let pass.

        Raises: WeakPassword if it is longer than any password, or no text that can be written as bytes.
        """
        data = _prepared(text)
        if data is None:
            raise WeakPassword(f"a password has at most {LONGEST} characters, and no halves of characters")
        return self._argon2.hash(data)

    def verify(self, stored: str, text: str) -> bool:
        """Tell whether a password is the one of a stored hash; a damaged hash is nobody's."""
        data = _prepared(text)
        if data is None:
            return False
        if is_bcrypt(stored):
            return _verify_bcrypt(stored.encode("ascii"), data)
        if not (stored.startswith(_ARGON2ID) and stored.isascii()):
            return False
        try:
            return self._argon2.verify(stored, data)
        except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
            return False

    def outdated(self, stored: str) -> bool:
        """Tell whether a hash should be made anew at the next login: of other parameters, of bcrypt, damaged."""
        try:
            return self._argon2.check_needs_rehash(stored)
        except argon2.exceptions.InvalidHashError:
            return True

    def waste(self, text: str) -> None:
        """Take the time of a check where there is no hash, so that an unknown name is as slow as a known one."""
        if self._dummy is None:
            self._dummy = self._argon2.hash(b"nobody's password")  # made twice by two at once, which harms nobody
        self.verify(self._dummy, text)


def _prepared(text: str) -> bytes | None:
    """The bytes that are hashed; None for what no password can be."""
    if len(text) > _RAW_LONGEST:
        return None
    password = unicodedata.normalize("NFC", text)
    try:
        data = password.encode("utf-8")
    except UnicodeEncodeError:
        return None
    return data if len(password) <= LONGEST else None


def _verify_bcrypt(stored: bytes, data: bytes) -> bool:
    if len(data) > _BCRYPT_BYTES:
        return False
    try:
        return bcrypt.checkpw(data, stored)
    except ValueError:
        return False
