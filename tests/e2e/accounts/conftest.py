"""Two registries with the same accounts: one on plain loopback, one over TLS on a machine of its own."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from tests.e2e.accounts.clients import SigningClient, client_of, config_of, judge_of, write_login
from tests.e2e.accounts.world import ADA, MOORAGE, Accounts, Site, make_accounts
from tests.e2e.clients import CraneClient, Samples
from tests.e2e.conftest import short_directory
from tests.parts.commands import run, start, stop, succeeds, wait_until
from tests.parts.containerd import Containerd
from tests.parts.dockerd import Docker, start_dockerd
from tests.parts.guides import read_guide
from tests.parts.machine import NAME, Machine, start_machine
from tests.parts.mounts import unmount_below
from tests.parts.podman import Store, open_store
from tests.parts.server import start_moorage
from tests.parts.tools import require

SECURE_HOST = f"{NAME}:5000"
TRUST = (
    "docker",
    "podman, buildah, skopeo, CRI-O",
    "containerd",
    "BuildKit",
)
SYSTEM = "crane, oras, curl and everything else"
STORAGE_CONF = """\
[storage]
driver = "vfs"
graphroot = "{directory}/images"
runroot = "{directory}/images-run"
"""
PODMAN_CONF = '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'

Make = Callable[[str], SigningClient]


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory, samples: Samples) -> Accounts:
    """A data directory with accounts and two images, which no server has open."""
    directory = tmp_path_factory.mktemp("prepared")
    with start_moorage(directory / "data", accounts=True) as server:
        accounts = make_accounts(server.data)
        config = config_of(directory)
        write_login(config, server.host, username=ADA.name, password=ADA.secret)
        for repository in ("acme/open", "acme/app"):
            image = samples.layout("busybox")
            run(
                require("crane"),
                "push",
                image,
                f"{server.host}/{repository}:1",
                environment={"DOCKER_CONFIG": str(config)},
            )
    return accounts


@pytest.fixture(scope="session")
def plain(
    tmp_path_factory: pytest.TempPathFactory,
    prepared: Accounts,
    docker: Docker,
    store: Store,
    containerd: Containerd,
    samples: Samples,
) -> Iterator[Site]:
    """The registry on 127.0.0.1, without TLS, with two workers."""
    data = tmp_path_factory.mktemp("plain") / "data"
    shutil.copytree(prepared.data, data)
    with start_moorage(data, workers=2, accounts=True) as server:
        accounts = replace(prepared, data=data)
        yield Site(server.host, False, docker, store, containerd, samples, (), accounts, server.log)


@pytest.fixture(scope="session")
def machine() -> Iterator[Machine]:
    """A machine that clients run on beside the registry that they know as registry.example:5000."""
    with short_directory() as directory, start_machine(directory) as running:
        running.write("/etc/containers/containers.conf", PODMAN_CONF)
        running.write("/etc/containers/storage.conf", STORAGE_CONF.format(directory=directory))
        yield running


@pytest.fixture(scope="session")
def certificate(machine: Machine) -> Path:
    """A directory with moorage.crt and moorage.key."""
    directory = machine.directory / "tls"
    run(MOORAGE, "tls", "self-signed", NAME, "--out", directory)
    return directory


@pytest.fixture(scope="session")
def trusting(machine: Machine, certificate: Path) -> Machine:
    """The machine, after the steps of docs/clients.md that make daemons trust the certificate.

    What the system trusts is left alone, or everything would trust it; crane and oras have SSL_CERT_FILE.
    """
    for heading in TRUST:
        follow(machine, certificate, heading)
    return machine


def follow(machine: Machine, certificate: Path, heading: str) -> None:
    """Write the files and type the commands of one section that make a client trust the certificate."""
    guide = read_guide("clients.md")
    for path, text in guide.files(heading).items():
        machine.write(path, text)
    for command in guide.commands(heading):
        if "install -D" in command:  # the others pull already
            machine("sh", "-ec", f"cd {certificate}\n{command}")


@pytest.fixture(scope="session")
def secure(
    trusting: Machine, certificate: Path, prepared: Accounts, containerd: Containerd, samples: Samples
) -> Iterator[Site]:
    """The registry at registry.example:5000, over TLS, and daemons that trust it."""
    data, log = trusting.directory / "data", trusting.directory / "moorage.log"
    shutil.copytree(prepared.data, data)
    tls = (f"--tls-cert={certificate}/moorage.crt", f"--tls-key={certificate}/moorage.key")
    serve = (MOORAGE, "serve", "--listen=0.0.0.0:5000", f"--data={data}", "--workers=2", *tls)
    process = start(*trusting.launcher, *serve, log=log)
    accounts = replace(prepared, data=data)
    with ExitStack() as stack:
        stack.callback(stop, process)
        curl = (require("curl"), "--silent", "--fail", "--cacert", str(certificate / "moorage.crt"))
        ready = (*trusting.launcher, *curl, f"https://{SECURE_HOST}/readyz")
        wait_until(lambda: succeeds(*ready), "starting the server", log)
        directories = [stack.enter_context(short_directory()) for _ in range(2)]
        docker = stack.enter_context(start_dockerd(directories[0], containerd, trusting.launcher))
        store = replace(stack.enter_context(open_store(directories[1])), launcher=trusting.launcher)
        beside = replace(containerd, launcher=trusting.launcher)
        yield Site(
            SECURE_HOST,
            True,
            docker,
            store,
            beside,
            samples,
            trusting.launcher,
            accounts,
            log,
            certificate / "moorage.crt",
        )


@pytest.fixture(params=["plain", "secure"])
def site(request: pytest.FixtureRequest) -> Site:
    """Each of the two registries."""
    found: Site = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def client(site: Site, tmp_path: Path) -> Make:
    """Makes a client of the site by its name."""
    return lambda name: client_of(name, site, tmp_path)


@pytest.fixture
def judge(site: Site, tmp_path_factory: pytest.TempPathFactory) -> CraneClient:
    """crane, signed in as ada, which tells what the registry has."""
    return judge_of(site, tmp_path_factory.mktemp("judge"))


@pytest.fixture(scope="session")
def buildkitd(secure: Site) -> Iterator[str]:
    """The address of a buildkitd on the machine, which trusts the registry by the guide's file."""
    with short_directory() as directory:
        address, log = f"unix://{directory}/buildkitd.sock", directory / "log"
        daemon = (require("buildkitd"), "--config=/etc/buildkit/buildkitd.toml", f"--addr={address}")
        worker = (
            "--oci-worker-snapshotter=native",
            "--containerd-worker=false",
            f"--oci-worker-binary={require('runc')}",
        )
        process = start(*secure.launcher, *daemon, f"--root={directory}/root", *worker, log=log)
        client = (*secure.launcher, require("buildctl"), f"--addr={address}")
        try:
            wait_until(lambda: succeeds(*client, "debug", "workers"), "starting buildkitd", log)
            yield address
        finally:
            stop(process)
            unmount_below(directory)
