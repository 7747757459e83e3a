"""Opening what the commands that administer work on; the heavy imports happen only then."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from registry.cli.common import FAILURE, read_settings

if TYPE_CHECKING:
    from registry.cli.administration import Administration


@contextmanager
def administering(config: Path | None, data: Path | None, status: int = FAILURE) -> Iterator["Administration"]:
    """Open what administration works on; whatever is refused inside is told, and exits with `status`."""
    settings, _ = read_settings(config, {"storage": {"path": data}} if data is not None else None)
    from registry.cli.administration import opened

    with opened(settings, status) as administration:
        yield administration
