"""Local files and folders that appear whole or not at all.

A writer fills a hidden temporary (``.NAME.TOKEN.tmp``) beside the target, flushes it to disk and renames it. A reader
sees the old content or the new, never a part. A killed writer leaves at most a temporary, which :func:`sweep` removes.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO

TEMPORARY = ".*.tmp"
"""Pattern of the names of temporaries."""


def flush(path: Path) -> None:
    """Force a file's bytes, or a folder's list of names, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def replace_file(path: Path) -> Iterator[IO[bytes]]:
    """A binary file to write that takes the name ``path`` when the block ends without an error.

    Missing parent folders are made.

    Raises:
        OSError: when the place cannot be written. An older file then stays as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(path)
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        _flush_names(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def replace_folder(target: Path) -> Iterator[Path]:
    """A hidden folder to fill that becomes ``target`` when the block ends without an error; see :func:`put_folder`.

    Missing parent folders are made.

    Raises:
        OSError: when the place cannot be written. An older folder then stays as it was.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = _temporary(target)
    folder.mkdir()
    try:
        yield folder
        put_folder(folder, target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def put_folder(folder: Path, target: Path) -> None:
    """Flush a filled folder to disk and rename it to ``target``, on the same file system.

    An older ``target`` is removed after the new one is in place; when the rename fails, it is put back.
    """
    for path in sorted(folder.rglob("*")):
        flush(path)
    flush(folder)
    if target.exists():
        old = _temporary(target)
        os.rename(target, old)
        try:
            os.rename(folder, target)
        except OSError:
            os.rename(old, target)
            raise
        shutil.rmtree(old, ignore_errors=True)
    else:
        os.rename(folder, target)
    _flush_names(target.parent)


def sweep(folder: Path) -> None:
    """Remove the temporaries that killed writers left in ``folder``. Call it only while nothing else writes there."""
    for path in folder.glob(TEMPORARY):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name[:100]}.{os.urandom(4).hex()}.tmp")


def _flush_names(folder: Path) -> None:
    """Make a rename survive a power cut, where the system lets folders be opened."""
    with contextlib.suppress(PermissionError):
        flush(folder)
