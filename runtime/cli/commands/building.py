"""`moor build` and `moor builder prune`. Source: docker/cli cli/command/image/build.go and build/context.go.

The context is packed here, without what .dockerignore leaves out; everything else is the daemon's work (POST /build).
"""

import base64
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from runtime.cli.commands.pruning import confirm
from runtime.cli.context import Context, local_context, piped_context
from runtime.cli.creation import values
from runtime.cli.creation.options import Option, options
from runtime.cli.credentials import Logins
from runtime.cli.filters import filters_of, prune_filter_option
from runtime.cli.options import Failure, command, flag
from runtime.cli.progress import Progress
from runtime.cli.session import Session
from runtime.cli.words import size

ROWS = (
    Option(("--add-host",), 'Add a custom host-to-IP mapping ("host:ip")', values.extra_host, many=True),
    Option(("--build-arg",), "Set build-time variables", values.variable, many=True),
    Option(("--cache-from",), "Images to consider as cache sources", str, many=True),
    Option(("--cgroup-parent",), 'Set the parent cgroup for the "RUN" instructions during build'),
    Option(("--cpu-period",), "Limit the CPU CFS (Completely Fair Scheduler) period", int),
    Option(("--cpu-quota",), "Limit the CPU CFS (Completely Fair Scheduler) quota", int),
    Option(("-c", "--cpu-shares"), "CPU shares (relative weight)", int),
    Option(("--cpuset-cpus",), "CPUs in which to allow execution (0-3, 0,1)"),
    Option(("--cpuset-mems",), "MEMs in which to allow execution (0-3, 0,1)"),
    Option(("-f", "--file"), 'Name of the Dockerfile (Default is "PATH/Dockerfile")'),
    Option(("--force-rm",), "Always remove intermediate containers", None),
    Option(("--iidfile",), "Write the image ID to the file"),
    Option(("--label",), "Set metadata for an image", str, many=True),
    Option(("-m", "--memory"), "Memory limit", values.size),
    Option(("--memory-swap",), "Swap limit equal to memory plus swap: -1 to enable unlimited swap", values.swap),
    Option(("--network",), "Set the networking mode for the RUN instructions during build"),
    Option(("--no-cache",), "Do not use cache when building the image", None),
    Option(("--platform",), "Set platform if server is multi-platform capable"),
    Option(("--pull",), "Always attempt to pull a newer version of the image", None),
    Option(("-q", "--quiet"), "Suppress the build output and print image ID on success", None),
    Option(("--security-opt",), "Security options", str, many=True),
    Option(("--shm-size",), 'Size of "/dev/shm"', values.size),
    Option(("--squash",), "Squash newly built layers into a single new layer", None),
    Option(("-t", "--tag"), 'Name and optionally a tag in the "name:tag" format', str, many=True),
    Option(("--target",), "Set the target build stage to build."),
    Option(("--ulimit",), "Ulimit options", values.ulimit, many=True),
)
_PLAIN = (
    ("cgroupparent", "cgroup_parent"),
    ("cpuperiod", "cpu_period"),
    ("cpuquota", "cpu_quota"),
    ("cpushares", "cpu_shares"),
    ("cpusetcpus", "cpuset_cpus"),
    ("cpusetmems", "cpuset_mems"),
    ("memory", "memory"),
    ("memswap", "memory_swap"),
    ("networkmode", "network"),
    ("nocache", "no_cache"),
    ("platform", "platform"),
    ("shmsize", "shm_size"),
    ("squash", "squash"),
    ("target", "target"),
    ("forcerm", "force_rm"),
    ("q", "quiet"),
)


@command("[OPTIONS] PATH | URL | -", least=1, most=1)
@options(*ROWS)
@flag("--rm", default=True, help="Remove intermediate containers after a successful build")
def build(session: Session, words: tuple[str, ...], **given: Any) -> None:
    """Build an image from a Dockerfile."""
    _forget(given["iidfile"])
    context = _context(words[0], given["file"])
    query = _query(given, context)
    headers = {"X-Registry-Config": _logins(session), "Content-Type": "application/x-tar"}
    answer = session.client.ask("POST", "/build", query, _sent(context, quiet=given["quiet"]), headers)
    identifier = _shown(answer.documents(), quiet=given["quiet"])
    if given["iidfile"]:
        if not identifier:
            raise Failure(f"server did not provide an image ID. Cannot write {given['iidfile']}")
        Path(given["iidfile"]).write_text(identifier)


def _shown(documents: Iterator[Mapping[str, Any]], *, quiet: bool) -> str:
    """Print the build's lines, or in the end the image's id alone; returns the id."""
    identifier = ""
    kept: list[str] = []
    try:
        for document in documents:
            if quiet and "stream" in document:
                kept.append(str(document["stream"]))
                continue
            for extra in Progress(sys.stdout).show([document]):
                identifier = str(extra.get("ID", identifier))
    except Failure:
        click.echo("".join(kept), nl=False, err=True)
        raise
    if quiet:
        identifier = identifier or "".join(kept).strip()
        click.echo(identifier)
    return identifier


def _context(place: str, dockerfile: str | None) -> Context:
    if dockerfile == "-" and place == "-":
        raise Failure("invalid argument: can't use stdin for both build context and dockerfile")
    if place == "-":
        return piped_context(sys.stdin.buffer, dockerfile)
    if place.startswith(("http://", "https://", "git://", "git@", "github.com/")):
        return Context(blocks=None, dockerfile=dockerfile or "", remote=place)
    replaced = sys.stdin.buffer.read() if dockerfile == "-" else None
    return local_context(Path(place), None if dockerfile == "-" else dockerfile, replaced)


def _query(given: Mapping[str, Any], context: Context) -> dict[str, Any]:
    query: dict[str, Any] = {name: given[option] for name, option in _PLAIN if given[option]}
    return query | {
        "t": list(given["tag"]) or None,
        "dockerfile": context.dockerfile or None,
        "remote": context.remote or None,
        "buildargs": json.dumps({n: v if e else None for n, e, v in (a.partition("=") for a in given["build_arg"])}),
        "labels": json.dumps(values.pairs(given["label"])),
        "cachefrom": json.dumps(list(given["cache_from"])) if given["cache_from"] else None,
        "extrahosts": list(given["add_host"]) or None,
        "securityopt": json.dumps(list(given["security_opt"])) if given["security_opt"] else None,
        "ulimits": json.dumps(list(given["ulimit"])) if given["ulimit"] else None,
        "pull": given["pull"] or None,
        "rm": None if given["rm"] else 0,
        "version": "1",
    }


def _logins(session: Session) -> str:
    """X-Registry-Config: every login of config.json, for the images that a Dockerfile names."""
    logins = Logins(session.config)
    known = logins.document()
    registries = [*(known.get("auths") or {}), *(known.get("credHelpers") or {})]
    found = {registry: logins.find(registry) for registry in dict.fromkeys(registries)}
    return base64.urlsafe_b64encode(json.dumps(found).encode()).decode()


@dataclass(slots=True)
class Sent:
    """The context on its way, counted."""

    blocks: Iterator[bytes]
    quiet: bool

    def __iter__(self) -> Iterator[bytes]:
        total = 0
        for block in self.blocks:
            total += len(block)
            yield block
        if not self.quiet:
            click.echo(f"Sending build context to the engine  {size(total)}")


def _sent(context: Context, *, quiet: bool) -> Sent | None:
    return Sent(context.blocks, quiet) if context.blocks is not None else None


def _forget(name: str | None) -> None:
    """An id file of an earlier build goes, so that a failure leaves none."""
    if name:
        Path(name).unlink(missing_ok=True)


@command(most=0)
@flag("-a", "--all", help="Remove all unused build cache, not just dangling ones")
@prune_filter_option
@flag("-f", "--force", help="Do not prompt for confirmation")
@click.option("--keep-storage", "keep", type=values.size, default=None, help="Amount of disk space to keep for cache")
def prune(session: Session, all: bool, filters: tuple[str, ...], force: bool, keep: int | None) -> None:
    """Remove build cache."""
    confirm("This will remove all dangling build cache.", force=force, what="build cache")
    query = {"all": all or None, "filters": filters_of(filters), "keep-storage": keep}
    found = session.client.do("POST", "/build/prune", query) or {}
    gone = found.get("CachesDeleted") or ()
    if gone:
        click.echo("\n".join(["Deleted build cache objects:", *gone, ""]))
    click.echo(f"Total reclaimed space: {size(found.get('SpaceReclaimed') or 0)}")
