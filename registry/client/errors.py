"""What can go wrong with a registry, as its client tells it apart: not reached, refused by us, refused by it."""


class ClientError(Exception):
    """The registry did not give what was asked for; the message is for a person."""


class Unreachable(ClientError):
    """No connection, or no trust in who answered it."""


class Interrupted(ClientError):
    """The connection broke, or too little came over it; to ask again may help."""


class Untrusted(ClientError):
    """The answer is not one that a registry may give; nothing of it is used, and asking again would not help."""


class Answered(ClientError):
    """The registry said no.

    `status`: of HTTP; `code`: the specification's, such as MANIFEST_UNKNOWN, or "" where the answer held none.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{code.replace('_', ' ').lower()}: {message}" if code else message)
        self.status = status
        self.code = code
