"""``worldgen eval realism``: sets side by side, from files to tables, and what is refused in one line."""

from __future__ import annotations

import json
import shlex

import pytest

from tests.evaluation.realism.scenes import SIZE, frame
from tests.evaluation.realism.test_realism_sets import data_set
from tests.instruments.onnx_files import yolox_of_colours
from worldgen.cli.main import build_parser, main
from worldgen.data.video.image_files import write_image

CAR, TRUCK = 2, 7


@pytest.fixture
def files(tmp_path):
    """A detector, a COCO set of two pictures (a car by day; a car that looks like a truck by night), a data set."""
    (tmp_path / "detector.onnx").write_bytes(yolox_of_colours(128))
    (tmp_path / "pictures").mkdir()
    box = {"category_id": 1, "bbox": [32, 0, 32, 32]}
    record = {"categories": [{"id": 1, "name": "car"}, {"id": 2, "name": "sign"}], "images": [], "annotations": []}
    for number, name in enumerate((CAR, TRUCK)):
        file = f"{'ab'[number]}_1.png"
        write_image(tmp_path / "pictures" / file, frame((name, 1, 0)))
        size = {"width": SIZE[0], "height": SIZE[1]}
        record["images"].append({"id": number, "file_name": file, "night": number == 1, **size})
        record["annotations"].append({"id": number, "image_id": number, **box})
    (tmp_path / "pictures" / "coco.json").write_text(json.dumps(record), "utf-8")
    drawn = data_set(tmp_path / "drawn")
    return {"detector": str(tmp_path / "detector.onnx"), "real": str(tmp_path / "pictures"), "drawn": drawn}


def command(files, *more):
    sets = ["--set", f"drawn={files['drawn']}", "--set", f"real={files['real']}"]
    return ["eval", "realism", "--detector", files["detector"], *sets, *more]


def test_two_sets_side_by_side(files, tmp_path, capsys):
    out = tmp_path / "realism.json"
    assert main(command(files, "--out", str(out))) == 0
    text = capsys.readouterr().out
    record = json.loads(out.read_text("utf-8"))
    real, drawn = record["sets"]["real"], record["sets"]["drawn"]
    assert record["reference"] == "real" and real["categories_left_out"] == ["sign"]
    cars = real["rows"]["car"]
    assert cars["all"]["all"]["n"] == 2 and cars["all"]["all"]["agreement"]["value"] == 0.5
    assert cars["night"]["32-64"]["called"] == {"truck": 1} and cars["day"]["all"]["agreement"]["value"] == 1.0
    assert drawn["frames"] == 9 and drawn["clips"] == 2  # 4 of the first clip, whose first two frames are context
    assert drawn["rows"]["car"]["weather fog"]["all"]["recall"]["value"] == 1.0
    assert record["at_heights_of_reference"]["drawn"]["car"]["night"]["covered"] == 1.0
    assert record["detector"]["input_px"] == [128, 128] and record["cost"]["seconds"] >= 0
    table = (tmp_path / "realism.md").read_text("utf-8")
    for page in (text, table):
        assert "| car   | all      | 1.00 [" in page and "Controls that must be near 0" in page
        assert "car 1, truck 1" in page and "without sign" in page
    assert "/" not in record["command"].replace("detector.onnx", "")
    build_parser().parse_args(shlex.split(record["command"])[1:])


def test_numbers_change_with_the_rules(files, capsys):
    assert main(command(files, "--accept", "car=car,truck", "--json")) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["sets"]["real"]["rows"]["car"]["all"]["all"]["agreement"]["value"] == 1.0
    assert main(command(files, "--min-height", "33", "--json")) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["sets"]["real"]["labels"] == 0 and any("no label" in line for line in record["warnings"])
    assert main(command(files, "--size", "64x48", "--json")) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["sets"]["real"]["sizes_px"] == [[64, 48]]
    assert record["sets"]["real"]["rows"]["car"]["all"]["16-32"]["recall"]["value"] == 1.0
    assert "--size 64x48" in record["command"] and "--min-height" not in record["command"]


def test_a_control_that_finds_boxes_is_a_warning(files, tmp_path, capsys):
    """Every picture shows one car at one place: exchanged labels are found, and the result says so."""
    assert main(["eval", "realism", "--detector", files["detector"], "--set", f"same={files['real']}"]) == 0
    assert "Warning: same: labels that are shuffled are found" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "named"),
    [
        (["--set", "nothing"], "NAME=VALUE"), (["--reference", "other"], "one of drawn, real"),
        (["--size", "big"], "WIDTHxHEIGHT"), (["--accept", "van=car"], "class"),
        (["--accept", "car=boat"], "COCO name"),
        (["--category", "sign=post"], "sign"), (["--overlap", "2"], "overlap"), (["--limit", "-1"], "limit"),
        (["--set", "real=nowhere"], "labelled set"), (["--input-px", "64"], "128x128"),
        (["--threads", "-1"], "threads"),
    ],
)  # fmt: skip
def test_what_cannot_be_measured_is_refused_in_one_line(files, capsys, more, named):
    assert main(command(files, *more)) == 2
    error = capsys.readouterr().err
    assert named in error and len(error.strip().splitlines()) == 1


def test_another_detector_file_is_refused(files, tmp_path, capsys):
    files["detector"] = str(tmp_path / "pictures" / "a_1.png")
    assert main(command(files)) == 2
    assert "ONNX" in capsys.readouterr().err


def test_photographs_of_another_project(shared_dir, tmp_path):
    """A public detector on a few of its pictures: large cars are found and called cars, and the controls fail."""
    from worldgen import evaluate

    detector, pictures = shared_dir / "instruments" / "yolox_nano.onnx", shared_dir / "data" / "bdd100_daynight"
    if not detector.is_file() or not pictures.is_dir():
        pytest.skip("needs instruments/yolox_nano.onnx and data/bdd100_daynight")
    record = evaluate("realism", detector=detector, sets=[f"real={pictures}"], size="448x256", limit=25)
    cars = record["sets"]["real"]["rows"]["car"]["all"]["32-64"]
    assert cars["n"] >= 20 and cars["recall"]["value"] > 0.5 and cars["agreement"]["value"] > 0.8
    assert record["sets"]["real"]["controls"]["shuffled"]["all"]["value"] < 0.1 and not record["warnings"]
