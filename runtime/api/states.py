"""What a container's state allows, in Docker's sentences, for the calls that reach into one that runs."""

from runtime.containers.model import PAUSED, RESTARTING, Container
from runtime.errors import Conflict


def must_run(container: Container) -> None:
    """Raise Conflict unless its processes are there and not frozen."""
    state = container.state.status
    if state == RESTARTING:
        raise Conflict(f"Container {container.id} is restarting, wait until the container is running")
    if not container.state.alive:
        raise Conflict(f"container {container.id} is not running")
    if state == PAUSED:
        raise Conflict(f"Container {container.id} is paused, unpause the container before exec")


def must_attach(container: Container, called: str) -> None:
    """Raise Conflict where nobody can be connected to its streams now."""
    if container.state.status == PAUSED:
        raise Conflict(f"container {called} is paused, unpause the container before attach")
    if container.state.status == RESTARTING:
        raise Conflict(f"container {called} is restarting, wait until the container is running")
