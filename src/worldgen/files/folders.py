"""Output folders of commands: new or replaced on request, and complete or absent.

``meta.json`` of such a folder holds a signature under "folder": who wrote it, of which kind it is, and the names of its
files. Only a folder whose signature names every file in it is ever replaced.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from worldgen.core.english import with_article
from worldgen.core.errors import InputError, Received
from worldgen.files.atomic import (
    exchange,
    flush_folder,
    put_folder,
    put_new_folder,
    replace_folder,
    sweep_beside,
    writer_of,
)
from worldgen.files.output_guard import local_path, refuse_inputs
from worldgen.files.system_errors import disk_error

MARKER = "meta.json"
"""Holds the signature of a folder that worldgen wrote."""
SIGNATURE = "folder"
NEW = "a new or empty folder"
OCCUPIED = f"{NEW}, or overwrite (--overwrite)"


@contextlib.contextmanager
def output_folder(
    url: str | Path, *, kind: str, inputs: Iterable[str | Path] = (), overwrite: bool = False
) -> Iterator[Path]:
    """A folder to write into that becomes ``url`` when the block ends well, and leaves nothing when it does not.

    Yields a hidden folder beside the target; it is flushed to disk and renamed at the end. A URL of another file system
    (``s3://...``) is filled from a local temporary folder, ``meta.json`` last, so its presence means "complete". What
    an earlier, killed run left beside the target is removed.

    Args:
        kind: what is written, such as "clip"; only a folder of the same kind is replaced.
        inputs: files and folders that are read; the target may not be, contain or lie in one of them.
        overwrite: whether a folder that worldgen wrote may be replaced.

    Raises:
        InputError: when the target holds files and ``overwrite`` is not set, or holds files that worldgen did not
            write; when it is an input, the home folder or the current one; when another process writes it now, or wrote
            it meanwhile; when it cannot be written, or when the disk fills up while the block runs.
    """
    url = str(url)
    if not url.strip():
        raise InputError("output folder", url, "a path")
    refuse_inputs(url, inputs)
    path = local_path(url)
    if path is None:
        with _remote_folder(url, kind, overwrite) as folder:
            yield folder
        return
    target = Path(os.path.abspath(path))
    before = _refuse_occupied(target, kind, overwrite)
    try:
        sweep_beside(target)
        if process := writer_of(target):
            raise InputError("output folder", Received(f"{target}, which process {process} writes now"), NEW)

        def put(folder: Path, target: Path) -> None:
            if before is None:
                put_new_folder(folder, target)
            else:
                _exchange(folder, target, kind, before)

        with replace_folder(target, put) as folder:
            yield folder
            _sign(folder, kind)
    except OSError as error:
        if isinstance(error, FileExistsError) and error.filename == str(target):
            raise InputError("output folder", Received(f"{target}, which another run has just written"), NEW) from error
        if clear := _as_input_error(error, target):
            raise clear from error
        raise


def _refuse_occupied(target: Path, kind: str, overwrite: bool) -> int | None:
    """The inode of the folder to replace, None where there is nothing to replace. Raises: InputError."""
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise InputError("output folder", str(target), "a folder or a new name; this is a file or a link")
    if target in (here := Path.cwd(), *here.parents, Path.home(), *Path.home().parents):
        # The folder is replaced by a new one, and a shell would go on working in the old one.
        raise InputError("output folder", str(target), "a folder of its own, not the current or the home folder")
    try:
        names = sorted(entry.name for entry in target.iterdir()) if target.exists() else []
        if not names:
            return None
        if not overwrite:
            raise InputError("output folder", Received(f"{target}, which is not empty"), OCCUPIED)
        marker = target / MARKER
        record = marker.read_bytes() if marker.is_file() else None
        _refuse_foreign(str(target), kind, record, _files_of(target))
        return target.stat().st_ino
    except OSError as error:
        if clear := _as_input_error(error, target):
            raise clear from error
        raise


def _refuse_foreign(where: str, kind: str, record: bytes | None, files: Iterable[str]) -> None:
    """Refuse to replace what worldgen did not write: a mistyped path must not delete other files.

    record: content of ``meta.json``, None without one. files: names relative to the folder. Raises: InputError.
    """
    signature: Any = None
    if record is not None:
        with contextlib.suppress(ValueError, RecursionError):
            value = json.loads(record)
            signature = value.get(SIGNATURE) if isinstance(value, dict) else None
    valid = isinstance(signature, dict) and signature.get("written_by") == "worldgen"
    listed = signature.get("files") if valid else None
    if not isinstance(listed, list):
        lacks = f"without a {MARKER} that lists the files which worldgen wrote"
        raise InputError("output folder", Received(f"{where}, which worldgen did not write ({lacks})"), NEW)
    if signature["kind"] != kind:
        raise InputError(
            "output folder",
            Received(f"{where}, which holds {with_article(str(signature['kind']))}"),
            f"{NEW} for {with_article(kind)}",
        )
    foreign = next((name for name in sorted(files) if name not in listed), None)
    if foreign is not None:
        raise InputError("output folder", Received(f"{where}, with {foreign!r}, which worldgen did not write"), NEW)


def _files_of(folder: Path) -> list[str]:
    """Names of the files in a folder, relative to it; links and empty folders count as files."""
    names = []
    for parent, folders, files in os.walk(folder):
        links = [name for name in folders if os.path.islink(os.path.join(parent, name))]
        if not folders and not files and Path(parent) != folder:
            names.append(Path(parent).relative_to(folder).as_posix())
        names += [(Path(parent) / name).relative_to(folder).as_posix() for name in (*files, *links)]
    return names


def _sign(folder: Path, kind: str) -> None:
    """Add the signature to ``meta.json``."""
    marker = folder / MARKER
    record = json.loads(marker.read_bytes()) if marker.exists() else {}
    files = sorted({*_files_of(folder), MARKER})
    record[SIGNATURE] = {"written_by": "worldgen", "kind": kind, "files": files}
    marker.write_text(json.dumps(record, indent=2, sort_keys=True, ensure_ascii=False) + "\n", "utf-8")


def _exchange(folder: Path, target: Path, kind: str, before: int) -> None:
    """Put ``folder`` in place of the folder that had the inode ``before``, and remove that one.

    What else lies there now was written meanwhile and stays. Raises: FileExistsError when it is another folder,
    InputError when it holds foreign files.
    """
    flush_folder(folder)
    if target.stat().st_ino != before:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    _refuse_foreign(str(target), kind, (target / MARKER).read_bytes(), _files_of(target))
    if not exchange(folder, target):
        put_folder(folder, target)
    elif folder.stat().st_ino == before:
        shutil.rmtree(folder, ignore_errors=True)
    else:  # another run was faster by a moment: its folder goes back
        exchange(folder, target)
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))


def _as_input_error(error: OSError, target: Path) -> InputError | None:
    if isinstance(error, (BrokenPipeError, FileNotFoundError)):
        return None  # not about the target: a pipe, or a file the caller wanted to read
    return disk_error(error, target)


@contextlib.contextmanager
def _remote_folder(url: str, kind: str, overwrite: bool) -> Iterator[Path]:
    from worldgen.files.storage import resolve  # fsspec takes a moment to load; most output folders are local

    filesystem, root = resolve(url)
    root = root.rstrip("/")

    def occupants() -> dict[str, str]:
        """Path of each file by its name relative to the folder."""
        filesystem.invalidate_cache()
        paths = filesystem.find(root) if filesystem.exists(root) else []
        return {str(path)[len(root) :].lstrip("/"): str(path) for path in paths}

    before = occupants()
    if before and not overwrite:
        raise InputError("output folder", Received(f"{url}, which is not empty"), OCCUPIED)
    if before:
        record = filesystem.cat_file(before[MARKER]) if MARKER in before else None
        _refuse_foreign(url, kind, record, before)
    with tempfile.TemporaryDirectory(prefix="worldgen-") as local:
        folder = Path(local)
        yield folder
        _sign(folder, kind)
        if set(occupants()) != set(before):
            raise InputError("output folder", Received(f"{url}, which another run has just written"), NEW)
        # The marker goes first and comes last, so that its presence means "complete".
        for name in sorted(before, key=lambda name: name != MARKER):
            filesystem.rm_file(before[name])
        files = sorted((path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.name == MARKER)
        for path in files:
            name = f"{root}/{path.relative_to(folder).as_posix()}"
            filesystem.makedirs(name.rsplit("/", 1)[0], exist_ok=True)
            filesystem.put_file(str(path), name)
