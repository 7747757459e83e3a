"""One caller for every line of the rules, with Basic and with Bearer, and the headers that each of them sends."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from auth.keys import SigningKey
from tests.access.routes import stock
from tests.access.rules import REFUSED, RIGHTS, SMALL
from tests.access.world import (
    ADMIN,
    ADMIN_PASSWORD,
    INTERNAL,
    OPERATOR,
    PASSWORD,
    PRIVATE,
    PUBLIC,
    SOURCE,
    Accounts,
    Signed,
    basic,
    bearer,
    token_for,
)
from tests.auth.forging import Forge
from tests.spec.registry import Registry

Headers = dict[str, str]
CATALOG = "registry:catalog:*"


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who sends requests.

    Args: who: the line of the rules; means: Bearer, Basic, or "" for neither; headers: what they send for a repository.
    """

    who: str
    means: str
    headers: Callable[[str], Headers]

    @property
    def label(self) -> str:
        """What the caller is called in a failure."""
        return f"{self.who} ({self.means or 'nothing'})"


def settle(registry: Registry, accounts: Accounts) -> Registry:
    """Fill a registry with repositories and everybody in RIGHTS; give it as its administrator."""
    admin = Signed(registry, basic(ADMIN, ADMIN_PASSWORD))
    accounts.user("olga")
    accounts.user("otto")
    accounts.organizations.add("team", OPERATOR, owners=["olga"])
    accounts.organizations.add("other", OPERATOR, owners=["otto"])
    for name in (PRIVATE, INTERNAL, PUBLIC, SOURCE):
        stock(admin, name)
    accounts.repositories.set_visibility(INTERNAL, "internal", OPERATOR)
    accounts.repositories.set_visibility(PUBLIC, "public", OPERATOR)
    _people(accounts)
    _robots(accounts)
    return admin


def _people(accounts: Accounts) -> None:
    accounts.user("sam")
    accounts.user("pia", ("pull", "team"))
    accounts.user("pat", ("pull,push", "team"))
    accounts.user("paul", ("push", "team"))
    accounts.user("pete", ("push,create", "team"))
    accounts.user("carl", ("create", "team"))
    accounts.user("dora", ("delete", "team"))
    accounts.user("mia", ("maintain", "team"))
    accounts.user("ada", ("admin", PRIVATE))
    accounts.user("ina", ("admin", INTERNAL))
    accounts.user("oda", ("admin", SOURCE))
    for name in ("mo", "tim", "tom"):
        accounts.user(name)
        accounts.organizations.set_member("team", name, "member", OPERATOR)
    for team, user, rights, target in (("core", "tim", "write", "team"), ("few", "tom", "read", PRIVATE)):
        accounts.teams.add(f"team/{team}", OPERATOR)
        accounts.teams.add_member(f"team/{team}", user, OPERATOR)
        accounts.grant(f"team/{team}", (rights, target))


def _robots(accounts: Accounts) -> None:
    for name in ("team+idle", "team+ci", "team+one", "other+ci"):
        accounts.robots.add(name, OPERATOR)
    accounts.grant("team+ci", ("write", "team"))
    accounts.grant("team+one", ("pull", PRIVATE))
    accounts.grant("other+ci", ("admin", "other"))


def signed_in(accounts: Accounts) -> dict[str, Headers]:
    """Give everybody in RIGHTS their Basic credentials: some a password, most a token of their own."""

    def own(name: str, rights: str = "", *repositories: str) -> Headers:
        return basic(name, accounts.secret(name, rights, *repositories))

    return {
        "an anonymous reader": {},
        "a stranger": basic("sam", PASSWORD),
        "who may pull": basic("pia", PASSWORD),
        "who may pull and push": own("pat"),
        "who may push and not pull": own("paul"),
        "who may push and create and not pull": own("pete"),
        "who may create and nothing else": own("carl"),
        "who may delete and nothing else": own("dora"),
        "who maintains": own("mia"),
        "administrator of the private repository": own("ada"),
        "administrator of the internal repository": own("ina"),
        "administrator of another repository": own("oda"),
        "owner of the organisation": basic("olga", PASSWORD),
        "owner of another organisation": own("otto"),
        "member of the organisation, in no team": own("mo"),
        "member of a team that writes": own("tim"),
        "member of a team that reads one": own("tom"),
        "robot without grants": own("team+idle"),
        "robot that writes": own("team+ci"),
        "robot that pulls one": own("team+one"),
        "robot that writes, its secret for one": _robot(accounts, "team+ci", "admin", PRIVATE),
        "robot that writes, its secret for pull": _robot(accounts, "team+ci2", "pull"),
        "robot of another organisation": own("other+ci"),
        "owner, by a token": own("olga"),
        "owner, by a token for pull": own("olga", "pull"),
        "owner, by a token for push": own("olga", "push"),
        "owner, by a token for push and create": own("olga", "push,create"),
        "owner, by a token for one": own("olga", "admin", PRIVATE),
        "owner, by a token for the namespace": own("olga", "", "team/*"),
        "owner, by a token for another namespace": own("olga", "", "other/*", "teams/*", "tea/*"),
        "stranger, by a token": own("sam"),
        "stranger, by a token for everything here": own("sam", "admin", "team/*"),
        "stranger, by a token for delete": own("sam", "delete"),
        "administrator of the registry": basic(ADMIN, ADMIN_PASSWORD),
        "administrator, by a token for pull": own(ADMIN, "pull"),
        "administrator, by a token for one": own(ADMIN, "", PRIVATE),
    }


def _robot(accounts: Accounts, name: str, rights: str, *repositories: str) -> Headers:
    """A robot has two secrets at most, so one more needs one more robot."""
    if name not in {robot.name for robot in accounts.robots.list()}:
        accounts.robots.add(name, OPERATOR)
        accounts.grant(name, ("write", "team"))
    return basic(name, accounts.secret(name, rights, *repositories))


def callers(registry: Registry, accounts: Accounts, directory: Path) -> list[Caller]:
    """Give every caller."""
    known = signed_in(accounts)
    key = accounts.key_ring(directory).signing()
    found = [
        *_rightful(registry, known),
        *_refused(accounts, key, known["owner, by a token"]),
        *_small(key),
    ]
    assert {caller.who for caller in found} == {*RIGHTS, *REFUSED, *SMALL}
    return found


def _rightful(registry: Registry, known: dict[str, Headers]) -> Iterator[Caller]:
    for who, headers in known.items():
        yield Caller(who, "Bearer", _tokens(registry, headers))
        if headers:
            yield Caller(who, "Basic", lambda _, headers=headers: headers)  # type: ignore[misc]  # bound by its default


def _tokens(registry: Registry, headers: Headers) -> Callable[[str], Headers]:
    tokens: dict[str, Headers] = {}

    def shown(name: str) -> Headers:
        if name not in tokens:
            scopes = (f"repository:{name}:pull,push,delete", f"repository:{PUBLIC}:pull", CATALOG)
            tokens[name] = bearer(token_for(registry, headers, *scopes))
        return tokens[name]

    return shown


def _refused(accounts: Accounts, key: SigningKey, owner: Headers) -> Iterator[Caller]:
    yield from _without(accounts)
    yield from _malformed()
    yield from _forged(key, accounts)
    secret = accounts.secret("olga")
    for who, name, given in (
        ("a wrong secret", "olga", secret[:-1] + ("A" if secret[-1] != "A" else "B")),
        ("a name that nobody has", "nobody-at-all", secret),
        ("a right secret with another's name", "pia", secret),
        ("a secret that has expired", "olga", accounts.over("olga", expires_at=1)),
        ("a secret that was revoked", "olga", _revoked(accounts)),
        ("a refresh token for a password", "olga", accounts.over("olga", kind="refresh", service="moorage")),
        ("a disabled administrator", "dan", _disabled(accounts)),
        ("a disabled robot", "team+off", _disabled_robot(accounts)),
        ("a removed user", "ray", _removed(accounts)),
        ("an organisation", "team", secret),
    ):
        headers = basic(name, given)
        yield Caller(who, "Basic", lambda _, headers=headers: headers)  # type: ignore[misc]  # bound by its default


def _without(accounts: Accounts) -> Iterator[Caller]:
    """Whoever has no Authorization header that says anything."""
    secret = accounts.secret("olga")
    value = bearer(secret)["authorization"]
    yield Caller("nobody", "", lambda _: {})
    yield Caller("a cookie and nothing else", "", lambda _: {"cookie": f"session={secret}; token={secret}"})
    yield Caller("a token in the query", "", lambda _: {})
    yield Caller("a token in another header", "", lambda _: {"proxy-authorization": value, "x-registry-auth": secret})
    yield Caller("empty Basic", "Basic", lambda _: basic("", ""))


def _malformed() -> Iterator[Caller]:
    for who, value in (
        ("an empty header", ""),
        ("another scheme", 'Digest username="olga"'),
        ("Basic that is not base64", "Basic olga:secret"),
        ("Basic without a colon", "Basic b2xnYQ=="),
        ("an empty token", "Bearer "),
        ("garbage for a token", "Bearer garbage"),
        ("a secret for a token", "Bearer mrg_pat_" + "A" * 43),
    ):
        yield Caller(who, "Bearer", lambda _, value=value: {"authorization": value})  # type: ignore[misc]  # as above


def _forged(key: SigningKey, accounts: Accounts) -> Iterator[Caller]:
    now = int(time.time())
    forge = Forge(key, SigningKey.generate(), now, "moorage", "moorage")
    changes: dict[str, dict[str, object]] = {
        "a token that has expired": {"iat": now - 400, "nbf": now - 400, "exp": now - 100},
        "a token that is not valid yet": {"iat": now + 900, "nbf": now + 900, "exp": now + 1000},
        "a token for another service": {"aud": "another"},
        "a token of another issuer": {"iss": "another"},
        "a token that another key signed": {},
        "a token that nobody signed": {},
    }
    for who, change in changes.items():

        def shown(name: str, who: str = who, change: dict[str, object] = change) -> Headers:
            claims = forge.claims(sub="olga", access=_everything(name), **change)
            if who == "a token that another key signed":
                return bearer(forge.signed(payload=claims, by=forge.other))
            token = forge.signed(payload=claims)
            return bearer(token[:-86] + "A" * 86 if who == "a token that nobody signed" else token)

        yield Caller(who, "Bearer", shown)


def _small(key: SigningKey) -> Iterator[Caller]:
    forge = Forge(key, key, int(time.time()), "moorage", "moorage")
    longer: dict[str, Callable[[str], list[dict[str, object]]]] = {
        "a token for nothing": lambda _: [],
        "a token for another repository": lambda _: _everything(SOURCE)[:1],
        "a token for every repository": lambda _: [*_everything("*")[:1], *_everything("")[:1], *_everything("/")[:1]],
        "a token for the namespace": lambda _: [*_everything("team")[:1], *_everything("team/*")[:1]],
        "a token for a longer name": lambda name: [
            entry
            for each in (f"{name}x", f"{name}/x", name[:-1], f" {name}", f"{name}\n")
            for entry in _everything(each)[:1]
        ],
        "a token for another type of thing": lambda name: [
            {"type": kind, "name": name, "actions": ["pull", "push", "delete", "*"]}
            for kind in ("registry", "repository(plugin)", "Repository", "")
        ],
        "a token for actions in capitals": lambda name: [
            {"type": "repository", "name": name, "actions": ["PULL", "PUSH", "*", "admin", "pull,push", " pull"]}
        ],
    }
    for who, entries in longer.items():

        def shown(name: str, entries: Callable[[str], list[dict[str, object]]] = entries) -> Headers:
            return bearer(forge.claiming(sub="admin", access=entries(name)))

        yield Caller(who, "Bearer", shown)


def _everything(name: str) -> list[dict[str, object]]:
    return [
        {"type": "repository", "name": name, "actions": ["pull", "push", "delete"]},
        {"type": "registry", "name": "catalog", "actions": ["*"]},
    ]


def _revoked(accounts: Accounts) -> str:
    secret = accounts.secret("olga")
    accounts.secrets.revoke(secret, OPERATOR)
    return secret


def _disabled(accounts: Accounts) -> str:
    accounts.user("dan", ("admin", "team"))
    accounts.people.promote("dan", OPERATOR)
    secret = accounts.secret("dan")
    accounts.people.disable("dan", OPERATOR)
    return secret


def _disabled_robot(accounts: Accounts) -> str:
    accounts.robots.add("team+off", OPERATOR)
    accounts.grant("team+off", ("admin", "team"))
    secret = accounts.secret("team+off")
    accounts.robots.disable("team+off", OPERATOR)
    return secret


def _removed(accounts: Accounts) -> str:
    accounts.user("ray", ("admin", "team"))
    secret = accounts.secret("ray")
    accounts.people.remove("ray", OPERATOR)
    return secret
