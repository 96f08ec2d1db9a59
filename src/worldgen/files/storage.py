"""Whole files by URL; they appear complete or not at all. A plain path is a local file."""

from __future__ import annotations

import contextlib
import hashlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import fsspec
from fsspec.implementations.local import LocalFileSystem

from worldgen.core.errors import InputError
from worldgen.files import atomic
from worldgen.files.digest import BLOCK_BYTES
from worldgen.files.system_errors import reported

SPOOL_BYTES = 64 << 20
"""A file for a remote place is held in memory up to this size, then in a temporary file."""


def resolve(url: str | Path) -> tuple[fsspec.AbstractFileSystem, str]:
    """The file system of a URL and the path on it.

    Raises:
        InputError: for an unknown protocol.
    """
    if "\0" in str(url):
        raise InputError("URL", str(url), "a path without null characters")
    try:
        return fsspec.core.url_to_fs(str(url))
    except (ValueError, ImportError, TypeError, LookupError, AttributeError, OSError, RuntimeError) as error:
        raise InputError("URL", str(url), f"a path or a URL that fsspec can open ({error})") from error


def join(url: str, name: str) -> str:
    """The URL of a file in a folder."""
    return f"{str(url).rstrip('/')}/{name}"


@contextlib.contextmanager
def atomic_file(url: str | Path) -> Iterator[IO[bytes]]:
    """A binary file to write; it appears under its name only when the block ends without an error.

    Local files are written as in :func:`worldgen.files.atomic.replace_file`. For other places the bytes are collected
    and put in one call, which object stores make atomic.

    Raises:
        InputError: when the place is full, read-only or not writable.
    """
    fs, path = resolve(url)
    if isinstance(fs, LocalFileSystem):
        with reported("write", str(url)), atomic.replace_file(Path(path)) as file:
            yield file
        return
    with reported("write", str(url)), tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES) as spool:
        yield spool
        spool.seek(0)
        parent = fs._parent(path)
        if parent:
            fs.makedirs(parent, exist_ok=True)
        fs.pipe_file(path, spool.read())


def write_bytes(url: str | Path, data: bytes) -> None:
    """Write or replace a whole file atomically. Raises: InputError when it cannot be written."""
    with atomic_file(url) as file:
        file.write(data)


def write_json(url: str | Path, record: dict) -> None:
    """Write or replace a JSON file atomically, indented by one space. Raises: InputError when it cannot be written."""
    write_bytes(url, (json.dumps(record, indent=1, allow_nan=False) + "\n").encode())


def read_bytes(url: str | Path, start: int = 0, end: int | None = None) -> bytes:
    """The bytes ``start:end`` of a file (all by default); only these are fetched.

    Raises:
        InputError: when the file is missing or may not be read.
    """
    fs, path = resolve(url)
    with reported("read", str(url)):
        return fs.cat_file(path, start=start or None, end=end)


def content_digest(url: str | Path) -> str:
    """BLAKE2b of a file's bytes, 32 hexadecimal digits, as :func:`worldgen.files.digest.file_digest` has it.

    Raises:
        InputError: when the file is missing or may not be read.
    """
    fs, path = resolve(url)
    digest = hashlib.blake2b(digest_size=16)
    with reported("read", str(url)), fs.open(path, "rb") as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def sweep(*urls: str) -> None:
    """Remove what killed writers left in local folders. Remote files are put whole and leave no temporaries.

    Call it only while nothing else writes there.
    """
    for url in urls:
        fs, path = resolve(url)
        if isinstance(fs, LocalFileSystem):
            atomic.sweep(Path(path))


def sweep_dead(*urls: str) -> None:
    """Remove from local folders what writers left whose processes have ended; those that live keep theirs."""
    for url in urls:
        fs, path = resolve(url)
        if isinstance(fs, LocalFileSystem):
            atomic.sweep_dead(Path(path))
