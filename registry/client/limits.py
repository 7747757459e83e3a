"""How much a registry may send, and how long it may take. Defaults are for slow lines; tests give smaller ones."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Times in seconds, sizes in bytes."""

    connect: float = 15
    head: float = 60
    """Until an answer's status and headers are whole."""
    commit: float = 600
    """The same where the registry has to check a whole blob first."""
    document: float = 60
    """Until the whole of a JSON document is here."""
    window: float = 60
    floor: int = 4096
    """A blob of which less than `floor` comes in each `window` is given up, and asked for again."""
    manifest_size: int = 4 * 2**20
    document_size: int = 4 * 2**20
    """Of token answers, errors and pages."""
    pages: int = 1000
    items: int = 100_000
    """Of a list, over all of its pages."""
    redirects: int = 5
    attempts: int = 5
    """That one blob may fail in a row with less than `progress` between them."""
    progress: int = 2**20
    pause: float = 1
    """After the first failure; it doubles with each."""
