from __future__ import annotations

import errno
import os
from functools import partial

import pytest

from worldgen.core.errors import InputError
from worldgen.files import folders

output_folder = partial(folders.output_folder, kind="clip")


def _fill(folder, text="new"):
    (folder / "part").mkdir()
    (folder / "part" / "a.txt").write_text(text)
    (folder / "meta.json").write_text("{}")


def test_appears_whole_at_the_end(tmp_path):
    target = tmp_path / "deep" / "out"
    with output_folder(target) as folder:
        _fill(folder)
        assert not target.exists()
    assert (target / "part" / "a.txt").read_text() == "new"
    assert os.listdir(target.parent) == ["out"]
    assert target.stat().st_mode & 0o777 == 0o777 & ~_umask()


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.parametrize("error", [RuntimeError("broken"), KeyboardInterrupt(), InputError("bad")])
def test_a_failure_leaves_nothing(tmp_path, error):
    with pytest.raises(type(error)), output_folder(tmp_path / "out") as folder:
        _fill(folder)
        raise error
    assert os.listdir(tmp_path) == []


def test_files_in_the_way_are_refused_and_replaced_on_request(tmp_path):
    target = tmp_path / "out"
    with output_folder(target) as folder:
        _fill(folder, "old")
    with pytest.raises(InputError, match="--overwrite"), output_folder(target):
        raise AssertionError("must not start")
    with pytest.raises(RuntimeError), output_folder(target, overwrite=True) as folder:
        raise RuntimeError
    assert (target / "part" / "a.txt").read_text() == "old"
    with output_folder(target, overwrite=True) as folder:
        _fill(folder, "new")
    assert (target / "part" / "a.txt").read_text() == "new" and os.listdir(tmp_path) == ["out"]


def test_an_empty_folder_is_used_and_a_strange_one_never_replaced(tmp_path):
    (tmp_path / "empty").mkdir()
    with output_folder(tmp_path / "empty") as folder:
        _fill(folder)
    assert (tmp_path / "empty" / "meta.json").exists()
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.txt").write_text("years")
    with pytest.raises(InputError, match="did not write"), output_folder(tmp_path / "home", overwrite=True):
        raise AssertionError("must not start")
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="file or a link"), output_folder(tmp_path / "file"):
        raise AssertionError("must not start")
    with pytest.raises(InputError, match="a file is in the way"), output_folder(tmp_path / "file" / "out"):
        raise AssertionError("must not start")
    assert sorted(os.listdir(tmp_path)) == ["empty", "file", "home"]


def test_a_disk_that_fills_up_is_one_line_and_leaves_nothing(tmp_path):
    with pytest.raises(InputError, match="no space left on the device"), output_folder(tmp_path / "out") as folder:
        (folder / "clip.mp4").write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert os.listdir(tmp_path) == []


def test_an_unwritable_place_is_one_line(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied", str(tmp_path))

    monkeypatch.setattr(os, "mkdir", refuse)  # root may write anywhere, so chmod proves nothing
    with pytest.raises(InputError, match="permission denied"), output_folder(tmp_path / "out"):
        raise AssertionError("must not start")


def test_a_real_full_disk(tmp_path):
    if not os.path.exists("/dev/full"):
        pytest.skip("needs /dev/full")
    with (
        pytest.raises(InputError, match="no space left on the device"),
        output_folder(tmp_path / "out"),
        open("/dev/full", "w") as full,
    ):
        full.write("x" * 100_000)
    assert os.listdir(tmp_path) == []


def test_other_file_systems_by_url():
    import fsspec

    url = "memory://bucket/clip-1"
    with output_folder(url) as folder:
        _fill(folder, "old")
    with pytest.raises(InputError, match="--overwrite"), output_folder(url):
        raise AssertionError("must not start")
    with output_folder(url, overwrite=True) as folder:
        _fill(folder, "new")
    memory = fsspec.filesystem("memory")
    assert memory.cat("/bucket/clip-1/part/a.txt") == b"new" and memory.exists("/bucket/clip-1/meta.json")
    memory.rm("/bucket", recursive=True)
    with pytest.raises(InputError, match="fsspec"), output_folder("nosuchprotocol://x"):
        raise AssertionError("must not start")


@pytest.mark.parametrize(
    ("meta", "words"),
    [
        ("{}", "did not write"),
        ("[1]", "did not write"),
        ("no JSON", "did not write"),
        ('{"folder": {"written_by": "worldgen", "kind": "page", "files": ["meta.json", "a.txt"]}}', "holds a page"),
        ('{"folder": {"written_by": "worldgen", "kind": "clip", "files": ["meta.json"]}}', "with 'a.txt'"),
    ],
)
def test_only_what_the_signature_names_is_replaced(tmp_path, meta, words):
    target = tmp_path / "out"
    target.mkdir()
    (target / "meta.json").write_text(meta)
    (target / "a.txt").write_text("mine")
    with pytest.raises(InputError, match=words), output_folder(target, overwrite=True):
        raise AssertionError("must not start")
    assert sorted(os.listdir(target)) == ["a.txt", "meta.json"]


@pytest.mark.parametrize("foreign", ["part/b.txt", "empty/", "link"])
def test_a_file_added_to_a_folder_is_named_and_kept(tmp_path, foreign):
    target = tmp_path / "out"
    with output_folder(target) as folder:
        _fill(folder)
    if foreign == "empty/":
        (target / "empty").mkdir()
    elif foreign == "link":
        (target / "link").symlink_to(tmp_path)
    else:
        (target / foreign).write_text("mine")
    with pytest.raises(InputError, match=foreign.strip("/")), output_folder(target, overwrite=True):
        raise AssertionError("must not start")
    assert (target / foreign.strip("/")).exists()


@pytest.mark.parametrize("moment", ["new", "replaced", "foreign"])
def test_what_appears_meanwhile_is_kept(tmp_path, moment):
    target = tmp_path / "out"
    if moment != "new":
        with output_folder(target) as folder:
            _fill(folder, "old")
    with pytest.raises(InputError), output_folder(target, overwrite=moment != "new") as folder:
        _fill(folder, "second")
        if moment == "foreign":
            (target / "thesis.txt").write_text("years")
        else:
            os.rename(target, tmp_path / "aside") if moment == "replaced" else None
            target.mkdir()
            (target / "first.txt").write_text("first")
    assert (target / ("thesis.txt" if moment == "foreign" else "first.txt")).exists()
    assert not list(tmp_path.glob(".*"))


def test_the_current_and_the_home_folder_are_never_replaced(tmp_path, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(tmp_path)
    for place in (".", "..", "/", "~", str(home), f"file://{tmp_path}"):
        with pytest.raises(InputError, match="a folder of its own"), output_folder(place, overwrite=True):
            raise AssertionError("must not start")


def test_a_remote_folder_keeps_foreign_files():
    import fsspec

    url, memory = "memory://bucket2/clip", fsspec.filesystem("memory")
    with output_folder(url) as folder:
        _fill(folder)
    memory.pipe_file("/bucket2/clip/notes.txt", b"mine")
    with pytest.raises(InputError, match=r"notes\.txt"), output_folder(url, overwrite=True):
        raise AssertionError("must not start")
    memory.rm("/bucket2", recursive=True)
