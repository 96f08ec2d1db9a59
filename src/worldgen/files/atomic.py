"""Files and folders of a run that appear whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def flush(path: Path) -> None:
    """Force a file's bytes, or a folder's list of names, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_bytes(path: Path, data: bytes) -> None:
    """Write or replace a file in one step: a reader sees the old content or the new, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(data)
        flush(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    flush(path.parent)


def write_json(path: Path, record: dict) -> None:
    """Write or replace a JSON file in one step."""
    write_bytes(path, (json.dumps(record, indent=1, allow_nan=False) + "\n").encode())


def journalled(path: Path) -> list[dict]:
    """Lines of a journal of JSON objects, [] where there is none; one that was cut off by a kill counts for nothing and is taken out."""
    if not path.is_file():
        return []
    lines = path.read_bytes().splitlines(keepends=True)
    if lines and not lines[-1].endswith(b"\n"):
        write_bytes(path, b"".join(lines[:-1]))
        lines.pop()
    return [json.loads(line) for line in lines]


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """A hidden folder to fill that becomes ``target`` when the block ends well; an older ``target`` is replaced.

    A crash leaves at most a hidden folder, removed by :func:`sweep`.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder
        for path in sorted(folder.rglob("*")):
            flush(path)
        flush(folder)
        old = target.with_name(f".{target.name}.{os.getpid()}.old.tmp")
        if target.exists():
            os.rename(target, old)
        os.rename(folder, target)
        flush(target.parent)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep(folder: Path) -> None:
    """Remove what crashed writers left in ``folder``. Call only while nothing else writes there."""
    for path in folder.glob(".*.tmp"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
