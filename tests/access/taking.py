"""Ways in which somebody may pull, each with how it is taken away again, and asking whether they still may."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial

from tests.access.live import Live
from tests.access.world import OPERATOR, PASSWORD, Accounts, basic

WAYS = ("user", "password", "secret", "robot", "right", "team", "owner", "visibility")


def somebody(accounts: Accounts, repository: str, way: str) -> tuple[dict[str, str], Callable[[], object]]:
    """Make somebody who may pull from a repository of the organisation `team`.

    Returns: their Basic credentials, and what takes away what `way` says.
    """
    name = f"rae-{way}"
    if way == "robot":
        accounts.organizations.add("rae", OPERATOR)
        name = "rae+ci"
        accounts.robots.add(name, OPERATOR)
    else:
        accounts.user(name)
    if way == "visibility":
        accounts.repositories.set_visibility(repository, "internal", OPERATOR)
    elif way in ("team", "owner"):
        _join(accounts, name, way)
    else:
        accounts.grant(name, ("pull", "team"))
    word = PASSWORD if way == "password" else accounts.secret(name)
    take: dict[str, Callable[[], object]] = {
        "user": partial(accounts.people.disable, name, OPERATOR),
        "password": partial(accounts.people.set_password, name, "another-rope-of-hemp", OPERATOR),
        "secret": partial(accounts.secrets.revoke, word, OPERATOR),
        "robot": partial(accounts.robots.disable, name, OPERATOR),
        "right": partial(accounts.grants.remove, name, "team", OPERATOR),
        "team": partial(accounts.teams.remove_member, "team/readers", name, OPERATOR),
        "owner": partial(accounts.organizations.set_member, "team", name, "member", OPERATOR),
        "visibility": partial(accounts.repositories.set_visibility, repository, "private", OPERATOR),
    }
    return basic(name, word), take[way]


def _join(accounts: Accounts, name: str, way: str) -> None:
    accounts.organizations.set_member("team", name, "owner" if way == "owner" else "member", OPERATOR)
    if way == "team":
        accounts.teams.add("team/readers", OPERATOR)
        accounts.teams.add_member("team/readers", name, OPERATOR)
        accounts.grant("team/readers", ("pull", "team"))


def may_pull(running: Live, name: str, headers: dict[str, str]) -> set[bool]:
    """Ask for tokens on several connections; tell whether they are good for a pull."""
    found, manifest = set(), f"/v2/{name}/manifests/latest"
    for _ in range(8):
        reply = running.call("GET", f"/token?service=moorage&scope=repository:{name}:pull", headers)
        if reply.status != 200:
            found.add(False)
            continue
        token = {"authorization": f"Bearer {json.loads(reply.body)['token']}"}
        found.add(running.call("GET", manifest, token).status == 200)
    return found


def by_basic(running: Live, name: str, headers: dict[str, str]) -> set[bool]:
    """Pull with Basic on several connections."""
    return {running.call("GET", f"/v2/{name}/manifests/latest", headers).status == 200 for _ in range(8)}
