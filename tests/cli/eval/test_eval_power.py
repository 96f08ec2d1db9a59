"""``worldgen eval power``: counts of a set to a power, and what is refused in one line."""

from __future__ import annotations

import json

import pytest

from tests.generation.insert.cut_outs.street import write_set
from worldgen.cli.main import main

FEW = ["--experiments", "12", "--seeds", "3", "--false-alarms", "2", "--min-height", "4"]


@pytest.mark.slow
def test_a_set_and_the_test_of_a_study_are_counted_and_simulated(tmp_path, capsys):
    write_set(tmp_path / "north", drive="north", pictures=12)
    study = tmp_path / "study.yaml"
    study.write_text(
        f"name: told\nreal: {{url: {tmp_path / 'north'}, every: 1}}\ntest: {{url: {tmp_path / 'north'}, every: 1}}\n"
        "width_px: 200\nheight_px: 150\nmin_height_px: 4.0\n"
    )
    out = tmp_path / "power.json"
    words = ["eval", "power", "--set", f"streets={tmp_path / 'north'}", "--config", str(study)]
    assert main([*words, "--ask", "pedestrian=0.5", *FEW, "--smallest", "0.1", "--out", str(out)]) == 0
    record = json.loads(out.read_text())
    for rows in (record["sets"]["streets"], record["sets"]["told"]):
        assert rows[0]["objects"] == {"pedestrian": 36} and rows[0]["pictures"] == 12
        assert 0 <= rows[0]["runs"][0]["power"] <= 1 and rows[0]["runs"][0]["wrong_claims"] <= 0.25
    assert "36 objects in 12 pictures" in capsys.readouterr().out
    assert str(tmp_path) not in out.read_text()


def test_a_set_without_the_objects_says_so(tmp_path, capsys):
    write_set(tmp_path / "north", pictures=2)
    assert main(["eval", "power", "--set", f"a={tmp_path / 'north'}", "--ask", "vehicle=0.4", *FEW]) == 0
    assert "none to judge" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [
        [], ["--set", "a"], ["--set", "a=nowhere"], ["--set", "a=SET", "--ask", "cow=0.3"],
        ["--set", "a=SET", "--ask", "pedestrian"], ["--set", "a=SET", "--smallest", "0"],
        ["--set", "a=SET", "--ask", "pedestrian=0.01"], ["--set", "a=SET", "--light", "night"],
    ],
)  # fmt: skip
def test_bad_input_is_one_line(tmp_path, capsys, words):
    write_set(tmp_path / "set", pictures=1)
    words = [word.replace("SET", str(tmp_path / "set")) for word in words]
    assert main(["eval", "power", *words]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
