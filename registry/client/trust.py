"""Whom TLS connections trust, and as whom they are made: Docker's certs.d directories.

`DIR/HOST[:PORT]/` holds authorities as *.crt beside the system's own, and pairs *.cert and *.key to sign in with
(Docker documentation, "Verify repository client with certificates").
"""

import ssl
from pathlib import Path

from registry.client.errors import Unreachable

CERTIFICATES = Path("/etc/docker/certs.d")


def context(directory: Path | None, *, verify: bool) -> ssl.SSLContext:
    """Make a TLS context.

    Args:   directory: certs.d's for one host, if there is one; verify: False for insecure registries.
    Raises: Unreachable, naming a file that is missing or cannot be used.
    """
    made = ssl.create_default_context()
    if not verify:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    if directory is None:
        return made
    try:
        names = sorted(path.name for path in directory.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return made
    except OSError as error:
        raise Unreachable(f"{directory} cannot be read: {error.strerror}") from error
    for name in names:
        _load(made, directory / name, names)
    return made


def _load(made: ssl.SSLContext, file: Path, names: list[str]) -> None:
    try:
        if file.suffix == ".crt":
            made.load_verify_locations(cafile=file)
        elif file.suffix == ".cert":
            key = file.with_suffix(".key")
            if key.name not in names:
                raise Unreachable(
                    f"missing key {key.name} for client certificate {file.name}."
                    " CA certificates must use the extension .crt"
                )
            made.load_cert_chain(file, key)
        elif file.suffix == ".key" and file.with_suffix(".cert").name not in names:
            raise Unreachable(f"missing client certificate {file.with_suffix('.cert').name} for key {file.name}")
    except OSError as error:  # ssl.SSLError is one
        raise Unreachable(f"{file} cannot be used: {error}") from error
