"""The engine as its API sees it: one value that holds every service. Made by `runtime.daemon`, and there only."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from runtime.build.builder import Builder
from runtime.config import Settings
from runtime.containers.archives.files import Files
from runtime.containers.containers import Containers
from runtime.containers.networking import Connections
from runtime.containers.streams.attach import Attachments
from runtime.containers.streams.execs import Execs
from runtime.events import Events
from runtime.images.images import Images
from runtime.images.pull import Puller
from runtime.images.push import Pusher
from runtime.images.registries import Registries
from runtime.images.removal import Removal
from runtime.networks.networks import Networks
from runtime.volumes.volumes import Volumes


@dataclass(frozen=True, slots=True)
class Engine:
    """The services, each synchronous and safe from any thread."""

    settings: Settings
    events: Events
    threads: ThreadPoolExecutor
    """Where the API runs them: wide, for a stop may wait ten seconds and a pull many minutes."""
    images: Images
    removal: Removal
    networks: Networks
    builder: Builder
    volumes: Volumes
    connections: Connections
    containers: Containers
    execs: Execs
    attachments: Attachments
    files: Files
    registries: Registries
    puller: Puller
    pusher: Pusher
