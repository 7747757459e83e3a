"""Why a move does not go on; the messages are for whoever runs it, and say what to do."""


class MoveError(Exception):
    """The catalog cannot be moved as things are."""
