"""Mining of misses: which cells are found, how many inserts they get, and that the command's cells are read back."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.evaluation.realism.scenes import frame
from worldgen.cli.main import main
from worldgen.core.errors import InputError
from worldgen.core.labels import CLASSES
from worldgen.data.video.image_files import write_image
from worldgen.evaluation.realism.labelled_frame import LabelledFrame, RealismRules
from worldgen.evaluation.realism.misses import (
    FoundLabels,
    InsertQuota,
    InsertQuotas,
    MissRules,
    found_labels,
    group_finder,
    insert_quotas,
    miss_cells,
    shared_out,
)
from worldgen.files.config_files import load_config
from worldgen.instruments.detector import detector as detectors
from worldgen.instruments.detector.detector import FoundBoxes


def labels_of(cells):
    """Columns from (class, height, light, objects, found)."""
    rows = [
        (CLASSES.index(name), height, light, k < hits, k % 7)
        for name, height, light, objects, hits in cells
        for k in range(objects)
    ]
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    return FoundLabels(*columns[:3], columns[3].astype(bool), columns[4], 9)


def test_only_cells_below_the_rest_get_inserts_by_what_is_missed_there():
    found = labels_of(
        [
            ("car", 40, "day", 300, 280), ("car", 40, "night", 100, 40), ("pedestrian", 20, "day", 100, 70),
            ("cyclist", 20, "night", 5, 0),
        ]
    )  # fmt: skip
    cells = miss_cells(found, MissRules(share=0.1, least=10))
    given = {(cell.what, cell.light, cell.height_px): cell.count for cell in cells}
    assert given["car", "day", (32.0, 64.0)] == 0, "it is found better than the rest"
    assert given["cyclist", "night", (16.0, 32.0)] == 0, "five objects say too little"
    whole = 390 / 505
    need = 100 * whole - 40, 100 * whole - 70
    assert given["car", "night", (32.0, 64.0)] == round(50 * need[0] / sum(need))
    assert sum(given.values()) == 50, "at most a tenth of 505 objects"
    assert cells[0].what == "car" and cells[0].missed == 60 and cells[0].recall.value == pytest.approx(0.4)


def test_a_detector_that_finds_all_gets_no_inserts():
    cells = miss_cells(labels_of([("car", 40, "day", 50, 50), ("pedestrian", 20, "day", 50, 50)]), MissRules())
    assert not insert_quotas(cells).insert


def test_only_wanted_classes_get_inserts():
    found = labels_of([("car", 40, "day", 50, 10), ("pedestrian", 20, "day", 50, 10), ("bus", 60, "day", 50, 50)])
    quotas = insert_quotas(miss_cells(found, MissRules(share=0.2, classes=("pedestrian",))))
    assert [(quota.what, quota.count) for quota in quotas.insert] == [("pedestrian", 30)]


def test_shares_are_whole_and_sum_to_the_total():
    assert shared_out(np.array([1.0, 1, 1]), 10).tolist() == [4, 3, 3]
    assert shared_out(np.array([0.0, 2]), 7).tolist() == [0, 7] and shared_out(np.zeros(2), 7).tolist() == [0, 0]


def test_a_label_is_found_in_its_own_group_only(monkeypatch):
    boxes = np.array([[10.0, 10, 40, 50], [60, 10, 90, 50]], np.float32)
    seen = LabelledFrame(
        np.zeros((96, 128, 3), np.uint8), (128, 96), np.array([CLASSES.index("car"), CLASSES.index("pedestrian")]),
        boxes, np.ones(2, bool), light="night",
    )  # fmt: skip
    said = FoundBoxes(np.array([0, 0]), boxes, np.array([0.9, 0.8], np.float32))
    monkeypatch.setattr("worldgen.evaluation.realism.misses.find", lambda *args, **options: [said])
    finder = group_finder(detectors.Detector(), RealismRules())
    assert finder(seen).tolist() == [True, False]
    found = found_labels([seen], finder)
    assert found.found.tolist() == [True, False] and found.light.tolist() == ["night", "night"]
    with pytest.raises(InputError, match="labels to judge"):
        found_labels([], finder)


@pytest.mark.parametrize("change", [{"share": 0.0}, {"share": 1.5}, {"least": 0}, {"classes": ("cow",)}])
def test_impossible_rules_are_refused(change):
    with pytest.raises(InputError):
        MissRules(**change)


@pytest.mark.parametrize("change", [{"what": "cow"}, {"height_px": (30.0, 20.0)}, {"count": 0}])
def test_impossible_cells_are_refused(change):
    with pytest.raises(InputError):
        InsertQuota(**change)


def test_the_command_writes_cells_that_a_recipe_reads(tmp_path, capsys):
    record = {"categories": [{"id": 1, "name": "car"}, {"id": 2, "name": "person"}], "images": [], "annotations": []}
    for number in range(12):  # frames are empty: the detector finds nothing
        write_image(tmp_path / "set" / "images" / f"a_{number}.png", frame())
        record["images"].append(
            {"id": number, "file_name": f"a_{number}.png", "width": 128, "height": 96, "night": number % 2 == 0}
        )
        record["annotations"].append({"id": number, "image_id": number, "category_id": 1, "bbox": [5, 5, 40, 40]})
    (tmp_path / "set" / "coco.json").write_text(json.dumps(record))
    words = ["eval", "misses", str(tmp_path / "set" / "coco.json"), "--detector", "shipped", "--share", "0.5"]
    out = ["--quotas", str(tmp_path / "cells.yaml"), "--out", str(tmp_path / "misses.json"), "--least", "3"]
    assert main([*words, *out]) == 0
    told = json.loads((tmp_path / "misses.json").read_text())
    assert told["objects"] == 12 and told["missed"] == sum(cell["missed"] for cell in told["cells"])
    cells = load_config(InsertQuotas, [tmp_path / "cells.yaml"]).insert
    assert [(cell.what, cell.light, cell.count) for cell in cells] == [
        (row["what"], row["light"], row["count"]) for row in told["quotas"]
    ]
    assert "objects missed in 12 pictures" in capsys.readouterr().out
    assert main([*words[:3], "--detector", str(tmp_path / "none.onnx")]) == 2
