"""What a client may ask to be mounted, in every form, and what is refused with Docker's sentences."""

from typing import Any

import pytest

from runtime.containers.model import Mount
from runtime.containers.specification.mounts import bind, mount, wanted
from runtime.errors import BadParameter


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("/a:/b", ("bind", "/a", "/b", True, "rprivate")),
        ("/a/../c//d/:/b/./x/", ("bind", "/c/d", "/b/x", True, "rprivate")),
        ("/a:/b:ro", ("bind", "/a", "/b", False, "rprivate")),
        ("/a:/b:ro,rslave", ("bind", "/a", "/b", False, "rslave")),
        ("/a:/b:z,shared", ("bind", "/a", "/b", True, "shared")),
        ("data:/b", ("volume", "data", "/b", True, "")),
        ("data:/b:ro,nocopy", ("volume", "data", "/b", False, "")),
        ("/a://b", ("bind", "/a", "/b", True, "rprivate")),
    ],
)
def test_binds(text: str, found: tuple[str, str, str, bool, str]) -> None:
    made = bind(text)
    assert (made.kind, made.source, made.target, made.writable, made.propagation) == found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "invalid volume specification: ''"),
        (":", "invalid volume specification: ':'"),
        ("/a::ro", "invalid volume specification"),
        ("/a:/b:/c:/d", "invalid volume specification"),
        ("/a:b", "mount path must be absolute"),
        ("/a:../b", "mount path must be absolute"),
        ("/a:/", "destination can't be '/'"),
        ("/a:/..", "destination can't be '/'"),
        ("/a:/b/../..", "destination can't be '/'"),
        ("/a:/b:rw,frob", "invalid mode: rw,frob"),
        ("/a:/b:shared,slave", "invalid mode"),
        ("../x:/b", "includes invalid characters for a local volume name"),
        (".:/b", "includes invalid characters"),
        ("a/b:/c", "includes invalid characters"),
        ("-x:/c", "includes invalid characters"),
        ("da\nta:/c", "includes invalid characters"),
        ("/a\0b:/c", "invalid volume specification"),
        ("data:/b:rslave", "invalid mode"),
    ],
)
def test_bad_binds(text: str, said: str) -> None:
    with pytest.raises(BadParameter) as failed:
        bind(text)
    assert said in str(failed.value)


def test_a_mount_of_every_kind() -> None:
    assert mount({"Type": "bind", "Source": "/a", "Target": "/b", "ReadOnly": True}).writable is False
    assert (
        mount({"Type": "bind", "Source": "/a", "Target": "/b", "BindOptions": {"NonRecursive": True}}).recursive
        is False
    )
    volume = mount({"Type": "volume", "Source": "v1", "Target": "/b", "VolumeOptions": {"NoCopy": True}})
    assert (volume.source, volume.copies, volume.anonymous) == ("v1", False, False)
    assert mount({"Type": "volume", "Target": "/b"}).anonymous
    tmpfs = mount({"Type": "tmpfs", "Target": "/t", "TmpfsOptions": {"SizeBytes": 65536, "Mode": 0o1777}})
    assert {"size=65536", "mode=1777", "noexec"} <= set(tmpfs.options)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"Type": "bind", "Target": "/b"}, "field Source must not be empty"),
        ({"Type": "bind", "Source": "a", "Target": "/b"}, "mount path must be absolute"),
        ({"Type": "bind", "Source": "/a"}, "field Target must not be empty"),
        ({"Type": "bind", "Source": "/a", "Target": "b"}, "mount path must be absolute"),
        ({"Type": "bind", "Source": "/a", "Target": "/b", "BindOptions": {"Propagation": "x"}}, "invalid propagation"),
        ({"Type": "volume", "Source": "../../etc", "Target": "/b"}, "includes invalid characters"),
        ({"Type": "tmpfs", "Source": "/a", "Target": "/b"}, "field Source must not be specified"),
        ({"Type": "npipe", "Source": "/a", "Target": "/b"}, "mount type unknown"),
        ({"Target": "/b"}, "mount type unknown"),
    ],
)
def test_bad_mounts(entry: dict[str, Any], said: str) -> None:
    with pytest.raises(BadParameter) as failed:
        mount(entry)
    assert said in str(failed.value)


def test_a_place_is_wanted_once() -> None:
    with pytest.raises(BadParameter, match="Duplicate mount point: /b"):
        wanted({"Binds": ["/a:/b", "/c:/b/"]}, ())
    with pytest.raises(BadParameter, match="Duplicate mount point: /b"):
        wanted({"Binds": ["/a:/b"], "Tmpfs": {"/b": ""}}, ())


def test_the_client_s_word_goes_before_the_image_s() -> None:
    found = wanted({"Binds": ["/a:/data"]}, ["/data/", "/cache"])
    assert [(each.kind, each.target) for each in found] == [("volume", "/cache"), ("bind", "/data")]


@pytest.mark.parametrize("text", ["", "/", "data", "/..", "../etc", "/a\0b", "/" + "x" * 5000])
def test_an_image_s_volume_that_is_no_place_is_left_out(text: str) -> None:
    assert wanted({}, [text]) == ()


@pytest.mark.parametrize("options", ["rw,lowerdir=/", "size=1;x", "context=x", "source=/etc", "bind", "size=", "uid=x"])
def test_tmpfs_options_are_of_a_list(options: str) -> None:
    with pytest.raises(BadParameter, match="invalid tmpfs option"):
        wanted({"Tmpfs": {"/t": options}}, ())


def test_tmpfs_defaults_give_way() -> None:
    (found,) = wanted({"Tmpfs": {"/t": "exec,size=64m"}}, ())
    assert found == Mount("tmpfs", "", "/t", options=("nosuid", "nodev", "exec", "size=64m"))
