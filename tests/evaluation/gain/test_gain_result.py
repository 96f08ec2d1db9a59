"""What the study concludes, from runs whose truth is known."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from PIL import Image

from worldgen.evaluation.gain.arms import Arm
from worldgen.evaluation.gain.gain_config import GainStudy, PictureSource
from worldgen.evaluation.gain.gain_plot import gain_plot, ticks
from worldgen.evaluation.gain.gain_result import drawn_means, power, says, summarise
from worldgen.evaluation.gain.study import ArmResult, StudyData
from worldgen.instruments.detector.detector import Detections
from worldgen.instruments.detector.pictures import Boxes, Pictures

pytest.importorskip("pycocotools", reason="average precision is judged by pycocotools")

CLIPS, EACH = 24, 10


def test_pictures():
    """Night and day clips with a vehicle and a pedestrian in every picture."""
    count = CLIPS * EACH
    index = np.repeat(np.arange(count), 2)
    low = np.tile([[2.0, 4], [34, 10]], (count, 1))
    size = np.tile([[20.0, 12], [8, 20]], (count, 1))
    boxes = Boxes(
        index, np.tile([0, 1], count), np.concatenate([low, low + size], 1).astype(np.float32),
        np.zeros(2 * count, bool), np.full(2 * count, 30, np.float32),
    )  # fmt: skip
    tags = tuple((("clear", "night_lit") if k % 2 else ("clear", "day")) for k in range(CLIPS))
    return Pictures(np.zeros((count, 64, 64, 3), np.uint8), boxes, np.repeat(np.arange(CLIPS), EACH), tags)


test_pictures.__test__ = False
QUALITY = {"real": 0.5, "oracle": 0.9, "duplicated": 0.5, "shuffled": 0.2, "synthetic_1": 0.75, "weather": 0.75}


def run_of(test, arm, seed):
    """Finds each object with the arm's chance, and as many false ones."""
    rng = np.random.default_rng([seed, *arm.encode()])
    hit = rng.random(len(test.boxes)) < QUALITY[arm]
    box = np.where(hit[:, None], test.boxes.box_px, test.boxes.box_px + 15)
    found = Detections(
        test.boxes.picture_index, test.boxes.group, box.astype(np.float32),
        rng.random(len(hit)).astype(np.float32) * 0.2 + 0.4 * hit + 0.1,
    )  # fmt: skip
    return ArmResult(arm, seed, found, 1.5)


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    test = test_pictures()
    study = GainStudy(
        name="told", real=PictureSource("a"), test=PictureSource("b/c"), ratios=(1.0,), arms=tuple(QUALITY), seeds=5
    )
    half = test.of_clips([0, 1])
    arms = {name: Arm(name, ((half, 1.0),)) for name in QUALITY}
    bench = StudyData(study, arms, {"restyled": "no data set given yet"}, half, test, tmp_path_factory.mktemp("runs"))
    runs = [run_of(test, arm, seed) for arm in QUALITY for seed in range(5) if (arm, seed) != ("synthetic_1", 4)]
    return summarise(bench, runs, draws=60)


def test_gain_no_gain_and_harm_are_told_apart(record):
    said = {name: row["difference"]["rare"]["says"] for name, row in record["arms"].items() if name != "real"}
    assert said.pop("weather") == "gain"
    assert said == {"oracle": "gain", "duplicated": "no gain", "shuffled": "harm", "synthetic_1": "gain"}
    assert all(check["holds"] for check in record["checks"].values()) and len(record["checks"]) == 3


def test_gain_recovered_is_the_share_of_the_oracles(record):
    """From 0.5 to 0.75 of 0.9 in recall: a good half of the oracle's gain."""
    share = record["arms"]["synthetic_1"]["recovered"]
    assert share["low"] < share["value"] < share["high"] and 0.4 < share["value"] < 0.85
    assert record["arms"]["oracle"]["recovered"]["value"] == pytest.approx(1.0)


def test_the_record_says_what_is_missing_and_where_from(record):
    assert record["missing"] == ["synthetic_1 seed 4"] and record["waiting"] == {"restyled": "no data set given yet"}
    assert record["arms"]["synthetic_1"]["difference"]["rare"]["pairs"] == 4
    assert record["study"]["test"]["url"] == "c", "paths of one machine are left out"
    assert record["objects"]["night"] == CLIPS // 2 * EACH * 2 and "cyclist" not in record["objects"]
    assert record["objects"]["common"] == record["objects"]["rare"]
    for name, row in record["arms"].items():
        assert row["scores"]["rare_ap"]["value"] <= row["scores"]["rare"]["value"], name
    json.dumps(record, allow_nan=False)


def test_sentences_are_plain(record):
    text = " ".join(record["sentences"])
    assert "synthetic_1: gain: +" in text and "shuffled: harm: -" in text and "of the oracle's gain" in text
    assert "finds the oracle's gain, none from duplicates, and harm" in text
    assert "against weather no gain" in text, "made clips must beat painted weather too"


def test_the_plot_is_a_picture_with_every_arm(record):
    image = Image.open(io.BytesIO(gain_plot(record)))
    assert image.format == "PNG" and image.height > 4 * 40


@pytest.mark.parametrize(
    ("ends", "word"),
    [((0.01, 0.2), "gain"), ((-0.3, -0.1), "harm"), ((-0.1, 0.1), "no gain"), ((None, None), "no gain")],
)
def test_what_an_interval_says(ends, word):
    assert says(*ends) == word


def test_power_of_a_known_spread():
    """A spread of 0.02 between runs is one of 0.02 * sqrt(2) between differences; t with 4 degrees: 2.776 and 0.941."""
    values = [0.5 - 0.02 / np.sqrt(2), 0.5 + 0.02 / np.sqrt(2)]
    known = power(values, 5, 0.02)
    assert known["spread"] == pytest.approx(0.02 * np.sqrt(2), abs=1e-5)
    assert known["least_gain"] == pytest.approx((2.776 + 0.941) * 0.02 * np.sqrt(2 / 5), abs=1e-4)
    assert known["seeds_needed"] == 18 and not known["enough"] and "needs about 18" in known["note"]
    assert power(values, 20, 0.02)["enough"] and power(values, 5, 0.04, paired=True)["enough"]
    assert power(values, 5, 0.02, paired=True)["least_gain"] == pytest.approx(
        known["least_gain"] / np.sqrt(2), abs=1e-5
    )


@pytest.mark.parametrize("seeds", [3, 5])
def test_intervals_of_a_handful_of_seeds_hold_the_truth_as_often_as_they_say(seeds):
    """Differences without an effect: 0 must lie outside in about 5 of 100 studies, not in 15 as without widening."""
    rng, inside = np.random.default_rng(0), 0
    for _ in range(400):
        table = np.repeat(rng.normal(size=(seeds, 1)), 301, axis=1)
        low, high = np.percentile(drawn_means(table), [2.5, 97.5])
        inside += low <= 0 <= high
    assert 0.92 <= inside / 400 <= 0.99


def test_ticks_are_few_and_hold_zero():
    for low, high in ((-0.013, 0.04), (-0.4, 0.3), (-0.002, 0.9)):
        marks = ticks(low, high)
        assert 3 <= len(marks) <= 10 and 0 in marks and all(low <= mark <= high for mark in marks)
