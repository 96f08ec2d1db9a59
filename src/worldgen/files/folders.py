"""Output folders of commands: new or replaced on request, and complete or absent."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from worldgen.core.errors import InputError, Received
from worldgen.files.atomic import replace_folder
from worldgen.files.system_errors import disk_error

MARKER = "meta.json"
"""A folder that holds this file was written by worldgen, so --overwrite may replace it."""


@contextlib.contextmanager
def output_folder(url: str | Path, *, overwrite: bool = False) -> Iterator[Path]:
    """A folder to write into that becomes ``url`` when the block ends well, and leaves nothing when it does not.

    Yields a hidden folder beside the target; it is flushed to disk and renamed at the end. A URL of another file system
    (``s3://...``) is filled from a local temporary folder, ``meta.json`` last, so its presence means "complete".

    Raises:
        InputError: when the target holds files and ``overwrite`` is not set (or it was not written by worldgen), when
            it cannot be written, or when the disk fills up while the block runs.
    """
    url = str(url)
    if not url.strip():
        raise InputError("output folder", url, "a path")
    if "://" in url and not url.startswith("file://"):
        with _remote_folder(url, overwrite) as folder:
            yield folder
        return
    target = Path(os.path.abspath(os.path.expanduser(url.removeprefix("file://"))))
    _refuse_occupied(target, overwrite)
    try:
        with replace_folder(target) as folder:
            yield folder
    except OSError as error:
        if clear := _as_input_error(error, target):
            raise clear from error
        raise


def _refuse_occupied(target: Path, overwrite: bool) -> None:
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise InputError("output folder", str(target), "a folder or a new name; this is a file or a link")
    try:
        names = {entry.name for entry in target.iterdir()} if target.exists() else set()
    except OSError as error:
        if clear := _as_input_error(error, target):
            raise clear from error
        raise
    if names and not overwrite:
        raise InputError(
            "output folder", Received(f"{target}, which is not empty"), "a new or empty folder, or --overwrite"
        )
    if names and MARKER not in names:
        # Replacing deletes the folder, so a mistyped path must not reach a folder with other files.
        raise InputError("output folder", Received(f"{target}, which worldgen did not write"), "a new or empty folder")


def _as_input_error(error: OSError, target: Path) -> InputError | None:
    if isinstance(error, (BrokenPipeError, FileNotFoundError)):
        return None  # not about the target: a pipe, or a file the caller wanted to read
    return disk_error(error, target)


@contextlib.contextmanager
def _remote_folder(url: str, overwrite: bool) -> Iterator[Path]:
    from worldgen.files.storage import resolve  # fsspec takes a moment to load; most output folders are local

    filesystem, root = resolve(url)
    root = root.rstrip("/")
    names = (
        {name.rsplit("/", 1)[-1] for name in filesystem.ls(root, detail=False)} if filesystem.exists(root) else set()
    )
    if names and not (overwrite and MARKER in names):
        raise InputError(
            "output folder",
            Received(f"{url}, which is not empty"),
            "a new or empty folder, or --overwrite for one that worldgen wrote",
        )
    with tempfile.TemporaryDirectory(prefix="worldgen-") as local:
        folder = Path(local)
        yield folder
        if names:
            filesystem.rm(root, recursive=True)
        files = sorted((path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.name == MARKER)
        for path in files:
            name = f"{root}/{path.relative_to(folder).as_posix()}"
            filesystem.makedirs(name.rsplit("/", 1)[0], exist_ok=True)
            filesystem.put_file(str(path), name)
