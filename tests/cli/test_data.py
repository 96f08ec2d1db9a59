"""``worldgen data``: what it prints, what it writes, how it ends."""

from __future__ import annotations

import json
import os

import pytest

from tests.data.samples import make_sample
from worldgen.cli.main import main
from worldgen.data.dataset.index import build_index
from worldgen.data.dataset.shards import ShardWriter


@pytest.fixture
def url(tmp_path):
    with ShardWriter(str(tmp_path / "set"), "s0") as writer:
        writer.write(make_sample("k0"))
        writer.write(make_sample("k1", 1, split="val", drive="d1"))
    build_index(str(tmp_path / "set"))
    return str(tmp_path / "set")


def test_inspect(url, capsys):
    assert main(["data", "inspect", url]) == 0
    text = capsys.readouterr().out
    assert "2 in 1 shards" in text and "speed      5 to 9 m/s" in text and "car 12, pedestrian 8" in text
    assert main(["data", "inspect", url, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["samples"] == 2


def test_validate_and_index(url, tmp_path, capsys):
    assert main(["data", "validate", url]) == 0
    assert "2 samples in 1 shards, 12 frames decoded: no problems" in capsys.readouterr().out
    with ShardWriter(url, "s1") as writer:
        writer.write(make_sample("k2", 2, split="test"))
    assert main(["data", "validate", url, "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["valid"] is False
    assert {problem["what"] for problem in report["problems"]} >= {"drive 'd0' is in the splits test, train"}
    assert main(["data", "index", url]) == 0
    assert "indexed 3 samples in 2 shards" in capsys.readouterr().out
    assert main(["data", "validate", url]) == 1
    assert "1 problems" in capsys.readouterr().out


def test_view(url, tmp_path, capsys):
    out = tmp_path / "page"
    assert main(["data", "view", url, "--out", str(out), "--split", "val"]) == 0
    assert sorted(p.name for p in out.iterdir()) == ["clips", "index.html", "meta.json", "sheet.png"]
    assert [p.name for p in (out / "clips").iterdir()] == ["k1.mp4"]
    assert main(["data", "view", url, "--out", str(out)]) == 2
    assert "not empty" in capsys.readouterr().err
    assert main(["data", "view", url, "--out", str(out), "--overwrite"]) == 0
    assert len(list((out / "clips").iterdir())) == 2


@pytest.mark.parametrize("kind", ["coco", "kitti", "kitti_tracking", "yolo"])
def test_export(url, tmp_path, capsys, kind):
    out = tmp_path / "out"
    assert main(["data", "export", url, "--format", kind, "--out", str(out), "--every", "2"]) == 0
    assert "1 samples, 3 pictures" in capsys.readouterr().out
    assert json.loads((out / "meta.json").read_text())["samples_quarantined"] == 1


@pytest.mark.parametrize(
    "words",
    [
        ["inspect", "/nowhere/at/all"],
        ["validate", "/nowhere/at/all"],
        ["index", "nosuch://bucket"],
        ["view", "/nowhere", "--out", "x"],
        ["export", "/nowhere", "--format", "coco", "--out", "x"],
    ],
)
def test_bad_places_are_one_line(words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["data", *words]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_failed_export_leaves_nothing(url, tmp_path, capsys):
    assert main(["data", "export", url, "--format", "coco", "--out", str(tmp_path / "out"), "--split", "test"]) == 2
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("action", [["view"], ["export", "--format", "coco"]])
@pytest.mark.parametrize("place", ["", "/", "/sub"])
def test_the_data_set_is_no_output(url, capsys, action, place):
    before = sorted(os.listdir(url))
    assert main(["data", action[0], url, *action[1:], "--out", url + place, "--overwrite"]) == 2
    assert "the input" in capsys.readouterr().err and sorted(os.listdir(url)) == before
