"""``worldgen scenes render``: one clip, a grid of shards, going on after a stop, and refusals."""

from __future__ import annotations

import json

import numpy as np
import pytest

from worldgen.api.words_to_scenes import render
from worldgen.cli.main import main
from worldgen.cli.scenes_render import AXES
from worldgen.data.dataset.index import DataSet
from worldgen.data.dataset.validate import validate
from worldgen.data.video.reading import read_clip
from worldgen.generation.rendered import scenario_grid

SMALL = ["--frames", "5", "--size", "96x64"]


def _run(*arguments: str) -> int:
    try:
        return main(["scenes", "render", *arguments])
    except SystemExit as exit_:
        return int(exit_.code or 0)


def test_one_clip_makes_the_whole_folder(tmp_path, capsys) -> None:
    out = tmp_path / "clip"
    assert (
        _run("--prompt", "two cyclists on the right at dusk, zorblatt", "--seed", "3", "--out", str(out), *SMALL) == 0
    )
    assert {p.name for p in out.iterdir()} == {"clip.mp4", "sheet.png", "labels.json", "ego.csv", "meta.json"}
    clip = read_clip(str(out / "clip.mp4"))
    assert clip.frames.shape == (5, 64, 96, 3) and clip.fps == pytest.approx(8.0)
    meta = json.loads((out / "meta.json").read_text())
    assert meta["scenario"]["light"] == "dusk" and meta["seed"] == 3 and meta["not_understood"] == ["zorblatt"]
    assert "not understood: zorblatt" in capsys.readouterr().out
    assert json.loads((out / "labels.json").read_text())["annotations"]
    assert len((out / "ego.csv").read_text().splitlines()) == 6


def test_a_stated_duration_that_the_clip_does_not_have_is_told(tmp_path, capsys) -> None:
    quick = ["--renderer", "sketch", *SMALL]
    assert _run("--prompt", "a highway at night for two seconds", "--out", str(tmp_path / "a"), *quick) == 0
    assert "2 s in the prompt, but 5 frames are 0.625 s: --frames 16 for all" in capsys.readouterr().out
    assert _run("--prompt", "a highway at night for 0.6 seconds", "--out", str(tmp_path / "b"), *quick) == 0
    assert "in the prompt" not in capsys.readouterr().out
    assert _run("--prompt", "a highway at night", "--out", str(tmp_path / "c"), *quick) == 0
    said = capsys.readouterr().out
    assert "assumed: manoeuvre = keep" in said and "duration_s" not in said and "in the prompt" not in said


def test_shards_hold_scenes_of_the_grid_and_a_second_run_goes_on(tmp_path, capsys) -> None:
    arguments = (
        "--count",
        "4",
        "--grid",
        "weather,light",
        "--shard-size",
        "2",
        "--out",
        str(tmp_path / "set"),
        "--json",
        *SMALL,
    )
    assert _run(*arguments) == 0
    printed = capsys.readouterr()
    assert "4 clips of 96x64, in 2 shards of up to 2" in printed.err
    record = json.loads(printed.out)
    assert record["rendered"] + len(record["skipped"]) == 4 and record["shards"] == 2
    data = DataSet(str(tmp_path / "set"))
    sample = data.load(0)
    assert sample.clip.frames.shape == (5, 64, 96, 3) and sample.labels is not None and sample.caption
    assert sample.scenario is not None and set(sample.tags) >= {sample.scenario.weather, sample.scenario.light}
    before = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "set").glob("*.tar")}
    next((tmp_path / "set").glob("*00001.tar")).unlink()
    assert _run(*arguments) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["kept"] == 2 and again["rendered"] + len(again["skipped"]) == 2
    assert DataSet(str(tmp_path / "set")).rows[0]["key"] == data.rows[0]["key"]
    assert {p.name: p.stat().st_mtime_ns for p in (tmp_path / "set").glob("*00000.tar")} == {
        k: v for k, v in before.items() if "00000" in k
    }


def test_the_help_names_the_axes_of_the_grid() -> None:
    assert AXES == scenario_grid.AXES


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--out", "x"], "nothing to render"),
        (["--prompt", "a car", "--size", "224"], "--size"),
        (["--prompt", "a car", "--size", "225x129"], "even numbers"),
        (["--prompt", "a car", "--frames", "0"], "number of frames"),
        (["--prompt", "a car", "--fps", "nan"], "frames per second"),
        (["--prompt", "a car", "--grid", "light"], "--count"),
        (["--count", "-3"], "--count"),
        (["--count", "3", "--grid", "wether"], "axes of the grid: received 'wether'"),
        (["--count", "3", "--workers", "0"], "--workers"),
    ],
)
def test_refusals_are_one_line(tmp_path, monkeypatch, capsys, arguments, words) -> None:
    monkeypatch.chdir(tmp_path)
    assert _run(*arguments) == 2
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_other_settings_in_the_same_folder_are_refused_by_name(tmp_path, capsys) -> None:
    out = ["--count", "2", "--shard-size", "1", "--out", str(tmp_path / "set"), "--size", "64x32"]
    assert _run(*out, "--frames", "3") == 0
    assert _run(*out, "--frames", "3", "--seed", "7") == 0  # clips of two seeds may share a folder
    assert len(DataSet(str(tmp_path / "set"))) == 4
    capsys.readouterr()
    for changed, words in ((["--frames", "4"], "frames of output"), (["--frames", "3", "--count", "1"], "count of")):
        assert _run(*out, *changed) == 2
        assert words in capsys.readouterr().err
    [shard, *_] = sorted((tmp_path / "set").glob("*.tar"))
    whole = shard.read_bytes()
    shard.write_bytes(whole[:3000])
    assert _run(*out, "--frames", "3") == 0 and shard.read_bytes() == whole


def test_a_data_set_of_another_kind_is_no_output(tmp_path, capsys) -> None:
    (tmp_path / "dataset.json").write_text("{}")
    assert _run("--count", "1", "--out", str(tmp_path), *SMALL) == 2
    assert "another data set (dataset.json is there)" in capsys.readouterr().err


def test_controls_lie_beside_the_clip_and_in_shards_with_every_value(tmp_path, capsys) -> None:
    quick = ["--renderer", "sketch", *SMALL, "--controls", "seg,edge:geometry,wsm,blur"]
    prompt = ("--prompt", "a highway in the rain with trucks", "--seed", "4")
    assert _run(*prompt, "--out", str(tmp_path / "clip"), *quick) == 0
    assert "controls/seg.mp4, controls/edge.mp4" in capsys.readouterr().out
    folder = tmp_path / "clip" / "controls"
    assert {p.name for p in folder.iterdir()} == {"seg.mp4", "edge.mp4", "wsm.mp4", "blur.mp4"}
    assert json.loads((tmp_path / "clip" / "meta.json").read_text())["controls"] == [
        "seg",
        "edge:geometry",
        "wsm",
        "blur",
    ]
    drawn = render(prompt[1], seed=4, frames=5, size=(96, 64), renderer="sketch", controls="seg,edge:geometry,wsm,blur")
    for name in ("seg", "edge", "wsm"):
        assert np.array_equal(read_clip(str(folder / f"{name}.mp4")).frames, drawn.controls[name]), name
    apart = np.abs(read_clip(str(folder / "blur.mp4")).frames.astype(int) - drawn.controls["blur"])
    assert apart.mean() < 2
    assert _run(*prompt, "--out", str(tmp_path / "clip"), "--overwrite", *quick) == 0  # its own folder: replaced

    many = (*prompt, "--count", "2", "--out", str(tmp_path / "set"), *quick)
    assert _run(*many) == 0
    data = DataSet(str(tmp_path / "set"))
    made = data.controls(1)
    assert list(made) == ["seg", "edge", "blur", "wsm"]
    assert all(video.shape == data.load(1).clip.frames.shape for video in made.values())
    assert not validate(str(tmp_path / "set")).problems
    assert _run(*prompt, "--count", "2", "--out", str(tmp_path / "set"), "--renderer", "sketch", *SMALL) == 2
    assert "controls of output" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("controls", "told"),
    [("lidar", "one of depth, seg"), ("edge:soft", "edge:geometry"), ("seg,seg", "seg is there twice")],
)
def test_controls_that_do_not_exist_are_refused_before_anything_is_drawn(controls, told, tmp_path, capsys) -> None:
    assert _run("--prompt", "a highway", "--out", str(tmp_path / "x"), *SMALL, "--controls", controls) == 2
    said = capsys.readouterr().err
    assert told in said and said.count("\n") == 1 and not (tmp_path / "x").exists()
