"""What a container may and may not, looked at from inside of real ones; and what an image's settings cannot reach."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runtime.containers.specification import capabilities
from runtime.errors import BadParameter, EngineError
from tests.runtime.containers.conftest import Place, load_archive, output_of

pytestmark = pytest.mark.e2e


@pytest.fixture(autouse=True)
def clean(place: Place) -> Iterator[None]:
    """Remove what a test made, and look whether anything is left of it."""
    yield
    place.clear()
    assert place.leftovers() == []


def status(place: Place, **host: Any) -> dict[str, str]:
    """/proc/self/status of a container's process."""
    code, output = place.run("cat", "/proc/self/status", host=host)
    assert code == 0, output
    return dict(line.split(":\t", 1) for line in output.splitlines() if ":\t" in line)


def mask(names: set[str]) -> int:
    """The kernel's number for a set of capabilities."""
    return sum(1 << capabilities.NAMES.index(name) for name in names & capabilities.held())


def test_the_default_set_of_capabilities(place: Place) -> None:
    found = status(place)
    for field in ("CapBnd", "CapEff", "CapPrm"):
        assert int(found[field], 16) == mask(set(capabilities.DEFAULT)), field
    assert int(found["CapInh"], 16) == int(found["CapAmb"], 16) == 0
    assert found["Seccomp"] == "2"
    assert found["NoNewPrivs"] == "0"


def test_capabilities_dropped_and_added(place: Place) -> None:
    assert int(status(place, CapDrop=["ALL"])["CapEff"], 16) == 0
    assert int(status(place, CapDrop=["ALL"], CapAdd=["NET_ADMIN"])["CapEff"], 16) == mask({"CAP_NET_ADMIN"})
    assert int(status(place, Privileged=True)["CapEff"], 16) == mask(set(capabilities.NAMES))


def test_another_user_has_no_capability(place: Place) -> None:
    code, output = place.run("sh", "-c", "grep CapEff /proc/self/status; id -u; id -g", User="1234:56")
    assert (code, output.split()) == (0, ["CapEff:", "0" * 16, "1234", "56"])


def test_no_new_privileges(place: Place) -> None:
    assert status(place, SecurityOpt=["no-new-privileges"])["NoNewPrivs"] == "1"


def test_seccomp_can_be_switched_off(place: Place) -> None:
    assert status(place, SecurityOpt=["seccomp=unconfined"])["Seccomp"] == "0"
    assert status(place, Privileged=True)["Seccomp"] == "0"
    with pytest.raises(EngineError, match="Decoding seccomp profile failed"):
        place.run("true", host={"SecurityOpt": ["seccomp={"]})
    for unknown in ("seccomp", "frob=1", "no-new-privileges=perhaps", "systempaths=no"):
        with pytest.raises(BadParameter, match="invalid --security-opt 2"):
            place.create("true", host={"SecurityOpt": [unknown]})


@pytest.mark.parametrize(
    "command",
    [
        "unshare -U true",
        "unshare -m true",
        "mount -t tmpfs x /mnt",
        "mount -o remount,rw /proc/sys",
        "echo 1 > /proc/sys/kernel/panic",
        "echo b > /proc/sysrq-trigger",
        "head -c 1 /proc/kcore | grep .",
        "ls /sys/firmware/* | grep .",
        "echo x > /sys/kernel/mm/transparent_hugepage/enabled",
        "mkdir /sys/fs/cgroup/memory/mine",
        "dd if=/dev/kmsg count=1",
        "dd if=/dev/mem count=1",
    ],
)
def test_refused_inside(place: Place, command: str) -> None:
    code, output = place.run("sh", "-c", f"mkdir -p /mnt; {command}")
    assert code != 0, output


def test_a_made_device_does_not_open(place: Place) -> None:
    code, output = place.run("sh", "-c", "mknod /disk b 8 0 && head -c 1 /disk")
    assert code != 0 and "Operation not permitted" in output
    assert place.run("sh", "-c", "echo x > /dev/null && head -c 1 /dev/zero | wc -c")[0] == 0


def test_a_device_that_is_given_opens(place: Place) -> None:
    node = "c 10 229"  # opening it asks for no capability
    assert place.run("sh", "-c", f"mknod /fuse {node} && exec 3</fuse")[0] != 0
    code, output = place.run(
        "sh", "-c", f"mknod /fuse {node} && exec 3</fuse", host={"DeviceCgroupRules": ["c 10:229 rwm"]}
    )
    if "No such device" not in output:  # a kernel without it
        assert code == 0, output
    device = {"PathOnHost": "/dev/null", "PathInContainer": "/dev/told", "CgroupPermissions": "rw"}
    assert place.run("sh", "-c", "echo x > /dev/told && test -c /dev/told", host={"Devices": [device]})[0] == 0
    with pytest.raises(EngineError, match="not a device node"):
        place.run("true", host={"Devices": [{"PathOnHost": "/etc/passwd"}]})


def test_a_read_only_root(place: Place) -> None:
    host = {"ReadonlyRootfs": True, "Tmpfs": {"/tmp": "size=1m"}}
    code, output = place.run("sh", "-c", "touch /tmp/x && ! touch /x && ! touch /etc/hosts", host=host)
    assert code == 0, output


def test_shared_memory_ulimits_and_hostname(place: Place) -> None:
    host = {"ShmSize": 2**20, "Ulimits": [{"Name": "nofile", "Soft": 77, "Hard": 10**9}]}
    script = "stat -f -c '%b %S' /dev/shm; ulimit -n; hostname; cat /etc/hostname"
    code, output = place.run("sh", "-c", script, host=host, Hostname="here")
    blocks, size, limit, name, written = output.split()
    assert (code, int(blocks) * int(size), limit, name, written) == (0, 2**20, "77", "here", "here")


def test_limits_are_in_its_control_groups(place: Place) -> None:
    container = place.create("sleep", "600", host={"Memory": 2**26, "PidsLimit": 9, "NanoCpus": 500_000_000})
    place.containers.start(container)
    found = [_limit(container.id, name) for name in ("memory.limit_in_bytes", "pids.max", "cpu.cfs_quota_us")]
    if None in found:
        found = [_limit(container.id, name) for name in ("memory.max", "pids.max", "cpu.max")]
        assert found == [str(2**26), "9", "50000 100000"]
    else:
        assert found == [str(2**26), "9", "50000"]
    place.containers.update(container, {"Memory": 2**27, "MemorySwap": 2**28})
    assert (_limit(container.id, "memory.limit_in_bytes") or _limit(container.id, "memory.max")) == str(2**27)


def _limit(container_id: str, name: str) -> str | None:
    found = list(Path("/sys/fs/cgroup").glob(f"**/moorage/{container_id}/{name}"))
    return found[0].read_text().strip() if found else None


def test_memory_runs_out(place: Place) -> None:
    container = place.create(
        "sh", "-c", "head -c 50000000 /dev/zero | tail", host={"Memory": 2**23, "MemorySwap": 2**23}
    )
    place.containers.start(container)
    place.containers.wait(container).result(60)
    assert container.state.oom_killed


def test_processes_run_out(place: Place) -> None:
    script = "for i in 1 2 3 4 5 6 7 8 9; do sleep 5 & done; wait"
    code, output = place.run("sh", "-c", script, host={"PidsLimit": 5})
    assert "can't fork" in output and code != 0


def test_binds(place: Place, tmp_path: Path) -> None:
    (tmp_path / "in").write_text("from outside\n")
    binds = [f"{tmp_path}:/rw", f"{tmp_path}:/ro:ro", f"{tmp_path}/made/for/it:/new"]
    script = "cat /ro/in && echo x > /rw/out && ! echo y > /ro/in && touch /new/there"
    code, output = place.run("sh", "-c", script, host={"Binds": binds})
    assert code == 0, output
    assert (tmp_path / "out").read_text() == "x\n"
    assert (tmp_path / "made/for/it/there").exists()
    mount = {"Type": "bind", "Source": f"{tmp_path}/missing", "Target": "/x"}
    with pytest.raises(BadParameter, match="bind source path does not exist"):
        place.create("true", host={"Mounts": [mount]})


def test_namespaces_of_the_host_and_of_others(place: Place) -> None:
    for mode, kind in (("PidMode", "pid"), ("IpcMode", "ipc"), ("UTSMode", "uts"), ("NetworkMode", "net")):
        _, found = place.run("readlink", f"/proc/self/ns/{kind}", host={mode: "host"})
        assert found.strip() == str(Path(f"/proc/self/ns/{kind}").readlink()), kind
        _, found = place.run("readlink", f"/proc/self/ns/{kind}")
        assert found.strip() != str(Path(f"/proc/self/ns/{kind}").readlink()), kind
    other = place.create("sleep", "600", host={"IpcMode": "shareable"})
    place.containers.start(other)
    shared = {name: f"container:{other.id}" for name in ("PidMode", "IpcMode", "NetworkMode")}
    code, output = place.run("sh", "-c", "ps; echo x > /dev/shm/shared", host=shared)
    assert code == 0 and "sleep 600" in output
    assert (other.run / "shm/shared").read_text() == "x\n"
    place.containers.stop(other, 0)
    with pytest.raises(EngineError, match="non running container"):
        place.run("true", host=shared)


def test_a_sysctl(place: Place) -> None:
    sysctls = {"net.ipv4.ip_unprivileged_port_start": "99"}
    code, output = place.run("cat", "/proc/sys/net/ipv4/ip_unprivileged_port_start", host={"Sysctls": sysctls})
    assert (code, output) == (0, "99\n")


@pytest.mark.parametrize("directory", ["/proc/self/fd/7", "/proc/self/fd/8/../..", "/proc/thread-self/fd/3", "/linked"])
def test_a_working_directory_that_is_a_descriptor_of_the_host(place: Place, directory: str) -> None:
    """CVE-2024-21626: no descriptor of the runtime leads out; the container does not start, or starts inside."""
    load_archive(place, "evil:cwd", {}, {"linked": "/proc/self/fd/7"})
    container = place.containers.create(
        {"Image": "evil:cwd", "Cmd": ["ls", "."], "WorkingDir": directory, "HostConfig": {"NetworkMode": "none"}}
    )
    try:
        place.containers.start(container)
        place.containers.wait(container).result(60)
    except EngineError:
        return
    assert "vmlinuz" not in output_of(container) and "lost+found" not in output_of(container)


def test_an_image_s_links_do_not_lead_its_volumes_outside(place: Place, tmp_path: Path) -> None:
    """CVE-2022-23648: what is copied into a volume comes from inside the image."""
    (tmp_path / "secret").write_text("of the host")
    load_archive(place, "evil:volume", {"inside/file": b"mine"}, {"data": str(tmp_path), "up": "../../../../inside"})
    body = {"Image": "evil:volume", "Cmd": ["true"], "Volumes": {"/data": {}, "/up": {}, "/data/x": {}, "/proc/1": {}}}
    container = place.containers.create({**body, "HostConfig": {"NetworkMode": "none"}})
    stores = place.stores
    filled = {mount.target: sorted(path.name for path in (stores.root / mount.source).iterdir())
              for mount in container.mounts}  # fmt: skip
    assert filled == {"/data": [], "/data/x": [], "/up": ["file"], "/proc/1": []}


def test_a_volume_is_filled_from_the_image_once(place: Place) -> None:
    load_archive(place, "with:data", {"data/sub/file": b"mine"}, {"data/link": "/etc/passwd"})
    for _ in range(2):
        container = place.containers.create(
            {"Image": "with:data", "Cmd": ["cat", "/data/sub/file"],
             "HostConfig": {"NetworkMode": "none", "Binds": ["kept:/data"]}}
        )  # fmt: skip
        place.containers.start(container)
        assert place.containers.wait(container).result(60).code == 0
    assert (place.stores.root / "kept/link").is_symlink()
    (place.stores.root / "kept/sub/file").write_text("changed")
    place.containers.create(
        {"Image": "with:data", "Cmd": ["x"], "HostConfig": {"NetworkMode": "none", "Binds": ["kept:/data"]}}
    )
    assert (place.stores.root / "kept/sub/file").read_text() == "changed"
    place.clear()
    assert (place.stores.root / "kept").exists()


def test_anonymous_volumes_go_with_their_container(place: Place) -> None:
    before = set(place.stores.root.iterdir())
    container = place.create("true", Volumes={"/data": {}})
    assert len(set(place.stores.root.iterdir()) - before) == 1
    place.containers.remove(container, volumes=True)
    assert set(place.stores.root.iterdir()) == before


def test_an_image_whose_etc_is_a_link(place: Place, tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("of the host")
    load_archive(place, "evil:etc", {}, {"etc": str(tmp_path)})
    container = place.containers.create(
        {"Image": "evil:etc", "Cmd": ["cat", "/etc/hosts"], "HostConfig": {"NetworkMode": "none"}}
    )
    try:
        place.containers.start(container)
        place.containers.wait(container).result(60)
    except EngineError:
        pass
    assert (tmp_path / "hosts").read_text() == "of the host"
    assert [path.name for path in tmp_path.iterdir()] == ["hosts"]


def test_an_image_whose_etc_is_elsewhere_keeps_its_files(place: Place) -> None:
    load_archive(place, "with:etc", {"usr/etc/thing": b"its own"}, {"etc": "usr/etc"})
    container = place.containers.create(
        {"Image": "with:etc", "Cmd": ["cat", "/etc/thing", "/etc/hostname"], "HostConfig": {"NetworkMode": "none"}}
    )
    place.containers.start(container)
    assert place.containers.wait(container).result(60).code == 0
    assert output_of(container) == f"its own{container.config['Hostname']}\n"


def test_an_image_whose_proc_and_dev_are_links(place: Place, tmp_path: Path) -> None:
    load_archive(place, "evil:proc", {}, {"proc": str(tmp_path), "dev": str(tmp_path), "sys": str(tmp_path)})
    container = place.containers.create(
        {"Image": "evil:proc", "Cmd": ["sh", "-c", "cat /proc/self/status"], "HostConfig": {"NetworkMode": "none"}}
    )
    place.containers.start(container)
    assert place.containers.wait(container).result(60).code == 0
    assert list(tmp_path.iterdir()) == []


def test_nobody_of_the_host_can_look_into_it(place: Place) -> None:
    """CVE-2021-41091: setuid files of images are out of reach."""
    container = place.create("sleep", "600")
    place.containers.start(container)
    assert (place.directory / "data").stat().st_mode & 0o777 == 0o700
    assert container.run.stat().st_mode & 0o077 == 0
