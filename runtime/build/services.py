"""What the parts of a build work with: one value, made once by `Builder`."""

from dataclasses import dataclass
from pathlib import Path

from runtime.build.cache import Cache
from runtime.build.running import Runner
from runtime.build.workspace import Workspaces
from runtime.images.images import Images
from runtime.images.pull import Puller


@dataclass(frozen=True, slots=True)
class Services:
    """The neighbours. `caches`: where `RUN --mount=type=cache` has its directories."""

    images: Images
    puller: Puller
    cache: Cache
    workspaces: Workspaces
    runner: Runner
    caches: Path
