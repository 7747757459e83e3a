"""A client's wishes and an image's words, put together; and what neither may say."""

from typing import Any

import pytest

from runtime.containers.specification import settled
from runtime.errors import BadParameter

ID = "0123456789abcdef" * 4
IMAGE = {
    "Env": ["PATH=/bin", "A=1"],
    "Cmd": ["serve"],
    "Entrypoint": ["/entry"],
    "Labels": {"of": "image", "both": "image"},
    "Volumes": {"/data": {}},
    "User": "web",
    "WorkingDir": "/srv",
}


def config(body: dict[str, Any], image: dict[str, Any] | None = None) -> dict[str, Any]:
    """Put a Config together."""
    return settled.config(body, IMAGE if image is None else image, container_id=ID, image_name="x:1")


@pytest.mark.parametrize(
    ("body", "entrypoint", "cmd"),
    [
        ({}, ["/entry"], ["serve"]),
        ({"Cmd": ["other"]}, ["/entry"], ["other"]),
        ({"Entrypoint": ["/mine"]}, ["/mine"], None),
        ({"Entrypoint": "/mine", "Cmd": "x"}, ["/mine"], ["x"]),
        ({"Entrypoint": [""], "Cmd": ["x"]}, None, ["x"]),
    ],
)
def test_commands(body: dict[str, Any], entrypoint: list[str] | None, cmd: list[str] | None) -> None:
    made = config(body)
    assert (made["Entrypoint"], made["Cmd"]) == (entrypoint, cmd)


def test_what_is_the_image_s_stays_unless_the_client_says_otherwise() -> None:
    made = config({"Env": ["A=2", "B=3", "PATH"], "Labels": {"both": "client"}, "User": "root"})
    assert made["Env"] == ["A=2", "B=3"]
    assert made["Labels"] == {"of": "image", "both": "client"}
    assert (made["User"], made["WorkingDir"], made["Volumes"]) == ("root", "/srv", {"/data": {}})
    assert made["Hostname"] == ID[:12]


def test_a_healthcheck_is_merged_by_field() -> None:
    image = {**IMAGE, "Healthcheck": {"Test": ["CMD", "check"], "Interval": 5 * 10**9}}
    made = config({"Healthcheck": {"Retries": 7}}, image)
    assert made["Healthcheck"] == {"Test": ["CMD", "check"], "Interval": 5 * 10**9, "Retries": 7}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"Cmd": 3}, "cannot unmarshal the value of Cmd"),
        ({"Cmd": ["a", 3]}, "cannot unmarshal the value of Cmd"),
        ({"Cmd": ["a\0b"]}, "cannot unmarshal the value of Cmd"),
        ({"Env": {"A": "1"}}, "cannot unmarshal the value of Env"),
        ({"Env": ["=x"]}, "invalid environment variable: =x"),
        ({"Env": ["A=\0"]}, "cannot unmarshal the value of Env"),
        ({"Labels": ["x"]}, "cannot unmarshal the value of Labels"),
        ({"Labels": {"a": 1}}, "cannot unmarshal the value of Labels"),
        ({"Tty": "yes"}, "cannot unmarshal the value of Tty"),
        ({"WorkingDir": "relative"}, "needs to be an absolute path"),
        ({"Hostname": "a b"}, "invalid hostname"),
        ({"Hostname": "x\n127.0.0.1 registry"}, "invalid hostname"),
        ({"Hostname": "x" * 300}, "invalid hostname"),
        ({"StopSignal": "SIGFROB"}, "Invalid signal: SIGFROB"),
        ({"Healthcheck": {"Test": ["RUN", "x"]}}, "Unknown healthcheck type"),
        ({"Healthcheck": {"Test": "x"}}, "Test is a list of words"),
        ({"Healthcheck": {"Interval": 5}}, "cannot be less than 1ms"),
    ],
)
def test_bad_wishes(body: dict[str, Any], said: str) -> None:
    with pytest.raises(BadParameter) as failed:
        config(body)
    assert said in str(failed.value)


def test_nothing_to_run() -> None:
    with pytest.raises(BadParameter, match="no command specified"):
        config({}, {})
    with pytest.raises(BadParameter, match="no command specified"):
        config({"Cmd": [""]}, {})


@pytest.mark.parametrize(("text", "size"), [("10m", 10 * 2**20), ("1GB", 2**30), ("5000", 5000), ("2kb", 2048)])
def test_a_log_s_size(text: str, size: int) -> None:
    made = settled.host_config({"LogConfig": {"Type": "local", "Config": {"max-size": text}}})
    assert settled.log_size(made) == size
    assert made["LogConfig"]["Type"] == "json-file"


def test_a_host_config_is_completed() -> None:
    made = settled.host_config({})
    assert made["NetworkMode"] == "bridge"
    assert made["LogConfig"] == {"Type": "json-file", "Config": {}}
    assert made["RestartPolicy"] == {"Name": "no", "MaximumRetryCount": 0}
    assert (made["IpcMode"], made["CgroupnsMode"], made["ShmSize"]) == ("private", "host", 64 * 2**20)
    assert settled.host_config({}, unified=True)["CgroupnsMode"] == "private"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"CapAdd": ["CAP_FLY"]}, 'invalid CapAdd: unknown capability: "CAP_FLY"'),
        ({"CapDrop": ["fly"]}, 'invalid CapDrop: unknown capability: "CAP_FLY"'),
        ({"Memory": 1024}, "Minimum memory limit allowed is 6MB"),
        ({"Memory": "64m"}, "cannot unmarshal the value of Memory"),
        ({"Memory": 2**27, "MemorySwap": 2**26}, "Minimum memoryswap limit should be larger than memory limit"),
        ({"MemorySwap": 2**26}, "You should always set the Memory limit when using Memoryswap limit"),
        ({"Memory": 2**26, "MemoryReservation": 2**27}, "can not be less than memory reservation limit"),
        ({"NanoCpus": 10**15}, "range of CPUs is from 0.01 to"),
        ({"NanoCpus": 10**9, "CpuQuota": 5000}, "Conflicting options: Nano CPUs"),
        ({"CpuPeriod": 5}, "CPU cfs period can not be less than 1ms"),
        ({"CpuQuota": 5}, "CPU cfs quota can not be less than 1ms"),
        ({"RestartPolicy": {"Name": "sometimes"}}, "unknown policy 'sometimes'"),
        ({"RestartPolicy": {"Name": "always", "MaximumRetryCount": 3}}, "can only be used with 'on-failure'"),
        ({"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": -1}}, "cannot be negative"),
        ({"RestartPolicy": {"Name": "always"}, "AutoRemove": True}, "can't create 'AutoRemove' container with restart"),
        ({"Ulimits": [{"Name": "frob", "Soft": 1, "Hard": 1}]}, "invalid ulimit type: frob"),
        ({"Ulimits": [{"Name": "nofile", "Soft": 2, "Hard": 1}]}, "ulimit soft limit must be less than"),
        ({"OomScoreAdj": 5000}, "range for oom score adj"),
        ({"PidMode": "other"}, "invalid PidMode: other"),
        ({"IpcMode": "weird"}, "invalid IpcMode"),
        ({"Sysctls": {"kernel.core_pattern": "|/x"}}, "invalid sysctl kernel.core_pattern"),
        ({"Sysctls": {"net/../kernel/core_pattern": "|/x"}}, "invalid sysctl"),
        ({"Sysctls": {"net.ipv4.ip_forward": "1"}, "NetworkMode": "host"}, "not allowed in host network namespace"),
        ({"LogConfig": {"Type": "syslog"}}, "no log driver named 'syslog' is registered"),
        ({"LogConfig": {"Type": "json-file", "Config": {"max-size": "a lot"}}}, "invalid size: 'a lot'"),
        ({"CgroupParent": "../../system.slice"}, "invalid CgroupParent"),
        ({"CgroupParent": "/a/../b"}, "invalid CgroupParent"),
        ({"Runtime": "/tmp/evil"}, "unknown or invalid runtime name"),
        ({"VolumeDriver": "nfs"}, 'plugin "nfs" not found'),
        ({"DeviceRequests": [{"Driver": "nvidia"}]}, "could not select device driver"),
    ],
)
def test_bad_host_configs(body: dict[str, Any], said: str) -> None:
    with pytest.raises(BadParameter) as failed:
        settled.host_config(body)
    assert said in str(failed.value)
