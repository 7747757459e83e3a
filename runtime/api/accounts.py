"""POST /auth: whether a registry takes a user's credentials (Engine API, "Check auth configuration").

Nothing of them is kept: clients send them with every pull and push.
"""

from starlette.responses import JSONResponse
from starlette.types import ASGIApp

from runtime.api.call import Call
from runtime.images.login import sign_in


async def check(call: Call) -> ASGIApp:
    """POST /auth."""
    given = await call.json()
    token = await call.run(sign_in, call.engine.registries, given)
    return JSONResponse({"IdentityToken": token, "Status": "Login Succeeded"})
