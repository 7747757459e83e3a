"""Values of options as Docker writes them: sizes, spans, processors, ulimits, devices, NAME=VALUE pairs.

Each function raises ValueError, whose text ends Docker's `invalid argument "..." for "..." flag: ...`.
"""

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from runtime.cli.options import Failure
from runtime.config import environment

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgtp]?)(?:i?b)?", re.IGNORECASE | re.ASCII)
_SPAN = re.compile(r"(\d+(?:\.\d+)?|\.\d+)(ns|us|µs|ms|s|m|h)", re.ASCII)
_SPANS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_RULE = re.compile(r"[acb] ([0-9]+|\*):([0-9]+|\*) [rwm]{1,3}", re.ASCII)


def size(text: str) -> int:
    """Bytes: `512m`, `1.5g`, `64KiB`; powers of 1024."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"invalid size: '{text}'")
    return int(Decimal(match[1]) * 1024 ** " kmgtp".index(match[2].lower() or " "))


def swap(text: str) -> int:
    """A size, or -1 for no limit."""
    return -1 if text == "-1" else size(text)


def span(text: str) -> int:
    """Nanoseconds of a Go duration: `1m30s`, `500ms`."""
    if text in {"0", ""}:
        return 0
    parts = _SPAN.findall(text)
    if "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f'time: invalid duration "{text}"')
    return int(sum(Decimal(number) * _SPANS[unit] for number, unit in parts))


def processors(text: str) -> int:
    """Billionths of a processor: `1.5`."""
    try:
        return int(Decimal(text) * 10**9)
    except InvalidOperation:
        raise ValueError(f"failed to parse {text} as a rational number") from None


def ulimit(text: str) -> dict[str, Any]:
    """`nofile=1024[:2048]`."""
    name, equals, limits = text.partition("=")
    soft, colon, hard = limits.partition(":")
    try:
        if not equals or not name:
            raise ValueError
        found: dict[str, Any] = {"Name": name, "Soft": int(soft), "Hard": int(hard) if colon else int(soft)}
    except ValueError:
        raise ValueError(f"invalid ulimit argument: {text}") from None
    if found["Soft"] > found["Hard"] != -1:
        raise ValueError(
            f"ulimit soft limit must be less than or equal to hard limit: {found['Soft']} > {found['Hard']}"
        )
    return found


def device(text: str) -> dict[str, str]:
    """`/dev/on/host[:/dev/inside][:rwm]`."""
    parts = text.split(":")
    mode = parts.pop() if len(parts) > 1 and set(parts[-1]) <= set("rwm") and parts[-1] else "rwm"
    if len(parts) > 2 or not parts[0]:
        raise Failure(f"bad format for path: {text}", 125)
    inside = parts[-1]
    if not inside.startswith("/"):
        raise Failure(f"{inside} is not an absolute path", 125)
    return {"PathOnHost": parts[0], "PathInContainer": inside, "CgroupPermissions": mode}


def capabilities(added: Iterable[str], dropped: Iterable[str]) -> tuple[list[str], list[str]]:
    """Capabilities with CAP_ before them, in order; ALL stands for every other, and what is added is not dropped."""
    add, drop = ({_capability(text) for text in texts} for texts in (added, dropped))
    add, drop = ({"ALL"} if "ALL" in names else names for names in (add, drop))
    return sorted(add), sorted(drop - add)


def _capability(text: str) -> str:
    name = text.strip().upper()
    return name if name == "ALL" or name.startswith("CAP_") else f"CAP_{name}"


def cgroup_rule(text: str) -> str:
    """`c 1:3 rwm`."""
    if not _RULE.fullmatch(text):
        raise ValueError(f"invalid device cgroup format '{text}'")
    return text


def extra_host(text: str) -> str:
    """`name:address` or `name=address`, as the API has it: `name:address`."""
    mark = "=" if "=" in text else ":"
    name, given, address = text.partition(mark)
    if not given or not name or ":" in name:
        raise ValueError(f'bad format for add-host: "{text}"')
    address = address.removeprefix("[").removesuffix("]") if address.startswith("[") else address
    if address != "host-gateway" and not is_address(address):
        raise ValueError(f'invalid IP address in add-host: "{address}"')
    return f"{name}:{address}"


def is_address(text: str) -> bool:
    """Whether a text is an IP address."""
    import socket

    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, text)
        except OSError:
            continue
        return True
    return False


def address(text: str) -> str:
    """An IP address."""
    if not is_address(text.strip()):
        raise ValueError(f"{text} is not an ip address")
    return text.strip()


def stream(text: str) -> str:
    """stdin, stdout or stderr."""
    if text.lower() not in {"stdin", "stdout", "stderr"}:
        raise ValueError("valid streams are STDIN, STDOUT and STDERR")
    return text.lower()


def variable(text: str) -> str:
    """`NAME=value`; a name alone takes the value that it has here, where it has one."""
    name, equals, _ = text.partition("=")
    if not name:
        raise ValueError(f"invalid environment variable: {text}")
    here = environment().get(name)
    return text if equals or here is None else f"{name}={here}"


def variables(files: Iterable[str], given: Iterable[str]) -> list[str]:
    """The variables of files (--env-file), then those of -e. Raises: Failure."""
    return [*_lines(files, "--env-file", take=True), *given]


def labels(files: Iterable[str], given: Iterable[str]) -> dict[str, str]:
    """The labels of files (--label-file), then those of -l. Raises: Failure."""
    return pairs([*_lines(files, "--label-file", take=False), *given])


def pairs(texts: Iterable[str]) -> dict[str, str]:
    """{name: value} of NAME=VALUE texts; a name alone has the value ""."""
    return {name: value for name, _, value in (text.partition("=") for text in texts)}


def _lines(files: Iterable[str], option: str, *, take: bool) -> list[str]:
    found = []
    for file in files:
        try:
            text = Path(file).read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise Failure(f"{option}: {error}", 125) from error
        for line in map(str.lstrip, text.splitlines()):
            if line and not line.startswith("#"):
                found += _line(line, file, option, environment() if take else {})
    return found


def _line(line: str, file: str, option: str, known: Mapping[str, str]) -> list[str]:
    name, equals, _ = line.partition("=")
    if any(character.isspace() for character in name) or not name:
        what = f"variable '{name}' contains whitespaces" if name else "no variable name on line '" + line + "'"
        raise Failure(f"{option}: invalid env file ({file}): {what}", 125)
    if equals:
        return [line]
    if option == "--label-file":
        return [name]
    return [f"{name}={known[name]}"] if name in known else []
