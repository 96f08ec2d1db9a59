"""A disk that refuses the n-th access of a writer, or every file beyond a size: does anything half written stay?

Opening, making folders, renaming and linking are intercepted by an audit hook of the interpreter, so that every library
that goes through Python is covered. Flushing is intercepted by name. Limits of size are the operating system's own
(RLIMIT_FSIZE), which also stops what C++ and Rust libraries write.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import resource
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from worldgen.core.errors import InputError
from worldgen.files.atomic import TEMPORARY

RENAMES = ("os.rename", "os.link", "os.symlink")
WRITE_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


@dataclass
class FaultyDisk:
    """Counts the write accesses below ``folder`` and refuses one of them.

    fail_at: number of the access that is refused, from 0; None refuses none. seen: what was accessed, in order.
    """

    folder: Path
    fail_at: int | None = None
    error: int = errno.ENOSPC
    seen: list[str] = field(default_factory=list)

    def access(self, kind: str, path: object) -> None:
        name = os.fsdecode(path) if isinstance(path, (str, bytes, os.PathLike)) else ""
        if not name.startswith(str(self.folder)):
            return
        self.seen.append(f"{kind} {name}")
        if len(self.seen) - 1 == self.fail_at:
            raise OSError(self.error, os.strerror(self.error), name)


_active: list[FaultyDisk] = []
_real_fsync = os.fsync


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if not _active:
        return
    if event == "open":
        path, mode, flags = arguments
        if (isinstance(mode, str) and set(mode) & set("wax+")) or (mode is None and (flags or 0) & WRITE_FLAGS):
            _active[-1].access("open", path)
    elif event == "os.mkdir":
        _active[-1].access("mkdir", arguments[0])
    elif event in RENAMES:
        _active[-1].access("rename", arguments[1])


def _fsync(descriptor: int) -> None:
    if _active:
        _active[-1].access("fsync", os.readlink(f"/proc/self/fd/{descriptor}"))
    _real_fsync(descriptor)


_installed: list[bool] = []


@contextlib.contextmanager
def refusing(disk: FaultyDisk) -> Iterator[FaultyDisk]:
    """Let ``disk`` watch all accesses of this process in the block."""
    if not _installed:
        sys.addaudithook(_hook)  # stays for the life of the process; idle outside of the block
        _installed.append(True)
    os.fsync = _fsync
    _active.append(disk)
    try:
        yield disk
    finally:
        _active.pop()
        os.fsync = _real_fsync


@contextlib.contextmanager
def limited_file_size(count: int) -> Iterator[None]:
    """No file grows beyond so many bytes in the block: the system answers with EFBIG."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (count, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@dataclass(frozen=True)
class FaultCounts:
    """What became of the faults: the writer refused, or ended well although one access failed."""

    refused: int
    ended_well: int
    accesses: int


def inject_faults(
    write: Callable[[Path], object], check: Callable[[Path], None], new_folder: Callable[[], Path], *,
    errors: tuple[int, ...] = (errno.ENOSPC, errno.EIO), sizes: tuple[int, ...] = (0, 50, 700, 5000), every: int = 1,
) -> FaultCounts:  # fmt: skip
    """Refuse every access of a writer in turn, then every size, and look at what is left each time.

    write: writes into a folder, which may hold files; it raises InputError or OSError. check: fails for a state that a
    reader cannot use, called after each fault and after a last run without one. new_folder: a folder as it is before.
    every: refuse only each n-th access, for slow writers.
    """
    folder = new_folder()
    with refusing(FaultyDisk(folder)) as whole:
        write(folder)
    check(folder)
    count, refused, well = len(whole.seen), 0, 0
    assert count > 0, "the writer writes nothing below its folder"
    cases: list[tuple[str, Callable[[Path], contextlib.AbstractContextManager[Any]]]] = []
    for error, number in itertools.product(errors, range(0, count, every)):
        name = f"access {number} of {count} ({whole.seen[number]}), error {errno.errorcode[error]}"
        cases.append((name, lambda place, number=number, error=error: refusing(FaultyDisk(place, number, error))))
    for size in sizes:
        cases.append((f"files of at most {size} bytes", lambda place, size=size: limited_file_size(size)))
    for name, faulty in cases:
        folder = new_folder()
        before = {path.name for path in folder.parent.iterdir()}
        try:
            with faulty(folder):
                write(folder)
            well += 1
        except (InputError, OSError) as error:
            refused += 1
            assert isinstance(error, OSError) or "\n" not in str(error), (name, error)
        assert not left_over(folder), (name, left_over(folder))
        assert {path.name for path in folder.parent.iterdir()} - before <= {folder.name}, name
        try:
            check(folder)
            write(folder)
            check(folder)
        except Exception as error:
            raise AssertionError(f"after {name}: {error!r}") from error
    return FaultCounts(refused, well, count)


def left_over(folder: Path) -> list[str]:
    """Temporaries below a folder and beside it."""
    places = [*folder.rglob("*"), *folder.parent.glob(f".{folder.name}*")]
    return [str(path) for path in places if TEMPORARY.fullmatch(path.name) or path.name.endswith((".tmp", ".old"))]
