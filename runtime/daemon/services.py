"""The composition root: from settings to the engine's services, a line each, and what they need done at start and end.

No logic: whoever wants to know what a service is reads its own module.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager

from runtime.build.builder import Builder
from runtime.config import Settings
from runtime.containers.archives.files import Files
from runtime.containers.containers import Containers
from runtime.containers.networking import Connections, ContainerNetworks
from runtime.containers.stored import ContainerVolumes
from runtime.containers.streams.attach import Attachments
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

THREADS = 256
"""At most so many calls at work at a time: pulls, builds and slow stops keep one each for as long as they take, and
looking at things must go on beside them. A thread is made when it is first needed."""


@contextmanager
def composed(settings: Settings) -> Iterator[Engine]:
    """Make the services, recover what a killed daemon left, and end them in the end. Raises: EngineError."""
    with ExitStack() as stack:
        events = Events()
        images = _images(settings, events, stack)
        networks = stack.enter_context(closing(Networks(settings, events)))
        volumes = Volumes(settings.data / "volumes", events)
        attachments = Attachments()
        cables, stores = ContainerNetworks(networks), ContainerVolumes(volumes)
        containers = Containers(settings, events, images, cables, stores, attachments)
        stack.callback(containers.close)
        connections = Connections(networks, containers)
        networks.watch(connections.refresh)
        containers.recover()
        registries = _registries(settings)
        puller = _puller(settings, images, registries, stack)
        pusher = stack.enter_context(closing(Pusher(images, registries)))
        builder = Builder(settings, images, containers, attachments, puller)
        builder.recover()
        stack.callback(builder.close)
        threads = ThreadPoolExecutor(THREADS, "moor")
        stack.callback(threads.shutdown)  # the last made is the first ended: nothing works on services that are closed
        yield Engine(
            settings=settings,
            events=events,
            threads=threads,
            images=images,
            removal=Removal(images, lambda digest: _users(containers, digest)),
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


def _images(settings: Settings, events: Events, stack: ExitStack) -> Images:
    content = Content(settings.data / "content")
    layers = stack.enter_context(closing(Layers(settings.data, content, userxattr=settings.rootless)))
    return Images(settings.data, content, layers, events, settings.default_registry)


def _puller(settings: Settings, images: Images, registries: Registries, stack: ExitStack) -> Puller:
    puller = Puller(images, registries, parallel=settings.parallel_layers, neighbour=_neighbour(settings))
    return stack.enter_context(closing(puller))


def _registries(settings: Settings) -> Registries:
    return Registries(settings.default_registry, settings.mirrors, frozenset(settings.insecure_registries))


def _neighbour(settings: Settings) -> Neighbour | None:
    """The registry on this machine whose files may be linked, where the settings name one."""
    if settings.registry_data is None:
        return None
    return Neighbour(settings.registry_data, settings.registry_data_of or settings.default_registry)


def _users(containers: Containers, image_id: Digest) -> list[User]:
    return [User(each.id, each.state.alive) for each in containers.users_of(str(image_id))]
