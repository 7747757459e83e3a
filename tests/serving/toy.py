"""A small ASGI application and a way to serve it in a process of its own: `python -m tests.serving.toy ENGINE PLAN`.

Its paths each show one thing a server has to get right. PLAN is JSON with the fields of ServingPlan.
"""

import asyncio
import hashlib
import json
import logging
import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

from registry.serving.plan import ServingPlan
from registry.serving.serve import serve_granian, serve_uvicorn

PIECE = b"x" * 65536


class Toy:
    """The application; `gone` counts requests whose client left."""

    def __init__(self, fail: str) -> None:
        self.fail = fail
        self.gone = 0
        self.release = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self.live(receive, send)
            return
        self.send = send
        action = getattr(self, "on_" + scope["path"].strip("/").split("/")[0], self.on_echo)
        try:
            await action(scope, receive, send)
        except asyncio.CancelledError:
            self.gone += 1
            raise

    async def live(self, receive: Any, send: Any) -> None:
        await receive()
        if self.fail:
            await send({"type": "lifespan.startup.failed", "message": "the toy was told to fail"})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        print("ended", flush=True)
        await send({"type": "lifespan.shutdown.complete"})

    async def on_echo(self, scope: Any, receive: Any, send: Any) -> None:
        await answer(send, f"{scope['method']} {scope['raw_path'].decode()}".encode())

    async def on_pid(self, scope: Any, receive: Any, send: Any) -> None:
        await answer(send, str(os.getpid()).encode())

    async def on_gone(self, scope: Any, receive: Any, send: Any) -> None:
        await answer(send, str(self.gone).encode())

    async def on_crash(self, scope: Any, receive: Any, send: Any) -> None:
        raise ValueError("the toy was told to crash")

    async def on_draining(self, scope: Any, receive: Any, send: Any) -> None:
        await answer(send, str(scope["state"]["draining"]()).encode())

    async def on_upload(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer with the body's length and hash, and whether the server was draining at its end."""
        length, digest = 0, hashlib.sha256()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.gone += 1
                return
            length += len(message["body"])
            digest.update(message["body"])
            if not message["more_body"]:
                break
        await answer(send, f"{length} {digest.hexdigest()} {scope['state']['draining']()}".encode())

    async def on_unread(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer without reading the body."""
        await answer(send, b"not read", status=413)

    async def on_hold(self, scope: Any, receive: Any, send: Any) -> None:
        """Take the first piece of the body and then nothing for a while."""
        await receive()
        await asyncio.sleep(1.5)
        await answer(send, b"held")

    async def on_stream(self, scope: Any, receive: Any, send: Any) -> None:
        """Stream: /stream/<pieces>/<milliseconds between them>."""
        _, _, pieces, pause = scope["path"].split("/")
        await start(send, int(pieces) * len(PIECE))
        for left in reversed(range(int(pieces))):
            await send({"type": "http.response.body", "body": PIECE, "more_body": left > 0})
            await asyncio.sleep(int(pause) / 1000)

    async def on_never(self, scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(3600)

    async def on_file(self, scope: Any, receive: Any, send: Any) -> None:
        """Send the file of the query string whole; /file/short promises a byte more than there is."""
        path = Path(scope["query_string"].decode())
        await start(send, path.stat().st_size + (scope["path"] == "/file/short"))
        await send({"type": "http.response.pathsend", "path": str(path)})

    async def on_part(self, scope: Any, receive: Any, send: Any) -> None:
        """Send /part/<offset>/<count>/<offset>/<count>… of the file of the query string."""
        numbers = [int(number) for number in scope["path"].split("/")[2:]]
        parts = list(zip(numbers[::2], numbers[1::2], strict=True))
        await start(send, sum(count for _, count in parts))
        with Path(scope["query_string"].decode()).open("rb") as file:
            for index, (offset, count) in enumerate(parts):
                more = index + 1 < len(parts)
                message = {"file": file.fileno(), "offset": offset, "count": count, "more_body": more}
                await send({"type": "http.response.zerocopysend", **message})

    async def on_extensions(self, scope: Any, receive: Any, send: Any) -> None:
        await answer(send, " ".join(sorted(scope.get("extensions", {}))).encode())


async def start(send: Any, length: int, status: int = 200) -> None:
    """Begin an answer of a known length."""
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(length).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})


async def answer(send: Any, body: bytes, status: int = 200) -> None:
    """Answer in one piece."""
    await start(send, len(body), status)
    await send({"type": "http.response.body", "body": body})


def main() -> None:
    """Serve as the command line says and exit with the engine's code."""
    logging.basicConfig(level="INFO", format="%(levelname)s %(name)s %(message)s")
    engine, plan = sys.argv[1], json.loads(sys.argv[2])
    for key in ("uds", "tls_cert", "tls_key"):
        if plan.get(key):
            plan[key] = Path(plan[key])
    make = partial(Toy, os.environ.get("TOY_FAILS", ""))
    serve = {"uvicorn": serve_uvicorn, "granian": serve_granian}[engine]
    sys.exit(serve(make, ServingPlan(**plan), announce=lambda url: print(url, flush=True)))


if __name__ == "__main__":
    main()
