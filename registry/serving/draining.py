"""How the application learns that its server is draining: `state["draining"]` in the ASGI lifespan and request scopes.

It is a function without arguments, so that readiness can turn to 503 while the last requests are finished.
"""

from collections.abc import Callable
from typing import Any

from registry.serving.plan import App

KEY = "draining"


def with_draining(app: App, draining: Callable[[], bool]) -> App:
    """Wrap an app so that both servers' state carries the answer; costs a request one comparison."""

    def wrapped(scope: Any, receive: Any, send: Any) -> Any:
        if scope["type"] == "lifespan":
            scope.setdefault("state", {})[KEY] = draining
        return app(scope, receive, send)

    return wrapped
