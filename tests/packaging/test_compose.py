"""The compose files: what Compose's own loader says of them, and that what they name exists.

Nothing is started here; test_scale.py runs the processes of compose.scale.yaml with the same settings.
"""

from __future__ import annotations

import ipaddress
import os
import re
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from auth.keys import MasterKey
from registry import __version__
from registry.serving.supervisor import GRACE
from registry.settings import Settings
from registry.settings.sources import every_key, load, variable
from tests.packaging.composed import DEPLOY, SECRETS, Composed, make_secrets, read_compose
from tests.parts.server import clean_environment

FILES = ("compose.yaml", "compose.scale.yaml")
VARIABLE = re.compile(r"\bMOORAGE_[A-Z0-9]+(?:__[A-Z0-9_]+)+\b(?!\*)")
KEY = re.compile(rf"(?<![-\w])(?:{'|'.join(Settings.model_fields)})(?:\.s3)?\.[a-z_]+\b(?![./])")


def texts() -> list[Path]:
    """Every file that is shipped for running the server."""
    return [path for path in sorted(DEPLOY.rglob("*")) if path.is_file() and path.parent.name != "secrets"]


@pytest.fixture(params=FILES)
def composed(request: pytest.FixtureRequest) -> Composed:
    """Each file."""
    return read_compose(request.param)


@pytest.fixture
def scale() -> Composed:
    """The large one."""
    return read_compose("compose.scale.yaml")


def seconds(text: str) -> timedelta:
    """A duration of minutes and seconds, as Compose writes it."""
    found = re.fullmatch(r"(?:(\d+)m)?(?:(\d+)s)?", text)
    assert found, text
    return timedelta(minutes=int(found[1] or 0), seconds=int(found[2] or 0))


@pytest.mark.parametrize("path", texts(), ids=lambda path: str(path.relative_to(DEPLOY)))
def test_what_a_file_says_of_settings_exists(path: Path) -> None:
    """In comments too: a line that is commented out is one that somebody will switch on."""
    known = {variable(*key.rpartition(".")[::2]) for key in every_key()}
    text = path.read_text(encoding="utf-8")
    assert {name.removesuffix("_FILE") for name in VARIABLE.findall(text)} <= known
    assert set(KEY.findall(text)) - {"storage.s3"} <= set(every_key())


def test_the_settings_of_each_replica_are_settings(
    composed: Composed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = make_secrets(tmp_path / "secrets")
    for name in set(os.environ) - set(clean_environment()):
        monkeypatch.delenv(name)
    for replica in composed.replicas():
        with monkeypatch.context() as patch:
            _, environment = replica.relocated({SECRETS: str(secrets)})
            for name, value in environment.items():
                patch.setenv(name, value)
            settings, _ = load()
        stop = seconds(replica.given["stop_grace_period"])
        assert stop >= settings.server.drain_timeout + 2 * timedelta(seconds=GRACE) + timedelta(seconds=10)


def test_each_container_is_shut_in(composed: Composed) -> None:
    for service in composed.services():
        given = service.given
        assert given["cap_drop"] == ["ALL"], service.name
        assert given["security_opt"] == ["no-new-privileges:true"], service.name
        assert given.get("read_only") or service.image == "postgres", service.name
        assert given["logging"]["options"]["max-size"], service.name
        once = given["restart"] == "no"
        assert once or (given["restart"] == "unless-stopped" and given["healthcheck"]["test"]), service.name


def test_only_this_machine_gets_in(composed: Composed) -> None:
    published = [port for service in composed.services() for port in service.given.get("ports", [])]
    assert [(port["host_ip"], port["target"]) for port in published] == [("127.0.0.1", 5000)]


def test_each_image_has_a_version(composed: Composed) -> None:
    for service in composed.services():
        name, _, tag = str(service.given["image"]).partition(":")
        assert re.fullmatch(r"v?\d+(\.\d+)*", tag), service.given["image"]
        assert name != "moorage" or tag == __version__


def test_the_proxy_knows_every_replica_and_is_known_to_them(scale: Composed) -> None:
    replicas = scale.replicas()
    assert len(replicas) == 2
    upstreams = scale.service("proxy").environment["MOORAGE_UPSTREAMS"].split()
    assert upstreams == [f"{replica.name}:5000" for replica in replicas]
    (subnet,) = (given["subnet"] for given in scale.given["networks"]["front"]["ipam"]["config"])
    assert ipaddress.ip_network(subnet).is_private
    for replica in replicas:
        assert replica.environment["MOORAGE_SERVER__TRUSTED_PROXIES"] == subnet
    members = {service.name for service in scale.services() if "front" in service.given["networks"]}
    assert members == {"proxy", *(replica.name for replica in replicas)}


def test_each_replica_has_a_directory_of_its_own(scale: Composed) -> None:
    volumes = [volume["source"] for replica in scale.replicas() for volume in replica.given["volumes"]]
    assert len(volumes) == len(set(volumes)) == 2


def test_the_secrets_fit_what_they_are_for(scale: Composed, tmp_path: Path) -> None:
    directory = make_secrets(tmp_path / "secrets")
    made = {path.name: path.read_text().strip() for path in directory.iterdir()}
    assert set(made) == set(scale.given["secrets"])
    assert {Path(secret["file"]) for secret in scale.given["secrets"].values()} == {
        DEPLOY / "secrets" / name for name in made
    }
    MasterKey.parse(made["master_key"])
    url, postgres = urlsplit(made["database_url"]), scale.service("postgres").environment
    assert (url.username, url.path) == (postgres["POSTGRES_USER"], f"/{postgres['POSTGRES_DB']}")
    assert (url.hostname, url.password) == ("postgres", made["postgres_password"])
    assert len(set(made.values())) == len(made)


def test_secrets_that_are_there_stay(tmp_path: Path) -> None:
    (tmp_path / "postgres_password").write_text("of-my-own\n")
    make_secrets(tmp_path)
    before = {path.name: path.read_text() for path in tmp_path.iterdir()}
    make_secrets(tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == before
    assert ":of-my-own@" in before["database_url"]


def test_nobody_else_reads_the_secrets(tmp_path: Path) -> None:
    """The directory keeps others out; the files are read by whatever user a container has."""
    directory = make_secrets(tmp_path / "secrets")
    assert directory.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in directory.iterdir()} == {0o444}
