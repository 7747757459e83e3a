"""docs/kubernetes.md, followed on a node: containerd's CRI with the guide's files, asked as kubelet asks it."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.accounts.clients import client_of, config_of
from tests.e2e.accounts.conftest import SECURE_HOST, TRUST, follow
from tests.e2e.accounts.test_guide_ci import administer
from tests.e2e.accounts.world import ADA, SignIn, Site
from tests.e2e.conftest import short_directory
from tests.parts.commands import CommandFailed, start, stop, succeeds, wait_until
from tests.parts.guides import read_guide
from tests.parts.machine import Machine
from tests.parts.mounts import unmount_below
from tests.parts.tools import require

pytestmark = pytest.mark.e2e

GUIDE = read_guide("kubernetes.md")
NODES = "Trust on the nodes"
OWN = """\
root = "{directory}/root"
state = "{directory}/state"
{text}
[grpc]
  address = "{directory}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  disable_tcp_service = true
[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = "native"
"""


@pytest.fixture(scope="module")
def robot(secure: Site) -> SignIn:
    """The robot that the guide makes."""
    (made,) = GUIDE.commands("A robot that pulls")
    return SignIn("acme+cluster", administer(secure.accounts, made).splitlines()[-1])


@pytest.fixture(scope="module")
def node(secure: Site, machine: Machine, certificate: Path) -> Iterator[str]:
    """The CRI socket of a containerd that follows the guide and nothing else."""
    machine("rm", "-rf", "/etc/containerd/certs.d")
    trust, _ = GUIDE.commands(NODES)
    machine("sh", "-ec", f"cd {certificate}\n{trust}")
    files = GUIDE.files(NODES)
    for path, text in files.items():
        machine.write(path, text)
    with short_directory() as directory:
        config, log, socket = directory / "config.toml", directory / "log", directory / "containerd.sock"
        config.write_text(OWN.format(directory=directory, text=files["/etc/containerd/config.toml"]))
        process = start(*machine.launcher, require("containerd"), "--config", config, log=log)
        address = f"unix://{socket}"
        ready = (require("crictl"), f"--image-endpoint={address}", f"--runtime-endpoint={address}", "images")
        try:
            wait_until(lambda: succeeds(*ready), "starting containerd", log)
            yield address
        finally:
            stop(process)
            unmount_below(directory)
            for heading in TRUST:
                follow(machine, certificate, heading)


def crictl(machine: Machine, node: str, command: str, **variables: str) -> str:
    """Type a crictl command on the node."""
    environment = {
        "IMAGE_SERVICE_ENDPOINT": node,
        "CONTAINER_RUNTIME_ENDPOINT": node,
        "PATH": f"{Path(require('crictl')).parent}:{os.environ['PATH']}",
        **variables,
    }
    return machine("sh", "-ec", command, environment=environment)


def as_kubelet(config: Mapping[str, Any]) -> str:
    """The name and password that kubelet takes from a docker configuration; it knows no identity tokens."""
    entry = config["auths"][SECURE_HOST]
    if "auth" in entry:
        return base64.b64decode(entry["auth"]).decode()
    return f"{entry['username']}:{entry['password']}"


def pull(machine: Machine, node: str, credentials: str) -> str:
    """Pull the private image as kubelet has the CRI do it, from nothing."""
    image = f"{SECURE_HOST}/acme/app:1"
    crictl(machine, node, f"crictl rmi {image} || true")
    return crictl(machine, node, f"crictl pull --creds '{credentials}' {image}")


def test_the_node_pulls(secure: Site, machine: Machine, node: str, robot: SignIn) -> None:
    _, try_it = GUIDE.commands(NODES)
    assert "Image is up to date" in crictl(machine, node, try_it, SECRET=robot.secret)


def test_the_pull_secret(machine: Machine, node: str, robot: SignIn) -> None:
    secret = yaml.safe_load(secret_yaml().replace("SECRET", robot.secret))
    assert (secret["kind"], secret["type"]) == ("Secret", "kubernetes.io/dockerconfigjson")
    config = json.loads(secret["stringData"][".dockerconfigjson"])
    assert "Image is up to date" in pull(machine, node, as_kubelet(config))


def secret_yaml() -> str:
    """The guide's secret.yaml."""
    return GUIDE.files("The pull secret")["secret.yaml"]


def test_kubectl_makes_the_same_secret() -> None:
    (command,) = GUIDE.commands("The pull secret")
    words = command.replace("\\\n", " ").split()
    options = dict(word.removeprefix("--docker-").split("=", 1) for word in words if word.startswith("--docker-"))
    secret = yaml.safe_load(secret_yaml())
    (host, entry), *_ = json.loads(secret["stringData"][".dockerconfigjson"])["auths"].items()
    assert words[:4] == ["kubectl", "create", "secret", "docker-registry"]
    assert words[4] == secret["metadata"]["name"]
    assert (options["server"], options["username"]) == (host, entry["username"])


def test_the_pod_names_the_secret() -> None:
    pod, account = yaml.safe_load_all(GUIDE.files("The pull secret")["pod.yaml"])
    name = {"name": yaml.safe_load(secret_yaml())["metadata"]["name"]}
    assert (pod["kind"], pod["spec"]["imagePullSecrets"]) == ("Pod", [name])
    assert (account["kind"], account["imagePullSecrets"]) == ("ServiceAccount", [name])
    assert pod["spec"]["containers"][0]["image"] == f"{SECURE_HOST}/acme/app:1"


def test_a_config_that_docker_login_wrote_does_not_pull(
    secure: Site, machine: Machine, node: str, tmp_path: Path
) -> None:
    """Why the guide warns of it: kubelet finds a name with an empty password there."""
    client_of("docker", secure, tmp_path).login(ADA.name, ADA.secret)
    config = json.loads((config_of(tmp_path) / "config.json").read_text())
    assert as_kubelet(config) == "ada:"
    with pytest.raises(CommandFailed, match="insufficient_scope"):
        pull(machine, node, as_kubelet(config))


@pytest.mark.parametrize(
    ("credentials", "said"),
    [("acme+cluster:mrg_rob_wrong", "failed to fetch oauth token"), ("", "insufficient_scope")],
)
def test_what_containerd_says(credentials: str, said: str, machine: Machine, node: str, robot: SignIn) -> None:
    image = f"{SECURE_HOST}/acme/app:1"
    crictl(machine, node, f"crictl rmi {image} || true")
    option = f"--creds '{credentials}'" if credentials else ""
    with pytest.raises(CommandFailed, match=said):
        crictl(machine, node, f"crictl pull {option} {image}")
    assert f"`{said}`" in GUIDE.text
