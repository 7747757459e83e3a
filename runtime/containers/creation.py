"""Makes containers: their settings put together, their directory, their volumes. Nothing is left where a step fails.

A container's directory is built beside its name and renamed: it is there whole, or not at all.
"""

import os
import secrets
import shutil
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from runtime.containers import rootfs, volumes
from runtime.containers.model import Container, Mount
from runtime.containers.services import Services
from runtime.containers.specification import limits, mounts, settled
from runtime.errors import BadParameter, EngineError, NotFound
from runtime.images.image import Image
from storage import durable

NEW = ".new-"


def create(services: Services, body: Mapping[str, Any], name: str | None, platform: str | None = None) -> Container:
    """Make a container from Docker's JSON. Raises: NotFound, BadParameter, Conflict; EngineError."""
    container_id = secrets.token_hex(32)
    with ExitStack() as undo:
        name = services.register.reserve(name, container_id)
        undo.callback(services.register.free, name)
        image = _held_image(services, body, container_id, undo)
        _check_platform(image, str(body["Image"]), platform or "")
        container = _settled(services, body, image, container_id, name)
        services.cables.check(container)
        _make_directory(services, container, undo)
        volumes.take(services, container, undo)
        services.register.add(container)
        undo.pop_all()
    services.tell(container, "create")
    return container


def holder(container_id: str) -> str:
    """By what name a container holds its image's layers."""
    return f"container:{container_id}"


def _held_image(services: Services, body: Mapping[str, Any], container_id: str, undo: ExitStack) -> Image:
    wanted = body.get("Image")
    if not isinstance(wanted, str) or not wanted:
        raise BadParameter("invalid reference format")
    with services.images.lock:
        image = services.images.resolve(wanted)
        services.images.layers.hold(holder(container_id), image.diff_ids)
        undo.callback(services.images.layers.release, holder(container_id))
    return image


def _check_platform(image: Image, name: str, wanted: str) -> None:
    """Refuse an image of another platform than the wanted one: the CLI then pulls the right one. Raises NotFound."""
    own = [str(image.config.get("os") or ""), str(image.config.get("architecture") or "")]
    asked = wanted.lower().split("/")[:2]
    if wanted and asked != own[: len(asked)]:
        raise NotFound(
            f"image with reference {name} was found but its platform ({'/'.join(own)}) does not match the specified "
            f"platform ({wanted})"
        )


def _settled(services: Services, body: Mapping[str, Any], image: Image, container_id: str, name: str) -> Container:
    asked_host = body.get("HostConfig") or {}
    networking = body.get("NetworkingConfig") or {}
    if not isinstance(asked_host, dict) or not isinstance(networking, dict):
        raise BadParameter("json: HostConfig and NetworkingConfig are objects")
    config = settled.config(body, image.runtime, container_id=container_id, image_name=str(body["Image"]))
    host = settled.host_config(asked_host, unified=limits.unified())
    endpoints = networking.get("EndpointsConfig") or {}
    if not isinstance(endpoints, dict) or not all(isinstance(each or {}, dict) for each in endpoints.values()):
        raise BadParameter("json: EndpointsConfig is an object of objects")
    if host["NetworkMode"] == "host" and not body.get("Hostname"):
        config["Hostname"] = os.uname().nodename
    return Container(
        id=container_id,
        name=name,
        created=time.time_ns(),
        image_id=str(image.id),
        image=str(body["Image"]),
        diff_ids=tuple(str(digest) for digest in image.diff_ids),
        config=config,
        host_config=host,
        endpoints=endpoints,
        mounts=_mounts(services, host, config),
        directory=services.directory / container_id,
        run=services.run / container_id,
    )


def _mounts(services: Services, host: Mapping[str, Any], config: Mapping[str, Any]) -> tuple[Mount, ...]:
    """The container's own mounts, and those of `--volumes-from`."""
    found = {mount.target: mount for mount in _borrowed(services, host)}
    found |= {mount.target: mount for mount in mounts.wanted(host, ())}
    for mount in mounts.wanted({}, config["Volumes"] or ()):
        found.setdefault(mount.target, mount)
    for mount in found.values():
        if mount.kind == "bind" and not mount.makes_source and not Path(mount.source).exists():
            raise BadParameter(f'invalid mount config for type "bind": bind source path does not exist: {mount.source}')
    return tuple(found[target] for target in sorted(found))


def _borrowed(services: Services, host: Mapping[str, Any]) -> list[Mount]:
    found = []
    for text in host["VolumesFrom"] or ():
        reference, _, mode = text.partition(":")
        if mode not in {"", "ro", "rw", "z", "Z"}:
            raise BadParameter(f"invalid mode: {mode}")
        for mount in services.register.get(reference).mounts:
            if mount.kind != "tmpfs":
                kept = replace(mount, anonymous=False, copies=False, makes_source=False)
                found.append(replace(kept, writable=False) if mode == "ro" else kept)
    return found


def _make_directory(services: Services, container: Container, undo: ExitStack) -> None:
    building = services.directory / f"{NEW}{container.id}"
    try:
        building.mkdir(mode=0o700)
        undo.callback(shutil.rmtree, container.directory, ignore_errors=True)
        undo.callback(shutil.rmtree, building, ignore_errors=True)
        for name in ("bundle", "exits"):
            (building / name).mkdir(mode=0o700)
        below = [
            services.settings.data / lower for lower in services.images.layers.lowerdirs(services.digests(container))
        ]
        rootfs.prepare(building, below)
        target, container.directory = container.directory, building
        container.save()
        container.directory = target
        building.rename(target)
        durable.sync_directory(services.directory)
    except OSError as error:
        container.directory = services.directory / container.id
        raise EngineError(f"the container cannot be made: {error.strerror}") from error
