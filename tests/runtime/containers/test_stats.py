"""What a container uses, from the kernel's files of both versions, and from a real container's."""

from pathlib import Path

import pytest

from runtime.containers import cgroups, stats, top
from runtime.errors import BadParameter, EngineError
from tests.parts.bundles import running
from tests.runtime.containers.clients import poll

PID = 42
GIB = 2**30
ETH0 = "1 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0"


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A /proc of two processors and 8 GiB, with one process of ours and one of a container's."""
    proc = tmp_path / "proc"
    for who in ("self", str(PID)):
        (proc / who / "net").mkdir(parents=True)
    write(proc / "stat", "cpu  100 1 50 800 9 1 2 0 0 0\ncpu0 1\ncpu1 1\nintr 5\n")
    write(proc / "meminfo", f"MemTotal: {8 * 2**20} kB\nMemFree: 1 kB\n")
    header = "Inter-| Receive | Transmit\n face |bytes ...\n"
    write(
        proc / str(PID) / "net" / "dev",
        f"{header}  lo: 9 9 9 9 0 0 0 0 9 9 9 9 0 0 0 0\neth0: {ETH0}\n",
    )
    return proc


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def version1(machine: Path, tmp_path: Path) -> Path:
    mounts, groups = "", ""
    for number, names in enumerate(("cpu", "cpuacct", "memory", "pids", "blkio", "name=systemd"), 1):
        name = names.removeprefix("name=")
        mounts += f"3{number} 1 0:3{number} / {tmp_path}/{name} rw - cgroup cgroup rw,{names}\n"
        groups += f"{number}:{names}:/box\n"
    write(machine / "self" / "mountinfo", mounts + f"40 1 0:40 / {tmp_path}/unified rw - cgroup2 cgroup2 rw\n")
    write(machine / str(PID) / "cgroup", groups + "0::/\n")
    write(tmp_path / "cpuacct/box/cpuacct.usage", "5000\n")
    write(tmp_path / "cpuacct/box/cpuacct.usage_percpu", "2000 3000 \n")
    write(tmp_path / "cpuacct/box/cpuacct.stat", "user 7\nsystem 3\n")
    write(tmp_path / "cpu/box/cpu.stat", "nr_periods 4\nnr_throttled 2\nthrottled_time 99\n")
    write(tmp_path / "memory/box/memory.usage_in_bytes", "1000\n")
    write(tmp_path / "memory/box/memory.max_usage_in_bytes", "2000\n")
    write(tmp_path / "memory/box/memory.failcnt", "3\n")
    write(tmp_path / "memory/box/memory.limit_in_bytes", f"{2**63 - 4096}\n")
    write(tmp_path / "memory/box/memory.stat", "cache 10\ntotal_inactive_file 20\n")
    write(tmp_path / "pids/box/pids.current", "2\n")
    write(tmp_path / "pids/box/pids.max", "max\n")
    write(tmp_path / "pids/box/cgroup.procs", "43\n42\n")
    write(tmp_path / "pids/box/below/cgroup.procs", "44\n")
    write(tmp_path / "blkio/box/blkio.throttle.io_service_bytes_recursive", "8:0 Read 4096\n8:0 Write 1\nTotal 4097\n")
    return machine


@pytest.fixture
def version2(machine: Path, tmp_path: Path) -> Path:
    write(machine / "self" / "mountinfo", f"40 1 0:40 /own {tmp_path}/unified rw - cgroup2 cgroup2 rw,nsdelegate\n")
    write(machine / str(PID) / "cgroup", "0::/own/box\n")
    box = tmp_path / "unified" / "box"
    write(
        box / "cpu.stat", "usage_usec 5\nuser_usec 3\nsystem_usec 2\nnr_periods 4\nnr_throttled 2\nthrottled_usec 9\n"
    )
    write(box / "memory.current", "1000\n")
    write(box / "memory.max", f"{GIB}\n")
    write(box / "memory.stat", "file 10\ninactive_file 20\n")
    write(box / "pids.current", "2\n")
    write(box / "pids.max", "100\n")
    write(box / "cgroup.procs", "42\n")
    write(box / "io.stat", "8:0 rbytes=4096 wbytes=1 rios=2 wios=1 dbytes=0 dios=0\n")
    return machine


def test_version_1(version1: Path) -> None:
    found = stats.sample("id", "/name", PID, proc=version1)
    assert found["cpu_stats"]["cpu_usage"] == {
        "total_usage": 5000,
        "percpu_usage": [2000, 3000],
        "usage_in_kernelmode": 30_000_000,
        "usage_in_usermode": 70_000_000,
    }
    assert found["cpu_stats"]["system_cpu_usage"] == 963 * 10_000_000
    assert found["cpu_stats"]["online_cpus"] == 2
    assert found["cpu_stats"]["throttling_data"] == {"periods": 4, "throttled_periods": 2, "throttled_time": 99}
    assert found["memory_stats"] == {
        "usage": 1000,
        "max_usage": 2000,
        "failcnt": 3,
        "stats": {"cache": 10, "total_inactive_file": 20},
        "limit": 8 * GIB,
    }
    assert found["pids_stats"] == {"current": 2}
    assert found["blkio_stats"]["io_service_bytes_recursive"] == [
        {"major": 8, "minor": 0, "op": "read", "value": 4096},
        {"major": 8, "minor": 0, "op": "write", "value": 1},
    ]
    assert found["networks"] == {
        "eth0": {
            **{"rx_bytes": 1, "rx_packets": 2, "rx_errors": 3, "rx_dropped": 4},
            **{"tx_bytes": 5, "tx_packets": 6, "tx_errors": 7, "tx_dropped": 8},
        }
    }
    assert cgroups.of(PID, version1).pids() == [42, 43, 44]


def test_version_2(version2: Path) -> None:
    found = stats.sample("id", "/name", PID, proc=version2)
    assert found["cpu_stats"]["cpu_usage"] == {
        "total_usage": 5000,
        "usage_in_kernelmode": 2000,
        "usage_in_usermode": 3000,
    }
    assert found["cpu_stats"]["throttling_data"]["throttled_time"] == 9000
    assert found["memory_stats"] == {"usage": 1000, "stats": {"file": 10, "inactive_file": 20}, "limit": GIB}
    assert found["pids_stats"] == {"current": 2, "limit": 100}
    assert found["blkio_stats"]["io_serviced_recursive"] == [
        {"major": 8, "minor": 0, "op": "read", "value": 2},
        {"major": 8, "minor": 0, "op": "write", "value": 1},
    ]
    assert cgroups.of(PID, version2).pids() == [42]


def test_a_process_that_has_ended_uses_nothing(version2: Path) -> None:
    found = stats.sample("id", "/name", PID + 1, proc=version2)
    assert found == stats.nothing("id", "/name")
    assert found["read"] == "0001-01-01T00:00:00Z"


def test_a_sample_carries_the_one_before(version2: Path) -> None:
    first = stats.sample("id", "/name", PID, proc=version2)
    second = stats.following(stats.sample("id", "/name", PID, proc=version2), first)
    assert second["precpu_stats"] == first["cpu_stats"]
    assert second["preread"] == first["read"]
    assert stats.following(first, None) == first


@pytest.mark.e2e
def test_a_real_container() -> None:
    with running("sh", "-c", "sleep 600 & head -c 5000000 /dev/zero | md5sum; wait") as bundle:
        groups = cgroups.of(bundle.pid)
        poll(lambda: len(groups.pids()) == 2)
        poll(lambda: stats.sample(bundle.id, "/it", bundle.pid)["pids_stats"]["current"] == 2)
        found = stats.sample(bundle.id, "/it", bundle.pid)
        assert found["cpu_stats"]["cpu_usage"]["total_usage"] > 0
        assert 0 < found["memory_stats"]["usage"] < found["memory_stats"]["limit"]
        shown = top.processes(groups.pids())
        assert shown["Titles"] == ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]
        assert [row[-1] for row in shown["Processes"]][-1] == "sleep 600"
        renamed = top.processes(groups.pids(), "-o pid,comm")
        assert renamed["Titles"] == ["PID", "COMMAND"]
        assert len(renamed["Processes"]) == 2
        with pytest.raises(EngineError, match="Couldn't find PID field"):
            top.processes(groups.pids(), "-o comm")
        with pytest.raises(EngineError, match="ps failed"):
            top.processes(groups.pids(), "--nonsense")


def test_another_column_cannot_be_called_pid() -> None:
    with pytest.raises(BadParameter, match='specifying "ppid=PID" is not allowed'):
        top.processes([1], "-o ppid=PID")
