"""The settings: one frozen model, read once from defaults, a TOML file, the environment and `*_FILE` secrets.

Only `app` and `cli` see it; drivers and use cases take plain arguments. Sizes are bytes, times are `timedelta`.
Every mistake is reported at once, each with its key, where it came from and what is allowed.
"""

import difflib
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

PREFIX = "MOORAGE_"
NESTING = "__"


class ConfigurationError(Exception):
    """The settings cannot be used; `problems` names every mistake in a line of its own."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


def _seconds(value: object) -> object:
    """Take a number of seconds that is a text too, for the environment has nothing else."""
    return float(value) if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}(\.[0-9]+)?", value) else value


ZERO = timedelta(0)
Duration = Annotated[timedelta, BeforeValidator(_seconds), Field(ge=ZERO)]
"""Seconds, such as 30, or ISO 8601, such as PT24H."""


class Section(BaseModel):
    """A section of the settings: frozen, and closed to unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


class Server(Section):
    """How the server listens and works."""

    listen: str = Field("127.0.0.1:5000", description="HOST:PORT; [::1]:5000 for IPv6; port 0 picks a free one")
    uds: Path | None = Field(None, description="listen on this unix socket instead of `listen`")
    workers: int = Field(0, ge=0, le=256, description="worker processes; 0: one for each core, 4 at most")
    engine: Literal["uvicorn", "granian"] = Field("uvicorn", description="the HTTP server under the app")
    tls_cert: Path | None = Field(None, description="certificate chain in PEM; read again when it changes")
    tls_key: Path | None = Field(None, description="private key in PEM")
    drain_timeout: Duration = Field(timedelta(seconds=30), description="how long SIGTERM waits for open requests")
    header_timeout: Duration = Field(
        timedelta(seconds=10), gt=ZERO, description="how long a request's headers may take"
    )
    keep_alive: Duration = Field(timedelta(seconds=75), gt=ZERO, description="how long an idle connection is kept")
    stall_timeout: Duration = Field(
        timedelta(seconds=60), gt=ZERO, description="how long a reader or writer may stand still"
    )


class Limits(Section):
    """How much one request, and all of them together, may take."""

    requests_in_flight: int = Field(512, ge=1, description="requests a worker handles at once; more get 503")
    blob_bytes: int = Field(20 * 2**30, ge=1, description="the largest blob")
    uploads_per_subject: int = Field(256, ge=1, description="upload sessions of one user (open mode: one address)")
    storage_threads: int = Field(16, ge=1, le=256, description="threads of a worker that write blobs, and that read")
    database_threads: int = Field(8, ge=1, le=256, description="threads, and connections, of a worker for SQL")


class Storage(Section):
    """Where the bytes are."""

    path: Path = Field(Path("moorage-data"), description="the data directory; `moorage serve` creates it")
    reserve_bytes: int = Field(
        256 * 2**20, ge=0, description="uploads are refused below this much free space, or 5 % if that is less"
    )


class Database(Section):
    """Where the catalog is."""

    url: str | None = Field(None, description="SQLAlchemy URL; none: SQLite in the data directory")


class Manifests(Section):
    """What is asked of manifests."""

    allow_missing: bool = Field(False, description="accept manifests whose children are not here")


class Uploads(Section):
    """What becomes of unfinished uploads."""

    expiry: Duration = Field(
        timedelta(hours=24), gt=ZERO, description="a session that moved no byte for so long is removed"
    )
    sweep_interval: Duration = Field(timedelta(hours=1), gt=ZERO, description="how often that is looked for")


class Auth(Section):
    """Who may do what."""

    mode: Literal["accounts", "open"] = Field("accounts", description="open: everyone may read and write everything")


class Log(Section):
    """What is written to standard error."""

    format: Literal["text", "json"] = Field("text", description="for people, or for machines")
    level: Literal["debug", "info", "warning", "error"] = Field("info", description="the least level that is written")
    access: bool = Field(True, description="one line for each request")


class Settings(Section):
    """All settings."""

    server: Server = Field(default_factory=Server)
    limits: Limits = Field(default_factory=Limits)
    storage: Storage = Field(default_factory=Storage)
    database: Database = Field(default_factory=Database)
    manifests: Manifests = Field(default_factory=Manifests)
    uploads: Uploads = Field(default_factory=Uploads)
    auth: Auth = Field(default_factory=Auth)
    log: Log = Field(default_factory=Log)

    @property
    def database_url(self) -> str:
        """Give the catalog's URL."""
        return self.database.url or f"sqlite:///{self.storage.path.absolute() / 'moorage.db'}"


Tree = dict[str, dict[str, Any]]
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
            tree.setdefault(section, {})[key] = value
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
    return f"{PREFIX}{section}{NESTING}{key}".upper()


def every_key() -> list[str]:
    """List every key as `section.key`."""
    return [f"{name}.{key}" for name, section in _sections().items() for key in section.model_fields]


def _sections() -> dict[str, type[Section]]:
    found = {name: field.annotation for name, field in Settings.model_fields.items()}
    return {name: kind for name, kind in found.items() if isinstance(kind, type) and issubclass(kind, Section)}


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
        found |= {(section, key): value for key, value in keys.items()}
    return found


def _from_environment(problems: list[str]) -> dict[tuple[str, str], object]:
    """Read MOORAGE_SECTION__KEY; with _FILE behind it the value is what that file holds."""
    found: dict[tuple[str, str], object] = {}
    for name, value in sorted(os.environ.items()):
        if not name.startswith(PREFIX) or NESTING not in name:
            continue
        section, _, key = name[len(PREFIX) :].lower().partition(NESTING)
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
    place = tuple(str(part) for part in line["loc"])
    key = ".".join(place[:2])
    origin = origins.get((place[0], place[1] if len(place) > 1 else ""), "")
    origin = origin or next((where for (section, _), where in origins.items() if section == place[0]), "")
    if line["type"] == "extra_forbidden":
        near = difflib.get_close_matches(key, [*every_key(), *_sections()], n=1, cutoff=0.5)
        advice = f"; did you mean {near[0]}?" if near else ""
        return f"{key} (from {origin}): there is no such setting{advice}"
    wanted = f"{line['msg'][:1].lower()}{line['msg'][1:]}"
    if line["type"].startswith("time_delta"):
        wanted = "input should be a number of seconds, such as 30, or a duration, such as PT24H"
    return f"{key} (from {origin}): {wanted}; got {line['input']!r}"
