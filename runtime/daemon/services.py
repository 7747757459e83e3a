"""The composition root: from settings to the engine's services, a line each, and what they need done at start and end.

No logic: whoever wants to know what a service is reads its own module.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

from runtime.build.builder import Builder
from runtime.config import Settings
from runtime.containers.attach import Attachments
from runtime.containers.containers import Containers
from runtime.containers.files import Files
from runtime.containers.networking import Connections, ContainerNetworks
from runtime.containers.stored import ContainerVolumes
from runtime.engine import Engine
from runtime.events import Events
from runtime.images.content import Content
from runtime.images.images import Images
from runtime.images.layers import Layers
from runtime.images.neighbour import Neighbour
from runtime.images.pull import Puller
from runtime.images.push import Pusher
from runtime.images.registries import Registries
from runtime.images.removal import Removal, User
from runtime.networks.networks import Networks
from runtime.volumes.volumes import Volumes
from storage.digest import Digest

THREADS = 64
"""At most so many calls at work at a time; a thread is made when it is first needed."""


@contextmanager
def composed(settings: Settings) -> Iterator[Engine]:
    """Make the services, recover what a killed daemon left, and end them in the end. Raises: EngineError."""
    data = settings.data
    with ExitStack() as stack:
        events = Events()
        content = Content(data / "content")
        layers = Layers(data, content, userxattr=settings.rootless)
        stack.callback(layers.close)
        images = Images(data, content, layers, events, settings.default_registry)
        networks = Networks(settings, events)
        stack.callback(networks.close)
        volumes = Volumes(settings.data / "volumes", events)
        attachments = Attachments()
        containers = Containers(
            settings, events, images, ContainerNetworks(networks), ContainerVolumes(volumes), attachments
        )
        stack.callback(containers.close)
        removal = Removal(images, lambda digest: _users(containers, digest))
        connections = Connections(networks, containers)
        networks.watch(connections.refresh)
        containers.recover()
        registries = _registries(settings)
        puller = Puller(images, registries, parallel=settings.parallel_layers, neighbour=_neighbour(settings))
        stack.callback(puller.close)
        pusher = Pusher(images, registries)
        stack.callback(pusher.close)
        builder = Builder(settings, images, containers, attachments, puller)
        builder.recover()
        removal.sweep()  # now that containers and builds hold what is theirs
        stack.callback(builder.close)
        threads = ThreadPoolExecutor(THREADS, "moor")
        stack.callback(threads.shutdown)  # the last made is the first ended: nothing works on services that are closed
        yield Engine(
            settings=settings,
            events=events,
            threads=threads,
            images=images,
            removal=removal,
            networks=networks,
            builder=builder,
            volumes=volumes,
            connections=connections,
            containers=containers,
            execs=containers.execs,
            attachments=attachments,
            files=Files(containers.services),
            registries=registries,
            puller=puller,
            pusher=pusher,
        )


def _registries(settings: Settings) -> Registries:
    return Registries(settings.default_registry, settings.mirrors, frozenset(settings.insecure_registries))


def _neighbour(settings: Settings) -> Neighbour | None:
    """The registry on this machine whose files may be linked, where the settings name one."""
    if settings.registry_data is None:
        return None
    return Neighbour(settings.registry_data, settings.registry_data_of or settings.default_registry)


def _users(containers: Containers, image_id: Digest) -> list[User]:
    return [User(each.id, each.state.alive) for each in containers.users_of(str(image_id))]
