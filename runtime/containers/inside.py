"""What other processes in a running container need of it: its own process's settings, and who its users are."""

from runtime.containers.model import PAUSED, Container
from runtime.containers.services import Services
from runtime.containers.specification import users
from runtime.containers.specification.users import User
from runtime.containers.streams.execs import Target, process_of
from runtime.errors import Conflict


def exec_target(services: Services, container: Container) -> Target:
    """Describe a running container to `Execs`. Raises: Conflict where it does not run, or is paused."""
    if not container.state.alive:
        raise Conflict(f"container {container.id} is not running")
    if container.state.status == PAUSED:
        raise Conflict(f"Container {container.id} is paused, unpause the container before exec")
    return Target(
        container.id,
        process_of(container.bundle),
        lambda user: _identity(container, user),
        lambda: tuple(sorted(services.capabilities)),
        lambda: container.state.alive and not container.removed,
    )


def _identity(container: Container, user: str) -> User:
    return users.find(container.root, user, container.host_config["GroupAdd"] or ())
