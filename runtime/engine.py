"""The engine as its API sees it: one value that holds every service. Made by `runtime.daemon`, and there only."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from runtime.config import Settings
from runtime.events import Events
from runtime.images.images import Images
from runtime.images.removal import Removal
from runtime.networks.networks import Networks


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
