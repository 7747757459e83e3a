"""Reading the settings once: from defaults, a TOML file, the environment, `*_FILE` secrets and the command line.

Every mistake is reported at once, each with its key, where it came from and what is allowed.
"""

import difflib
import os
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from registry.settings.model import Settings
from registry.settings.section import Section

PREFIX = "MOORAGE_"
NESTING = "__"


class ConfigurationError(Exception):
    """The settings cannot be used; `problems` names every mistake in a line of its own."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


Tree = dict[str, Any]
Origins = dict[tuple[str, str], str]


def load(
    config: Path | None = None, given: Mapping[str, Mapping[str, object]] | None = None
) -> tuple[Settings, Origins]:
    """Read the settings.

    Args:    config: a TOML file; given: what the command line says, which outweighs the rest.
    Returns: the settings, and where each key that is not a default came from.
    Raises:  ConfigurationError.
    """
    tree: Tree = {}
    origins: Origins = {}
    problems: list[str] = []
    for source, values in _sources(config, given or {}, problems):
        for (section, key), value in values.items():
            _branch(tree, section)[key] = value
            origins[section, key] = source if source != "env" else f"the environment ({variable(section, key)})"
    try:
        settings = Settings.model_validate(tree)
    except ValidationError as error:
        problems += [_explained(dict(line), origins) for line in error.errors()]
        settings = Settings()
    if problems:
        raise ConfigurationError(problems)
    return settings, origins


def variable(section: str, key: str) -> str:
    """Name the environment variable of a key."""
    return f"{PREFIX}{section.replace('.', NESTING)}{NESTING}{key}".upper()


def every_key() -> list[str]:
    """List every key as `section.key`; a section may lie in another, such as `storage.s3`."""
    sections = _sections()
    names = [(section, key) for section, kind in sections.items() for key in kind.model_fields]
    return [f"{section}.{key}" for section, key in names if f"{section}.{key}" not in sections]


def _sections(within: type[Section] = Settings, path: str = "") -> dict[str, type[Section]]:
    found: dict[str, type[Section]] = {}
    for name, field in within.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Section):
            found |= {f"{path}{name}": kind, **_sections(kind, f"{path}{name}.")}
    return found


def _branch(tree: Tree, section: str) -> Tree:
    """Give the place of a section's keys."""
    for name in section.split("."):
        tree = tree.setdefault(name, {})
    return tree


def _sources(
    config: Path | None, given: Mapping[str, Mapping[str, object]], problems: list[str]
) -> Iterable[tuple[str, dict[tuple[str, str], object]]]:
    if config is not None:
        yield str(config), _from_file(config, problems)
    yield "env", _from_environment(problems)
    flat = {(section, key): value for section, keys in given.items() for key, value in keys.items()}
    yield "the command line", flat


def _from_file(path: Path, problems: list[str]) -> dict[tuple[str, str], object]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        problems.append(f"{path}: cannot be read: {error.strerror}")
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        problems.append(f"{path}: is not TOML: {error}")
        return {}
    found: dict[tuple[str, str], object] = {}
    for section, keys in document.items():
        if not isinstance(keys, dict):
            problems.append(f"{section} (from {path}): settings stand in sections, such as [server]")
            continue
        found |= _flat(section, keys)
    return found


def _flat(section: str, keys: Mapping[str, object]) -> dict[tuple[str, str], object]:
    found: dict[tuple[str, str], object] = {}
    for key, value in keys.items():
        inner = f"{section}.{key}"
        found |= _flat(inner, value) if isinstance(value, dict) and inner in _sections() else {(section, key): value}
    return found


def _from_environment(problems: list[str]) -> dict[tuple[str, str], object]:
    """Read MOORAGE_SECTION__KEY; with _FILE behind it the value is what that file holds."""
    found: dict[tuple[str, str], object] = {}
    for name, value in sorted(os.environ.items()):
        if not name.startswith(PREFIX) or NESTING not in name:
            continue
        path, _, key = name[len(PREFIX) :].lower().rpartition(NESTING)
        section = path.replace(NESTING, ".")
        if key.endswith("_file"):
            key, text = key.removesuffix("_file"), _secret(name, Path(value), problems)
            found[section, key] = text
        else:
            found[section, key] = value
    return found


def _secret(name: str, path: Path, problems: list[str]) -> str:
    try:
        return path.read_text(encoding="utf-8").rstrip("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        problems.append(f"{name}: {path} cannot be read: {reason}")
        return ""


def _explained(line: dict[str, Any], origins: Origins) -> str:
    section, key = _place(tuple(str(part) for part in line["loc"]))
    origin = origins.get((section, key), "")
    origin = origin or next((where for (name, _), where in origins.items() if name.startswith(section)), "")
    full = f"{section}.{key}".rstrip(".")
    if line["type"] == "extra_forbidden":
        near = difflib.get_close_matches(full, [*every_key(), *_sections()], n=1, cutoff=0.5)
        advice = f"; did you mean {near[0]}?" if near else ""
        return f"{full} (from {origin}): there is no such setting{advice}"
    wanted = f"{line['msg'][:1].lower()}{line['msg'][1:]}"
    if line["type"].startswith("time_delta"):
        wanted = "input should be a number of seconds, such as 30, or a duration, such as PT24H"
    return f"{full} (from {origin}): {wanted}; got {_hidden(section, key, line['input'])}"


def _place(path: tuple[str, ...]) -> tuple[str, str]:
    """Part where a mistake is into section and key; the key is empty where it is about a section."""
    section, rest = path[0], path[1:]
    while rest and f"{section}.{rest[0]}" in _sections():
        section, rest = f"{section}.{rest[0]}", rest[1:]
    return section, rest[0] if rest else ""


def _hidden(section: str, key: str, value: object) -> str:
    """Write a value, unless it is a secret."""
    kind = _sections().get(section)
    field = kind.model_fields.get(key) if kind else None
    return "a secret" if field is not None and "SecretStr" in str(field.annotation) else repr(value)
