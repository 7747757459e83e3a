"""The composition root: from settings to the engine's services, a line each, and what they need done at start and end.

No logic: whoever wants to know what a service is reads its own module.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

from runtime.config import Settings
from runtime.engine import Engine
from runtime.events import Events
from runtime.images.content import Content
from runtime.images.images import Images
from runtime.images.layers import Layers
from runtime.images.removal import Removal
from runtime.networks.networks import Networks

THREADS = 64
"""At most so many calls at work at a time; a thread is made when it is first needed."""


@contextmanager
def composed(settings: Settings) -> Iterator[Engine]:
    """Make the services, recover what a killed daemon left, and end them in the end. Raises: EngineError."""
    data = settings.data
    with ExitStack() as stack:
        threads = ThreadPoolExecutor(THREADS, "moor")
        stack.callback(threads.shutdown)
        events = Events()
        content = Content(data / "content")
        layers = Layers(data, content, userxattr=settings.rootless)
        images = Images(data, content, layers, events, settings.default_registry)
        removal = Removal(images, lambda _: ())
        networks = Networks(settings, events)
        stack.callback(networks.close)
        networks.recover({})
        yield Engine(
            settings=settings, events=events, threads=threads, images=images, removal=removal, networks=networks
        )
