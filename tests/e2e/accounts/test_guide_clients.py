"""docs/clients.md, followed to the letter on a machine of its own: commands typed, files written where it says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.accounts.clients import HOSTS
from tests.e2e.accounts.conftest import SECURE_HOST, SYSTEM, TRUST, follow
from tests.e2e.accounts.world import Site
from tests.parts.commands import CommandFailed
from tests.parts.guides import read_guide
from tests.parts.machine import Machine
from tests.parts.tools import require

pytestmark = pytest.mark.e2e

GUIDE = read_guide("clients.md")
FORGET = """\
rm -rf /etc/docker/certs.d /etc/containers/certs.d /etc/containerd/certs.d
[ ! -e /usr/local/share/ca-certificates/moorage.crt ] ||
    { rm /usr/local/share/ca-certificates/moorage.crt; update-ca-certificates --fresh; }
"""
IMAGE = f"{SECURE_HOST}/acme/open:1"
UNKNOWN = "certificate signed by unknown authority"
PULLS = {
    "docker": ("docker", "docker pull"),
    "podman": ("podman, buildah, skopeo, CRI-O", "podman pull"),
    "buildah": ("podman, buildah, skopeo, CRI-O", "buildah pull --policy=always"),
    "skopeo": ("podman, buildah, skopeo, CRI-O", "skopeo inspect docker://"),
    "ctr": ("containerd", f"ctr images pull --hosts-dir {HOSTS}"),
    "crane": (SYSTEM, "crane digest"),
    "oras": (SYSTEM, "oras resolve"),
    "curl": (SYSTEM, "curl --fail https://"),
}


@pytest.fixture
def distrusting(trusting: Machine, certificate: Path) -> Iterator[Machine]:
    """The machine where nothing trusts the certificate; afterwards daemons do again."""
    trusting("sh", "-ec", FORGET)
    yield trusting
    trusting("sh", "-ec", FORGET)
    for heading in TRUST:
        follow(trusting, certificate, heading)


def environment(site: Site, tmp_path: Path) -> dict[str, str]:
    """What makes the guide's commands meet this test's daemons, and nobody's logins."""
    return {
        "SECRET": site.accounts.secrets["password"].secret,
        "DOCKER_HOST": site.docker.address,
        "DOCKER_CONFIG": str(tmp_path),
        "CONTAINERD_ADDRESS": str(site.containerd.socket),
        "CONTAINERD_NAMESPACE": "guide",
        "CONTAINERD_SNAPSHOTTER": "native",
        "REGISTRY_AUTH_FILE": str(tmp_path / "config.json"),
        "PATH": f"{Path(require('crane')).parent}:/usr/sbin:/usr/bin:/sbin:/bin",
    }


def type_in(machine: Machine, directory: Path, command: str, variables: dict[str, str]) -> str:
    """Type a block of the guide in a directory."""
    return machine("sh", "-ec", f"cd {directory}\n{command}", environment=variables)


def test_sign_in(secure: Site, machine: Machine, tmp_path: Path) -> None:
    prompting, scripted = GUIDE.commands("Sign in")
    assert prompting == f"docker login {SECURE_HOST}\n"
    said = type_in(machine, tmp_path, scripted, environment(secure, tmp_path))
    assert "Login Succeeded" in said
    assert SECURE_HOST not in (tmp_path / "config.json").read_text()  # it ends with signing out


@pytest.mark.parametrize("client", PULLS)
def test_a_client_trusts_after_these_steps_and_not_before(
    client: str, secure: Site, distrusting: Machine, certificate: Path, tmp_path: Path
) -> None:
    heading, command = PULLS[client]
    variables = environment(secure, tmp_path)
    (tmp_path / "config.json").write_text("{}")
    pull = f"{command} {IMAGE}".replace("// ", "//").replace(f"https://{IMAGE}", f"https://{SECURE_HOST}/readyz")
    with pytest.raises(CommandFailed, match=UNKNOWN if client != "curl" else "certificate"):
        type_in(distrusting, tmp_path, pull, variables)
    follow(distrusting, certificate, heading)
    type_in(distrusting, tmp_path, pull, variables)
    assert f"`{UNKNOWN}`" in GUIDE.text


def test_ctr_pulls_as_the_guide_says(secure: Site, machine: Machine, tmp_path: Path) -> None:
    _, pull = GUIDE.commands("containerd")
    type_in(machine, tmp_path, pull, environment(secure, tmp_path))


def test_crane_trusts_one_file(secure: Site, machine: Machine, certificate: Path, tmp_path: Path) -> None:
    _, alone = GUIDE.commands(SYSTEM)
    assert type_in(machine, certificate, alone, environment(secure, tmp_path)) == secure.samples.digests["busybox"]


def test_buildkitd_s_file_is_in_place(trusting: Machine) -> None:
    """test_buildkit.py starts a buildkitd with it, and pulls and pushes over TLS."""
    assert (
        trusting("cat", "/etc/buildkit/buildkitd.toml") + "\n"
        == GUIDE.files("BuildKit")["/etc/buildkit/buildkitd.toml"]
    )
    trusting("test", "-f", "/etc/buildkit/moorage.crt")


def test_the_key_stays_where_it_is(trusting: Machine, certificate: Path) -> None:
    key = (certificate / "moorage.key").read_text().splitlines()[1]
    assert trusting("sh", "-c", f"grep -rlF -e '{key}' /etc || true") == ""


def test_a_registry_without_tls_is_told_apart(plain: Site, machine: Machine) -> None:
    """The message in the table is the one of a client that speaks TLS to a port that does not."""
    program = plain.program(require("skopeo"), {})
    with pytest.raises(CommandFailed, match="server gave HTTP response to HTTPS client"):
        program("inspect", f"docker://{plain.host}/acme/open:1")
    assert "`server gave HTTP response to HTTPS client`" in GUIDE.text
