"""Whole files by URL, written all or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator
from typing import BinaryIO

import fsspec
from fsspec.implementations.local import LocalFileSystem

from worldgen.core.errors import InputError

REASONS = {
    errno.ENOSPC: "no space left on the device",
    errno.EDQUOT: "the disk quota is used up",
    errno.EACCES: "permission denied",
    errno.EPERM: "operation not permitted",
    errno.EROFS: "the file system is read-only",
    errno.ENOTDIR: "a part of the path is not a folder",
    errno.EISDIR: "it is a folder",
    errno.ENAMETOOLONG: "the name is too long",
    errno.EEXIST: "a file is in the way",
    errno.ENOENT: "no such file or folder",
}


def resolve(url: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """The file system of a URL and the path on it; a plain path is local.

    Raises: InputError for an unknown protocol.
    """
    try:
        return fsspec.core.url_to_fs(str(url))
    except (ValueError, ImportError) as error:
        raise InputError("URL", str(url), f"a path or a URL that fsspec can open ({error})") from error


def join(url: str, name: str) -> str:
    """The URL of a file in a folder."""
    return f"{str(url).rstrip('/')}/{name}"


@contextlib.contextmanager
def reported(action: str, url: str) -> Iterator[None]:
    """Turn the operating system's refusals (missing, forbidden, full) into one clear line; other errors pass."""
    try:
        yield
    except FileNotFoundError as error:
        raise InputError(f"cannot {action} {url}: no such file or folder") from error
    except OSError as error:
        reason = REASONS.get(error.errno)
        if reason is None and not isinstance(error, PermissionError):
            raise
        raise InputError(f"cannot {action} {url}: {reason or 'permission denied'}") from error


@contextlib.contextmanager
def atomic_file(url: str) -> Iterator[BinaryIO]:
    """A binary file to write; it appears under its name only when the block ends without an error.

    Local files are written beside their final name, flushed to disk and renamed. Elsewhere the bytes are spooled (to
    disk beyond 64 MiB) and put in one go, which object stores make atomic.

    Raises: InputError when the place is full, read-only or not writable.
    """
    fs, path = resolve(url)
    if isinstance(fs, LocalFileSystem):
        with reported("write", url), _local_file(path) as file:
            yield file
        return
    with reported("write", url), tempfile.SpooledTemporaryFile(max_size=64 << 20) as spool:
        yield spool
        spool.seek(0)
        parent = fs._parent(path)
        if parent:
            fs.makedirs(parent, exist_ok=True)
        fs.pipe_file(path, spool.read())


@contextlib.contextmanager
def _local_file(path: str) -> Iterator[BinaryIO]:
    folder = os.path.dirname(path) or "."
    os.makedirs(folder, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{os.path.basename(path)[:100]}.", suffix=".tmp", dir=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)  # mkstemp makes private files; these are ordinary ones
        os.replace(temporary, path)
        _sync_folder(folder)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def _sync_folder(folder: str) -> None:
    """Make a rename survive a power cut, where the system lets folders be opened."""
    with contextlib.suppress(PermissionError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_bytes(url: str, data: bytes) -> None:
    """Write a whole file atomically. Raises: InputError when it cannot be written."""
    with atomic_file(url) as file:
        file.write(data)


def read_bytes(url: str, start: int = 0, end: int | None = None) -> bytes:
    """The bytes ``start:end`` of a file (all by default); only these are fetched.

    Raises: InputError when the file is missing or may not be read.
    """
    fs, path = resolve(url)
    with reported("read", url):
        return fs.cat_file(path, start=start or None, end=end)
