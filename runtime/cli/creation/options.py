"""The options of `moor run` and `moor create`, as a table: one row an option, in the order of Docker's reference.

A row holds names, the reader of its value (None: a boolean; `many`: may be given again) and the help.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click

from runtime.cli.creation import mounts, values
from runtime.cli.options import BadValue, Function, flag

Reader = Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class Option:
    """One row. `names`: short and long; `reader`: None for a boolean."""

    names: tuple[str, ...]
    help: str
    reader: Reader | None = str
    many: bool = False


def _one(names: str, help: str, reader: Reader = str) -> Option:
    return Option(tuple(names.split()), help, reader)


def _many(names: str, help: str, reader: Reader = str) -> Option:
    return Option(tuple(names.split()), help, reader, many=True)


def _switch(names: str, help: str) -> Option:
    return Option(tuple(names.split()), help, None)


GENERAL = (
    _many("-a --attach", "Attach to STDIN, STDOUT or STDERR", values.stream),
    _many("--annotation", "Add an annotation to the container (passed through to the OCI runtime)"),
    _one("--cidfile", "Write the container ID to the file"),
    _one("--domainname", "Container NIS domain name"),
    _one("--entrypoint", "Overwrite the default ENTRYPOINT of the image"),
    _many("-e --env", "Set environment variables", values.variable),
    _many("--env-file", "Read in a file of environment variables"),
    _many("--group-add", "Add additional groups to join"),
    _one("-h --hostname", "Container host name"),
    _switch("--init", "Run an init inside the container that forwards signals and reaps processes"),
    _switch("-i --interactive", "Keep STDIN open even if not attached"),
    _many("-l --label", "Set meta data on a container"),
    _many("--label-file", "Read in a line delimited file of labels"),
    _switch("--read-only", "Mount the container's root filesystem as read only"),
    _one("--restart", "Restart policy to apply when a container exits"),
    _switch("--rm", "Automatically remove the container and its associated anonymous volumes when it exits"),
    _one("--runtime", "Runtime to use for this container"),
    _one("--stop-signal", "Signal to stop the container"),
    _one("--stop-timeout", "Timeout (in seconds) to stop a container", int),
    _many("--sysctl", "Sysctl options"),
    _switch("-t --tty", "Allocate a pseudo-TTY"),
    _many("--ulimit", "Ulimit options", values.ulimit),
    _one("-u --user", "Username or UID (format: <name|uid>[:<group|gid>])"),
    _one("-w --workdir", "Working directory inside the container"),
)
SECURITY = (
    _many("--cap-add", "Add Linux capabilities"),
    _many("--cap-drop", "Drop Linux capabilities"),
    _one("--cgroupns", "Cgroup namespace to use (host|private)"),
    _switch("--privileged", "Give extended privileges to this container"),
    _many("--security-opt", "Security Options"),
    _one("--userns", "User namespace to use"),
)
NETWORK = (
    _many("--add-host", "Add a custom host-to-IP mapping (host:ip)", values.extra_host),
    _many("--dns", "Set custom DNS servers", values.address),
    _many("--dns-option --dns-opt", "Set DNS options"),
    _many("--dns-search", "Set custom DNS search domains"),
    _many("--expose", "Expose a port or a range of ports"),
    _one("--ip", "IPv4 address (e.g., 172.30.100.104)", values.address),
    _one("--ip6", "IPv6 address (e.g., 2001:db8::33)", values.address),
    _many("--link", "Add link to another container"),
    _many("--link-local-ip", "Container IPv4/IPv6 link-local addresses", values.address),
    _one("--mac-address", "Container MAC address (e.g., 92:d0:c6:0a:29:33)"),
    _many("--network --net", "Connect a container to a network"),
    _many("--network-alias --net-alias", "Add network-scoped alias for the container"),
    _many("-p --publish", "Publish a container's port(s) to the host"),
    _switch("-P --publish-all", "Publish all exposed ports to random ports"),
)
STORAGE = (
    _one("--log-driver", "Logging driver for the container"),
    _many("--log-opt", "Log driver options"),
    _many("--mount", "Attach a filesystem mount to the container", mounts.mount),
    _many("--storage-opt", "Storage driver options for the container"),
    _many("--tmpfs", "Mount a tmpfs directory"),
    _many("-v --volume", "Bind mount a volume"),
    _one("--volume-driver", "Optional volume driver for the container"),
    _many("--volumes-from", "Mount volumes from the specified container(s)"),
)
HEALTH = (
    _one("--health-cmd", "Command to run to check health"),
    _one("--health-interval", "Time between running the check (ms|s|m|h) (default 0s)", values.span),
    _one("--health-retries", "Consecutive failures needed to report unhealthy", int),
    _one("--health-start-interval", "Time between running the check during the start period", values.span),
    _one("--health-start-period", "Start period before retries are counted (ms|s|m|h) (default 0s)", values.span),
    _one("--health-timeout", "Maximum time to allow one check to run (ms|s|m|h) (default 0s)", values.span),
    _switch("--no-healthcheck", "Disable any container-specified HEALTHCHECK"),
)
CPU_AND_MEMORY = (
    _one("--blkio-weight", "Block IO (relative weight), between 10 and 1000, or 0 to disable (default 0)", int),
    _one("--cpu-period", "Limit CPU CFS (Completely Fair Scheduler) period", int),
    _one("--cpu-quota", "Limit CPU CFS (Completely Fair Scheduler) quota", int),
    _one("-c --cpu-shares", "CPU shares (relative weight)", int),
    _one("--cpus", "Number of CPUs", values.processors),
    _one("--cpuset-cpus", "CPUs in which to allow execution (0-3, 0,1)"),
    _one("--cpuset-mems", "MEMs in which to allow execution (0-3, 0,1)"),
    _one("-m --memory", "Memory limit", values.size),
    _one("--memory-reservation", "Memory soft limit", values.size),
    _one("--memory-swap", "Swap limit equal to memory plus swap: '-1' to enable unlimited swap", values.swap),
    _one("--pids-limit", "Tune container pids limit (set -1 for unlimited)", int),
)
LOW_LEVEL = (
    _one("--cgroup-parent", "Optional parent cgroup for the container"),
    _one("--cpu-rt-period", "Limit CPU real-time period in microseconds", int),
    _one("--cpu-rt-runtime", "Limit CPU real-time runtime in microseconds", int),
    _many("--device", "Add a host device to the container"),
    _many("--device-cgroup-rule", "Add a rule to the cgroup allowed devices list", values.cgroup_rule),
    _one("--ipc", "IPC mode to use"),
    _one("--memory-swappiness", "Tune container memory swappiness (0 to 100)", int),
    _switch("--oom-kill-disable", "Disable OOM Killer"),
    _one("--oom-score-adj", "Tune host's OOM preferences (-1000 to 1000)", int),
    _one("--pid", "PID namespace to use"),
    _one("--shm-size", "Size of /dev/shm", values.size),
    _one("--uts", "UTS namespace to use"),
)
CONTAINER = (*GENERAL, *SECURITY, *NETWORK, *STORAGE, *HEALTH, *CPU_AND_MEMORY, *LOW_LEVEL)

CREATION = (
    _one("--name", "Assign a name to the container"),
    _one("--platform", "Set platform if server is multi-platform capable"),
    _one("--pull", 'Pull image before running ("always", "missing", "never")'),
    _switch("-q --quiet", "Suppress the pull output"),
)


def options(*rows: Option) -> Callable[[Function], Function]:
    """Give a command the options of these rows; what is not given is None, () or False."""

    def decorated(function: Function) -> Function:
        for row in rows:
            function = _decorator(row)(function)
        return function

    return decorated


def _decorator(row: Option) -> Callable[[Function], Function]:
    long = next(name for name in row.names if name.startswith("--")).lstrip("-").replace("-", "_")
    if row.reader is None:
        return flag(*row.names, help=row.help)
    made: Callable[[Function], Function] = click.option(
        *row.names, long, type=_read(row.reader), multiple=row.many, help=row.help, metavar=_kind(row)
    )
    return made


def _kind(row: Option) -> str:
    if row.many:
        return "list"
    return {int: "int", str: "string", values.size: "bytes", values.span: "duration"}.get(row.reader or str, "string")


def _read(reader: Reader) -> Reader:
    if reader is str:
        return str

    def read(text: str) -> Any:
        try:
            return reader(text)
        except ValueError as error:
            reason = f'strconv.ParseInt: parsing "{text}": invalid syntax' if reader is int else str(error)
            raise BadValue(text, reason) from error

    return read
