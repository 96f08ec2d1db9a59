"""Recall, class agreement, precision, intervals and controls on frames whose answers are known."""

import math
from dataclasses import replace

import numpy as np
import pytest

from tests.evaluation.realism.scenes import detector, frame, labels
from worldgen.core.errors import InputError
from worldgen.core.labels import CLASSES
from worldgen.evaluation.measures.intervals import count_interval
from worldgen.evaluation.realism.judged_objects import _labelled_families, _partners
from worldgen.evaluation.realism.labelled_frame import LabelledFrame, RealismRules, labelled_frame
from worldgen.evaluation.realism.realism_of_frames import realism_lines, realism_of_frames, realism_of_labelled
from worldgen.evaluation.realism.realism_score import compared
from worldgen.instruments.detector.coco_families import FAMILIES

PERSON, CAR, TRUCK = 0, 2, 7


@pytest.fixture(scope="module")
def colours():
    return detector()


def test_recall_agreement_and_precision_of_known_frames(colours):
    frames = [frame((CAR, 0, 0), (TRUCK, 2, 1)), frame((CAR, 1, 0), (PERSON, 3, 2))]
    known = labels([("car", 0, 0), ("car", 2, 1)], [("car", 3, 0), ("pedestrian", 3, 2)])
    score = realism_of_frames(np.stack(frames), known, colours)
    assert score.recall("car").value == pytest.approx(2 / 3) and score.agreement("car").value == 0.5
    assert score.recall("pedestrian").value == 1.0 and score.recall("car", "32-64").value == pytest.approx(2 / 3)
    assert math.isnan(score.recall("car", "16-32").value) and math.isnan(score.recall("bus").value)
    right, placed = score.precision("all")
    assert (right.value, placed.value) == (0.5, 0.75)  # the truck is a car; the car of the second frame is nothing
    assert score.precision("truck")[0].value == 0.0 and score.precision("truck")[1].value == 1.0
    rows = score.to_json()["rows"]
    assert rows["car"]["all"]["all"]["called"] == {"car": 1, "truck": 1}
    assert "car" in realism_lines(score)[1]


def test_frames_of_one_clip_count_as_one_object_and_scenes_count_apart(colours):
    seen = labels([("car", 0, 0)])
    many = realism_of_frames([frame((CAR, 0, 0))] * 8, [seen] * 8, colours)
    assert (many.recall("car").low, many.recall("car").high) == pytest.approx(count_interval(8, 8))
    one = realism_of_frames([frame((CAR, 0, 0))] * 8, labels(*[[("car", 0, 0)]] * 8), colours)
    assert (one.recall("car").low, one.recall("car").high) == pytest.approx(count_interval(1, 1))
    assert one.recall("car").count == 1 and many.recall("car").count == 8


def test_labels_that_are_moved_or_exchanged_are_not_found(colours):
    places = [(k % 4, k % 3) for k in range(12)]
    frames = [frame((CAR, *place)) for place in places]
    score = realism_of_frames(frames, [labels([("car", *place)]) for place in places], colours)
    assert score.recall("car").value == 1.0
    assert score.control("shifted").value == 0.0 and score.control("shuffled", "car").value == 0.0
    alone = realism_of_frames(frames[0][None], labels([("car", 0, 0)]), colours)
    assert math.isnan(alone.control("shuffled").value) and alone.control("shifted").value == 0.0
    shuffled = realism_of_frames(frames, [labels([("car", *place)]) for place in places[1:] + places[:1]], colours)
    assert shuffled.recall("car").value == 0.0  # the measure sees labels that do not fit


def test_a_label_counts_by_height_width_visibility_and_flag(colours):
    known = labels([("car", 0, 0), ("car", 1, 0), ("car", 2, 0), ("traffic_cone", 3, 0)])
    known = replace(
        known, visible_fraction=np.array([1, 0.4, 1, 1]), ignore=np.array([False, False, True, False]),
    )  # fmt: skip
    picture = frame((CAR, 0, 0), (CAR, 1, 0), (CAR, 2, 0))
    judged = labelled_frame(picture, known, 0, rules=RealismRules())
    assert judged.wanted.tolist() == [True, False, False, False]
    assert labelled_frame(picture, known, 0, rules=RealismRules(min_visible=0.3)).wanted.sum() == 2
    assert labelled_frame(picture, known, 0, rules=RealismRules(min_height_px=33)).wanted.sum() == 0
    score = realism_of_frames(picture[None], known, colours)
    assert len(score.objects) == 1 and score.precision("car")[0].value == 1.0  # the others are no errors either
    thin = replace(
        known, box_px=known.box_px * [1, 1, 0, 1] + np.array([0, 0, 2, 0]) + known.box_px[:, [0]] * [0, 0, 1, 0]
    )
    assert labelled_frame(picture, thin, 0, rules=RealismRules()).wanted.sum() == 0


def test_detections_of_what_a_set_does_not_label_are_no_errors(colours):
    picture = frame((CAR, 0, 0), (PERSON, 2, 1))
    persons = realism_of_frames(picture[None], labels([("cyclist", 2, 1)]), colours)
    assert len(persons.detections) == 2 and persons.to_json()["precision"]["all"]["n"] == 1
    assert _labelled_families(persons.frames, RealismRules()) == {"person"}  # and not bicycles without a rider
    rendered = [replace(each, whole_riders=True) for each in persons.frames]
    assert _labelled_families(rendered, RealismRules()) == set(FAMILIES)


def test_recall_at_the_heights_of_another_set(colours):
    """Large labels are found and small ones are not; weighted like a set of small ones, recall is theirs."""

    def scaled(picture, height):
        box = np.array([[0, 0, 32, height]], np.float32)
        one = np.ones(1, bool)
        return LabelledFrame(picture, (128, 96), np.array([CLASSES.index("car")]), box, one, clip=str(len(clips)))

    clips, mine, theirs = [], [], []
    for number in range(12):
        clips.append(number)
        mine.append(scaled(frame((CAR, 0, 0)), 32) if number < 9 else scaled(frame(), 20))
        theirs.append(scaled(frame((CAR, 0, 0)), 32) if number < 3 else scaled(frame(), 20 if number < 9 else 90))
    rules = RealismRules()
    own, other = (realism_of_labelled(frames, colours, rules) for frames in (mine, theirs))
    assert own.recall("car").value == 0.75
    recall, covered = own.at_heights_of(other, "car")
    assert recall.value == pytest.approx(3 / 9) and covered == pytest.approx(9 / 12)
    table = compared([("drawn", own), ("real", other)], "real")
    assert set(table) == {"drawn"} and table["drawn"]["car"]["all"]["covered"] == 0.75
    same, whole = own.at_heights_of(own, "car")
    assert same.value == pytest.approx(own.recall("car").value) and whole == 1.0


def test_day_night_and_weather_are_slices(colours):
    dark = labelled_frame(
        frame(), labels([("car", 0, 0)]), 0, rules=RealismRules(), clip="a", weather="fog", light="night_lit"
    )
    bright = labelled_frame(
        frame((CAR, 0, 0)), labels([("car", 0, 0)]), 0, rules=RealismRules(), clip="b", light="dawn"
    )
    score = realism_of_labelled([dark, bright], colours, RealismRules())
    assert score.slices == ["all", "day", "night", "light dawn", "light night_lit", "weather fog"]
    assert score.recall("car", piece="night").value == 0.0 and score.recall("car", piece="day").value == 1.0
    assert score.recall("car", piece="weather fog").value == 0.0


@pytest.mark.parametrize("counts", [[1] * 6, [3, 3, 2], [5, 1, 1], [4], [2, 2]])
def test_frames_are_exchanged_with_other_clips(counts):
    clips = [str(k) for k, count in enumerate(counts) for _ in range(count)]
    frames = [replace(labelled_frame(frame(), labels([]), 0, rules=RealismRules()), clip=clip) for clip in clips]
    partner = _partners(frames, 0)
    used = partner[partner >= 0]
    assert len(set(used.tolist())) == len(used)
    assert all(clips[other] != own for own, other in zip(clips, partner, strict=True) if other >= 0)
    if max(counts) * 2 <= len(clips):
        assert len(used) == len(clips)


def test_labels_that_do_not_fit_are_refused(colours):
    with pytest.raises(InputError, match="labels"):
        realism_of_frames(frame()[None], [], colours)
    with pytest.raises(InputError, match="frames of the labels"):
        realism_of_frames(frame()[None], labels([], []), colours)
    with pytest.raises(InputError, match="size of the labels"):
        realism_of_frames(frame()[None, :64], labels([("car", 0, 0)]), colours)
    with pytest.raises(InputError, match="labelled frames"):
        realism_of_labelled([], colours, RealismRules())
