"""What `moorage storage migrate` starts from; imported by that command only, for it brings the drivers along.

Refuses before anything is moved: a server that would not find what was moved, and a second move beside this one.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from registry.catalog.exclusive import exclusive
from registry.cli.administration import Administration
from registry.cli.common import USAGE, stop
from registry.content.moving import Manner, Moving
from registry.content.stores import adopt, require_named
from registry.parts import claim_stores, direct_database, places, stores_for, uploads_for
from storage.layout import Layout

RIGHT = 0x6D6F76657273
"""PostgreSQL's number for the right to move: "movers" in ASCII."""


def planned(administration: Administration, manner: Manner) -> Moving:
    """Give the move that the settings ask for; nothing is done yet."""
    settings, catalog = administration.settings, administration.catalog
    storage = settings.storage
    if storage.former is None:
        other = "s3" if storage.driver == "files" else "files"
        stop(
            "the settings name no store to move blobs from: storage.driver says where they are to be, now"
            f' "{storage.driver}", and storage.former where they were, such as "{other}"',
            USAGE,
        )
    uploads = uploads_for(settings, catalog, stores_for(settings))
    return Moving(uploads, administration.audit, former=storage.former, driver=storage.driver, manner=manner)


@contextmanager
def permitted(administration: Administration) -> Iterator[None]:
    """Be the one move, with a server that reads both stores or none at all."""
    settings = administration.settings
    served, here = Layout.open(settings.storage.path).served(), places(settings)
    if served is not None and served != here:
        stop(
            "the server that is running would not find what is moved: it was started with"
            f" {f'the stores {served}' if served else 'an older version'}, the settings name {here}."
            " Restart it with these settings first"
        )
    claim_stores(settings)
    database = direct_database(settings)
    lock_file = settings.storage.path / "move.lock"
    try:
        with exclusive(database, lock_file, RIGHT, refusal="another `moorage storage migrate` is at work; let it end"):
            adopt(administration.catalog, settings.storage.stores[-1])
            require_named(administration.catalog, settings.storage.stores)
            yield
    finally:
        database.close()
