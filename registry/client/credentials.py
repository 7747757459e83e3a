"""What a user signs in to one registry with, as `docker login` keeps it."""

import base64
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Credentials:
    """A name with its password, or a token in place of both; none of it is ever shown.

    `identity_token`: to be changed into tokens (OAuth2's refresh token); `registry_token`: sent as it is.
    """

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)
    registry_token: str = field(default="", repr=False)

    def __bool__(self) -> bool:
        return bool(self.username or self.identity_token or self.registry_token)

    @property
    def basic(self) -> str | None:
        """The value of a Basic Authorization (RFC 7617); None without a name or with a token in place of a password."""
        if not self.username or self.identity_token:
            return None
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode()


ANONYMOUS = Credentials()
