"""``worldgen eval labels``: from options to numbers, and the instrument that may not judge."""

from __future__ import annotations

import json

import pytest
import torch

from tests.instruments.onnx_files import yolox_of_colours
from worldgen.cli.main import main
from worldgen.evaluation.measures.average_precision import SIZES
from worldgen.instruments.detector.detector import Detector, DetectorConfig, save_detector
from worldgen.instruments.instrument_files import save_accuracy

pytest.importorskip("pycocotools", reason="average precision is judged by pycocotools")


@pytest.fixture
def detector(tmp_path):
    """An untrained detector whose record claims what a test says."""

    def make(**ap50):
        """AP50 by group of objects of at least 16 pixels; 0.5 of smaller ones."""
        torch.manual_seed(0)
        save_detector(Detector(DetectorConfig((8, 8, 8, 8), (1, 1, 1), 8)), tmp_path)
        rows = {f"ap50_{n}_{p.name}": {"value": v if p.low_px >= 16 else 0.5} for n, v in ap50.items() for p in SIZES}
        save_accuracy(tmp_path, {"accuracy": rows})
        return ["eval", "labels", "--model", "rendered", "--clips", "2", "--frames", "17", "--detector", str(tmp_path)]

    return make


def test_an_instrument_under_its_bar_judges_nothing(detector, capsys):
    assert main(detector(vehicle=0.8, pedestrian=0.85)) == 2
    error = capsys.readouterr().err
    assert "vehicle 0.8" in error and "judges nothing" in error and len(error.splitlines()) == 1


def test_a_blind_detector_finds_nothing_and_the_result_says_which_groups_it_may_judge(detector, tmp_path, capsys):
    out = tmp_path / "labels.json"
    assert main([*detector(vehicle=0.95, pedestrian=0.5, cyclist=0.91), "--out", str(out)]) == 0
    text = capsys.readouterr().out
    assert "relative" in text and "wrong labels" in text and "vehicle from 16px (" in text and "not judged" in text
    record = json.loads(out.read_text())
    assert set(record["rows"]) == {"vehicle", "cyclist"} and record["not_judged"] == ["pedestrian"]
    row = record["rows"]["vehicle"]
    assert row["objects"] > 0 and row["made"]["value"] < 0.05 and row["drawn"] == row["made"]
    assert record["controls"]["vehicle"]["wrong"]["value"] < 0.05
    assert record["heights"] == {"vehicle": "from_16px", "cyclist": "from_16px"}
    assert record["slices"]["from_8px"]["vehicle"]["objects"] >= row["objects"]


@pytest.mark.slow
def test_a_detector_of_coco_classes_is_reported_beside_the_shipped_one(tmp_path, capsys):
    """It has seen nothing of ours and knows coloured squares only, so it finds nothing. The shipped one judges."""
    (tmp_path / "coco.onnx").write_bytes(yolox_of_colours(64))
    command = ["eval", "labels", "--model", "rendered", "--clips", "2", "--frames", "17"]
    assert main([*command, "--detector", str(tmp_path / "coco.onnx"), "--out", str(tmp_path / "out.json")]) == 0
    text, record = capsys.readouterr().out, json.loads((tmp_path / "out.json").read_text())
    assert "found by coco.onnx" in text and "relative" in text
    realism = record["realism"]
    assert realism["judged"]["frames"] == realism["rendered"]["frames"] == 10
    assert realism["judged"]["rows"] == realism["rendered"]["rows"]  # the clips are those of the renderer
    assert all(row["all"]["all"]["recall"]["value"] == 0 for row in realism["judged"]["rows"].values())
    assert record["instruments"][0]["name"] == "detector"
