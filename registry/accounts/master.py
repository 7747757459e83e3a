"""The master key: made at the first start, readable by its owner alone, or given by the settings.

It seals the private halves of the signing keys in the database, so that a copy of the database signs nothing.
"""

import os
from pathlib import Path

from auth.keys import InvalidMasterKey, MasterKey
from registry.accounts.keys import WrongMasterKeyError
from storage import durable

FILE = "master.key"


def load_master_key(directory: Path, given: str | None, *, create: bool) -> MasterKey:
    """Give the master key that the settings hold, or the data directory's.

    Args:   create: make the file where there is none, which is right only while nothing was sealed yet.
    Raises: WrongMasterKeyError with a sentence for the administrator.
    """
    if given is not None:
        return _parsed(given, "secrets.master_key")
    path = directory / FILE
    try:
        return _parsed(path.read_text(encoding="ascii"), str(path))
    except FileNotFoundError:
        if not create:
            raise WrongMasterKeyError(
                f"there is no master key: {path} does not exist, and secrets.master_key is not set. Put the one back"
                " that belongs to this database; if it is lost for good, run `moorage key reset`, which makes new keys"
            ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise WrongMasterKeyError(f"the master key {path} cannot be read: {error}") from None
    return _make(path)


def _make(path: Path) -> MasterKey:
    """Write a new key so that it is there whole or not at all, and survives a power cut."""
    key = MasterKey.generate()
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, key.text.encode("ascii") + b"\n")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    fresh.rename(path)
    durable.sync_directory(path.parent)
    return key


def _parsed(text: str, where: str) -> MasterKey:
    try:
        return MasterKey.parse(text.strip())
    except InvalidMasterKey as error:
        raise WrongMasterKeyError(f"the master key in {where} is not one: {error}") from None
