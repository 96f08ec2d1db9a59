"""Refusals of the operating system (disk full, no permission, no such file) as one clear line."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

from worldgen.core.errors import InputError, Received

REASONS = {
    errno.ENOSPC: "no space left on the device",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "larger than a file may be here",
    errno.EIO: "the device reports an error",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.EROFS: "the file system is read-only",
    errno.ENOTDIR: "a part of the path is a file",
    errno.EISDIR: "it is a folder",
    errno.EEXIST: "a file is in the way",
    errno.ENAMETOOLONG: "the name is too long",
    errno.ENOENT: "no such file or folder",
}
MAYBE_DEFECTS = {errno.EISDIR, errno.ENOENT}
"""Errors that the user mends only when the path came from the user. Elsewhere they are defects of worldgen."""


def reason(error: OSError) -> str | None:
    """A few words for an error of the operating system; None when it has no entry in ``REASONS``."""
    if isinstance(error, FileNotFoundError):  # file systems by URL raise it without a number
        return REASONS[errno.ENOENT]
    if error.errno is None:
        return REASONS[errno.EACCES] if isinstance(error, PermissionError) else None
    return REASONS.get(error.errno)


def disk_error(error: OSError, path: str | Path | None = None) -> InputError | None:
    """The one-line form of an error that the user can mend, wherever it was raised; None for any other error.

    path: what was written, used when the error itself names no file.
    """
    if error.errno is None or error.errno in MAYBE_DEFECTS or error.errno not in REASONS:
        return None
    where = error.filename or path or "output"
    return InputError(
        f"cannot open or write {where}", Received(REASONS[error.errno]), "a place that can be written, with free space"
    )


@contextlib.contextmanager
def reported(action: str, url: str) -> Iterator[None]:
    """Run a block that accesses the file ``url`` of the user.

    action: a verb for the message, e.g. "read".

    Raises:
        InputError: in place of an OSError that has an entry in ``REASONS``. Other errors pass.
    """
    try:
        yield
    except OSError as error:
        words = reason(error)
        if words is None and "://" in url:  # clients of remote places have errors of their own
            words = str(error) or type(error).__name__
        if words is None:
            raise
        raise InputError(f"cannot {action} {url}: {words}") from error
    except NotImplementedError as error:
        raise InputError(f"cannot {action} {url}: this kind of URL does not allow it") from error
