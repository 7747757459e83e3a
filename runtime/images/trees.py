"""Removing a directory tree that strangers made: of any depth, full of links, in constant memory and descriptors.

A tree may be deeper than Python recurses and than a path may be long (containers make such trees on purpose). So a
directory that is not empty is first moved to the top, where its name is short, and then emptied there.
"""

import os

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove_tree(path: str | os.PathLike[str]) -> None:
    """Remove a directory and all below it, or a file; links are removed, never followed. Nothing there: nothing done.

    Raises: OSError, among them where something is mounted below.
    """
    try:
        top = os.open(path, _DIRECTORY)
    except FileNotFoundError:
        return
    except NotADirectoryError:
        os.unlink(path)  # noqa: PTH108  # pathlib is not imported: the process that unpacks layers uses this too
        return
    try:
        waiting = _empty(top, top)
        while waiting:
            name = waiting.pop()
            directory = os.open(name, _DIRECTORY, dir_fd=top)
            try:
                waiting += _empty(directory, top)
            finally:
                os.close(directory)
            os.rmdir(name, dir_fd=top)
    finally:
        os.close(top)
    os.rmdir(path)  # noqa: PTH106


def _empty(directory: int, top: int) -> list[str]:
    """Remove what is in a directory, but move directories that are not empty to the top; returns their names there."""
    moved = []
    with os.scandir(directory) as entries:
        names = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for name, is_directory in names:
        if not is_directory:
            os.unlink(name, dir_fd=directory)
            continue
        try:
            os.rmdir(name, dir_fd=directory)
        except OSError:
            if directory == top:
                moved.append(name)
                continue
            fresh = os.urandom(8).hex()
            os.rename(name, fresh, src_dir_fd=directory, dst_dir_fd=top)
            moved.append(fresh)
    return moved
