"""Files by URL: whole or absent, and one clear line where the place refuses."""

from __future__ import annotations

import errno
import os

import pytest

from worldgen.core.errors import InputError
from worldgen.files.storage import atomic_file, join, read_bytes, resolve, sweep, write_bytes, write_json


@pytest.fixture(params=["local", "memory"])
def url(request, tmp_path):
    return str(tmp_path / "out") if request.param == "local" else f"memory://storage{tmp_path}"


def test_bytes_come_back_whole_and_in_parts(url):
    write_bytes(join(url, "a.bin"), b"0123456789")
    assert read_bytes(join(url, "a.bin")) == b"0123456789"
    assert read_bytes(join(url, "a.bin"), 2, 5) == b"234" and read_bytes(join(url, "a.bin"), 7) == b"789"


def test_a_failed_write_leaves_the_old_content(url):
    where = join(f"{url}/", "a.bin")
    write_bytes(where, b"old")
    with pytest.raises(RuntimeError), atomic_file(where) as file:
        file.write(b"half")
        raise RuntimeError
    assert read_bytes(where) == b"old"


def test_json_has_one_form_on_disk(tmp_path):
    write_json(tmp_path / "a.json", {"b": [1, 2.5], "a": None})
    assert (tmp_path / "a.json").read_bytes() == b'{\n "b": [\n  1,\n  2.5\n ],\n "a": null\n}\n'
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"b": float("nan")})
    assert b"2.5" in (tmp_path / "a.json").read_bytes()


def test_refusals_are_one_line(url, tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"cannot read .*missing\.bin: no such file or folder"):
        read_bytes(join(url, "missing.bin"))
    with pytest.raises(InputError, match="fsspec can open"):
        resolve("nosuchprotocol://x")
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="a file is in the way"):
        write_bytes(tmp_path / "file" / "a.bin", b"x")

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match=r"cannot write .*a\.bin: no space left on the device"):
        write_bytes(tmp_path / "a.bin", b"x")
    assert not (tmp_path / "a.bin").exists()


def test_only_local_folders_are_swept(url, tmp_path):
    write_bytes(join(url, ".left.x7.tmp"), b"half")
    sweep(url, str(tmp_path / "missing"))
    if url.startswith("memory"):
        assert read_bytes(join(url, ".left.x7.tmp")) == b"half"
    else:
        assert os.listdir(url) == []
