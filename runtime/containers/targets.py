"""A running container as one more process needs it: its config.json's process, its users, what may be given to it."""

from runtime.containers import users
from runtime.containers.execs import Target, process_of
from runtime.containers.model import Container
from runtime.containers.services import Services
from runtime.containers.users import User


def target(services: Services, container: Container) -> Target:
    """Describe a container. Raises EngineError where its config.json is damaged."""

    def identity(user: str) -> User:
        return users.find(container.root, user, container.host_config.get("GroupAdd") or ())

    return Target(container.id, process_of(container.bundle), identity, lambda: sorted(services.capabilities))
