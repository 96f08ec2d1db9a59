"""Files and folders appear whole or not at all, and what a killed writer leaves is swept."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from worldgen.files import atomic
from worldgen.files.atomic import (
    put_folder,
    put_new_folder,
    replace_file,
    replace_folder,
    sweep,
    sweep_beside,
    sweep_dead,
    writer_of,
)


def umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_a_file_appears_when_the_block_ends(tmp_path):
    target = tmp_path / "deep" / "a.bin"
    with replace_file(target) as file:
        file.write(b"whole")
        assert not target.exists()
    assert target.read_bytes() == b"whole" and os.listdir(target.parent) == ["a.bin"]
    assert target.stat().st_mode & 0o777 == 0o666 & ~umask()


@pytest.mark.parametrize("error", [RuntimeError("broken"), KeyboardInterrupt(), OSError(errno.ENOSPC, "full")])
def test_a_failed_write_keeps_the_old_file(tmp_path, error):
    (tmp_path / "a.bin").write_bytes(b"old")
    with pytest.raises(type(error)), replace_file(tmp_path / "a.bin") as file:
        file.write(b"half")
        raise error
    assert (tmp_path / "a.bin").read_bytes() == b"old" and os.listdir(tmp_path) == ["a.bin"]


def test_the_bytes_are_on_disk_before_the_name(tmp_path, monkeypatch):
    calls = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda descriptor: (calls.append("fsync"), fsync(descriptor)))
    monkeypatch.setattr(os, "replace", lambda a, b: (calls.append("replace"), replace(a, b)))
    with replace_file(tmp_path / "a.bin") as file:
        file.write(b"x")
    assert calls == ["fsync", "replace", "fsync"]  # the file, its new name, the folder that holds the name


def test_a_folder_replaces_an_older_one(tmp_path):
    target = tmp_path / "deep" / "run"
    for text in ("old", "new"):
        with replace_folder(target) as folder:
            (folder / "part").mkdir()
            (folder / "part" / f"{text}.txt").write_text(text)
    assert [path.name for path in target.rglob("*.txt")] == ["new.txt"] and os.listdir(target.parent) == ["run"]
    assert target.stat().st_mode & 0o777 == 0o777 & ~umask()


def test_a_failed_folder_keeps_the_old_one(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "old.txt").write_text("old")
    with pytest.raises(RuntimeError), replace_folder(tmp_path / "run") as folder:
        (folder / "half.txt").write_text("half")
        raise RuntimeError
    assert (tmp_path / "run" / "old.txt").read_text() == "old" and os.listdir(tmp_path) == ["run"]


def test_a_rename_that_fails_puts_the_old_folder_back(tmp_path, monkeypatch):
    for name in ("run", "filled"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "name.txt").write_text(name)
    rename = os.rename

    def refuse(source, target):
        if Path(source).name == "filled":
            raise OSError(errno.EIO, "broken disk")
        rename(source, target)

    monkeypatch.setattr(os, "rename", refuse)
    monkeypatch.setattr(atomic, "exchange", lambda one, other: False)  # as where the system cannot swap names
    with pytest.raises(OSError, match="broken disk"):
        put_folder(tmp_path / "filled", tmp_path / "run")
    assert (tmp_path / "run" / "name.txt").read_text() == "run"
    assert sorted(os.listdir(tmp_path)) == ["filled", "run"]


def test_what_a_killed_writer_leaves_is_swept(tmp_path):
    code = (
        "import os, signal, sys; from pathlib import Path; from worldgen.files.atomic import *\n"
        "folder = Path(sys.argv[1])\n"
        "with replace_file(folder / 'a.bin') as file, replace_folder(folder / 'run'):\n"
        "    file.write(b'half'); file.flush(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    (tmp_path / "kept.tmp").write_text("not hidden: somebody else's")
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False).returncode == -signal.SIGKILL
    assert len(os.listdir(tmp_path)) == 3 and not (tmp_path / "a.bin").exists() and not (tmp_path / "run").exists()
    sweep(tmp_path)
    assert os.listdir(tmp_path) == ["kept.tmp"]
    sweep(tmp_path / "missing")


def test_of_two_writers_of_a_new_folder_the_second_is_refused(tmp_path):
    for name in ("one", "two", "empty"):
        (tmp_path / name).mkdir()
    (tmp_path / "one" / "a.txt").write_text("first")
    (tmp_path / "two" / "a.txt").write_text("second")
    put_new_folder(tmp_path / "one", tmp_path / "empty")  # an empty folder may be taken
    with pytest.raises(FileExistsError):
        put_new_folder(tmp_path / "two", tmp_path / "empty")
    assert (tmp_path / "empty" / "a.txt").read_text() == "first" and (tmp_path / "two" / "a.txt").exists()


@pytest.mark.parametrize("swaps", [True, False])
def test_a_folder_is_replaced_with_and_without_a_swap_of_names(tmp_path, monkeypatch, swaps):
    if not swaps:
        monkeypatch.setattr(atomic, "exchange", lambda one, other: False)
    for name in ("run", "filled"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "name.txt").write_text(name)
    put_folder(tmp_path / "filled", tmp_path / "run")
    assert (tmp_path / "run" / "name.txt").read_text() == "filled" and os.listdir(tmp_path) == ["run"]


def test_an_error_leaves_no_empty_parents(tmp_path):
    with pytest.raises(RuntimeError), replace_folder(tmp_path / "a" / "b" / "run"):
        raise RuntimeError
    assert os.listdir(tmp_path) == []


HOLD = """
import os, sys, time
from pathlib import Path
from worldgen.files.atomic import replace_file, replace_folder
with replace_folder(Path(sys.argv[1])) as folder, replace_file(Path(sys.argv[1] + ".bin")):
    print(os.getpid(), flush=True)
    time.sleep(600)
"""


def test_only_what_the_dead_left_is_removed(tmp_path):
    target = tmp_path / "run"
    with subprocess.Popen([sys.executable, "-c", HOLD, str(target)], stdout=subprocess.PIPE, text=True) as process:
        pid = int(process.stdout.readline())
        before = sorted(os.listdir(tmp_path))
        assert len(before) == 2 and writer_of(target) == pid
        for clean in (lambda: sweep_beside(target), lambda: sweep_dead(tmp_path), lambda: sweep(tmp_path)):
            clean()
            assert sorted(os.listdir(tmp_path)) == before
        process.kill()
    assert writer_of(target) is None and len(os.listdir(tmp_path)) == 2
    sweep_beside(target)
    assert [name.startswith(".run.bin.") for name in os.listdir(tmp_path)] == [True]  # that of another target
    sweep_dead(tmp_path)
    assert os.listdir(tmp_path) == []


def test_what_does_not_say_who_wrote_it_is_removed_after_a_day(tmp_path):
    (tmp_path / ".run.0a1b2c3d.tmp").mkdir()  # as an earlier version called it
    (tmp_path / ".run.notes.tmp").write_text("mine")
    sweep_dead(tmp_path)
    sweep_beside(tmp_path / "run")
    assert len(os.listdir(tmp_path)) == 2
    os.utime(tmp_path / ".run.0a1b2c3d.tmp", (0, 0))
    os.utime(tmp_path / ".run.notes.tmp", (0, 0))
    sweep_beside(tmp_path / "run")
    assert os.listdir(tmp_path) == [".run.notes.tmp"]
