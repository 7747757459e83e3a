"""Archives go out and come in: ours in any engine's place, Docker's of any age, and none that lies."""

import io
import json
import tarfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from runtime.errors import BadParameter, EngineError, NotFound
from runtime.images.importing import import_image
from runtime.images.loading import load
from runtime.images.saving import save
from storage.digest import Digest
from tests.parts.images import docker_archive, tar_of
from tests.runtime.images.conftest import Store, open_store
from tests.runtime.images.made import config_of, image, layer
from tests.runtime.images.tars import END, blocks, device, file, hardlink, symlink, tar

TAR = tar_of({"etc/motd": b"hello"})
OTHER = tar_of({"x": b"y"})
CONFIG = config_of([Digest.of(TAR)])


def loaded(store: Store, data: bytes) -> list[str]:
    """Load an archive; what was said."""
    said: list[dict[str, Any]] = []
    load(store.images, iter(blocks(data)), said.append)
    return [line["stream"] for line in said if "stream" in line]


def archive(files: Mapping[str, bytes], entry: Mapping[str, object] | None = None) -> bytes:
    """What docker save writes: files, and manifest.json with one entry at the end."""
    whole = {"Config": "config.json", "RepoTags": ["app:1"], "Layers": ["layer.tar"], **(entry or {})}
    return tar_of({**files, "manifest.json": json.dumps([whole]).encode()})


def layout(manifest: Mapping[str, object], index: Mapping[str, object] | None = None) -> bytes:
    """An OCI image layout of one image."""
    content = json.dumps(manifest).encode()
    descriptor = {"mediaType": manifest.get("mediaType"), "digest": str(Digest.of(content)), "size": len(content)}
    named = {**descriptor, "annotations": {"org.opencontainers.image.ref.name": "app:oci"}}
    return tar_of(
        {
            "oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
            "index.json": json.dumps(index or {"schemaVersion": 2, "manifests": [named]}).encode(),
            f"blobs/sha256/{Digest.of(content).encoded}": content,
            f"blobs/sha256/{Digest.of(CONFIG).encoded}": CONFIG,
            f"blobs/sha256/{Digest.of(TAR).encoded}": TAR,
        }
    )


OCI = {
    "schemaVersion": 2,
    "mediaType": "application/vnd.oci.image.manifest.v1+json",
    "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": str(Digest.of(CONFIG)), "size": 1},
    "layers": [
        {"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": str(Digest.of(TAR)), "size": len(TAR)}
    ],
}


def test_what_is_saved_loads_anywhere_as_the_same(store: Store, tmp_path: Path) -> None:
    one, two = image(store, "app:1", "team/app", files=["a", "b"]), image(store, files=["c"])
    data = b"".join(save(store.images, ["app:1", "team/app", two.id.encoded[:12]]))
    assert data == b"".join(save(store.images, ["app:1", "team/app", two.id.encoded[:12]]))
    other = open_store(tmp_path / "other")
    said = loaded(other, data)
    assert said == ["Loaded image: app:1\n", "Loaded image: team/app:latest\n", f"Loaded image ID: {two.id}\n"]
    assert {found.id for found in other.images.all()} == {one.id, two.id}
    for diff_id in one.diff_ids:
        assert b"".join(other.layers.archive(diff_id)) == b"".join(store.layers.archive(diff_id))
    assert other.remains() == []
    other.layers.close()


def test_a_name_without_a_tag_saves_them_all(store: Store) -> None:
    image(store, "app:1", files=["a"])
    image(store, "app:2", files=["b"])
    with tarfile.open(fileobj=io.BytesIO(b"".join(save(store.images, ["app"])))) as saved:
        manifest = saved.extractfile("manifest.json")
        assert manifest is not None
        assert sorted(entry["RepoTags"] for entry in json.load(manifest)) == [["app:1"], ["app:2"]]
    with pytest.raises(NotFound, match="No such image: nope:latest"):
        next(save(store.images, ["app", "nope"]))


def test_saving_holds_what_it_has_not_written_yet(store: Store) -> None:
    made = image(store, "app")
    saving = save(store.images, ["app"])
    written = next(saving)
    assert store.layers.remove(made.diff_ids[0]) is None
    del saving, written
    assert store.layers.remove(made.diff_ids[0]) is not None


def test_an_archive_of_docker_is_loaded(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "archive.tar"
    docker_archive(path, "busybox:musl", [TAR, OTHER], command=["sh"])
    assert loaded(store, path.read_bytes()) == ["Loaded image: busybox:musl\n"]
    found = store.images.resolve("busybox:musl")
    assert found.runtime["Cmd"] == ["sh"] and found.diff_ids == (Digest.of(TAR), Digest.of(OTHER))
    assert [event.action for event in store.heard()] == ["load"]


def test_an_old_archive_s_layers_may_be_links_to_one_another(store: Store) -> None:
    entry = {"Config": "c.json", "RepoTags": None, "Layers": ["1/layer.tar", "2/layer.tar"]}
    config = config_of([Digest.of(TAR), Digest.of(TAR)])
    members = (file("1/layer.tar", TAR), symlink("2/layer.tar", "../1/layer.tar"), file("c.json", config))
    assert loaded(store, tar(*members, file("manifest.json", json.dumps([entry]).encode())))
    assert store.images.all()[0].size == 2 * len(b"hello")


def test_an_image_layout_is_loaded(store: Store) -> None:
    assert loaded(store, layout(OCI)) == ["Loaded image: app:oci\n"]
    assert store.images.resolve("app:oci").id == Digest.of(CONFIG)


def test_of_an_index_this_machine_s_image_is_loaded(store: Store) -> None:
    with tarfile.open(fileobj=io.BytesIO(layout(OCI))) as plain:
        files = {name: plain.extractfile(name).read() for name in plain.getnames()}  # type: ignore[union-attr]  # files
    manifest = json.dumps(OCI).encode()
    entries = [
        {"mediaType": OCI["mediaType"], "digest": str(Digest.of(b"absent")), "platform": {"architecture": "vax"}},
        {
            "mediaType": OCI["mediaType"],
            "digest": str(Digest.of(manifest)),
            "platform": {"architecture": json.loads(CONFIG)["architecture"]},
        },
    ]
    index = json.dumps({"schemaVersion": 2, "manifests": entries}).encode()
    files[f"blobs/sha256/{Digest.of(index).encoded}"] = index
    files["index.json"] = json.dumps({"manifests": [{"digest": str(Digest.of(index))}]}).encode()
    assert loaded(store, tar_of(files)) == [f"Loaded image ID: {Digest.of(CONFIG)}\n"]


def test_progress_is_told_unless_it_is_quiet(store: Store) -> None:
    said: list[dict[str, Any]] = []
    load(store.images, iter([archive({"config.json": CONFIG, "layer.tar": TAR})]), said.append)
    total = {"current": len(TAR), "total": len(TAR)}
    assert said[0] == {"status": "Loading layer", "id": Digest.of(TAR).encoded[:12], "progressDetail": total}
    quiet: list[dict[str, Any]] = []
    load(store.images, iter([archive({"config.json": CONFIG, "layer.tar": TAR})]), quiet.append, quiet=True)
    assert quiet == [{"stream": "Loaded image: app:1\n"}]


BAD: Mapping[str, tuple[str, Callable[[str], bytes]]] = {
    "empty": ("does not contain a manifest.json", lambda v: END),
    "a plain file system": ("does not contain a manifest.json", lambda v: TAR),
    "before 2016": ("before 2016", lambda v: tar_of({"repositories": b"{}"})),
    "manifest.json that is no list": ("not what docker save", lambda v: tar_of({"manifest.json": b"{}"})),
    "manifest.json that is no JSON": ("manifest.json", lambda v: tar_of({"manifest.json": b"["})),
    "manifest.json nested a million deep": ("manifest.json", lambda v: tar_of({"manifest.json": b"[" * 10**6})),
    "manifest.json of 5 MiB": ("more than", lambda v: tar_of({"manifest.json": b" " * 5 * 2**20})),
    "entry that is no object": ("not what docker save", lambda v: tar_of({"manifest.json": b"[1]"})),
    "layers that are no texts": ("not what docker save", lambda v: archive({}, {"Layers": [1]})),
    "config with ..": ("leads out", lambda v: archive({"layer.tar": TAR}, {"Config": "../../victim/file"})),
    "config with an absolute path": ("leads out", lambda v: archive({"layer.tar": TAR}, {"Config": f"{v}/file"})),
    "config that is not there": ("holds no file", lambda v: archive({"layer.tar": TAR})),
    "config that is a directory": (
        "holds no file",
        lambda v: archive({"layer.tar": TAR, "config.json/x": b""}),
    ),
    "config of 5 MiB": ("more than", lambda v: archive({"config.json": b" " * 5 * 2**20})),
    "layer that is not there": ("holds no file", lambda v: archive({"config.json": CONFIG})),
    "layer with ..": ("leads out", lambda v: archive({"config.json": CONFIG}, {"Layers": ["a/../../victim/file"]})),
    "layer with NUL": ("leads out", lambda v: archive({"config.json": CONFIG}, {"Layers": ["a\0b"]})),
    "layer of other bytes": ("wrong diff id", lambda v: archive({"config.json": CONFIG, "layer.tar": OTHER})),
    "layer that is no tar": (
        "invalid tar header",
        lambda v: archive({"config.json": config_of([Digest.of(b"x" * 600)]), "layer.tar": b"x" * 600}),
    ),
    "fewer layers than the config has": (
        "layers length mismatch: expected 1, got 0",
        lambda v: archive({"config.json": CONFIG}, {"Layers": []}),
    ),
    "name that is none": (
        "invalid reference format",
        lambda v: archive({"config.json": CONFIG, "layer.tar": TAR}, {"RepoTags": ["../../etc"]}),
    ),
    "layer that is a link to the host": (
        "leads out",
        lambda v: tar(file("c", CONFIG), symlink("l", f"{v}/file"), file("manifest.json", _entry("c", "l"))),
    ),
    "layer that is a link up": (
        "leads out",
        lambda v: tar(file("c", CONFIG), symlink("l", "../../../victim/file"), file("manifest.json", _entry("c", "l"))),
    ),
    "layer through a linked directory": (
        "holds no file",
        lambda v: tar(file("c", CONFIG), symlink("d", v), file("manifest.json", _entry("c", "d/file"))),
    ),
    "links in a ring": (
        "holds no file",
        lambda v: tar(file("c", CONFIG), symlink("a", "b"), symlink("b", "a"), file("manifest.json", _entry("c", "a"))),
    ),
    "layer that is a device": (
        "holds no file",
        lambda v: tar(file("c", CONFIG), device("l", tarfile.CHRTYPE, 1, 5), file("manifest.json", _entry("c", "l"))),
    ),
    "layer that is a hard link to the host": ("not in the layer", lambda v: tar(hardlink("l", f"{v}/file"))),
    "member that leads out": ("leads out", lambda v: tar(file("../victim/file", b"changed"))),
    "layout whose digest is a path": (
        "invalid archive",
        lambda v: layout(OCI, {"manifests": [{"digest": "sha256:../../../victim/file"}]}),
    ),
    "layout whose digest is missing": ("without a digest", lambda v: layout(OCI, {"manifests": [{}]})),
    "layout whose index is a list": ("no image index", lambda v: layout(OCI, {"manifests": {}})),
    "layout whose config is missing": ("holds no file", lambda v: layout({**OCI, "config": _absent()})),
    "layout whose layer is missing": ("holds no file", lambda v: layout({**OCI, "layers": [_absent()]})),
}


def _entry(config: str, layer_: str) -> bytes:
    return json.dumps([{"Config": config, "RepoTags": ["app"], "Layers": [layer_]}]).encode()


def _absent() -> dict[str, object]:
    return {"digest": str(Digest.of(b"absent")), "size": 1}


@pytest.mark.parametrize(("reason", "make"), BAD.values(), ids=BAD.keys())
def test_a_bad_archive_is_refused(store: Store, victim: Path, reason: str, make: Callable[[str], bytes]) -> None:
    with pytest.raises(EngineError, match=reason):
        loaded(store, make(str(victim)))
    assert store.images.all() == () and store.layers.all() == () and store.remains() == []
    assert (victim / "file").read_bytes() == b"untouched"
    assert list(store.content.digests()) == []


def test_the_images_before_a_bad_one_are_loaded(store: Store) -> None:
    good = {"Config": "c.json", "RepoTags": ["good"], "Layers": ["l.tar"]}
    bad = {**good, "RepoTags": ["bad"], "Layers": ["absent"]}
    data = tar_of({"c.json": CONFIG, "l.tar": TAR, "manifest.json": json.dumps([good, bad]).encode()})
    with pytest.raises(BadParameter):
        loaded(store, data)
    assert store.images.resolve("good").id == Digest.of(CONFIG)


def test_a_file_system_is_imported(store: Store) -> None:
    made = import_image(
        store.images,
        iter(blocks(TAR)),
        reference=store.images.parse("imported:1"),
        changes=["CMD /bin/sh", 'ENV A=1 B="two words"'],
        message="by hand",
    )
    assert store.images.resolve("imported:1").id == made.id and made.diff_ids == (Digest.of(TAR),)
    assert made.runtime == {"Cmd": ["/bin/sh", "-c", "/bin/sh"], "Env": ["A=1", "B=two words"]}
    assert made.config["comment"] == "by hand" and made.created > 10**18


def test_a_broken_import_leaves_nothing(store: Store) -> None:
    def cut() -> Iterator[bytes]:
        yield TAR[:700]
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        import_image(store.images, cut())
    with pytest.raises(BadParameter, match="run is not a valid change command"):
        import_image(store.images, iter([TAR]), changes=["RUN rm -rf /"])
    assert store.images.all() == () and store.layers.all() == () and store.remains() == []


def test_two_layers_of_one_digest_are_unpacked_once(store: Store) -> None:
    assert layer(store, "f") == layer(store, "f") and len(store.layers.all()) == 1
