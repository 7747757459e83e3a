"""What each step does to a database that is in use: nothing is lost, and what is new is filled."""

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from registry.catalog import schema, tables
from registry.catalog.catalog import Catalog
from registry.catalog.engine import Database
from registry.catalog.grants import GrantTarget
from registry.catalog.trigrams import trigrams
from registry.oci.names import RepositoryName, Tag
from storage.digest import Digest
from tests.catalog.contents import NAME, add_blob, add_manifest
from tests.catalog.dumps import dump
from tests.catalog.test_schema import moved
from tests.spec.contents import EMPTY

NAMES = ["team/app", "team/my-lib.core", "a", *(f"filling/n{number}" for number in range(1500))]
FIRST_TABLES = ("repository", "blob", "blob_link", "lease", "manifest", "manifest_reference", "tag", "journal")


def counts(database: Database) -> dict[str, int]:
    """Count the rows of the tables of the first step, and see that every foreign key is kept."""
    with database.reading() as connection:
        if database.is_sqlite:
            assert connection.execute(text("PRAGMA foreign_key_check")).all() == []
        return {name: connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one() for name in FIRST_TABLES}


def fill(database: Database) -> None:
    """Push, and give rights, in a database that is at head."""
    with Catalog(database).begin() as tx:
        add_blob(tx, EMPTY)
        repository = tx.repositories.get(NAME).id
        tx.tags.point(repository, Tag.parse("latest"), add_manifest(tx), actor="ada")
        ada, team = tx.accounts.add_user("ada", password="hash"), tx.accounts.add_organization("team")
        core = tx.teams.add(team.id, "core").id
        tx.teams.set_member(team.id, ada.id, "owner")
        tx.teams.add_member(core, ada.id)
        tx.credentials.add("0" * 16, tx.accounts.add_robot(team.id, "team+ci").id, "robot", secret_hash="hash")
        tx.grants.put(GrantTarget(team_id=core, repository_id=repository), 1, by="ada")
        tx.repositories.describe(repository, "The tide table.", "operator")


def test_accounts_come_to_a_registry_that_is_in_use_and_go_again(database: Database) -> None:
    moved(database, "0001")
    first = dump(database)
    moved(database, "head")
    fill(database)
    before = counts(database)
    while schema.current(database) != "0001":
        moved(database, "-1")
    assert dump(database) == first
    assert counts(database) == before
    moved(database, "head")
    assert counts(database) == before
    with Catalog(database).read() as tx:
        found = tx.repositories.get(NAME)
        assert (found.visibility, found.description, found.description_by) == ("private", "", "")
        assert (found.pulls, found.pulled_at) == (0, None)
        assert tx.blobs.linked(found.id, Digest.of(EMPTY)).size == len(EMPTY)
        assert tx.tags.page(found.id, "", 9) == ["latest"]


def test_names_that_are_there_can_be_searched_for(database: Database) -> None:
    moved(database, "0001")
    with database.writing() as connection:
        rows = [{"name": name} for name in NAMES]
        connection.execute(text("INSERT INTO repository (name, created_at) VALUES (:name, 1)"), rows)
    moved(database, "0002")
    found: dict[str, set[str]] = {}
    with database.reading() as connection:
        query = select(tables.repository.c.name, tables.repository_trigram.c.trigram)
        for name, trigram in connection.execute(query.join_from(tables.repository, tables.repository_trigram)):
            found.setdefault(name, set()).add(trigram)
    assert found == {name: trigrams(name) for name in NAMES}


@pytest.mark.parametrize("column", ["visibility", "description_by"])
def test_a_column_that_was_added_is_checked(database: Database, column: str) -> None:
    moved(database, "head")
    with pytest.raises(IntegrityError), database.writing() as connection:
        connection.execute(text(f"INSERT INTO repository (name, created_at, {column}) VALUES ('a', 1, 'other')"))


def test_a_repository_that_was_made_by_nobody_new_is_private(database: Database) -> None:
    moved(database, "head")
    with database.writing() as connection:
        connection.execute(text("INSERT INTO repository (name, created_at) VALUES ('team/app', 1)"))
    with Catalog(database).read() as tx:
        assert tx.repositories.get(RepositoryName.parse("team/app")).visibility == "private"
