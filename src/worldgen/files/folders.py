"""Output folders that appear whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from worldgen.core.errors import InputError, Received

DISK_ERRORS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.EROFS: "the file system is read-only",
    errno.ENOTDIR: "a part of the path is a file",
    errno.EEXIST: "a part of the path is a file",
    errno.ENAMETOOLONG: "the name is too long",
}
MARKER = "meta.json"
"""A folder that holds this file was written by worldgen, so --overwrite may replace it."""


def disk_error(error: OSError, path: str | Path | None = None) -> InputError | None:
    """The one-line form of an operating-system error the user can mend, or None for any other error."""
    reason = DISK_ERRORS.get(error.errno or 0)
    if reason is None:
        return None
    where = error.filename or path or "output"
    return InputError(f"cannot open or write {where}", Received(reason), "a place that can be written, with free space")


@contextlib.contextmanager
def output_folder(url: str | Path, *, overwrite: bool = False) -> Iterator[Path]:
    """A folder to write into that becomes ``url`` when the block ends well, and leaves nothing when it does not.

    Yields a hidden folder beside the target; it is flushed to disk and renamed at the end. A URL of another file system
    (``s3://...``) is filled from a local temporary folder, ``meta.json`` last, so its presence means "complete".

    Raises InputError when the target holds files and ``overwrite`` is not set (or it was not written by worldgen), when
    it cannot be written, or when the disk fills up on the way.
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
        target.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent))
    except OSError as error:
        raise _as_input_error(error, target) from error
    try:
        yield folder
        os.chmod(folder, 0o777 & ~_umask())  # mkdtemp makes it private
        _flush(folder)
        _replace(folder, target)
    except OSError as error:
        raise _as_input_error(error, target) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _refuse_occupied(target: Path, overwrite: bool) -> None:
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise InputError("output folder", str(target), "a folder or a new name; this is a file or a link")
    try:
        names = {entry.name for entry in target.iterdir()} if target.exists() else set()
    except OSError as error:
        raise _as_input_error(error, target) from error
    if names and not overwrite:
        raise InputError(
            "output folder", Received(f"{target}, which is not empty"), "a new or empty folder, or --overwrite"
        )
    if names and MARKER not in names:
        # Replacing deletes what is there; a mistyped path must not cost someone a home folder.
        raise InputError("output folder", Received(f"{target}, which worldgen did not write"), "a new or empty folder")


def _as_input_error(error: OSError, target: Path) -> BaseException:
    if isinstance(error, (BrokenPipeError, FileNotFoundError)):
        return error  # not about the target: a pipe, or a file the caller wanted to read
    return disk_error(error, target) or error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _flush(folder: Path) -> None:
    for path in [*folder.rglob("*"), folder]:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _replace(folder: Path, target: Path) -> None:
    """Rename ``folder`` to ``target``; what stood there goes only after the new one is in place."""
    if not target.exists():
        os.rename(folder, target)
    else:
        old = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".old", dir=target.parent))
        os.rename(target, old / "was")
        try:
            os.rename(folder, target)
        except OSError:
            os.rename(old / "was", target)
            raise
        finally:
            shutil.rmtree(old, ignore_errors=True)
    descriptor = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _remote_folder(url: str, overwrite: bool) -> Iterator[Path]:
    import fsspec

    try:
        filesystem, root = fsspec.core.url_to_fs(url)
    except (ValueError, ImportError) as error:
        raise InputError("output folder", url, f"a URL that fsspec can open ({error})") from error
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
