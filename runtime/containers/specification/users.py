"""Who a container's process is: `USER` and `--user`, read against the image's own /etc/passwd and /etc/group.

The files are the image's, so they may be anything: links stay inside its root, what is no regular file is not read, and
no more than a mebibyte is. Forms and sentences as in Docker (moby/sys/user, GetExecUser): name, uid, name:group,
uid:gid; a number that no line names is taken as it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from runtime.containers.specification.rooted import read_inside
from runtime.errors import BadParameter

_LIMIT = 2**20
_HIGHEST = 2**31 - 1


@dataclass(frozen=True, slots=True)
class User:
    """Numbers in the container, and the home directory that HOME tells."""

    uid: int = 0
    gid: int = 0
    groups: tuple[int, ...] = ()
    home: str = "/"


@dataclass(frozen=True, slots=True)
class _Account:
    name: str
    uid: int
    gid: int
    home: str


@dataclass(frozen=True, slots=True)
class _Group:
    name: str
    gid: int
    members: tuple[str, ...]


def find(root: Path, text: str, groups: Sequence[str] = ()) -> User:
    """Find who `text` means in the root file system at `root`.

    Args: groups: further groups by name or number (`--group-add`).
    Raises: BadParameter, with Docker's sentences, for a name that no line has and a number out of range.
    """
    name, _, group = text.partition(":")
    name = name or "0"
    accounts, known = _accounts(root), _groups(root)
    account = _account(accounts, name)
    gid = account.gid if not group else _gid(known, group)
    more = {each.gid for each in known if account.name and account.name in each.members} if not group else set()
    more |= {_gid(known, extra) for extra in groups}
    return User(account.uid, gid, tuple(sorted(more)), account.home)


def _account(accounts: list[_Account], name: str) -> _Account:
    number = _number(name)
    for account in accounts:
        if account.name == name or (number is not None and account.uid == number):
            return account
    if number is None:
        raise BadParameter(f"unable to find user {name}: no matching entries in passwd file")
    return _Account("", _in_range(number), 0, "/")


def _gid(groups: list[_Group], name: str) -> int:
    number = _number(name)
    for group in groups:
        if group.name == name or (number is not None and group.gid == number):
            return group.gid
    if number is None:
        raise BadParameter(f"unable to find group {name}: no matching entries in group file")
    return _in_range(number)


def _number(text: str) -> int | None:
    digits = text.removeprefix("-")
    return int(text) if digits.isascii() and digits.isdecimal() and len(digits) < 20 else None


def _in_range(number: int) -> int:
    if not 0 <= number <= _HIGHEST:
        raise BadParameter(f"uids and gids must be in range 0-{_HIGHEST}")
    return number


def _accounts(root: Path) -> list[_Account]:
    found = []
    for parts in _lines(root, "/etc/passwd", 7):
        uid, gid = _number(parts[2]), _number(parts[3])
        if uid is not None and gid is not None and 0 <= uid <= _HIGHEST and 0 <= gid <= _HIGHEST:
            found.append(_Account(parts[0], uid, gid, parts[5] or "/"))
    return found


def _groups(root: Path) -> list[_Group]:
    found = []
    for parts in _lines(root, "/etc/group", 4):
        gid = _number(parts[2])
        if gid is not None and 0 <= gid <= _HIGHEST:
            found.append(_Group(parts[0], gid, tuple(parts[3].split(","))))
    return found


def _lines(root: Path, path: str, parts: int) -> list[list[str]]:
    """The file's lines, each in that many parts; what lacks a part has an empty one."""
    text = read_inside(root, path, _LIMIT).decode("utf-8", "replace").replace("\0", "")
    return [
        (line.strip().split(":") + [""] * parts)[:parts]
        for line in text.split("\n")
        if line.strip() and not line.startswith("#")
    ]
