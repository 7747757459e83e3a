"""Layers of images, each unpacked into one directory of its own, by the digest of its tar (the diff ID).

overlayfs puts them together; they are never merged here, so that no layer's links can redirect another's files. A
layer appears by a rename when it is whole. Until it is known to be on the disk it carries the mark of the boot that
unpacked it: after a power cut it is unpacked again.
"""

import json
import logging
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from runtime import records
from runtime.errors import EngineError, NotFound
from runtime.images import durability
from runtime.images.compression import unpacked
from runtime.images.content import Content
from runtime.images.layer import Blob, Layer
from runtime.images.pack import pack
from runtime.images.trees import remove_tree
from runtime.images.unpack import Progress, Unpacked, room, unpack
from storage import durable
from storage.digest import Digest
from storage.hashing import Hasher

LINKS = "l"
_MARK = "unsettled"

_log = logging.getLogger(__name__)


class WrongLayer(EngineError):
    """The layer's content is not what its image's configuration says. Nothing of it is kept."""


class Layers:
    """The layers below one data root. Safe from any thread.

    `userxattr`: overlays are mounted by an ordinary user, and marks are written where he may write them.
    """

    def __init__(self, data: Path, content: Content, *, userxattr: bool = False) -> None:
        self._data = data
        self._content = content
        self._root = data / "layers"
        self._staging = self._root / "staging"
        self._userxattr = userxattr
        self._lock = threading.RLock()
        self._known: dict[Digest, Layer] = {}
        self._held: dict[str, frozenset[Digest]] = {}
        self._unsettled: set[Path] = set()
        self._settling = ThreadPoolExecutor(1, "moor-settle")
        for directory in (self._staging, data / LINKS):
            durable.make_directory(directory, data)
        self._recover()

    def has(self, diff_id: Digest) -> bool:
        """Tell whether a layer is here, whole."""
        return diff_id in self._known

    def get(self, diff_id: Digest) -> Layer:
        """Find a layer. Raises NotFound."""
        try:
            return self._known[diff_id]
        except KeyError:
            raise NotFound(f"layer {diff_id} is not here; pull its image again") from None

    def path(self, diff_id: Digest) -> Path:
        """Return the directory of a layer's files. Raises NotFound."""
        return self._directory(self.get(diff_id).diff_id) / "diff"

    def lowerdirs(self, diff_ids: Sequence[Digest]) -> list[str]:
        """Give overlayfs's lower directories, top first, relative to the data root.

        A layer that comes twice is given once, where it is topmost: that shows the same files, and overlayfs takes no
        directory twice. Raises NotFound.
        """
        return [self.get(diff_id).link for diff_id in dict.fromkeys(reversed(diff_ids))]

    def unpack(
        self,
        diff_id: Digest | None,
        blocks: Iterator[bytes],
        *,
        kept: Callable[[], Blob] | None = None,
        feed: Progress | None = None,
    ) -> Layer:
        """Unpack a layer from the blocks of its tar, plain or compressed; None: a layer whose diff ID is yet unknown.

        `kept` is asked at the blocks' end for the form in which they were kept, and the layer appears together with
        it. A layer that is here already is returned at once, and no block is read.
        Raises: WrongLayer where the content has another diff ID; BadLayer; what reading the blocks raises.
        """
        if diff_id is not None and diff_id in self._known:
            return self._known[diff_id]
        with self.scratch() as staging:
            target = staging / "diff"
            target.mkdir(mode=0o755)
            algorithm = "sha256" if diff_id is None else diff_id.algorithm
            done = unpack(blocks, target, room(staging), userxattr=self._userxattr, algorithm=algorithm, feed=feed)
            if diff_id not in (None, done.diff_id):
                raise WrongLayer(f"wrong diff id calculated on extraction: {done.diff_id}, expected {diff_id}")
            return self._publish(staging, done, (kept(),) if kept else ())

    def commit(self, upper: Path, *, latest: int | None = None) -> Layer:
        """Make a layer of what a container or a build step changed: the upper directory of its overlay.

        Its tar is not kept: `archive` makes the same bytes again. `latest`: seconds since 1970, for what is newer.
        Raises: Unpackable, BadLayer, OSError.
        """
        return self.unpack(None, pack(upper, latest=latest))

    def archive(self, diff_id: Digest) -> Iterator[bytes]:
        """Give a layer's uncompressed tar, byte by byte the one whose digest is its diff ID.

        Raises: NotFound; WrongLayer, at the end, where the bytes are kept nowhere and the files have changed.
        """
        blob = self.blob(diff_id)
        if blob is not None:
            yield from unpacked(self._content.blocks(blob.digest))[1]
            return
        hasher = Hasher(diff_id.algorithm)
        for block in pack(self.path(diff_id)):
            hasher.update(block)
            yield block
        if hasher.digest() != diff_id:
            raise WrongLayer(f"the files of layer {diff_id} are not those that it came with")

    def remember(self, diff_id: Digest, blob: Blob) -> None:
        """Note a form in which a layer came or went, so that it travels in the same form again. Raises NotFound."""
        with self._lock:
            layer = self.get(diff_id)
            if blob not in layer.blobs:
                self._known[diff_id] = replace(layer, blobs=(*layer.blobs, blob))
                records.save(self._directory(diff_id) / "layer.json", self._known[diff_id].record())

    def blob(self, diff_id: Digest) -> Blob | None:
        """Find a form of the layer whose bytes are kept. Raises NotFound where there is no such layer."""
        return next((blob for blob in self.get(diff_id).blobs if self._content.has(blob.digest)), None)

    def hold(self, owner: str, diff_ids: Iterable[Digest]) -> None:
        """Keep layers, whatever becomes of their images, until `release(owner)`. Not kept over a restart."""
        with self._lock:
            self._held[owner] = self._held.get(owner, frozenset()) | frozenset(diff_ids)

    def release(self, owner: str) -> None:
        """Undo every `hold` of an owner. Harmless at any time."""
        with self._lock:
            self._held.pop(owner, None)

    def all(self) -> tuple[Layer, ...]:
        """Give every layer."""
        with self._lock:
            return tuple(self._known.values())

    def came(self, diff_id: Digest) -> float:
        """Tell when a layer came or was last sent, in seconds since 1970. Raises NotFound."""
        return (self._directory(self.get(diff_id).diff_id) / "layer.json").stat().st_mtime

    def remove(self, diff_id: Digest) -> Layer | None:
        """Remove a layer, unless somebody holds it; returns it where it is gone now."""
        with self._lock:
            if any(diff_id in held for held in self._held.values()):
                return None
            layer = self._known.pop(diff_id, None)
            if layer is None:
                return None
            grave = self._staging / secrets.token_hex(8)
            (self._data / layer.link).unlink(missing_ok=True)
            self._directory(diff_id).rename(grave)
        remove_tree(grave)
        return layer

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Lend a private directory on the layers' file system; it is gone afterwards, also after a kill."""
        directory = self._staging / secrets.token_hex(8)
        directory.mkdir(mode=0o700)
        try:
            yield directory
        finally:
            remove_tree(directory)

    def close(self) -> None:
        """Wait until what was unpacked is on the disk. Nothing may be asked afterwards."""
        self._settling.shutdown()

    def _directory(self, diff_id: Digest) -> Path:
        return self._root / diff_id.encoded

    def _publish(self, staging: Path, done: Unpacked, blobs: tuple[Blob, ...]) -> Layer:
        """Let a whole layer appear; where another was quicker, that one stays."""
        diff_id = done.diff_id
        layer = Layer(diff_id, done.size, f"{LINKS}/{secrets.token_hex(8)}", blobs, done.tar_size)
        (staging / "layer.json").write_text(json.dumps(layer.record()), encoding="ascii")  # synced with the files
        (staging / _MARK).write_text(durability.boot(), encoding="ascii")
        with self._lock:
            if diff_id in self._known:
                return self._known[diff_id]
            directory = self._directory(diff_id)
            if directory.exists():
                directory.rename(self._staging / secrets.token_hex(8))  # damaged, or it would be known
            staging.rename(directory)
            self._make_link(layer)
            self._known[diff_id] = layer
            self._unsettled.add(directory)
        self._settling.submit(self._settle)
        return layer

    def _settle(self) -> None:
        """Write everything to the disk, then take the marks away from the layers that were there before."""
        with self._lock:
            directories, self._unsettled = self._unsettled, set()
        if not directories:
            return
        try:
            durability.sync_filesystem(self._root)
            for directory in directories:
                (directory / _MARK).unlink(missing_ok=True)
        except OSError as error:
            _log.warning("layers may not be on the disk yet: %s", error)

    def _make_link(self, layer: Layer) -> None:
        with suppress(FileExistsError):
            (self._data / layer.link).symlink_to(f"../layers/{layer.diff_id.encoded}/diff")

    def _recover(self) -> None:
        """Find the layers that are whole, and remove what a kill or a power cut left of others."""
        for remains in self._staging.iterdir():
            try:
                remove_tree(remains)
            except OSError as error:  # a process of the killed engine may still be at its end
                _log.warning("%s stays until the next start: %s", remains, error)
        for directory in self._root.iterdir():
            if directory != self._staging:
                self._recognise(directory)
        links = {Path(layer.link).name for layer in self._known.values()}
        for link in (self._data / LINKS).iterdir():
            if link.name not in links:
                link.unlink()

    def _recognise(self, directory: Path) -> None:
        """Take a layer that was unpacked before, again from its bytes where the machine stopped too early for it."""
        mark = directory / _MARK
        try:
            layer = Layer.read(records.load(directory / "layer.json"))
            if layer.diff_id.encoded != directory.name:
                raise ValueError(f"it says that it is {layer.diff_id}")
            boot = mark.read_text(encoding="ascii") if mark.exists() else None
        except (OSError, KeyError, TypeError, ValueError) as error:
            self._drop(directory, str(error))
            return
        if boot in (None, durability.boot()):
            self._known[layer.diff_id] = layer
            self._make_link(layer)
            if boot is not None:
                self._unsettled.add(directory)
                self._settling.submit(self._settle)
            return
        self._drop(directory, "the machine stopped before it was on the disk")
        for blob in layer.blobs:
            if self._content.has(blob.digest):
                self._restore(layer.diff_id, blob)

    def _restore(self, diff_id: Digest, blob: Blob) -> None:
        """Unpack a layer again from the bytes that were kept; where these are damaged too, it must be pulled again."""
        with suppress(EngineError):
            self.unpack(diff_id, self._content.blocks(blob.digest), kept=lambda: blob)

    def _drop(self, directory: Path, reason: str) -> None:
        _log.warning("layer %s is dropped: %s", directory.name, reason)
        grave = self._staging / secrets.token_hex(8)
        directory.rename(grave)
        remove_tree(grave)
