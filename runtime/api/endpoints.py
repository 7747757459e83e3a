"""The Engine API's table of endpoints in code, in the order of its reference (https://docs.docker.com/reference/api/engine/).

A handler takes a `Call` and gives an ASGI app: a Starlette response, or a stream that hijacks the connection.
`NAME` may hold slashes (images); `ID` does not.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.types import ASGIApp

from runtime.api import image_archives, images, networks, system
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
    Endpoint("GET", "/images/json", images.list_images),
    Endpoint("GET", f"/images/{NAME}/json", images.inspect),
    Endpoint("GET", "/_ping", system.ping),
    Endpoint("GET", "/version", system.version),
    Endpoint("GET", f"/images/{NAME}/history", images.list_history),
    Endpoint("POST", f"/images/{NAME}/tag", images.tag),
    Endpoint("DELETE", f"/images/{NAME}", images.remove),
    Endpoint("POST", "/images/prune", images.prune),
    Endpoint("GET", f"/images/{NAME}/get", image_archives.save_one),
    Endpoint("GET", "/images/get", image_archives.save_many),
    Endpoint("POST", "/images/load", image_archives.load_images),
    Endpoint("GET", "/networks", networks.list_networks),
    Endpoint("POST", "/networks/create", networks.create),
    Endpoint("POST", "/networks/prune", networks.prune),
    Endpoint("GET", f"/networks/{ID}", networks.inspect),
    Endpoint("DELETE", f"/networks/{ID}", networks.remove),
)
