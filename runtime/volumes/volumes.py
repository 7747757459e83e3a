"""The engine's volumes: directories that outlive containers, each with a record beside it.

A volume comes to its name by one rename and goes by one: a killed daemon leaves whole volumes, or directories whose
names begin with a dot, which the next start removes. Who uses a volume is told by the containers at every start.
"""

import logging
import os
import secrets
import shutil
import threading
import time
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from runtime import records
from runtime.errors import Conflict, EngineError, NotFound
from runtime.events import Event, Events
from runtime.volumes import mounting
from runtime.volumes.filters import Filters
from runtime.volumes.volume import ANONYMOUS, DRIVER, Volume, checked_driver, checked_name, checked_options, texts
from storage import durable

_RECORD = "volume.json"
_log = logging.getLogger(__name__)


class Volumes:
    """Synchronous and safe from any thread."""

    def __init__(self, directory: Path, events: Events) -> None:
        self._directory = directory
        self._events = events
        self._lock = threading.RLock()
        self._holders: defaultdict[str, set[str]] = defaultdict(set)
        self._users: defaultdict[str, set[str]] = defaultdict(set)
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._volumes = {volume.name: volume for volume in self._found()}

    def create(self, body: Mapping[str, Any]) -> Volume:
        """Make a volume of the body of POST /volumes/create; one of that name is returned as it is.

        Raises: BadParameter, NotFound for a driver, EngineError.
        """
        given = body.get("Name") or ""
        name = checked_name(given) if given else secrets.token_hex(32)
        checked_driver(name, body.get("Driver"))
        options = checked_options(name, body.get("DriverOpts"))
        labels = texts("Labels", body.get("Labels")) | ({} if given else {ANONYMOUS: ""})
        with self._lock:
            if name in self._volumes:
                return self._volumes[name]
            volume = Volume(name, self._directory / name, time.time_ns(), labels, options)
            self._make(volume)
            self._volumes[name] = volume
        self._tell(volume, "create")
        return volume

    def get(self, name: str) -> Volume:
        """Find a volume. Raises NotFound."""
        with self._lock:
            volume = self._volumes.get(name)
        if volume is None:
            raise NotFound(f"get {name}: no such volume")
        return volume

    def list(self, filters: Mapping[str, Collection[str]] | None = None) -> Sequence[Volume]:
        """Every volume that the filters let pass, by name. Raises BadParameter for an unknown filter."""
        wanted = Filters.of(filters or {})
        with self._lock:
            return [each for _, each in sorted(self._volumes.items()) if wanted.match(each, self.held(each.name))]

    def remove(self, name: str, *, force: bool = False) -> None:
        """Remove a volume. Raises: NotFound unless `force`; Conflict while a container has it, running or not."""
        with self._lock:
            if force and name not in self._volumes:
                return
            volume = self.get(name)
            if holders := self.held(name):
                raise Conflict(f"remove {name}: volume is in use - [{', '.join(sorted(holders))}]")
            mounting.unmount(volume)
            gone = self._directory / f".gone-{secrets.token_hex(8)}"
            volume.directory.rename(gone)
            durable.sync_directory(self._directory)
            del self._volumes[name]
        shutil.rmtree(gone, ignore_errors=True)
        self._tell(volume, "destroy")

    def prune(self, filters: Mapping[str, Collection[str]], *, every: bool) -> tuple[Sequence[str], int]:
        """Remove the volumes that no container has: those without a name or, with `every`, all; names and bytes."""
        removed, size = [], 0
        for volume in self.list(filters):
            if not every and ANONYMOUS not in volume.labels:
                continue
            room = self.size(volume)
            try:
                self.remove(volume.name)
            except (Conflict, NotFound):
                continue  # a container took it, or somebody else removed it
            removed.append(volume.name)
            size += room
        return removed, size

    def hold(self, name: str, container_id: str) -> None:
        """A container has the volume, whether it runs or not: it may not be removed. Raises NotFound."""
        with self._lock:
            self.get(name)
            self._holders[name].add(container_id)

    def drop(self, name: str, container_id: str) -> None:
        """Undo `hold`; harmless at any time."""
        with self._lock:
            self._holders[name].discard(container_id)

    def held(self, name: str) -> frozenset[str]:
        """The containers that have a volume."""
        with self._lock:
            return frozenset(self._holders[name] | self._users[name])

    def mount(self, name: str, container_id: str) -> Path:
        """The volume's directory, in use by a container until `release`. Raises: NotFound, EngineError."""
        with self._lock:
            volume = self.get(name)
            mounting.mount(volume)
            self._users[name].add(container_id)
            return volume.data

    def release(self, name: str, container_id: str) -> None:
        """A container uses it no more; harmless at any time. Raises EngineError when its mount cannot be undone."""
        with self._lock:
            self._users[name].discard(container_id)
            volume = self._volumes.get(name)
            if volume is not None and not self._users[name]:
                mounting.unmount(volume)

    def size(self, volume: Volume) -> int:
        """Bytes of the volume's files, one with several names counted once; -1 where another device is behind it."""
        if volume.mounted_from:
            return -1
        seen = set()
        total = 0
        for found in _files(volume.data):
            if (found.st_dev, found.st_ino) not in seen:
                seen.add((found.st_dev, found.st_ino))
                total += found.st_size
        return total

    def _make(self, volume: Volume) -> None:
        fresh = self._directory / f".new-{secrets.token_hex(8)}"
        try:
            fresh.mkdir(mode=0o701)
            (fresh / "_data").mkdir(mode=0o755)
            (fresh / "_data").chmod(0o755)
            records.save(fresh / _RECORD, volume.record())
            fresh.rename(volume.directory)
            durable.sync_directory(self._directory)
        except OSError as error:
            shutil.rmtree(fresh, ignore_errors=True)
            raise EngineError(f"create {volume.name}: {error.strerror}") from error

    def _found(self) -> Iterator[Volume]:
        """Every whole volume; leftovers go, and what is damaged is left alone and said."""
        for directory in self._directory.iterdir():
            if directory.name.startswith("."):
                shutil.rmtree(directory, ignore_errors=True)
                continue
            try:
                yield Volume.of(records.load(directory / _RECORD), directory)
            except (OSError, ValueError, TypeError) as error:
                _log.warning("the volume %s is left out: %s", directory, error)

    def _tell(self, volume: Volume, action: str) -> None:
        self._events.publish(Event("volume", action, volume.name, {"driver": DRIVER}))


def _files(directory: Path) -> Iterator[os.stat_result]:
    for place, _, names in os.walk(directory):
        for name in names:
            try:
                yield os.lstat(f"{place}/{name}")
            except FileNotFoundError:
                continue
