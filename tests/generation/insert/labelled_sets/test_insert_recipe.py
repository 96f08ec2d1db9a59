"""Recipes with insert cells: quotas of mined misses, plan, refusals, and a kill in the middle."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.generation.insert.labelled_sets.test_inserted_set import write_coco
from worldgen.api.generate_set import insert_recipe
from worldgen.cli.main import main
from worldgen.core.errors import InputError
from worldgen.evaluation.realism.misses import InsertQuota, InsertQuotas
from worldgen.files.config_files import config_yaml
from worldgen.generation.insert.labelled_sets.insert_config import InsertCell
from worldgen.generation.insert.labelled_sets.insert_estimate import InsertRates, estimate

SHIPPED = "configs/insert/rare_road_users.yaml"


def test_mined_misses_are_a_recipe_and_quotas_are_met(tmp_path, capsys) -> None:
    source, out = write_coco(tmp_path / "old"), tmp_path / "new"
    quotas = [
        InsertQuota("pedestrian", "any", (0.0, 32.0), 2), InsertQuota("cyclist", "day", (32.0, 64.0), 1),
        InsertQuota("car", "night", (128.0, 10_000.0), 3),
    ]  # fmt: skip
    (tmp_path / "misses.yaml").write_text(config_yaml(InsertQuotas(quotas)))
    words = ["generate", "--config", SHIPPED, "--config", str(tmp_path / "misses.yaml"), "--json", "judge=''",
             f"set={source}", f"output={out}"]  # fmt: skip
    assert main(["generate", "plan", *words[1:]]) == 0
    planned = json.loads(capsys.readouterr().out)
    assert (planned["items"], planned["usable"], planned["wanted"]) == (4, 4, 6)
    assert planned["hours"] > 0
    assert planned["disk_bytes"] > 10_000
    assert not out.exists()
    assert main(words) == 1  # there is no night in the set
    report = json.loads(capsys.readouterr().out)
    assert [cell["have"] for cell in report["cells"]] == [2, 1, 0]
    assert not report["met"]
    assert (
        report["unmet"] == ["car night, 128 to 10000 px: 0 of 3; no picture of the split is so"]
        or report["places_refused"]
    )
    labels = json.loads((out / "annotations/train.json").read_text())["annotations"]
    heights = [row["bbox"][3] for row in labels if "inserted" in row]
    assert len(heights) == 3
    assert min(heights) >= 8
    assert (out / "report.html").is_file()
    written = (out / "config.yaml").read_text()
    assert "128.0" in written


def test_a_cell_takes_pictures_of_its_light() -> None:
    lights = {"": (True, True, True), "any": (True, True, True), "day": (True, True, False),
              "dusk": (False, True, False), "night": (False, False, True)}  # fmt: skip
    for light, wanted in lights.items():
        cell = InsertCell("car", light)
        assert tuple(cell.fits(night) for night in (0.0, 0.4, 1.0)) == wanted, light


def test_a_plan_counts_pictures_that_quotas_need() -> None:
    rates = InsertRates(8, 5, 0.4, 0.1, 1000.0)
    cells = [InsertCell("car", count=30), InsertCell("cyclist", count=30)]
    told = estimate("pictures", (10_000, 9_000, 8_000), cells, 1, rates)
    assert (told.visited, told.expected) == (100, 60)
    assert told.hours == pytest.approx((100 * 0.4 + 9_900 * 0.1) / 3600)
    assert told.disk_bytes == 10_000_000
    everywhere = estimate("pictures", (10_000, 9_000, 8_000), [InsertCell("car")], 2, rates)
    assert (everywhere.visited, everywhere.expected, everywhere.wanted) == (8_000, 9_600, 0)


def test_recipes_that_cannot_run_are_refused_in_one_line(tmp_path, capsys) -> None:
    cell = {"insert": [{"what": "cyclist", "count": 1}]}
    source = str(write_coco(tmp_path / "old", pictures=1))
    faults = [
        ([f"output={tmp_path / 'x'}"], "set of the recipe"),
        ([f"set={source}"], "output of the recipe"),
        ([f"set={source}", f"output={tmp_path / 'x'}", "insert=[]"], "insert cells"),
        ([f"set={source}", f"output={tmp_path / 'x'}", "cells=[]"], "cells and insert"),
        ([f"set={source}", f"output={tmp_path / 'x'}", "per_pictures=2"], "did you mean per_picture"),
        ([f"set={source}", f"output={tmp_path / 'x'}", "--workers", "2"], "2 workers"),
        ([f"set={source}", f"output={tmp_path / 'x'}", "--model", "shipped"], "inserts are rendered"),
        ([f"set={tmp_path / 'none'}", f"output={tmp_path / 'x'}"], "set to insert into"),
        ([f"set={source}", f"output={tmp_path / 'x'}", "insert=[{what: zebra, count: 1}]"], "zebra"),
        ([f"set={source}", f"output={source}", "judge=''"], "old"),
    ]
    for words, told in faults:
        assert main(["generate", "--config", SHIPPED, *words]) == 2, words
        error = capsys.readouterr().err
        assert told in error, (words, error)
        assert error.count("\n") == 1, error
    with pytest.raises(InputError, match="scale"):
        insert_recipe(cell, scale=0)
    assert insert_recipe(cell, scale=3).insert[0].count == 3
    assert insert_recipe({"cells": []}) is None


@pytest.mark.slow
def test_kill_9_and_the_same_command_give_equal_bytes(tmp_path) -> None:
    source = write_coco(tmp_path / "old", pictures=24)
    words = [sys.executable, "-m", "worldgen.cli.main", "generate", "--config", SHIPPED, "judge=''", f"set={source}",
             "insert=[{what: pedestrian, height_px: [20, 60], count: 12}, {what: cyclist, count: 6}]"]  # fmt: skip
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run([*words, f"output={whole}"], check=False, capture_output=True, env=env)
    kills = 0
    for lines in (2, 5, 9):
        process = subprocess.Popen([*words, f"output={killed}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   env=env)  # fmt: skip
        while process.poll() is None and _lines(killed / "insert.jsonl") < lines:
            time.sleep(0.01)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        process.wait()
        assert not (killed / "insert_report.json").exists() or kills == 0
    assert kills == 3
    subprocess.run([*words, f"output={killed}"], check=False, capture_output=True, env=env)
    names = sorted(p.relative_to(whole) for p in whole.rglob("*") if p.is_file() and p.suffix in (".png", ".json"))
    assert len(names) > 24
    for name in names:
        assert (killed / name).read_bytes() == (whole / name).read_bytes(), name


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.is_file() else 0
