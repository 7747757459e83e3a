"""The seven clients of tests/e2e/clients.py, each with its own way to sign in and out.

Each keeps its login in a directory of the test's, so that nobody else is signed in by it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from tests.e2e.accounts.world import ADA, Site
from tests.e2e.clients import (
    NO_TLS,
    PLAIN_HTTP,
    BuildahClient,
    Client,
    CraneClient,
    CtrClient,
    DockerClient,
    OrasClient,
    PodmanClient,
    SkopeoClient,
)
from tests.parts.tools import require

NAMES = ("docker", "podman", "buildah", "skopeo", "crane", "oras", "ctr")
HOSTS = "/etc/containerd/certs.d"


class SigningClient(Protocol):
    """A client that signs in."""

    def login(self, name: str, secret: str) -> str:
        """Sign in; what the client says."""

    def logout(self) -> str:
        """Sign out; what the client says."""

    def push(self, reference: str) -> None:
        """Push the sample image."""

    def pull(self, reference: str) -> str:
        """Pull from nothing; the digest."""


@dataclass(frozen=True, slots=True)
class Signing:
    """A client with commands of its own for signing in and out."""

    client: Client
    program: Callable[..., str]
    host: str
    group: tuple[str, ...] = ()
    options: tuple[str, ...] = ()

    def login(self, name: str, secret: str) -> str:
        words = (*self.group, "login", *self.options, "--username", name, "--password-stdin", self.host)
        return self.program(*words, stdin=secret)

    def logout(self) -> str:
        return self.program(*self.group, "logout", self.host)

    def push(self, reference: str) -> None:
        self.client.push(reference)

    def pull(self, reference: str) -> str:
        return self.client.pull(reference)


@dataclass(slots=True)
class SigningCtr:
    """ctr, which takes the name and the secret with each command."""

    client: CtrClient
    user: tuple[str, ...] = ()

    def login(self, name: str, secret: str) -> str:
        self.user = ("--user", f"{name}:{secret}")
        return ""

    def logout(self) -> str:
        self.user = ()
        return ""

    def push(self, reference: str) -> None:
        self._client.push(reference)

    def pull(self, reference: str) -> str:
        return self._client.pull(reference)

    @property
    def _client(self) -> CtrClient:
        return replace(self.client, options=(*self.client.options, *self.user))


def client_of(name: str, site: Site, scratch: Path) -> SigningClient:
    """The client of that name, signed in nowhere, with its files in `scratch`."""
    make = {
        "docker": _docker,
        "podman": _podman,
        "buildah": _buildah,
        "skopeo": _skopeo,
        "crane": _crane,
        "oras": _oras,
        "ctr": _ctr,
    }
    return make[name](site, scratch)


def store_of(site: Site, scratch: Path) -> tuple[dict[str, str], Path]:
    """A file of logins for the containers project's programs, and the environment that names it."""
    logins = scratch / "auth.json"
    logins.write_text("{}")
    return {"REGISTRY_AUTH_FILE": str(logins)}, logins


def config_of(scratch: Path) -> Path:
    """A directory for docker's configuration, which crane and oras read too."""
    config = scratch / "config"
    config.mkdir(exist_ok=True)
    return config


def judge_of(site: Site, scratch: Path) -> CraneClient:
    """crane, signed in as ada, which tells what the registry has."""
    config = config_of(scratch)
    write_login(config, site.host, username=ADA.name, password=ADA.secret)
    program = site.program(require("crane"), {"DOCKER_CONFIG": str(config), **site.trust})
    return CraneClient(program, site.samples, scratch)


def write_login(config: Path, host: str, **entry: str) -> None:
    """Write a configuration as another program would."""
    (config / "config.json").write_text(json.dumps({"auths": {host: entry}}))


def _docker(site: Site, scratch: Path) -> SigningClient:
    docker = replace(site.docker, config=config_of(scratch))
    return Signing(DockerClient(docker, site.samples), docker, site.host)


def _podman(site: Site, scratch: Path) -> SigningClient:
    tls = () if site.secure else NO_TLS
    store = replace(site.store, logins=store_of(site, scratch)[1])
    return Signing(PodmanClient(store, site.samples, tls), store.podman, site.host, options=tls)


def _buildah(site: Site, scratch: Path) -> SigningClient:
    tls = () if site.secure else NO_TLS
    store = replace(site.store, logins=store_of(site, scratch)[1])
    return Signing(BuildahClient(store, site.samples, tls), store.buildah, site.host, options=tls)


def _skopeo(site: Site, scratch: Path) -> SigningClient:
    tls = () if site.secure else NO_TLS
    program = site.program(require("skopeo"), store_of(site, scratch)[0], "--insecure-policy")
    return Signing(SkopeoClient(program, site.samples, scratch, tls), program, site.host, options=tls)


def _crane(site: Site, scratch: Path) -> SigningClient:
    program = site.program(require("crane"), {"DOCKER_CONFIG": str(config_of(scratch)), **site.trust})
    return Signing(CraneClient(program, site.samples, scratch), program, site.host, group=("auth",))


def _oras(site: Site, scratch: Path) -> SigningClient:
    program = site.program(require("oras"), {"DOCKER_CONFIG": str(config_of(scratch)), **site.trust})

    def copying(*words: str | Path, cwd: Path | None = None) -> str:
        if site.secure or "--oci-layout" in words:
            return program(*words, cwd=cwd)
        plain = ("--from-plain-http", "--to-plain-http") if words[0] == "copy" else PLAIN_HTTP
        return program(*words, *plain, cwd=cwd)

    client = OrasClient(copying, site.samples, scratch)
    return Signing(client, program, site.host, options=() if site.secure else PLAIN_HTTP)


def _ctr(site: Site, scratch: Path) -> SigningClient:
    options = ("--hosts-dir", HOSTS) if site.secure else PLAIN_HTTP
    return SigningCtr(CtrClient(site.containerd, site.samples, options))
