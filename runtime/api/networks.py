"""Networks: what there is and what users make (Engine API, "Network")."""

from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from runtime.api.call import Call
from runtime.errors import BadParameter


async def list_networks(call: Call) -> ASGIApp:
    """GET /networks?filters=: without who is in them, as Docker lists them."""
    networks = call.engine.networks
    found = await call.run(networks.list, call.filters())
    shown = [await call.run(networks.inspect, each) for each in found]
    return JSONResponse([each | {"Containers": {}} for each in shown])


async def inspect(call: Call) -> ASGIApp:
    """GET /networks/ID?scope=&verbose=."""
    networks = call.engine.networks
    network = await call.run(networks.get, call.parts["id"])
    return JSONResponse(await call.run(networks.inspect, network))


async def create(call: Call) -> ASGIApp:
    """POST /networks/create."""
    network = await call.run(call.engine.networks.create, await call.json())
    return JSONResponse({"Id": network.id, "Warning": ""}, 201)


async def remove(call: Call) -> ASGIApp:
    """DELETE /networks/ID: refused while somebody is in it."""
    await call.run(call.engine.networks.remove, call.parts["id"])
    return Response(status_code=204)


async def prune(call: Call) -> ASGIApp:
    """POST /networks/prune?filters=: every user's network that nobody is in."""
    removed = await call.run(call.engine.networks.prune, call.filters(), kept=call.engine.connections.users())
    return JSONResponse({"NetworksDeleted": list(removed) or None})


async def connect(call: Call) -> ASGIApp:
    """POST /networks/ID/connect: a container into one more network, running or not."""
    body = await call.json()
    config = body.get("EndpointConfig") or {}
    if not isinstance(config, dict):
        raise BadParameter("json: EndpointConfig is an object")
    await call.run(call.engine.connections.connect, call.parts["id"], str(body.get("Container") or ""), config)
    return Response()


async def disconnect(call: Call) -> ASGIApp:
    """POST /networks/ID/disconnect: a container out of a network, running or not."""
    body = await call.json()
    await call.run(call.engine.connections.disconnect, call.parts["id"], str(body.get("Container") or ""))
    return Response()
