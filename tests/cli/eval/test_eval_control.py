"""``worldgen eval control``: from options to numbers, with the reader that ships."""

from __future__ import annotations

import json

import pytest

from worldgen.api.measures.measure_result import as_json
from worldgen.cli.eval import eval_clips
from worldgen.cli.main import main
from worldgen.evaluation.measures.intervals import Interval
from worldgen.files.shipped import assets_dir


@pytest.fixture
def reader():
    if not (assets_dir() / "instruments" / "motion" / "accuracy.json").is_file():
        pytest.skip("no motion reader is shipped")


def test_rendered_clips_move_as_commanded(reader, capsys, tmp_path):
    out = tmp_path / "control.json"
    words = ["eval", "control", "--model", "rendered", "--clips", "4", "--frames", "19", "--json", "--out", str(out)]
    assert main(words) == 0
    record = json.loads(capsys.readouterr().out)
    assert record == json.loads(out.read_text())
    assert record["command"] == "worldgen eval control --model rendered --clips 4 --frames 19 --start sketch"
    assert record["measure"] == "control" and record["clips"] == 4 and record["model"] == "rendered"
    assert record["rows"]["speed_spearman"]["value"] > 0.8
    assert set(record["controls"]) >= {"shuffled_speed_spearman", "shuffled_yaw_rate_spearman"}
    (instrument,) = record["instruments"]
    assert instrument["accuracy"]["speed_spearman"]["value"] >= 0.95 and len(instrument["hash"]) == 32


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--frames", "5"], "frames: received 5"),
        (["--clips", "0"], "clips: received 0"),
        (["--model", "rendered", "--sweep", "2"], "sweep: received 2"),
        (["--data", "nowhere-at-all"], "nowhere-at-all"),
        (["--data", "x", "--model", "rendered"], "one of the two"),
    ],
)
def test_bad_requests_are_one_line(reader, words, complaint, capsys):
    assert main(["eval", "control", *words]) == 2
    text = capsys.readouterr().err
    assert complaint in text and text.count("\n") == 1


def test_tables_show_what_is_known():
    nan = float("nan")
    lines = eval_clips.table(
        "t", as_json({"a": [Interval(0.5, 0.4, 0.6, 9)], "b": [Interval(nan, nan, nan, 0), Interval(1.0, nan, nan, 1)]})
    )
    assert lines[1].split("  ", 1)[1].strip() == "0.500 [0.400, 0.600]"
    assert lines[2].split() == ["b", "-", "1.000"]
    assert as_json({"a": [Interval(nan, nan, nan, 0)]}) == {
        "a": [{"value": None, "low": None, "high": None, "clips": 0}]
    }
