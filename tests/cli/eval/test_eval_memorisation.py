from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from tests.evaluation.memorisation.test_nearest import street
from worldgen.cli.main import main
from worldgen.core.clip import Clip
from worldgen.data.video.encoding import write_clip


def _write(folder, clips):
    folder.mkdir()
    for name, clip in clips.items():
        write_clip(folder / f"{name}.mp4", clip)
    return str(folder)


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    root = tmp_path_factory.mktemp("memorisation")
    training = {f"train{i}": street(i, 8) for i in range(6)}
    cut = np.stack([cv2.resize(f[8:86, 20:156], (168, 96)) for f in training["train2"].frames[1:]])
    made = {"new0": street(500, 8), "new1": street(501, 8), "copy": Clip(cut, 8.0)}
    return (
        _write(root / "train", training),
        _write(root / "held", {f"held{i}": street(100 + i, 8) for i in range(8)}),
        _write(root / "made", made),
    )


def _run(capsys, *arguments):
    code = main(["eval", "memorisation", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_a_copy_is_named_and_pictured(capsys, tmp_path, sets):
    train, held, made = sets
    code, out, err = _run(
        capsys, "--train", train, "--held-out", held, "--generated", made, "--no-features", "--alarm", 0.12,
        "--json", "--out", tmp_path / "result.json", "--pictures", tmp_path / "pairs.png",
    )  # fmt: skip
    assert code == 1, err
    record = json.loads(out)
    assert record == json.loads((tmp_path / "result.json").read_text())
    # Eight held-out clips promise one alarm in nine, so a clip that is no copy may be above the threshold too.
    assert record["copies"] in (1, 2) and record["nearest"][0]["key"] == "copy" and record["nearest"][0]["score"] > 0.8
    assert record["nearest"][0]["training_key"] == "train2" and record["nearest"][0]["copy"]
    assert record["training_clips"] == 6 and record["pixels"]["held_out_clips"] == 8
    assert any("8 held-out clips say little" in w for w in record["warnings"])
    picture = cv2.imread(str(tmp_path / "pairs.png"))
    assert picture is not None and picture.shape[0] > 400


def test_the_measure_is_measured(capsys, sets):
    train, held, _ = sets
    code, out, err = _run(
        capsys, "--train", train, "--held-out", held, "--check", 2, "--no-features", "--alarm", 0.2, "--json"
    )
    assert code == 0, err
    record = json.loads(out)
    assert set(record["planted"]) >= {"exact", "cropped", "reencoded", "shifted"}
    assert record["required_found"]["clips"] == 8 and record["required_found"]["share"] >= 0.95
    assert record["false_alarms"]["pixels"]["clips"] == 4


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--train", "TRAIN", "--held-out", "HELD"], "exactly one of them"),
        (["--train", "TRAIN", "--held-out", "HELD", "--generated", "MADE", "--check", "2"], "exactly one of them"),
        (["--train", "nowhere", "--held-out", "HELD", "--check", "2"], "nowhere"),
        (
            ["--train", "TRAIN", "--held-out", "HELD", "--check", "2", "--alarm", "0"],
            "alarm and seed: received (0.0, 0)",
        ),
        (["--train", "TRAIN", "--held-out", "HELD", "--generated", "MADE", "--weights", "nowhere"], "nowhere"),
    ],
)
def test_wrong_requests_are_one_line_and_exit_2(capsys, sets, arguments, word):
    names = dict(zip(("TRAIN", "HELD", "MADE"), sets, strict=True))
    code, out, err = _run(capsys, *[names.get(each, each) for each in arguments])
    assert code == 2 and out == "" and err.count("\n") == 1 and word in err, err
