"""What can go wrong in the engine, each with the status that Docker's Engine API answers it with.

The message is Docker's own sentence wherever Docker has one: the stock CLI prints it, and scripts look for it.
"""


class EngineError(Exception):
    """Something the user is told of. `str(error)` is the whole message."""

    status = 500


class BadParameter(EngineError):
    """The request cannot mean anything."""

    status = 400


class Unauthorized(EngineError):
    """The registry, or the engine, wants other credentials."""

    status = 401


class Forbidden(EngineError):
    """Known, and refused by a rule."""

    status = 403


class NotFound(EngineError):
    """No such container, image, network, volume or exec."""

    status = 404


class NotModified(EngineError):
    """The container is in the asked state already; answered without a body."""

    status = 304


class Conflict(EngineError):
    """A name in use, something that runs, something in use."""

    status = 409


class Unavailable(EngineError):
    """A tool is missing or a service does not answer; the message says what to install or to look at."""

    status = 503


class Unsupported(EngineError):
    """Docker knows it, this engine does not; the message says what to do in its place."""

    status = 501
