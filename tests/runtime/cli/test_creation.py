"""What `moor create` and the stock docker command send for the same words is the same document."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.parts.tools import require
from tests.runtime.cli.conftest import Moor
from tests.runtime.cli.recorder import recording

pytestmark = pytest.mark.e2e

ANSWERS = {"POST /containers/create": (201, {"Id": "a" * 64, "Warnings": []})}

WORDS = (
    "busybox",
    "-it busybox sh -c ls",
    "-a stdin -a stdout -i busybox",
    "-e A=1 -e B= -e HOME -e NOT_HERE_AT_ALL --env C=x=y busybox env",
    "-l a=b --label c busybox",
    "--name n1 --hostname h --domainname d -u 1:2 -w /x busybox",
    "-h host busybox",
    "--entrypoint /bin/sh busybox -c ls",
    "--entrypoint= busybox",
    "-p 80 -p 8080:80 -p 127.0.0.1:9090:90/udp -p 1.2.3.4::70 busybox",
    "-p 7000-7002:8000-8002 -p 9000-9003:9 -p [::1]:443:443 --expose 99 --expose 100-102/udp busybox",
    "-p target=80,published=8081,protocol=tcp -P busybox",
    "-v /a:/b -v named:/c:ro -v /anonymous -v ./here:/d busybox",
    "--mount type=bind,src=/a,dst=/b,readonly --mount type=volume,src=v,target=/c,volume-nocopy busybox",
    "--mount type=tmpfs,dst=/t,tmpfs-size=64m,tmpfs-mode=1777 --mount type=bind,src=/a,dst=/z,bind-propagation=slave b",
    "--mount type=volume,dst=/c,volume-label=a=b,volume-driver=local,volume-opt=type=none,volume-opt=o=bind busybox",
    "--mount type=bind,src=/a,dst=/b,bind-recursive=disabled busybox",
    "--tmpfs /run --tmpfs /tmp:size=1m,mode=700 busybox",
    "-m 64m --memory-swap -1 --memory-reservation 32m --cpus 1.5 --cpu-shares 512 --cpuset-cpus 0-1 --pids-limit 100 b",
    "-c 10 --cpu-period 100000 --cpu-quota 50000 --cpuset-mems 0 --blkio-weight 500 --memory-swappiness 10 busybox",
    "--cap-add NET_ADMIN --cap-drop ALL --security-opt no-new-privileges --privileged busybox",
    "--security-opt seccomp=unconfined --security-opt label=disable --security-opt systempaths=unconfined busybox",
    "--ulimit nofile=1024:2048 --ulimit core=0 busybox",
    "--device /dev/null --device /dev/zero:/dev/z:r --device /dev/full:rw busybox",
    "--device-cgroup-rule=c\u00a01:3\u00a0rwm busybox",
    "--restart always busybox",
    "--restart on-failure:5 busybox",
    "--restart unless-stopped --stop-signal INT --stop-timeout 3 --shm-size 128m --init --read-only busybox",
    "--rm --sysctl net.ipv4.ip_forward=1 --group-add 10 --group-add audio --oom-kill-disable --oom-score-adj 100 b",
    "--network host busybox",
    "--network none busybox",
    "--network container:other busybox",
    "--network mine --network-alias a --network-alias b --ip 10.1.2.3 busybox",
    "--net mine --net-alias a --link other:alias busybox",
    "--network name=mine,alias=x,ip=10.1.2.4 busybox",
    "--network mine --network second busybox",
    "--mac-address 02:42:ac:11:00:02 busybox",
    "--dns 1.1.1.1 --dns-search example.org --dns-option ndots:1 --add-host a:1.2.3.4 --add-host b=::1 busybox",
    "--add-host gw:host-gateway --add-host=c=[fe80::1] busybox",
    "--health-cmd true --health-interval 5s --health-timeout 1m30s --health-retries 2 --health-start-period 500ms b",
    "--no-healthcheck busybox",
    "--pid host --ipc host --uts host --userns host --cgroupns host --cgroup-parent /x busybox",
    "--pid container:x --ipc shareable busybox",
    "--log-driver json-file --log-opt max-size=1m --storage-opt size=1G --volumes-from c1 --volumes-from c2:ro busybox",
    "--runtime runc --annotation k=v --volume-driver local --platform linux/amd64 busybox",
    "--rm=false -t=false --tty=true busybox",
    "-itv /x busybox",
    "-- busybox -x",
    "busybox --rm -e A",
)
REFUSED = (
    "-p 99999 busybox",
    "-p a:80 busybox",
    "-p 1.2.3:80:80 busybox",
    "-p 80/xyz busybox",
    "-p 80-82:80-81 busybox",
    "--expose a busybox",
    "--mount type=bind,src=/a busybox",
    "--mount nonsense busybox",
    "--mount type=bind,bogus=1,dst=/b busybox",
    "-m 10x busybox",
    "--cpus x busybox",
    "--ulimit nofile busybox",
    "--restart :3 busybox",
    "--restart always:x busybox",
    "--rm --restart always busybox",
    "-e =x busybox",
    "--env-file /nonexistent/file busybox",
    "--add-host nocolon busybox",
    "--add-host a:b busybox",
    "--dns nope busybox",
    "--pid nope busybox",
    "--uts nope busybox",
    "--cgroupns nope busybox",
    "--memory-swappiness 101 busybox",
    "--no-healthcheck --health-cmd true busybox",
    "--health-interval 5 busybox",
    "--device relative busybox",
    "--security-opt bogus busybox",
    "--security-opt seccomp=/nonexistent.json busybox",
    "--attach nope busybox",
    "--network-alias a busybox",
    "--network a --network a busybox",
    "--mac-address zz busybox",
    "--stop-timeout x busybox",
    "--nosuch busybox",
    "-z busybox",
    "--name",
    "",
)


EMPTY: tuple[object, ...] = (None, 0, "", False, [], {})
DEFAULTS = (
    ("MemorySwappiness", -1),
    ("NetworkMode", "default"),
    ("RestartPolicy", {"Name": "no"}),
    ("ConsoleSize", [0, 0]),
)


def shown(document: Any) -> Any:
    """A document without what means nothing: zeros, empty texts, lists and objects."""
    if isinstance(document, dict):
        kept = {name: shown(value) for name, value in document.items()}
        return {name: value for name, value in kept.items() if value not in EMPTY}
    return [shown(value) for value in document] if isinstance(document, list) else document


def body_of(document: dict[str, Any]) -> Any:
    """What counts of a create's body: with the keys of its sets, which mean something though they hold nothing."""
    sets = {name: sorted(document.get(name) or ()) for name in ("ExposedPorts", "Volumes")}
    entrypoint = {"Entrypoint": document.get("Entrypoint")}  # [""] is something, and so is its lack
    host = {"Binds": sorted(document["HostConfig"].get("Binds") or ())}
    networks = {"Networks": sorted((document.get("NetworkingConfig") or {}).get("EndpointsConfig") or ())}
    paths = {name: document["HostConfig"].get(name) for name in ("MaskedPaths", "ReadonlyPaths")}
    found = shown(document)
    for name, meaningless in DEFAULTS:
        if found["HostConfig"].get(name) == meaningless:
            del found["HostConfig"][name]
    found["HostConfig"] |= host
    found["Env"] = sorted(found.get("Env") or ())  # docker's own order is that of a Go map
    found["HostConfig"]["Ulimits"] = sorted(found["HostConfig"].get("Ulimits") or (), key=lambda one: str(one["Name"]))
    if networks["Networks"] == ["default"]:
        networks = {"Networks": []}
    return found | sets | entrypoint | networks | paths


def split(words: str) -> list[str]:
    """The words of a line; a no-break space stands for one inside a word."""
    return [word.replace("\u00a0", " ") for word in words.split()]


@pytest.mark.parametrize("words", WORDS)
def test_the_same_words_make_the_same_container(short: Path, moor: Moor, words: str) -> None:
    docker = require("docker")
    with recording(short, ANSWERS, "1.47") as recorder:
        theirs = _docker(docker, short, recorder.socket, "create", *split(words))
        expected = recorder.last("POST /containers/create") if theirs.returncode == 0 else None
        recorder.asked.clear()
        ours = moor("create", *split(words))
    assert ours.returncode == theirs.returncode, ours.stderr
    if expected is not None:
        asked = recorder.last("POST /containers/create")
        assert asked.path == expected.path
        assert body_of(asked.json()) == body_of(expected.json())


@pytest.mark.parametrize("words", REFUSED)
def test_what_docker_refuses_is_refused_with_its_status(short: Path, moor: Moor, words: str) -> None:
    docker = require("docker")
    with recording(short, ANSWERS) as recorder:
        theirs = _docker(docker, short, recorder.socket, "run", *split(words))
        ours = moor("run", *split(words))
        assert not [one for one in recorder.asked if one.path.startswith("/containers/create")]
    assert theirs.returncode != 0
    assert (ours.returncode, ours.stdout) == (theirs.returncode, "")
    assert ours.stderr.strip()


def _docker(docker: str, directory: Path, socket: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [docker, "--config", str(directory / "config"), "--host", f"unix://{socket}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL)
