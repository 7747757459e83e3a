"""Scopes as nobody should write them, and a few that look wrong and are not."""

from dataclasses import dataclass

from auth.scopes import MAX_SCOPES, SCOPE_LIMIT


@dataclass(frozen=True, slots=True)
class OddScope:
    """A `scope` parameter, and whether it is in the grammar; what it asks for is another matter."""

    name: str
    text: str
    valid: bool


def odd_scopes() -> list[OddScope]:
    """One row for each idea."""
    return [OddScope(name, text, False) for name, text in _WRONG] + [OddScope(name, text, True) for name, text in _ODD]


_WRONG = (
    ("a word", "pull"),
    ("a colon", ":"),
    ("two colons", "::"),
    ("one colon", "repository:team/app"),
    ("no type", ":team/app:pull"),
    ("no name", "repository::pull"),
    ("a type in upper case", "Repository:team/app:pull"),
    ("a type with a dash", "repo-sitory:team/app:pull"),
    ("a type with a star", "*:team/app:pull"),
    ("a class that is not closed", "repository(plugin:team/app:pull"),
    ("a class that is empty", "repository():team/app:pull"),
    ("two classes", "repository(a)(b):team/app:pull"),
    ("a class in upper case", "repository(Plugin):team/app:pull"),
    ("an action in upper case", "repository:team/app:PULL"),
    ("a star in an action", "repository:team/app:pu*ll"),
    ("two stars", "repository:team/app:**"),
    ("an action with a slash", "repository:team/app:pull/push"),
    ("an action with a semicolon", "repository:team/app:pull;push"),
    ("an action with a quote", "repository:team/app:pull'"),
    ("a quote in the name", 'repository:team/app":pull'),
    ("a backslash in the name", "repository:team\\app:pull"),
    ("a tab in the name", "repository:team/\tapp:pull"),
    ("a line break at the end", "repository:team/app:pull\n"),
    ("a line break between", "repository:team/app:pull\nrepository:team/b:pull"),
    ("a header in the name", "repository:team/app\r\nX-Evil: 1:pull"),
    ("a tab between", "repository:team/app:pull\trepository:team/b:pull"),
    ("a NUL", "repository:team/app\x00:pull"),
    ("an escape", "repository:team/\x1b[2Japp:pull"),
    ("a DEL", "repository:team/app\x7f:pull"),
    ("a letter that is not ASCII", "repository:team/\u00e4pp:pull"),
    ("a look-alike", "repository:te\u0430m/app:pull"),
    ("wide colons", "repository\uff1ateam/app\uff1apull"),
    ("a blank that is not ASCII", "repository:team/app:pull\u00a0repository:team/b:pull"),
    ("half a character", "repository:team/\ud800:pull"),
    ("digits of another script", "repository\u0661:team/app:pull"),
    ("a letter too long", "repository:" + "a" * (SCOPE_LIMIT - 15) + ":pull"),
    ("a mebibyte", "repository:" + "a" * 2**20 + ":pull"),
    ("a mebibyte of colons", ":" * 2**20),
    ("a mebibyte of commas", "repository:a/b:" + "," * 2**20),
    ("too many", " ".join(f"repository:team/{n}:pull" for n in range(MAX_SCOPES + 1))),
    ("too many of the same", " ".join(["repository:team/app:pull"] * (MAX_SCOPES + 1))),
    ("a good one before a bad one", "repository:team/app:pull repository"),
    ("JSON", '[{"type":"repository","name":"team/app","actions":["pull"]}]'),
    ("commas between", "repository:team/app:pull,repository:team/b:pull;"),
)

_ODD = (
    ("nothing", ""),
    ("blanks", "     "),
    ("blanks around", "  repository:team/app:pull   repository:team/b:push "),
    ("no action", "repository:team/app:"),
    ("commas only", "repository:team/app:,,"),
    ("an unknown action", "repository:team/app:admin"),
    ("every action", "repository:team/app:*"),
    ("an unknown type", "blob:team/app:pull"),
    ("a plugin", "repository(plugin):team/app:pull"),
    ("a name with a port", "repository:localhost:5000/team/app:pull"),
    ("a name in upper case", "repository:Team/App:pull"),
    ("a name that climbs", "repository:../../etc/passwd:pull"),
    ("a name with escapes", "repository:team%2fapp:pull"),
    ("a name of SQL", "repository:'--:pull"),
    ("every name", "repository:*:pull"),
    ("every name of a namespace", "repository:team/*:pull"),
    ("a comma in the name", "repository:team/app,team/b:pull"),
    ("the catalog", "registry:catalog:*"),
    ("another registry", "registry:other:*"),
    ("the longest", "repository:" + "a" * (SCOPE_LIMIT - 16) + ":pull"),
    ("the most", " ".join(f"repository:team/{n}:pull" for n in range(MAX_SCOPES))),
    ("colons in the name", "repository:a::b:pull"),
)
