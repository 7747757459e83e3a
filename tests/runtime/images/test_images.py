"""Images are found by what they are called, in Docker's order and words, and names move as with Docker."""

import json

import pytest

from runtime.errors import BadParameter, EngineError, NotFound
from storage.digest import Digest
from tests.runtime.images.conftest import Store
from tests.runtime.images.made import config_of, image, layer

MANIFEST = b'{"schemaVersion":2}'
AT = "@" + str(Digest.of(MANIFEST))


def test_an_image_is_found_by_name_digest_and_id(store: Store) -> None:
    made = image(store, "nginx:1", "nginx", "team/nginx" + AT, "other.example:5/x:y")
    for text in (
        *("nginx", "nginx:latest", "nginx:1", "docker.io/library/nginx:1", "localhost:5000/library/nginx"),
        *("team/nginx" + AT, "other.example:5/x:y", "team/nginx:whatever" + AT),
        *(str(made.id), made.id.encoded, made.id.encoded[:12], made.id.encoded[:3], f"sha256:{made.id.encoded[:5]}"),
    ):
        assert store.images.resolve(text) == made, text


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("nope", "No such image: nope:latest"),
        ("nope:1", "No such image: nope:1"),
        ("team/nope", "No such image: team/nope:latest"),
        ("nginx" + AT, "No such image: nginx" + AT),
        ("sha256:" + "0" * 64, "No such image: sha256:" + "0" * 64),
        ("abcdef", "No such image: abcdef:latest"),
    ],
)
def test_what_is_not_here_is_said_as_docker_says_it(store: Store, text: str, sentence: str) -> None:
    image(store, "nginx")
    with pytest.raises(NotFound, match=f"^{sentence}$"):
        store.images.resolve(text)


@pytest.mark.parametrize("text", ["", "UPPER", "a b", "../etc", "nginx@sha256:1", "-x", "a//b", "nginx:" + "t" * 200])
def test_what_can_be_no_name_is_refused(store: Store, text: str) -> None:
    with pytest.raises(BadParameter, match="invalid reference format"):
        store.images.resolve(text)


def test_a_name_goes_before_an_id(store: Store) -> None:
    one = image(store, "first", files=["a"])
    other = image(store, one.id.encoded[:6], files=["b"])
    assert store.images.resolve(one.id.encoded[:6]).id == other.id


def test_a_beginning_that_two_ids_share_finds_none(store: Store) -> None:
    for number in range(20):
        image(store, files=[str(number)])
    found = [image.id.encoded for image in store.images.all()]
    shared = next(letter for letter in "0123456789abcdef" if sum(text.startswith(letter) for text in found) > 1)
    with pytest.raises(NotFound):
        store.images.resolve(shared)


def test_a_tag_moves_and_the_image_that_had_it_is_left_without(store: Store) -> None:
    old, new = image(store, "app", files=["a"]), image(store, "app", files=["b"])
    assert store.images.resolve("app").id == new.id
    assert store.images.get(old.id).tags == () and store.images.get(new.id).tags == new.tags


def test_tagging_adds_a_name(store: Store) -> None:
    made = image(store, "app")
    store.images.tag(made.id, store.images.parse("other/app"))
    assert store.images.resolve("other/app:latest").id == made.id
    assert [(event.action, event.attributes["name"]) for event in store.heard()] == [("tag", "other/app:latest")]
    with pytest.raises(BadParameter, match="refusing to create a tag with a digest reference"):
        store.images.tag(made.id, store.images.parse("app" + AT))
    with pytest.raises(NotFound):
        store.images.tag(Digest.of(b""), store.images.parse("x"))


def test_everything_is_there_after_a_restart(store: Store) -> None:
    made = image(store, "app:1", "team/app" + AT, manifest=MANIFEST, Labels={"a": "b"}, Cmd=["x"])
    image(store, files=["other"])
    before = store.images.all()
    again = store.reopened()
    assert again.images.all() == before
    found = again.images.resolve("app:1")
    assert found.labels == {"a": "b"} and found.runtime["Cmd"] == ["x"] and found.manifest == Digest.of(MANIFEST)
    assert found.created == 1_767_323_045_500_000_000 and found.size == 1 and found.tagged == made.tagged > 0


def test_an_image_whose_configuration_is_lost_is_dropped_alone(store: Store) -> None:
    lost, kept = image(store, "lost", files=["a"]), image(store, "kept", files=["b"])
    store.content.path(lost.id).write_bytes(b"{}")
    again = store.reopened()
    assert [found.id for found in again.images.all()] == [kept.id]


def test_an_image_needs_its_layers(store: Store) -> None:
    with pytest.raises(NotFound, match="is not here; pull its image again"):
        store.images.register(config_of([Digest.of(b"no layer")]))
    assert store.images.all() == () and not (store.data / "images.json").exists()


def test_an_image_that_comes_again_keeps_its_names(store: Store) -> None:
    first = image(store, "app:1")
    again = store.images.register(config_of(first.diff_ids), references=[store.images.parse("app:2")])
    assert again.id == first.id and len(again.tags) == 2 and len(store.images.all()) == 1


def test_two_images_may_share_a_manifest_s_bytes(store: Store) -> None:
    one, other = (image(store, name, files=[name], manifest=MANIFEST) for name in "ab")
    store.images.forget(one.id)
    assert store.content.has(Digest.of(MANIFEST))
    store.images.forget(other.id)
    assert not store.content.has(Digest.of(MANIFEST)) and not store.content.has(other.id)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (b"[]", "no JSON object"),
        (b"nope", "invalid image configuration"),
        (b"\xff", "invalid image configuration"),
        (b"[" * 100_000, "invalid image configuration"),
        ({"config": []}, "config has the wrong type"),
        ({"config": {"Env": "PATH=/bin"}}, r"config\.Env"),
        ({"config": {"Env": [1]}}, r"config\.Env"),
        ({"config": {"Cmd": {"0": "sh"}}}, r"config\.Cmd"),
        ({"config": {"Entrypoint": [None]}}, r"config\.Entrypoint"),
        ({"config": {"User": 0}}, r"config\.User"),
        ({"config": {"User": "a\0b"}}, r"config\.User"),
        ({"config": {"WorkingDir": ["/"]}}, r"config\.WorkingDir"),
        ({"config": {"Labels": {"a": 1}}}, r"config\.Labels"),
        ({"config": {"Labels": ["a"]}}, r"config\.Labels"),
        ({"config": {"Volumes": ["/data"]}}, r"config\.Volumes"),
        ({"config": {"Volumes": {"/data": {"Source": "/etc"}}}}, r"config\.Volumes"),
        ({"config": {"ExposedPorts": "80"}}, r"config\.ExposedPorts"),
        ({"config": {"StopTimeout": "9"}}, r"config\.StopTimeout"),
        ({"config": {"StopTimeout": True}}, r"config\.StopTimeout"),
        ({"config": {"Healthcheck": {"Test": "x"}}}, r"config\.Healthcheck"),
        ({"config": {"Healthcheck": {"Interval": "1s"}}}, r"config\.Healthcheck"),
        ({"history": {}}, "history"),
        ({"history": [{"created_by": 1}]}, "history"),
        ({"created": 5}, "created"),
        ({"created": "yesterday"}, "not a time"),
        ({"rootfs": {"type": "other"}}, "rootfs"),
        ({"rootfs": {"type": "layers", "diff_ids": ["sha256:../../etc"]}}, "diff_ids"),
        ({"rootfs": {"type": "layers", "diff_ids": ["md5:abc"]}}, "diff_ids"),
        (
            {"rootfs": {"type": "layers", "diff_ids": [f"sha256:{n:064x}" for n in range(126)]}},
            "max depth exceeded: the image has 126 layers",
        ),
    ],
)
def test_a_configuration_that_means_mischief_is_refused(
    store: Store, change: bytes | dict[str, object], reason: str
) -> None:
    good = json.loads(config_of([layer(store, "f")]))
    content = change if isinstance(change, bytes) else json.dumps({**good, **change}).encode()
    with pytest.raises(EngineError, match=reason):
        store.images.register(content)
    assert store.images.all() == ()


def test_a_configuration_of_nulls_is_an_image(store: Store) -> None:
    config = json.loads(config_of([layer(store, "f")]))
    config["config"] = {"Env": None, "Cmd": None, "Labels": None, "Volumes": None, "OnBuild": None}
    made = store.images.register(json.dumps({**config, "created": None, "history": None, "author": None}).encode())
    assert made.created == 0 and made.labels == {}


def test_what_cannot_be_written_down_has_not_happened(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    made = image(store, "app")
    other = layer(store, "g")
    before = store.images.all()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("runtime.records.save", full)
    for change in (
        lambda: store.images.tag(made.id, store.images.parse("x")),
        lambda: store.images.untag(made.tags[0]),
        lambda: store.images.forget(made.id),
        lambda: store.images.register(config_of([other]), references=list(made.tags)),
    ):
        with pytest.raises(OSError):
            change()
        assert store.images.all() == before
    monkeypatch.undo()
    again = store.reopened()
    assert again.images.all() == before
    again.layers.close()
