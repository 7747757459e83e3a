"""What a hostile registry does to a pull, one function a lie; each spoils a good registry's table.

`elsewhere` is another server, which must never be shown a credential.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable

from tests.parts.images import INDEX, LAYER, MANIFEST, digest_of, image_config, tar_of
from tests.runtime.images.hostile_registry import (
    PLACE,
    TAG,
    Act,
    Contents,
    HostileRegistry,
    answer,
    document,
    endless,
)

Lie = Callable[[HostileRegistry, HostileRegistry], None]
OTHER = gzip.compress(tar_of({"file": b"others"}))
SCHEMA1 = "application/vnd.docker.distribution.manifest.v1+prettyjws"


def repacked(layer: bytes) -> bytes:
    """The same content in as many other bytes: gzip's header has room for a time, which nobody compares."""
    return layer[:4] + b"\1" + layer[5:]


def _layer(registry: HostileRegistry) -> str:
    return digest_of(registry.contents.layer)


def _config(config: bytes) -> Lie:
    """Give the image that configuration, honestly named."""

    def lie(registry: HostileRegistry, _: HostileRegistry) -> None:
        registry.serve(Contents(layer=registry.contents.layer, config=config))

    return lie


def _manifest(**changed: object) -> Lie:
    """Change fields of the manifest."""

    def lie(registry: HostileRegistry, _: HostileRegistry) -> None:
        registry.manifest(json.dumps(registry.contents.document(**changed)).encode())

    return lie


def _layer_as(**changed: object) -> Lie:
    """Change fields of the layer's descriptor."""

    def lie(registry: HostileRegistry, _: HostileRegistry) -> None:
        layer = {"mediaType": f"{LAYER}+gzip", "digest": _layer(registry), "size": len(registry.contents.layer)}
        registry.manifest(json.dumps(registry.contents.document(layers=[layer | changed])).encode())

    return lie


def _blob(make: Callable[[HostileRegistry], bytes | Act]) -> Lie:
    """Answer the layer's GET in another way."""

    def lie(registry: HostileRegistry, _: HostileRegistry) -> None:
        registry.blob(_layer(registry), make(registry))

    return lie


def _cut(registry: HostileRegistry) -> bytes | Act:
    whole = answer(200, registry.contents.layer)

    def act(connection: object, _: object) -> None:
        connection.sendall(whole[:-10])  # type: ignore[attr-defined]  # a socket

    return act


def _raw(registry: HostileRegistry, data: bytes) -> None:
    registry.table["GET", f"{PLACE}/manifests/{TAG}"] = data


def index_of(children: list[dict[str, object]]) -> bytes:
    """An index."""
    return json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": children}).encode()


def _child(content: bytes, **changed: object) -> dict[str, object]:
    platform = {"os": "linux", "architecture": "amd64"}
    return {
        "mediaType": MANIFEST,
        "digest": digest_of(content),
        "size": len(content),
        "platform": platform,
        **changed,
    }


def _index_child(**changed: object) -> Lie:
    def lie(registry: HostileRegistry, _: HostileRegistry) -> None:
        registry.manifest(index_of([_child(registry.contents.manifest, **changed)]), INDEX)

    return lie


def _indexes_without_end(registry: HostileRegistry, _: HostileRegistry) -> None:
    content = registry.contents.manifest
    kind = MANIFEST
    for _level in range(6):
        registry.table["GET", f"{PLACE}/manifests/{digest_of(content)}"] = answer(200, content, content_type=kind)
        content, kind = index_of([_child(content, mediaType=kind)]), INDEX
    registry.manifest(content, INDEX)


def _both(registry: HostileRegistry, _: HostileRegistry) -> None:
    child = _child(registry.contents.manifest)
    registry.manifest(json.dumps(registry.contents.document(manifests=[child])).encode())


def _twice(registry: HostileRegistry, _: HostileRegistry) -> None:
    content = registry.contents.manifest.replace(b'{"schemaVersion"', b'{"layers": [], "schemaVersion"', 1)
    registry.manifest(content)


def _redirected(path: Callable[[HostileRegistry], str], to: Callable[[HostileRegistry, HostileRegistry], str]) -> Lie:
    def lie(registry: HostileRegistry, elsewhere: HostileRegistry) -> None:
        registry.table["GET", path(registry)] = answer(307, location=to(registry, elsewhere))

    return lie


def _blob_path(registry: HostileRegistry) -> str:
    return f"{PLACE}/blobs/{_layer(registry)}"


def _manifest_path(_: HostileRegistry) -> str:
    return f"{PLACE}/manifests/{TAG}"


def _realm(make: Callable[[HostileRegistry, HostileRegistry], str]) -> Lie:
    def lie(registry: HostileRegistry, elsewhere: HostileRegistry) -> None:
        registry.lock(make(registry, elsewhere))

    return lie


def _token(given: bytes | Act) -> Lie:
    def lie(registry: HostileRegistry, _: HostileRegistry) -> None:
        registry.lock(f"{registry.url}/token")
        registry.table["GET", "/token"] = given

    return lie


def _manifest_answer(data: bytes | Act) -> Lie:
    def lie(registry: HostileRegistry, _: HostileRegistry) -> None:
        registry.table["GET", f"{PLACE}/manifests/{TAG}"] = data

    return lie


def _announced(text: str) -> Lie:
    def lie(registry: HostileRegistry, _: HostileRegistry) -> None:
        registry.manifest(registry.contents.manifest, docker_content_digest=text)

    return lie


def _typed(media_type: str) -> Lie:
    def lie(registry: HostileRegistry, _: HostileRegistry) -> None:
        registry.manifest(registry.contents.manifest, media_type)

    return lie


_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
_CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

LIES: dict[str, Lie] = {
    "wrong bytes in a layer": _blob(lambda r: answer(200, bytes(len(r.contents.layer)))),
    "one wrong byte in a layer": _blob(lambda r: answer(200, r.contents.layer[:-1] + b"!")),
    "another layer, well made": _blob(lambda _: answer(200, OTHER)),
    "a layer of the same files in other bytes": _blob(lambda r: answer(200, repacked(r.contents.layer))),
    "a layer that is too short": _blob(lambda r: answer(200, r.contents.layer[:-9])),
    "a layer that is too long": _blob(lambda r: answer(200, r.contents.layer + b"more")),
    "a layer without a length that never ends": _blob(lambda _: endless(bytes(65536), b"HTTP/1.1 200 OK\r\n\r\n")),
    "a layer in chunks that never end": _blob(lambda _: endless(b"10000\r\n" + bytes(65536) + b"\r\n", _CHUNKED)),
    "a chunk's size that never ends": _blob(lambda _: endless(b"0" * 65536, _CHUNKED)),
    "a layer that is always cut off": _blob(_cut),
    "a layer byte by byte": _blob(
        lambda r: endless(b"x", answer(200, r.contents.layer).partition(b"\r\n\r\n")[0] + b"\r\n\r\n", 0.1)
    ),
    "a layer packed on the way": _blob(lambda r: answer(200, r.contents.layer, content_encoding="gzip")),
    "a layer with a negative length": _blob(lambda r: answer(200, r.contents.layer, content_length="-5")),
    "a layer that is an error": _blob(lambda _: document({"errors": [{"code": "DENIED", "message": "\x1b[31m"}]}, 403)),
    "an answer that is no HTTP": _manifest_answer(b"SSH-2.0-OpenSSH_9.2\r\n" * 9),
    "a head that never ends": _manifest_answer(endless(b"X-More: " + b"x" * 9000 + b"\r\n", _HEAD)),
    "a head byte by byte": _manifest_answer(endless(b"x", b"HTTP/1.1 200 OK\r\nX-Slow: ", 0.1)),
    "a head that never begins": _manifest_answer(endless(b"", b"", 0.1)),
    "100 Continue without end": _manifest_answer(endless(b"HTTP/1.1 100 Continue\r\n\r\n", b"", 0.01)),
    "a manifest of many megabytes": _manifest_answer(answer(200, b" " * 5_000_000, content_type=MANIFEST)),
    "a manifest that never ends": _manifest_answer(endless(b" " * 65536, _HEAD + b"\r\n")),
    "a manifest byte by byte": _manifest_answer(endless(b" ", _HEAD + b"Content-Length: 5000\r\n\r\n", 0.1)),
    "a manifest of another digest than announced": _announced(digest_of(b"another")),
    "an announced digest that is a path": _announced("sha256:../../../../etc/passwd"),
    "a manifest that is an index as well": _both,
    "a manifest with layers twice": _twice,
    "a manifest of another type than its answer": _typed(INDEX),
    "a manifest of schema 1": _typed(SCHEMA1),
    "a manifest that is a page": _manifest_answer(answer(200, b"<html>", content_type="text/html")),
    "a manifest nested without end": _manifest_answer(answer(200, b'{"a":' * 100_000, content_type=MANIFEST)),
    "an index of itself": _indexes_without_end,
    "an index whose child has another size": _index_child(size=5),
    "an index whose child has another type": _index_child(mediaType=INDEX),
    "an index whose child is a path": _index_child(digest="sha256:../../x"),
    "a digest that is a path": _layer_as(digest="../../../../etc/shadow"),
    "a digest with a path in it": _layer_as(digest="sha256:/../../../../../../../../etc/shadow"),
    "a digest of a weak algorithm": _layer_as(digest="md5:" + "0" * 32),
    "a layer of a negative size": _layer_as(size=-1),
    "a layer that no disk can hold": _layer_as(size=2**62),
    "a layer whose size is a text": _layer_as(size="10"),
    "a layer that is elsewhere": _layer_as(
        mediaType="application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", urls=["http://169.254.169.254/latest"]
    ),
    "more layers than the configuration has": lambda r, _: r.manifest(
        json.dumps(r.contents.document(layers=r.contents.document()["layers"] * 2)).encode()  # type: ignore[operator]
    ),
    "a million layers": lambda r, _: r.manifest(
        json.dumps(r.contents.document(layers=r.contents.document()["layers"] * 5000)).encode()  # type: ignore[operator]
    ),
    "an artifact": _manifest(config={"mediaType": "application/vnd.evil", "digest": digest_of(b"{}"), "size": 2}),
    "a configuration that is no JSON": _config(b"\x7fELF not json"),
    "a configuration that is a list": _config(b"[]"),
    "a configuration of the wrong types": _config(b'{"config":{"Env":5},"rootfs":{"type":"layers","diff_ids":[]}}'),
    "a configuration with a path as diff ID": _config(
        b'{"rootfs":{"type":"layers","diff_ids":["sha256:../../../../../../tmp/x"]}}'
    ),
    "a configuration with another layer's diff ID": _config(image_config([digest_of(b"another")], "amd64", [])),
    "a configuration nested without end": _config(b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    "a configuration of many megabytes": _config(b" " * 5_000_000 + b"{}"),
    "a configuration of other bytes": lambda r, _: r.blob(
        digest_of(r.contents.config), answer(200, r.contents.config.replace(b"amd64", b"arm64"))
    ),
    "a realm elsewhere": _realm(lambda _, e: f"{e.url}/token"),
    "a realm elsewhere over TLS": _realm(lambda _, e: f"https://{e.host}/token"),
    "a realm that is a file": _realm(lambda *_: "file:///etc/passwd"),
    "a realm with a user in it": _realm(lambda r, e: f"http://{r.host}@{e.host}/token"),
    "a realm that two parsers read differently": _realm(lambda r, e: f"http://{e.host}\\@{r.host}/token"),
    "no realm": _realm(lambda *_: ""),
    "a token that is two headers": _token(document({"token": "abc\r\nX-Evil: 1"})),
    "a token that is a number": _token(document({"token": 5})),
    "a token that never ends": _token(endless(b" " * 65536, _HEAD + b"\r\n")),
    "a token byte by byte": _token(endless(b" ", _HEAD + b"Content-Length: 900\r\n\r\n", 0.1)),
    "a token that is never right": lambda r, _: r.lock(f"{r.url}/nothing"),
    "redirects in a ring": _redirected(_blob_path, lambda r, _: f"{r.url}{_blob_path(r)}"),
    "a redirect to a file": _redirected(_blob_path, lambda *_: "file:///etc/passwd"),
    "a redirect with a user in it": _redirected(_blob_path, lambda r, e: f"http://{r.host}@{e.host}/"),
    "a redirect to nowhere": _redirected(_blob_path, lambda *_: ""),
    "a redirect of a blob to wrong bytes": _redirected(_blob_path, lambda _, e: f"{e.url}/wrong"),
    "a redirect of a manifest to another": _redirected(_manifest_path, lambda _, e: f"{e.url}/wrong"),
}
