"""The Engine API's table of endpoints in code, in the order of its reference (https://docs.docker.com/reference/api/engine/).

A handler takes a `Call` and gives an ASGI app: a Starlette response, or a stream that hijacks the connection.
`NAME` may hold slashes (images); `ID` does not.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.types import ASGIApp

from runtime.api import (
    accounts,
    archive,
    attach,
    build,
    commit,
    containers,
    events,
    execs,
    image_archives,
    images,
    info,
    logs,
    networks,
    registries,
    running,
    stats,
    system,
    usage,
    volumes,
)
from runtime.api.call import Call

Handler = Callable[[Call], Awaitable[ASGIApp]]

ID = r"(?P<id>[^/]+)"
NAME = r"(?P<name>.+)"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One row: method, the path's pattern after `/vX.Y`, and who answers."""

    method: str
    pattern: str
    handler: Handler


ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint("GET", "/containers/json", containers.list_containers),
    Endpoint("POST", "/containers/create", containers.create),
    Endpoint("POST", "/containers/prune", containers.prune),
    Endpoint("GET", f"/containers/{ID}/json", containers.inspect),
    Endpoint("POST", f"/containers/{ID}/start", running.start),
    Endpoint("POST", f"/containers/{ID}/stop", running.stop),
    Endpoint("POST", f"/containers/{ID}/restart", running.restart),
    Endpoint("POST", f"/containers/{ID}/kill", running.kill),
    Endpoint("POST", f"/containers/{ID}/update", containers.update),
    Endpoint("POST", f"/containers/{ID}/rename", containers.rename),
    Endpoint("POST", f"/containers/{ID}/pause", running.pause),
    Endpoint("POST", f"/containers/{ID}/unpause", running.unpause),
    Endpoint("POST", f"/containers/{ID}/wait", running.wait),
    Endpoint("DELETE", f"/containers/{ID}", containers.remove),
    Endpoint("POST", f"/containers/{ID}/attach", attach.attach),
    Endpoint("POST", f"/containers/{ID}/resize", attach.resize),
    Endpoint("GET", f"/containers/{ID}/logs", logs.logs),
    Endpoint("GET", f"/containers/{ID}/top", stats.processes),
    Endpoint("GET", f"/containers/{ID}/stats", stats.usage),
    Endpoint("GET", f"/containers/{ID}/changes", archive.list_changes),
    Endpoint("GET", f"/containers/{ID}/export", archive.export),
    Endpoint("HEAD", f"/containers/{ID}/archive", archive.head),
    Endpoint("GET", f"/containers/{ID}/archive", archive.get),
    Endpoint("PUT", f"/containers/{ID}/archive", archive.put),
    Endpoint("POST", f"/containers/{ID}/exec", execs.create),
    Endpoint("POST", f"/exec/{ID}/start", execs.start),
    Endpoint("POST", f"/exec/{ID}/resize", execs.resize),
    Endpoint("GET", f"/exec/{ID}/json", execs.inspect),
    Endpoint("POST", "/commit", commit.create),
    Endpoint("GET", "/images/json", images.list_images),
    Endpoint("POST", "/images/create", registries.create_image),
    Endpoint("GET", "/images/search", registries.search_images),
    Endpoint("GET", f"/images/{NAME}/json", images.inspect),
    Endpoint("GET", "/_ping", system.ping),
    Endpoint("GET", "/version", system.version),
    Endpoint("GET", "/info", info.info),
    Endpoint("POST", "/auth", accounts.check),
    Endpoint("GET", "/events", events.monitor),
    Endpoint("GET", "/system/df", usage.usage),
    Endpoint("GET", f"/images/{NAME}/history", images.list_history),
    Endpoint("POST", f"/images/{NAME}/push", registries.push_image),
    Endpoint("POST", f"/images/{NAME}/tag", images.tag),
    Endpoint("DELETE", f"/images/{NAME}", images.remove),
    Endpoint("POST", "/images/prune", images.prune),
    Endpoint("GET", f"/images/{NAME}/get", image_archives.save_one),
    Endpoint("GET", "/images/get", image_archives.save_many),
    Endpoint("POST", "/images/load", image_archives.load_images),
    Endpoint("POST", "/build", build.build),
    Endpoint("POST", "/build/prune", build.prune),
    Endpoint("GET", "/networks", networks.list_networks),
    Endpoint("POST", "/networks/create", networks.create),
    Endpoint("POST", "/networks/prune", networks.prune),
    Endpoint("GET", f"/networks/{ID}", networks.inspect),
    Endpoint("DELETE", f"/networks/{ID}", networks.remove),
    Endpoint("POST", f"/networks/{ID}/connect", networks.connect),
    Endpoint("POST", f"/networks/{ID}/disconnect", networks.disconnect),
    Endpoint("GET", "/volumes", volumes.list_volumes),
    Endpoint("POST", "/volumes/create", volumes.create),
    Endpoint("POST", "/volumes/prune", volumes.prune),
    Endpoint("GET", f"/volumes/{ID}", volumes.inspect),
    Endpoint("DELETE", f"/volumes/{ID}", volumes.remove),
    Endpoint("GET", f"/distribution/{NAME}/json", registries.inspect_distributed),
)
