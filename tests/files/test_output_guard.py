"""An output is refused when it is an input, or in use for anything else."""

from __future__ import annotations

import os

import fsspec
import pytest

from worldgen.core.errors import InputError
from worldgen.files.output_guard import (
    GENERATED,
    INGESTED,
    RENDERED,
    RESTYLED,
    keep_settings,
    refuse_inputs,
    refuse_output,
)


@pytest.mark.parametrize("spelling", ["set", "set/", "./set", "set/../set", "link", "ABSOLUTE", "file://ABSOLUTE"])
def test_every_spelling_of_the_input_is_the_input(tmp_path, monkeypatch, spelling):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "set").mkdir()
    (tmp_path / "link").symlink_to("set")
    with pytest.raises(InputError, match="the input"):
        refuse_inputs(spelling.replace("ABSOLUTE", str(tmp_path / "set")), ["set"])


@pytest.mark.parametrize(
    ("out", "words"),
    [("set/sub", "inside the input"), ("link/new", "inside the input"), (".", "contains"), ("sets", ""), ("se", "")],
)
def test_inside_and_around(tmp_path, monkeypatch, out, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "set").mkdir()
    (tmp_path / "link").symlink_to("set")
    if words:
        with pytest.raises(InputError, match=words):
            refuse_inputs(out, ["set"])
    else:
        refuse_inputs(out, ["set"])


def test_urls_of_one_file_system():
    for out, words in (("memory://a/set/", "the input"), ("memory:///a/set/x", "inside"), ("memory://a", "contains")):
        with pytest.raises(InputError, match=words):
            refuse_inputs(out, ["memory://a/set"])
    refuse_inputs("memory://a/set2", ["memory://a/set", "a/set2"])


RECORD = {
    GENERATED: "recipe.json", RESTYLED: "restyle-config.json", INGESTED: "ingest-config.json",
    RENDERED: "scenes-config.json",
}  # fmt: skip


@pytest.mark.parametrize("kind", RECORD)
@pytest.mark.parametrize("place", ["local", "memory"])
def test_only_the_own_kind_is_continued(tmp_path, kind, place):
    fs = fsspec.filesystem("memory" if place == "memory" else "file")
    url = f"memory://guard{tmp_path}" if place == "memory" else str(tmp_path / "out")
    path = fsspec.core.url_to_fs(url)[1]
    refuse_output(url, kind)
    fs.makedirs(path, exist_ok=True)
    refuse_output(url, kind)
    fs.pipe_file(f"{path}/notes.txt", b"mine")
    refuse_output(url, kind)
    for name in ("a.tar", "dataset.json", "index.parquet", "meta.json", "run.json", "model_index.json"):
        fs.pipe_file(f"{path}/{name}", b"x")
        with pytest.raises(InputError, match=name):
            refuse_output(url, kind)
        fs.rm_file(f"{path}/{name}")
    for other, name in RECORD.items():
        fs.pipe_file(f"{path}/{name}", b"{}")
        fs.pipe_file(f"{path}/dataset.json", b"{}")
        if other == kind:
            refuse_output(url, kind)
        else:
            with pytest.raises(InputError, match=name):
                refuse_output(url, kind)
        fs.rm_file(f"{path}/{name}")
    if place == "memory":
        fs.rm(path, recursive=True)


def test_a_file_in_the_place_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    for out in (tmp_path / "file", tmp_path / "file" / "out"):
        with pytest.raises(InputError, match="a file"):
            refuse_output(out, GENERATED)


def test_the_first_setting_that_differs_is_named(tmp_path):
    keep_settings(str(tmp_path), "ingest-config.json", {"fps": 8.0, "split": {"rest": "hash", "salt": ""}, "tags": []})
    before = (tmp_path / "ingest-config.json").read_bytes()
    keep_settings(str(tmp_path), "ingest-config.json", {"fps": 8.0, "split": {"rest": "hash", "salt": ""}, "tags": ()})
    with pytest.raises(InputError, match=r"split\.rest of output .*: received \"train\"; expected \"hash\""):
        keep_settings(str(tmp_path), "ingest-config.json", {"fps": 8.0, "split": {"rest": "train", "salt": "x"}})
    assert (tmp_path / "ingest-config.json").read_bytes() == before and len(os.listdir(tmp_path)) == 1
