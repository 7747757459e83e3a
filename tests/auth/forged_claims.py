"""Tokens that are signed by the right key and say what they should not: as if an issuer had been led astray."""

import json
from collections.abc import Mapping

from auth.tokens import LEEWAY, LIFETIME_LIMIT
from tests.auth.forging import Forge, Forgery, empty, good, refused

REQUIRED = ("iss", "aud", "sub", "kind", "jti", "iat", "nbf", "exp", "access")
WRONG_TYPES: Mapping[str, object] = {"null": None, "a list": [1], "an object": {"a": 1}, "true": True, "a float": 0.5}


def forged_claims(forge: Forge) -> list[Forgery]:
    """One row for each idea."""
    return [
        *refused({f"{claim} missing": forge.signed(payload=forge.without(claim)) for claim in REQUIRED}),
        *_types(forge),
        *_payloads(forge),
        *_times(forge),
        *_names(forge),
        *_audiences(forge),
        *_bad_access(forge),
        *_odd_access(forge),
    ]


def _types(forge: Forge) -> list[Forgery]:
    rows = {}
    for claim in (*REQUIRED, "cid"):
        for name, value in WRONG_TYPES.items():
            rows[f"{claim} {name}"] = forge.claiming(**{claim: value})
    return refused(rows)


def _payloads(forge: Forge) -> list[Forgery]:
    def written(**changes: object) -> bytes:
        return json.dumps(forge.claims(**changes), separators=(",", ":")).encode("ascii")

    whole = written()
    entry = b'{"type":"repository","name":"team/app","name":"team/other","actions":["pull"]}'
    payloads: dict[str, object] = {
        "a list": [forge.claims()],
        "a string": "claims",
        "a number": 7,
        "null": b"null",
        "not JSON": b"sub=ada",
        "one byte": b"\x00",
        "cut": whole[:-1],
        "with more after it": whole + b"{}",
        "not UTF-8": whole.replace(b"ada", b"\xff\xfe\xfd"),
        "byte order mark": b"\xef\xbb\xbf" + whole,
        "UTF-16": whole.decode("ascii").encode("utf-16"),
        "UTF-32": whole.decode("ascii").encode("utf-32"),
        "compressed": b"x\x9c\x03\x00\x00\x00\x00\x01",
        "access twice": whole[:-1] + b',"access":[]}',
        "access twice, one escaped": whole[:-1] + b',"\\u0061ccess":[]}',
        "exp twice": b'{"exp":99999999999,' + whole[1:],
        "sub twice": b'{"sub":"root",' + whole[1:],
        "a name twice in an entry": written(access=[]).replace(b"[]", b"[" + entry + b"]"),
        "access nested deeply": written(access=[]).replace(b"[]", b"[" * 2500 + b"]" * 2500),
        "never closed": b'{"access":' + b"[" * 5000,
    }
    return refused({f"payload {name}": forge.signed(payload=content) for name, content in payloads.items()})


def _times(forge: Forge) -> list[Forgery]:
    now = forge.now
    bad: dict[str, dict[str, object]] = {
        "exp a string": {"exp": str(now + 300)},
        "exp a float with no fraction": {"exp": float(now + 300)},
        "exp NaN": {"exp": float("nan")},
        "exp infinite": {"exp": float("inf")},
        "exp huge": {"exp": 10**30},
        "exp of a thousand digits": {"exp": 10**1000},
        "exp in milliseconds": {"exp": (now + 300) * 1000},
        "exp zero": {"exp": 0},
        "exp negative": {"exp": -1},
        "exp very negative": {"exp": -(10**30)},
        "exp a second too old": {"iat": now - 300, "nbf": now - 300, "exp": now - LEEWAY},
        "exp yesterday": {"iat": now - 86700, "nbf": now - 86700, "exp": now - 86400},
        "nbf a string": {"nbf": str(now)},
        "nbf NaN": {"nbf": float("nan")},
        "nbf a second too far": {"nbf": now + LEEWAY + 1},
        "nbf tomorrow": {"nbf": now + 86400},
        "nbf huge": {"nbf": 10**30},
        "iat a string": {"iat": str(now)},
        "iat NaN": {"iat": float("nan")},
        "iat a second too far": {"iat": now + LEEWAY + 1},
        "iat huge, to make the lifetime short": {"iat": 10**30, "exp": 10**30 + 1},
        "iat negative": {"iat": -1},
        "lifetime a second too long": {"exp": now + LIFETIME_LIMIT + 1},
        "lifetime of ten years": {"exp": now + 315_360_000},
        "long life, long in use": {"iat": now - LIFETIME_LIMIT, "exp": now + 1},
    }
    fine: dict[str, dict[str, object]] = {
        "exp within the leeway": {"iat": now - 300, "nbf": now - 300, "exp": now - LEEWAY + 1},
        "nbf within the leeway": {"nbf": now + LEEWAY},
        "iat within the leeway": {"iat": now + LEEWAY},
        "the longest lifetime": {"exp": now + LIFETIME_LIMIT},
        "nbf long ago": {"nbf": -(10**30)},
    }
    return [
        *refused({name: forge.claiming(**changes) for name, changes in bad.items()}),
        *refused(_digits(forge)),
        *good({name: forge.claiming(**changes) for name, changes in fine.items()}),
    ]


def _digits(forge: Forge) -> dict[str, str]:
    """Numbers as only the text of JSON can write them."""
    text = json.dumps(forge.claims(exp=7_777_777))
    numbers = {"of 5000 digits": "9" * 5000, "1e999": "1e999", "3e9": "3e9", "in hexadecimal": "0x7fffffff"}
    return {f"exp {name}": forge.signed(payload=text.replace("7777777", n).encode()) for name, n in numbers.items()}


def _names(forge: Forge) -> list[Forgery]:
    bad: dict[str, dict[str, object]] = {
        "sub a number": {"sub": 7},
        "sub empty": {"sub": ""},
        "sub with a line break": {"sub": "ada\nroot"},
        "sub with a NUL": {"sub": "ada\x00"},
        "sub with an escape": {"sub": "ada\x1b[2J"},
        "sub not ASCII": {"sub": "\u0430da"},
        "sub half a character": {"sub": "\ud800"},
        "kind unknown": {"kind": "administrator"},
        "kind in upper case": {"kind": "USER"},
        "kind empty": {"kind": ""},
        "kind a number": {"kind": 1},
        "kind anonymous with a name": {"kind": "anonymous"},
        "kind robot without a name": {"kind": "robot", "sub": ""},
        "jti a number": {"jti": 7},
        "jti empty": {"jti": ""},
        "jti with a line break": {"jti": "a\nb"},
        "jti not ASCII": {"jti": "\u00e9"},
        "cid a number": {"cid": 7},
        "cid empty": {"cid": ""},
        "cid with a line break": {"cid": "a\r\nb"},
    }
    fine: dict[str, dict[str, object]] = {
        "sub of SQL": {"sub": "' OR '1'='1"},
        "kind anonymous": {"kind": "anonymous", "sub": ""},
        "kind robot": {"kind": "robot", "sub": "team+ci"},
        "cid of a credential": {"cid": "0123456789abcdef"},
        "claims that nobody knows": {"admin": True, "scope": "repository:*:*", "__proto__": {"admin": True}},
    }
    return [
        *refused({name: forge.claiming(**changes) for name, changes in bad.items()}),
        *good({name: forge.claiming(**changes) for name, changes in fine.items()}),
    ]


def _audiences(forge: Forge) -> list[Forgery]:
    rows: dict[str, str] = {}
    for claim, right in (("aud", forge.audience), ("iss", forge.issuer)):
        wrong: dict[str, object] = {
            "another": "registry.example.net",
            "empty": "",
            "the beginning of ours": right[:-1],
            "the end of ours": right[1:],
            "a letter of ours": right[0],
            "ours and more": f"{right}.evil.example",
            "with a slash": f"{right}/",
            "with a blank": f"{right} ",
            "with a NUL": f"{right}\x00",
            "in upper case": right.upper(),
            "a number": 1,
            "an empty list": [],
            "ours and another": [right, "registry.example.net"],
            "ours twice": [right, right],
            "ours in two lists": [[right]],
            "an object with ours": {right: True},
            "everything": "*",
        }
        rows |= {f"{claim} {name}": forge.claiming(**{claim: value}) for name, value in wrong.items()}
    rows["iss a list of ours"] = forge.claiming(iss=[forge.issuer])
    rows["iss and aud swapped"] = forge.claiming(iss=forge.audience, aud=forge.issuer)
    return [*refused(rows), *good({"aud a list of ours": forge.claiming(aud=[forge.audience])})]


def _entry(**changes: object) -> dict[str, object]:
    return {"type": "repository", "name": "team/app", "actions": ["pull", "push"]} | changes


def _bad_access(forge: Forge) -> list[Forgery]:
    entries: dict[str, object] = {
        "a string": "repository:team/app:pull",
        "null": None,
        "a list": ["repository", "team/app", ["pull"]],
        "a number": 7,
        "empty": {},
        "without type": {"name": "team/app", "actions": ["pull"]},
        "without name": {"type": "repository", "actions": ["pull"]},
        "without actions": {"type": "repository", "name": "team/app"},
        "type a number": _entry(type=1),
        "type null": _entry(type=None),
        "name a number": _entry(name=7),
        "name null": _entry(name=None),
        "name a list": _entry(name=["team/app", "team/other"]),
        "name an object": _entry(name={"team": "app"}),
        "actions a string": _entry(actions="pull"),
        "actions an object": _entry(actions={"pull": True}),
        "actions null": _entry(actions=None),
        "actions true": _entry(actions=True),
        "an action a number": _entry(actions=["pull", 1]),
        "an action null": _entry(actions=["pull", None]),
        "an action a list": _entry(actions=[["pull"]]),
    }
    rows = {f"access: entry {name}": forge.granting(entry) for name, entry in entries.items()}
    rows["access: a good entry before a bad one"] = forge.granting(_entry(), 7)
    rows["access: one entry, no list"] = forge.claiming(access=_entry())
    rows["access: a string"] = forge.claiming(access="repository:team/app:pull,push")
    return refused(rows)


def _odd_access(forge: Forge) -> list[Forgery]:
    nothing: dict[str, list[object]] = {
        "no entry": [],
        "no action": [_entry(actions=[])],
        "every action": [_entry(actions=["*"])],
        "an unknown action": [_entry(actions=["admin", "create"])],
        "an action in upper case": [_entry(actions=["PULL"])],
        "an action with a blank": [_entry(actions=["pull ", " push"])],
        "two actions in one": [_entry(actions=["pull,push"])],
        "an empty action": [_entry(actions=[""])],
        "an unknown type": [_entry(type="repo")],
        "a type in upper case": [_entry(type="Repository")],
        "a plugin": [_entry(type="repository(plugin)")],
        "an empty type": [_entry(type="")],
        "the registry's actions of a repository": [_entry(type="registry", name="catalog")],
        "a registry that is not the catalog": [_entry(type="registry", name="*", actions=["*"])],
        "the catalog as a repository": [_entry(name="catalog", actions=["*"])],
    }
    rows = empty({f"access: {name}": forge.granting(*entries) for name, entries in nothing.items()})
    pull = ["pull"]
    precise: dict[str, tuple[list[object], set[tuple[str, str]]]] = {
        "pushing alone": ([_entry(actions=["push"])], {("team/app", "push")}),
        "deleting alone": ([_entry(actions=["delete"])], {("team/app", "delete")}),
        "known and unknown": ([_entry(actions=["pull", "*", "admin"])], {("team/app", "pull")}),
        "an action often": ([_entry(actions=pull * 50)], {("team/app", "pull")}),
        "more fields": ([_entry(actions=pull, admin=True)], {("team/app", "pull")}),
        "an empty name": ([_entry(name="", actions=pull)], {("", "pull")}),
        "every name": ([_entry(name="*", actions=pull)], {("*", "pull")}),
        "every name of a namespace": ([_entry(name="team/*", actions=pull)], {("team/*", "pull")}),
        "a name that climbs": ([_entry(name="../team/app", actions=pull)], {("../team/app", "pull")}),
        "a name with a blank": ([_entry(name="team/app ", actions=pull)], {("team/app ", "pull")}),
        "a name in upper case": ([_entry(name="Team/App", actions=pull)], {("Team/App", "pull")}),
        "half a character": ([_entry(name="\ud800", actions=pull)], {("\ud800", "pull")}),
        "two entries": (
            [_entry(actions=pull), _entry(actions=["delete"]), _entry(name="b/c", actions=pull)],
            {("team/app", "pull"), ("team/app", "delete"), ("b/c", "pull")},
        ),
    }
    for name, (entries, may) in precise.items():
        rows += good({f"access: {name}": forge.granting(*entries)}, frozenset(may))
    return rows
