"""What may be removed, in whose way it is, and what goes with it: Docker's rules and sentences."""

import os
import time
from collections.abc import Callable

import pytest

from runtime.errors import BadParameter, Conflict, NotFound
from runtime.images.removal import LEFT_ALONE, Removal, User
from storage.digest import Digest
from tests.runtime.images.conftest import Store
from tests.runtime.images.made import image, layer

MANIFEST = b'{"schemaVersion":2}'
AT = "@" + str(Digest.of(MANIFEST))
RUNNING, STOPPED = User("r" * 64, running=True), User("s" * 64, running=False)


def removal(store: Store, *users: User) -> Removal:
    """Removes; the users use every image."""
    return Removal(store.images, lambda _: users)


def steps(store: Store, text: str, *users: User, force: bool = False) -> list[str]:
    """Remove, and write the steps with ids as I, and layers as L."""
    ids = {str(image.id): "I" for image in store.images.all()}
    ids |= {str(layer.diff_id): "L" for layer in store.layers.all()}
    done = removal(store, *users).remove(text, force=force)
    return [f"-{step.untagged}" if step.untagged else f"x{ids[step.deleted]}" for step in done]


def blobs(store: Store) -> int:
    """How many blobs are kept."""
    return len(list(store.content.digests()))


def test_the_last_name_takes_the_image_along(store: Store) -> None:
    image(store, "app:1", "app:2", "app" + AT, manifest=MANIFEST)
    assert steps(store, "app:1") == ["-app:1"]
    assert steps(store, "app:2") == ["-app:2", "-app" + AT, "xI", "xL"]
    assert store.images.all() == () and store.layers.all() == () and blobs(store) == 0
    assert [event.action for event in store.heard()] == ["untag", "untag", "untag", "delete"]
    with pytest.raises(NotFound, match="No such image: app:2"):
        steps(store, "app:2")


def test_by_its_id_an_image_goes_with_all_names_of_one_repository(store: Store) -> None:
    made = image(store, "app", "app" + AT)
    assert steps(store, made.id.encoded[:12]) == ["-app:latest", "-app" + AT, "xI", "xL"]


def test_names_in_two_repositories_have_to_be_forced(store: Store) -> None:
    made = image(store, "app", "other/app")
    short = made.id.encoded[:12]
    with pytest.raises(Conflict) as caught:
        steps(store, short)
    assert str(caught.value) == (
        f"conflict: unable to delete {short} (must be forced) - image is referenced in multiple repositories"
    )
    assert steps(store, short, force=True) == ["-app:latest", "-other/app:latest", "xI", "xL"]


def test_what_a_running_container_uses_stays(store: Store) -> None:
    made = image(store, "app")
    short = made.id.encoded[:12]
    for force in (False, True):
        with pytest.raises(Conflict) as caught:
            steps(store, short, RUNNING, force=force)
        assert str(caught.value) == (
            f"conflict: unable to delete {short} (cannot be forced) - image is being used by running container"
            " rrrrrrrrrrrr"
        )
    with pytest.raises(Conflict) as caught:
        steps(store, "app", RUNNING)
    assert str(caught.value) == (
        'conflict: unable to remove repository reference "app" (must force) - container rrrrrrrrrrrr is using its'
        f" referenced image {short}"
    )
    assert steps(store, "app", RUNNING, force=True) == ["-app:latest"]
    assert store.images.get(made.id).tags == ()


def test_what_a_stopped_container_uses_is_removed_by_force(store: Store) -> None:
    made = image(store, "app")
    store.layers.hold("container", made.diff_ids)
    short = made.id.encoded[:12]
    with pytest.raises(
        Conflict, match=f"{short} .must be forced. - image is being used by stopped container ssssssssssss"
    ):
        steps(store, short, STOPPED)
    assert steps(store, short, STOPPED, force=True) == ["-app:latest", "xI"]  # the layers are the container's now
    assert store.layers.has(made.diff_ids[0])


def test_a_second_name_may_go_whoever_uses_the_image(store: Store) -> None:
    image(store, "app:1", "app:2")
    assert steps(store, "app:1", RUNNING) == ["-app:1"]


def test_layers_that_another_image_has_stay(store: Store) -> None:
    image(store, "one", files=["f"], Cmd=["a"])
    image(store, "two", files=["f"], Cmd=["b"])
    assert steps(store, "one") == ["-one:latest", "xI"]
    assert steps(store, "two") == ["-two:latest", "xI", "xL"]


def test_prune_takes_what_has_no_name(store: Store) -> None:
    image(store, files=["a" * 100])
    kept = image(store, "app", files=["b"])
    done, reclaimed = removal(store).prune({})
    assert len(done) == 2 and reclaimed > 100 and [found.id for found in store.images.all()] == [kept.id]
    assert removal(store).prune({"dangling": ["true"]}) == ([], 0)


def test_prune_of_all_leaves_what_is_used(store: Store) -> None:
    used, _ = image(store, "used", files=["a"]), image(store, "free", files=["b"])
    users: Callable[[Digest], list[User]] = lambda image_id: [STOPPED] if image_id == used.id else []  # noqa: E731
    done, _ = Removal(store.images, users).prune({"dangling": ["false"]})
    assert [step.untagged for step in done if step.untagged] == ["free:latest"]
    assert [found.id for found in store.images.all()] == [used.id]


def test_prune_by_label_and_age(store: Store) -> None:
    image(store, files=["a"], Labels={"keep": ""})
    image(store, files=["b"], created="2020-01-01T00:00:00Z")
    done, _ = removal(store).prune({"until": ["2021-01-01"], "label!": ["keep"]})
    assert len(done) == 2 and len(store.images.all()) == 1
    for filters in ({"reference": ["x"]}, {"before": ["x"]}, {"nope": ["x"]}):
        with pytest.raises(BadParameter, match="invalid filter"):
            removal(store).prune(filters)


def test_what_belongs_to_no_image_goes_after_a_day(store: Store) -> None:
    kept = image(store, "app", files=["kept"], manifest=MANIFEST)
    orphan = layer(store, "orphan")
    store.content.add(b"orphan blob")
    fresh = removal(store)
    assert fresh.sweep() == [] and store.layers.has(orphan)
    long_ago = time.time() - LEFT_ALONE - 60
    os.utime(store.layers.path(orphan).parent / "layer.json", (long_ago, long_ago))
    assert [step.deleted for step in fresh.sweep()] == [str(orphan)]
    assert store.layers.has(kept.diff_ids[0]) and store.content.has(Digest.of(MANIFEST))
