"""Refusals of the operating system become one line; defects stay what they are."""

from __future__ import annotations

import errno
import os

import pytest

from worldgen.core.errors import InputError
from worldgen.files.system_errors import REASONS, disk_error, reason, reported


@pytest.mark.parametrize("number", REASONS)
def test_every_known_refusal_has_words(number):
    error = OSError(number, os.strerror(number))
    assert reason(error) == REASONS[number]
    with pytest.raises(InputError, match=rf"^cannot read s3://a/b: {REASONS[number]}$"), reported("read", "s3://a/b"):
        raise error


def test_file_systems_by_url_raise_without_numbers():
    assert reason(FileNotFoundError("bucket/a")) == "no such file or folder"
    assert reason(PermissionError("bucket/a")) == "permission denied"
    assert reason(TimeoutError("slow")) is None


def test_other_errors_pass():
    with pytest.raises(OSError, match="odd"), reported("read", "a"):
        raise OSError(errno.EBADF, "odd")
    with pytest.raises(ValueError, match="a defect"), reported("read", "a"):
        raise ValueError("a defect")


def test_only_what_the_user_can_mend_anywhere_is_a_disk_error():
    error = disk_error(OSError(errno.ENOSPC, "full", "some/file"))
    assert str(error).startswith("cannot open or write some/file: received no space left on the device")
    assert "out" in str(disk_error(OSError(errno.EROFS, "read-only"), "out"))
    for number in (errno.ENOENT, errno.EISDIR, errno.EBADF):
        assert disk_error(OSError(number, "a defect")) is None
    assert disk_error(OSError("without a number")) is None
