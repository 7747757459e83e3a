"""An image from a container (Engine API, "Create a new image from a container")."""

from contextlib import ExitStack, suppress

from starlette.responses import JSONResponse
from starlette.types import ASGIApp

from runtime.api.call import Call
from runtime.containers.archives.commit import Wish, commit
from runtime.containers.model import DEAD, RUNNING, Container
from runtime.errors import BadParameter, Conflict, EngineError
from runtime.images.image import Image
from runtime.images.reference import ImageReference


async def create(call: Call) -> ASGIApp:
    """POST /commit: of a container that stands still meanwhile, unless `pause=0`."""
    given = await call.json()
    container = await call.run(call.engine.containers.get, call.query.get("container", ""))
    if container.removed or container.state.status == DEAD:
        reason = "being removed" if container.removed else "Dead"
        raise Conflict(f"You cannot commit container {container.id} which is {reason}")
    wish = Wish(
        reference=_reference(call),
        author=call.query.get("author", ""),
        comment=call.query.get("comment", ""),
        config=given or None,
        changes=call.query.getlist("changes"),
    )
    made = await call.run(_commit, call, container, wish)
    return JSONResponse({"Id": str(made.id)}, status_code=201)


def _reference(call: Call) -> ImageReference | None:
    """Read `repo` and `tag`. Raises: BadParameter."""
    repository, tag = call.query.get("repo", ""), call.query.get("tag", "")
    if not repository:
        return None
    reference = call.engine.images.parse(f"{repository}:{tag}" if tag else repository)
    if reference.digest is not None:
        raise BadParameter("cannot import digest reference")
    return reference


def _commit(call: Call, container: Container, wish: Wish) -> Image:
    containers, images = call.engine.containers, call.engine.images
    with ExitStack() as stack:
        if call.flag("pause", True) and container.state.status == RUNNING:
            with suppress(EngineError):  # as in Docker: what cannot be frozen is taken as it is
                containers.pause(container)
                stack.callback(_unpause, call, container)
        made = commit(images, container, wish)
    called = images.familiar(wish.reference) if wish.reference else ""
    told = {"comment": wish.comment, "imageID": str(made.id), "imageRef": called}
    containers.tell(container, "commit", told)
    return made


def _unpause(call: Call, container: Container) -> None:
    with suppress(EngineError):  # it may have ended
        call.engine.containers.unpause(container)
