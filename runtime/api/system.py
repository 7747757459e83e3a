"""What the engine is: ping and version (Engine API, "System"). The rest of that section has files of its own."""

import platform
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from runtime import API_VERSION, MIN_API_VERSION
from runtime.api.call import Call
from runtime.api.versions import dotted, own_version
from runtime.doctor import tools
from runtime.doctor.machine import look

PING = {
    "Builder-Version": "1",  # the classic builder: no BuildKit here
    "Cache-Control": "no-cache, no-store, must-revalidate",
    "Pragma": "no-cache",
    "Swarm": "inactive",
}


async def ping(call: Call) -> ASGIApp:
    """GET and HEAD /_ping."""
    return Response("OK", headers=PING, media_type="text/plain")


async def version(call: Call) -> ASGIApp:
    """GET /version."""
    return JSONResponse(await call.run(_version, call.engine.settings.runtime))


def _version(runtime: str) -> dict[str, Any]:
    machine = look()
    engine = {
        "ApiVersion": dotted(API_VERSION),
        "Arch": machine.architecture,
        "BuildTime": "",
        "Experimental": "false",
        "GitCommit": "",
        "GoVersion": f"none (Python {platform.python_version()})",
        "KernelVersion": machine.kernel,
        "MinAPIVersion": dotted(MIN_API_VERSION),
        "Os": "linux",
    }
    found = [*tools.runtimes(runtime), tools.found("conmon")]
    components = [{"Name": "Engine", "Version": own_version(), "Details": engine}]
    components += [
        {"Name": tool.name, "Version": tool.version, "Details": {"GitCommit": tool.commit}} for tool in found if tool
    ]
    return {
        "Platform": {"Name": "Moorage Engine"},
        "Components": components,
        "Version": own_version(),
        **{name: engine[name] for name in ("ApiVersion", "MinAPIVersion", "GitCommit", "GoVersion", "Os", "Arch")},
        "KernelVersion": machine.kernel,
        "BuildTime": "",
    }
