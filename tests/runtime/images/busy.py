"""A process that loads, tags, commits, saves and removes images without end, for a test to kill: `python -m` DATA.

It writes a line when it has begun. Images are made by number, so that whoever comes after knows what each must hold.
"""

import sys
from itertools import count
from pathlib import Path

from runtime.events import Events
from runtime.images import arrivals
from runtime.images.content import Content
from runtime.images.images import Images
from runtime.images.layers import Layers
from runtime.images.loading import load
from runtime.images.removal import Removal
from storage.digest import Digest
from tests.parts.images import tar_of
from tests.runtime.images.tars import blocks

FILES = 60


def layer_of(number: int) -> bytes:
    """The tar of a number's layer."""
    return tar_of({f"d{index % 7}/f{index}": b"%d" % number * 400 for index in range(FILES)})


def archive_of(number: int) -> bytes:
    """An archive of an image of two layers."""
    tars = [layer_of(number), layer_of(number + 1)]
    diff_ids = ",".join(f'"{Digest.of(tar)}"' for tar in tars)
    config = f'{{"os":"linux","config":{{}},"rootfs":{{"type":"layers","diff_ids":[{diff_ids}]}}}}'.encode()
    manifest = f'[{{"Config":"c","RepoTags":["app:{number}"],"Layers":["0","1"]}}]'.encode()
    return tar_of({"0": tars[0], "1": tars[1], "c": config, "manifest.json": manifest})


def work(data: Path) -> None:
    """Work until killed."""
    content = Content(data / "content")
    layers = Layers(data, content)
    images = Images(data, content, layers, Events(), "localhost:5000")
    removal = Removal(images, lambda _: ())
    print("begun", flush=True)
    for number in count():
        load(images, iter(blocks(archive_of(number))), lambda _: None)
        images.tag(images.resolve(f"app:{number}").id, images.parse(f"also:{number}"))
        with layers.scratch() as upper:
            (upper / "made").write_bytes(b"%d" % number)
            layers.commit(upper)
        arrivals.take(layers, content, None, iter([layer_of(10_000 + number)]))
        if number % 3 == 2:
            removal.remove(f"app:{number - 1}")
            removal.remove(f"also:{number - 1}")


if __name__ == "__main__":
    work(Path(sys.argv[1]))
