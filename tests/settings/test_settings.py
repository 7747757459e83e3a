"""Settings: every key by every way, mistakes told all at once with their origin, nothing unknown taken silently."""

import os
from collections.abc import Iterator
from datetime import timedelta
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from registry.settings import PREFIX, ConfigurationError, Settings, every_key, load, variable

SAMPLES: dict[str, tuple[str, str, object]] = {
    "server.listen": ('"[::1]:5001"', "[::1]:5001", "[::1]:5001"),
    "server.uds": ('"/run/m.sock"', "/run/m.sock", Path("/run/m.sock")),
    "server.workers": ("3", "3", 3),
    "server.engine": ('"granian"', "granian", "granian"),
    "server.tls_cert": ('"a.crt"', "a.crt", Path("a.crt")),
    "server.tls_key": ('"a.key"', "a.key", Path("a.key")),
    "server.drain_timeout": ("5", "5", timedelta(seconds=5)),
    "server.header_timeout": ("2.5", "2.5", timedelta(seconds=2.5)),
    "server.keep_alive": ('"PT1M"', "PT1M", timedelta(minutes=1)),
    "server.stall_timeout": ('"00:00:07"', "00:00:07", timedelta(seconds=7)),
    "limits.requests_in_flight": ("7", "7", 7),
    "limits.blob_bytes": ("1000", "1000", 1000),
    "limits.uploads_per_subject": ("9", "9", 9),
    "limits.storage_threads": ("2", "2", 2),
    "limits.database_threads": ("2", "2", 2),
    "storage.driver": ('"s3"', "s3", "s3"),
    "storage.former": ('"s3"', "s3", "s3"),
    "storage.s3.bucket": ('"images"', "images", "images"),
    "storage.s3.prefix": ('"hub"', "hub", "hub/"),
    "storage.s3.endpoint": ('"http://s3:7480"', "http://s3:7480/", "http://s3:7480"),
    "storage.s3.public_endpoint": ('"https://s3.example"', "https://s3.example", "https://s3.example"),
    "storage.s3.region": ('"eu-north-1"', "eu-north-1", "eu-north-1"),
    "storage.s3.path_style": ("true", "true", True),
    "storage.s3.access_key": ('"AK"', "AK", "AK"),
    "storage.s3.secret_key": ('"SK"', "SK", SecretStr("SK")),
    "storage.s3.storage_class": ('"STANDARD_IA"', "STANDARD_IA", "STANDARD_IA"),
    "storage.s3.sse": ('"aws:kms"', "aws:kms", "aws:kms"),
    "storage.s3.sse_kms_key": ('"a-key"', "a-key", "a-key"),
    "storage.s3.part_bytes": ("5242880", "5242880", 5242880),
    "storage.s3.parallel_parts": ("2", "2", 2),
    "storage.s3.memory_bytes": ("0", "0", 0),
    "storage.s3.redirect": ("false", "false", False),
    "storage.s3.direct_networks": ('["10.0.0.0/8"]', "10.0.0.0/8", ("10.0.0.0/8",)),
    "storage.s3.redirect_lifetime": ('"PT1H"', "PT1H", timedelta(hours=1)),
    "storage.path": ('"/srv/data"', "/srv/data", Path("/srv/data")),
    "storage.reserve_bytes": ("0", "0", 0),
    "database.url": ('"sqlite:////x.db"', "sqlite:////x.db", "sqlite:////x.db"),
    "database.direct_url": ('"postgresql://h/x"', "postgresql://h/x", "postgresql://h/x"),
    "database.auto_migrate": ("false", "false", False),
    "manifests.allow_missing": ("true", "true", True),
    "uploads.expiry": ('"P7D"', "P7D", timedelta(days=7)),
    "gc.enabled": ("false", "false", False),
    "gc.grace": ('"PT48H"', "PT48H", timedelta(hours=48)),
    "gc.i_know": ("true", "true", True),
    "gc.interval": ("600", "600", timedelta(minutes=10)),
    "uploads.sweep_interval": ("60", "60", timedelta(seconds=60)),
    "jobs.in_server": ("false", "false", False),
    "jobs.keep": ("86400", "P1D", timedelta(days=1)),
    "server.public_url": ('"https://hub.example"', "https://hub.example/", "https://hub.example"),
    "server.trusted_proxies": ('["10.0.0.0/8", "unix"]', "10.0.0.0/8, unix", ("10.0.0.0/8", "unix")),
    "auth.mode": ('"open"', "open", "open"),
    "auth.service": ('"hub"', "hub", "hub"),
    "auth.issuer": ('"hub.example"', "hub.example", "hub.example"),
    "auth.token_lifetime": ("60", "60", timedelta(minutes=1)),
    "auth.refresh_tokens": ("false", "false", False),
    "auth.refresh_lifetime": ('"P7D"', "P7D", timedelta(days=7)),
    "auth.key_rotation": ("0", "0", timedelta(0)),
    "secrets.master_key": ('"mrg_key_x"', "mrg_key_x", SecretStr("mrg_key_x")),
    "admin.password": ('"four words of salt"', "four words of salt", SecretStr("four words of salt")),
    "audit.path": ('"/var/log/moorage.jsonl"', "/var/log/moorage.jsonl", Path("/var/log/moorage.jsonl")),
    "audit.keep": ('"P30D"', "P30D", timedelta(days=30)),
    "log.format": ('"json"', "json", "json"),
    "log.level": ('"debug"', "debug", "debug"),
    "log.access": ("false", "false", False),
}


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(PREFIX) and "__" in name:
            monkeypatch.delenv(name)


@pytest.fixture
def toml(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "moorage.toml"


def value_of(settings: Settings, key: str) -> Any:
    return reduce(getattr, key.split("."), settings)


def problems(config: Path | None = None, given: dict[str, dict[str, object]] | None = None) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as told:
        load(config, given)
    assert str(told.value) == "\n".join(told.value.problems)
    return told.value.problems


def test_every_key_has_a_sample_here() -> None:
    assert sorted(SAMPLES) == sorted(every_key())


@pytest.mark.parametrize("key", SAMPLES)
def test_every_key_by_file(key: str, toml: Path) -> None:
    section, _, name = key.rpartition(".")
    toml.write_text(f"[{section}]\n{name} = {SAMPLES[key][0]}\n")
    settings, origins = load(toml)
    assert value_of(settings, key) == SAMPLES[key][2] != value_of(Settings(), key)
    assert origins == {(section, name): str(toml)}


@pytest.mark.parametrize("key", SAMPLES)
def test_every_key_by_environment(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    section, _, name = key.rpartition(".")
    monkeypatch.setenv(f"MOORAGE_{key.upper().replace('.', '__')}", SAMPLES[key][1])
    settings, origins = load()
    assert value_of(settings, key) == SAMPLES[key][2]
    assert origins == {(section, name): f"the environment ({variable(section, name)})"}


@pytest.mark.parametrize("key", SAMPLES)
def test_every_key_by_a_file_that_the_environment_names(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "secret"
    secret.write_text(SAMPLES[key][1] + "\n")
    monkeypatch.setenv(f"{variable(*key.rsplit('.', 1))}_FILE", str(secret))
    assert value_of(load()[0], key) == SAMPLES[key][2]


@pytest.mark.parametrize("key", SAMPLES)
def test_every_key_by_command_line(key: str) -> None:
    section, _, name = key.rpartition(".")
    settings, origins = load(None, {section: {name: SAMPLES[key][2]}})
    assert value_of(settings, key) == SAMPLES[key][2]
    assert origins == {(section, name): "the command line"}


def test_the_defaults_are_valid() -> None:
    settings, origins = load()
    assert settings == Settings()
    assert origins == {}


def test_what_stands_nearer_outweighs(toml: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toml.write_text("[server]\nworkers = 1\n[limits]\nblob_bytes = 1\nrequests_in_flight = 1\n")
    monkeypatch.setenv("MOORAGE_SERVER__WORKERS", "2")
    monkeypatch.setenv("MOORAGE_LIMITS__BLOB_BYTES", "2")
    settings, origins = load(toml, {"server": {"workers": 3}})
    assert (settings.server.workers, settings.limits.blob_bytes, settings.limits.requests_in_flight) == (3, 2, 1)
    assert origins["server", "workers"] == "the command line"
    assert origins["limits", "blob_bytes"] == "the environment (MOORAGE_LIMITS__BLOB_BYTES)"
    assert origins["limits", "requests_in_flight"] == str(toml)


@pytest.mark.parametrize("name", ["MOORAGE_TEST_ALL", "MOORAGE", "MOORAGE_HOME", "OTHER__KEY"])
def test_only_names_with_two_underscores_are_settings(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "1")
    load()


@pytest.mark.parametrize(
    ("wrong", "near"),
    [
        ("server.lisen", "server.listen"),
        ("server.worker", "server.workers"),
        ("servr.listen", "server.listen"),
        ("limit.blob_bytes", "limits.blob_bytes"),
        ("uploads.expire", "uploads.expiry"),
        ("auth.mod", "auth.mode"),
    ],
)
def test_an_unknown_key_is_told_the_nearest(wrong: str, near: str, toml: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    section, _, name = wrong.partition(".")
    toml.write_text(f"[{section}]\n{name} = 1\n")
    (problem,) = problems(toml)
    assert wrong.partition(".")[0] in problem
    assert str(toml) in problem
    assert "there is no such setting; did you mean " in problem
    assert near.partition(".")[0] in problem.partition("did you mean")[2]
    toml.write_text("")
    monkeypatch.setenv(variable(section, name), "1")
    assert variable(section, name) in problems(toml)[0]


def test_an_unknown_key_that_is_like_none_is_told_so(toml: Path) -> None:
    toml.write_text("[zzzzzz]\nqqqqqq = 1\n")
    (problem,) = problems(toml)
    assert problem.endswith("there is no such setting")


def test_all_mistakes_are_told_at_once(toml: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toml.write_text(
        'top = 1\n[server]\nworkers = -1\nengine = "apache"\nlisen = "x"\n[limits]\nblob_bytes = "many"\n'
        '[uploads]\nexpiry = "soon"\n'
    )
    monkeypatch.setenv("MOORAGE_LOG__LEVEL", "loud")
    monkeypatch.setenv("MOORAGE_DATABASE__URL_FILE", str(tmp_path / "absent"))
    found = problems(toml, {"auth": {"mode": "closed"}})
    for key, words in {
        "top": "settings stand in sections",
        "server.workers": "greater than or equal to 0",
        "server.engine": "'uvicorn' or 'granian'",
        "server.lisen": "did you mean server.listen?",
        "limits.blob_bytes": "valid integer",
        "uploads.expiry": "a number of seconds, such as 30, or a duration, such as PT24H; got 'soon'",
        "log.level": "'debug', 'info', 'warning' or 'error'",
        "MOORAGE_DATABASE__URL_FILE": "cannot be read: No such file",
        "auth.mode": "'accounts' or 'open'",
    }.items():
        (problem,) = [line for line in found if line.startswith(key)]
        assert words in problem
    assert len(found) == 9
    assert any(line.startswith("auth.mode (from the command line)") for line in found)


@pytest.mark.parametrize("key", [key for key in SAMPLES if isinstance(SAMPLES[key][2], timedelta)])
@pytest.mark.parametrize("value", ["-5", "-PT5S", "inf", "nan", "30s", "", "five", "1e3", "9" * 12])
def test_a_time_that_is_none_is_refused(key: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable(*key.rsplit(".", 1)), value)
    (problem,) = problems()
    assert problem.startswith(key)


@pytest.mark.parametrize("key", ["server.header_timeout", "server.keep_alive", "uploads.expiry"])
def test_a_time_in_which_nothing_can_happen_is_refused(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable(*key.rsplit(".", 1)), "0")
    assert "greater than 0" in problems()[0]


@given(st.floats(0.001, 1e6, allow_nan=False))
def test_seconds_are_the_same_as_a_number_and_as_a_text(seconds: float) -> None:
    text = f"{seconds:.6f}"
    number = load(None, {"uploads": {"expiry": float(text)}})[0]
    assert load(None, {"uploads": {"expiry": text}})[0] == number


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"[server", "is not TOML"), (b"a = 1\na = 2\n", "is not TOML"), (b"\xff", "is not TOML")],
)
def test_a_file_that_is_no_toml_is_told(content: bytes, words: str, toml: Path) -> None:
    toml.write_bytes(content)
    (problem,) = problems(toml)
    assert problem.startswith(str(toml))
    assert words in problem


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    assert "No such file" in problems(tmp_path / "absent.toml")[0]
    assert "directory" in problems(tmp_path)[0]


def test_a_secret_that_is_no_text_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret").write_bytes(b"\xff\xfe")
    monkeypatch.setenv("MOORAGE_DATABASE__URL_FILE", str(tmp_path / "secret"))
    assert "it is not UTF-8" in problems()[0]


def test_a_table_where_a_value_belongs_is_told(toml: Path) -> None:
    toml.write_text("[server.listen]\nhost = 1\n")
    assert problems(toml)[0].startswith("server.listen (from ")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("storage.s3.endpoint", "s3.example"),
        ("storage.s3.public_endpoint", "https://user@s3.example"),
        ("storage.s3.prefix", "/absolute"),
        ("storage.s3.prefix", "a//b"),
        ("storage.s3.direct_networks", "10.0.0.0/33"),
        ("storage.s3.part_bytes", "5000000"),
        ("storage.s3.redirect_lifetime", "60"),
        ("storage.s3.bucet", "images"),
    ],
)
def test_what_s3_cannot_use_is_told(key: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable(*key.rsplit(".", 1)), value)
    (problem,) = problems()
    assert problem.startswith(f"{key} (from the environment")
    assert "bucet" not in key or "did you mean storage.s3.bucket?" in problem


def test_settings_do_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().server.workers = 5  # type: ignore[misc]  # that is the point


def test_the_catalogs_url(tmp_path: Path) -> None:
    settings, _ = load(None, {"storage": {"path": tmp_path}})
    assert settings.database_url == f"sqlite:///{tmp_path}/moorage.db"
    settings, _ = load(None, {"database": {"url": "postgresql+psycopg://host/db"}})
    assert settings.database_url == "postgresql+psycopg://host/db"
