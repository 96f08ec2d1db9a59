"""Local files and folders that appear whole or not at all.

A writer fills a hidden temporary (``.NAME.MACHINE-PID-START-TOKEN.tmp``) beside the target, flushes it to disk and
renames it. A reader sees the old content or the new, never a part. A killed writer leaves at most a temporary, whose
name says who wrote it: :func:`sweep` and :func:`sweep_beside` remove those of processes that have ended.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from worldgen.files.processes import machine_code, started

TEMPORARY = re.compile(r"\.(?P<name>.+)\.(?P<machine>[0-9a-f]{8})-(?P<pid>\d+)-(?P<start>\w*)-[0-9a-f]{8}\.tmp")
"""Names of temporaries."""
UNSIGNED = ".*.tmp"
"""Pattern of all names of temporaries, also those of earlier versions, which do not say who wrote them."""
ABANDONED_S = 86_400.0
"""A temporary of another machine, or one that does not say who wrote it, counts as abandoned after so many seconds."""
RENAME_EXCHANGE = 2
"""Flag of renameat2: swap two names in one step. Source: man 2 renameat2, linux/fs.h."""
AT_FDCWD = -100


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
def replace_folder(target: Path, put: Callable[[Path, Path], None] | None = None) -> Iterator[Path]:
    """A hidden folder to fill that becomes ``target`` when the block ends without an error; see :func:`put_folder`.

    put: what gives the filled folder its name, :func:`put_folder` by default. Missing parent folders are made; those
    that stay empty because of an error are removed again.

    Raises:
        OSError: when the place cannot be written. An older folder then stays as it was.
    """
    missing = [parent for parent in target.parents if not parent.exists()]
    folder = _temporary(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir()
        yield folder
        (put or put_folder)(folder, target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        with contextlib.suppress(OSError):  # not empty
            for parent in missing:
                parent.rmdir()


def put_folder(folder: Path, target: Path) -> None:
    """Flush a filled folder to disk and rename it to ``target``, on the same file system.

    An older ``target`` is removed after the new one is in place; when the rename fails, it stays.
    """
    flush_folder(folder)
    if not os.path.lexists(target):
        os.rename(folder, target)
    elif exchange(folder, target):
        shutil.rmtree(folder, ignore_errors=True)
    else:
        # Not called .tmp: after a kill between the two renames it is the only copy, which no sweep may remove.
        old = target.with_name(f".{target.name[:100]}.{os.urandom(4).hex()}.old")
        os.rename(target, old)
        try:
            os.rename(folder, target)
        except OSError:
            os.rename(old, target)
            raise
        shutil.rmtree(old, ignore_errors=True)
    _flush_names(target.parent)


def put_new_folder(folder: Path, target: Path) -> None:
    """Flush a filled folder to disk and rename it to ``target``, which must be absent or an empty folder.

    The rename decides, in one step: of two writers, one gets the name. Source: rename(2), POSIX.1-2017: a folder
    replaces an empty folder only.

    Raises:
        FileExistsError: when something has taken the name meanwhile.
        OSError: when the place cannot be written.
    """
    flush_folder(folder)
    try:
        if os.name == "nt" and target.is_dir():
            target.rmdir()  # Windows renames to absent names only
        os.rename(folder, target)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from error
        raise
    _flush_names(target.parent)


def exchange(one: Path, other: Path) -> bool:
    """Swap the names of two files or folders in one step; False where the system cannot do that."""
    renameat2 = _renameat2()
    if renameat2 is None:
        return False
    return renameat2(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE) == 0


def flush_folder(folder: Path) -> None:
    """Force all files of a folder, and their names, to disk."""
    for path in sorted(folder.rglob("*")):
        flush(path)
    flush(folder)


def sweep(folder: Path) -> None:
    """Remove the temporaries that killed writers left in ``folder``.

    Call it only by the holder of the folder's lock: then temporaries that do not say who wrote them are abandoned.
    """
    for path in folder.glob(UNSIGNED):
        if _writer_lives(path) is not True:
            _remove(path)


def sweep_dead(folder: Path) -> None:
    """Remove the temporaries in ``folder`` whose writers, processes of this machine, have ended."""
    for path in folder.glob(UNSIGNED):
        if _writer_lives(path) is False:
            _remove(path)


def sweep_beside(target: Path) -> None:
    """Remove the temporaries that killed writers of the file or folder ``target`` left beside it."""
    for path in _temporaries(target):
        lives = _writer_lives(path)
        if lives is False or (lives is None and _age_s(path) > ABANDONED_S):
            _remove(path)


def writer_of(target: Path) -> int | None:
    """Id of a living process of this machine that writes ``target`` now, None without one."""
    for path in _temporaries(target):
        if _writer_lives(path) is True and (signed := TEMPORARY.fullmatch(path.name)):
            return int(signed["pid"])
    return None


def _temporaries(target: Path) -> Iterator[Path]:
    """The temporaries of ``target``: of this version, and of earlier versions."""
    name = re.escape(target.name[:100])
    pattern = re.compile(rf"\.{name}\.([0-9a-f]{{8}}-\d+-\w*-)?[0-9a-f]{{8}}\.tmp")
    with contextlib.suppress(OSError):
        yield from [path for path in target.parent.iterdir() if pattern.fullmatch(path.name)]


def _writer_lives(temporary: Path) -> bool | None:
    """Whether the process that writes a temporary lives; None when that cannot be known here."""
    signed = TEMPORARY.fullmatch(temporary.name)
    if signed is None or signed["machine"] != machine_code():
        return None
    now = started(int(signed["pid"]))
    return bool(now) and now == signed["start"]


def _age_s(path: Path) -> float:
    with contextlib.suppress(OSError):
        return time.time() - path.stat().st_mtime
    return 0.0


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _temporary(path: Path) -> Path:
    writer = f"{machine_code()}-{os.getpid()}-{started(os.getpid())}"
    return path.with_name(f".{path.name[:100]}.{writer}-{os.urandom(4).hex()}.tmp")


@functools.cache
def _renameat2() -> Callable[..., int] | None:
    if not sys.platform.startswith("linux"):
        return None
    function = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if function is not None:
        function.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint]
    return function


def _flush_names(folder: Path) -> None:
    """Make a rename survive a power cut, where the system lets folders be opened."""
    with contextlib.suppress(PermissionError):
        flush(folder)
