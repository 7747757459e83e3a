"""Rows for every table, odd ones among them, and all rows of a database as values, to compare two databases."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import insert, select

from registry.catalog.engine import Database
from registry.catalog.tables import metadata

LARGE = 2**63 - 1
ODD = "a\tb\\N\n'quoted' \"twice\" \\. é 字 \U0001f6a2 \x01 \x7f  "
SHA = "sha256:" + "0" * 64
EVERY_BYTE = bytes(range(256))
KEYS = ["b", "B", "a", "_", "é", "e", "z", "~", "0", "ß", "字", "\U0001f6a2", "", " "]
"""They sort by their bytes in another order than by most languages' rules."""

Rows = list[dict[str, Any]]


def _ids(*names: str, **same: object) -> Rows:
    return [{"id": number, "name": name, **same} for number, name in enumerate(names, 1)]


ROWS: Mapping[str, Rows] = {
    "account": [
        {"id": 7, "name": "team+ci", "kind": "robot", "organization_id": 9, "created_at": 1, "administrator": False},
        {"id": 8, "name": "ada", "kind": "user", "created_at": 1, "administrator": True, "password": ODD},
        {"id": 9, "name": "team", "kind": "organization", "created_at": LARGE, "disabled_at": 0},
    ],
    "organization_member": [{"organization_id": 9, "account_id": 8, "role": "owner", "since": 1}],
    "team": _ids("core", "Core", organization_id=9, created_at=1),
    "team_member": [{"team_id": 1, "account_id": 8}, {"team_id": 2, "account_id": 8}],
    "repository": _ids("team/a", "team/b", created_at=1, description=ODD, pulls=LARGE, visibility="public"),
    "repository_trigram": [{"trigram": key, "repository_id": 1} for key in KEYS],
    "access_grant": [
        {"id": 1, "account_id": 8, "repository_id": 1, "rights": 7, "granted_at": 1, "granted_by": "ada"},
        {"id": 2, "team_id": 1, "namespace": "team", "rights": 2**31 - 1, "granted_at": 1, "granted_by": ODD},
    ],
    "credential": [
        {"id": key, "account_id": 8, "kind": "pat", "secret_hash": f"h{key}", "label": ODD, "created_at": 1}
        for key in KEYS
    ],
    "signing_key": [
        {"kid": key, "state": "next", "public": "{}", "sealed": EVERY_BYTE, "master_key_id": "m", "created_at": 1}
        for key in KEYS
    ],
    "login_failure": [{"id": 5, "subject": "s", "network": "10.0.0.0/24", "at": 1}],
    "audit": [
        {
            **{"id": number, "at": number, "request_id": "", "actor": ODD, "actor_kind": "user", "address": "::1"},
            **{"agent": ODD, "action": "push", "result": "ok", "reason": "", "old_digest": SHA if number % 2 else None},
        }
        for number in range(1, 300)
    ],
    "blob": [
        {
            "id": number,
            "digest": f"{SHA}{number}",
            "size": LARGE,
            "store": "default",
            "key": f"k{number}",
            "stored_at": 1,
        }
        for number in (1, 2, 3)
    ],
    "discarded_key": [{"store": key, "key": other, "not_before": 1} for key in KEYS for other in KEYS[:3]],
    "blob_link": [
        {"repository_id": 1, "blob_id": 2, "linked_at": 1},
        {"repository_id": 2, "blob_id": 1, "linked_at": 1},
    ],
    "lease": [{"repository_id": 1, "blob_id": 2, "renewed_at": 1}],
    "manifest": [
        {
            **{
                "id": number,
                "repository_id": 1,
                "digest": f"{SHA}{number}",
                "media_type": "m",
                "size": 1,
                "pushed_at": 1,
            },
            "content": EVERY_BYTE * number if number > 1 else b"",
        }
        for number in range(1, 40)
    ],
    "manifest_reference": [
        {
            **{"manifest_id": 1, "position": position, "repository_id": 1, "role": "layer", "digest": SHA},
            **{"media_type": ODD, "size": 0},
        }
        for position in range(5)
    ],
    "tag": [{"repository_id": 1, "name": key, "manifest_id": 1, "updated_at": 1} for key in KEYS],
    "tag_history": [{"id": 3, "repository_id": 1, "tag": "t", "new_digest": SHA, "at": 1, "actor": ODD}],
    "upload_session": [
        {
            **{"id": key, "repository_id": 2, "subject": ODD, "store": "default", "offset": 0, "state": EVERY_BYTE},
            **{"started_at": 1, "active_at": 1},
        }
        for key in KEYS
    ],
    "job": [
        {"id": 1, "kind": "sweep", "dedup": "", "every": LARGE, "created_at": 1, "due_at": 1},
        {
            **{"id": 4, "kind": "sweep", "created_at": 1, "due_at": 1, "attempts": 2, "lease": ODD, "leased_until": 2},
            **{"worker": ODD, "begun_at": 1, "progress": ODD, "checkpoint": "{}", "trouble": ODD, "payload": ODD},
        },
    ],
    "job_history": [
        {
            **{"id": 2, "job_id": 1, "kind": "sweep", "payload": "{}", "outcome": "done", "attempts": 1, "ended_at": 1},
            **{"result": ODD, "worker": None},
        }
    ],
    "journal": [{"number": number, "at": 1, "kind": "tag", "subject": "s", "value": ODD} for number in (1, 2, 40)],
}


def fill(database: Database) -> None:
    """Put rows into every table."""
    assert set(ROWS) == set(metadata.tables), "a table has no rows here"
    with database.writing() as connection:
        if database.is_sqlite:  # a robot comes before its organisation
            connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
        for table in metadata.sorted_tables:
            for row in ROWS[table.name]:
                connection.execute(insert(table), row)


def rows_of(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Give all rows of all tables, in an order that no database chooses."""
    with database.reading() as connection:
        found = {table.name: connection.execute(select(table)).all() for table in metadata.sorted_tables}
    return {name: sorted((tuple(row) for row in rows), key=repr) for name, rows in found.items()}
