"""A real service as an image: nginx and a shell out of the Debian packages that this machine has installed.

The files are the packages' own (dpkg -L), with the libraries that they need (ldd). No network, no package manager.
"""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.parts.commands import run
from tests.parts.images import docker_archive
from tests.parts.tools import require

PROGRAMS = ("/bin/bash", "/bin/ls", "/bin/cat", "/bin/sleep", "/usr/bin/env", "/usr/bin/id")
LINKS = {"usr/bin/sh": "bash", "bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64"}
PASSWD = "root:x:0:0:root:/root:/bin/bash\nwww-data:x:33:33:www-data:/var/www:/usr/sbin/nologin\n"
GROUP = "root:x:0:\nwww-data:x:33:\n"
CONFIG = """\
user www-data;
worker_processes 1;
pid /run/nginx.pid;
error_log /dev/stderr notice;
events { worker_connections 64; }
http {
  access_log /dev/stdout;
  types { text/html html; }
  server { listen 80; root /usr/share/nginx/html; }
}
"""
COMMAND = ("nginx", "-g", "daemon off;")


def service_archive(path: Path, name: str) -> None:
    """Write the image as what `docker load` reads: a layer with a small Debian, and one with nginx."""
    nginx = require("nginx")
    system = {
        **_files([*PROGRAMS, *_libraries((*PROGRAMS, nginx))]),
        "etc/passwd": _text(PASSWD),
        "etc/group": _text(GROUP),
    }
    service = {
        **_files([nginx, *_package("nginx-common", r"/usr/share/nginx/.*|/etc/nginx/mime.types")]),
        "etc/nginx/nginx.conf": _text(CONFIG),
    }
    docker_archive(
        path,
        name,
        [_layer(system, LINKS, ("tmp", "run", "root", "var/log/nginx", "var/lib/nginx")), _layer(service)],
        command=COMMAND,
    )


def _files(paths: Iterable[str]) -> dict[str, tuple[bytes, int]]:
    """{name in the archive: content and mode} of files; each at its real place, for /bin is /usr/bin on Debian."""
    found = {}
    for path in paths:
        real = Path(path).parent.resolve() / Path(path).name
        found[str(real).lstrip("/")] = (Path(path).read_bytes(), Path(path).stat().st_mode & 0o755)
    return found


def _libraries(programs: Iterable[str]) -> Iterator[str]:
    """What the dynamic linker would load for these programs, and the linker itself."""
    said = run("ldd", *programs)
    yield from sorted({match[1] for match in re.finditer(r"(/\S+\.so\S*)", said)})


def _package(name: str, wanted: str) -> list[str]:
    """The files of an installed package whose paths are wanted."""
    return [
        path for path in run("dpkg", "-L", name).splitlines() if re.fullmatch(wanted, path) and Path(path).is_file()
    ]


def _text(text: str) -> tuple[bytes, int]:
    return text.encode(), 0o644


def _layer(
    files: dict[str, tuple[bytes, int]], links: dict[str, str] | None = None, directories: Iterable[str] = ()
) -> bytes:
    """A layer's tar; directories above files are made by whoever unpacks it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, target in (links or {}).items():
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, target
            archive.addfile(link)
        for name in directories:
            directory = tarfile.TarInfo(name)
            directory.type, directory.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
            archive.addfile(directory)
        for name, (content, mode) in files.items():
            file = tarfile.TarInfo(name)
            file.size, file.mode = len(content), mode
            archive.addfile(file, io.BytesIO(content))
    return buffer.getvalue()
