"""The corpus of forged and odd tokens and scopes; each row says what it may rightly grant, which is mostly nothing.

The unit tests go through it against the verifier, and tests of the server against its answers.
"""

from auth.keys import SigningKey
from tests.auth.forged_claims import forged_claims
from tests.auth.forged_headers import forged_headers
from tests.auth.forged_parts import forged_parts
from tests.auth.forging import Forge, Forgery
from tests.auth.odd_scopes import OddScope, odd_scopes

__all__ = ["Forgery", "OddScope", "corpus", "odd_scopes"]


def corpus(key: SigningKey, other: SigningKey, now: int, issuer: str, audience: str) -> list[Forgery]:
    """Forge tokens against a registry that knows `key` and not `other`.

    Args:    now: the time at which they are shown, in seconds; some are a second too old.
    """
    forge = Forge(key, other, now, issuer, audience)
    return [*forged_headers(forge), *forged_parts(forge), *forged_claims(forge)]
