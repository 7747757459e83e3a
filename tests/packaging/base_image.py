"""A base for the server's image that no registry has to be asked for: this machine's own distribution, by debootstrap.

Made once, from the mirror that apt uses here, and kept as a tar in the user's cache; and a wheelhouse for the Python in
it, so that the image is then built without a network.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.house.sources import ROOT
from tests.parts.commands import run
from tests.parts.mounts import unmount_below
from tests.parts.tools import require, require_root

PACKAGES = "python3,python3-venv"
COMPONENTS = {"ubuntu": "main,universe"}
NOT_NEEDED = ("var/cache/apt/*", "var/lib/apt/lists/*", "usr/share/doc/*", "usr/share/locale/*", "usr/share/man/*")
PATIENCE = 1200.0


def cache() -> Path:
    """Where what is slow to make is kept between runs."""
    directory = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "moorage-tests"
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def os_release() -> dict[str, str]:
    """What this machine says it is."""
    lines = Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
    return {key: value.strip('"') for key, _, value in (line.partition("=") for line in lines)}


def mirror() -> str:
    """The first archive that apt is configured with, which is the distribution's main one."""
    origins = run("apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages").splitlines()
    return next(origin for origin in origins if "security" not in origin)


def base_tar() -> Path:
    """The base's file system, as a tar that `docker import` reads."""
    require_root()
    debootstrap, system = require("debootstrap"), os_release()
    tar = cache() / f"{system['ID']}-{system['VERSION_CODENAME']}-python3.tar"
    if not tar.exists():
        with tempfile.TemporaryDirectory(prefix="moorage-base-", dir="/var/tmp") as directory:
            components = COMPONENTS.get(system["ID"], "main")
            options = ("--variant=minbase", f"--include={PACKAGES}", f"--components={components}")
            try:
                _long(debootstrap, *options, system["VERSION_CODENAME"], directory, mirror())
            finally:
                unmount_below(Path(directory))  # debootstrap leaves /proc behind when it is stopped
            unfinished = tar.with_suffix(".part")
            excluded = [f"--exclude=./{path}" for path in NOT_NEEDED]
            _long("tar", "-C", directory, "--numeric-owner", *excluded, "-cf", str(unfinished), ".")
            unfinished.rename(tar)
    return tar


def wheelhouse(python_version: str) -> Path:
    """The locked packages of the image, for that version of Python, each checked against its hash."""
    directory = cache() / f"wheels-{python_version}"
    # pip leaves what is there and right alone.
    for file in ("all", "build"):
        _long(
            *(sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check"),
            *("--only-binary=:all:", f"--python-version={python_version}", "--no-deps", "--require-hashes"),
            *("-d", str(directory), "-r", str(ROOT / "requirements" / f"{file}.txt")),
        )
    return directory


def _long(*command: str) -> None:
    """Run what may take minutes; on failure the last of what it said is the message."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
    done = subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{(done.stdout + done.stderr)[-4000:]}"
