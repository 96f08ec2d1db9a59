"""Matching of labels and COCO detections: who is found, as what, and which detections are errors."""

import numpy as np
import pytest

from worldgen.core.errors import InputError
from worldgen.core.labels import CLASSES
from worldgen.data.export.class_maps import COCO80
from worldgen.evaluation.realism.labelled_frame import LabelledFrame, RealismRules
from worldgen.evaluation.realism.matching import NOTHING, OTHER_CLASS, RIGHT, UNCOUNTED, match_frame, matched_pairs
from worldgen.instruments.detector.coco_detector import CocoBoxes
from worldgen.instruments.detector.coco_families import FAMILIES, RECOGNISED_AS, families_of, recognised_as

EVERY = frozenset(FAMILIES)
CAR, PERSON = (10, 10, 40, 30), (60, 10, 70, 40)


def labelled(*rows, wanted=None, riders=True):
    names, boxes = zip(*rows, strict=True) if rows else ((), ())
    count = len(names)
    return LabelledFrame(
        None, (200, 100), np.array([CLASSES.index(n) for n in names], np.int64),
        np.array(boxes, np.float32).reshape(-1, 4), np.ones(count, bool) if wanted is None else np.array(wanted),
        whole_riders=riders,
    )  # fmt: skip


def found(*rows):
    names, boxes = zip(*rows, strict=True) if rows else ((), ())
    return CocoBoxes(
        np.array([COCO80.index(n) for n in names], np.int64), np.array(boxes, np.float32).reshape(-1, 4),
        np.linspace(0.9, 0.5, len(names)).astype(np.float32),
    )  # fmt: skip


def called(match):
    return [COCO80[n] if n >= 0 else None for n in match.name]


def test_a_car_that_is_called_a_truck_is_found_under_another_name():
    match = match_frame(labelled(("car", CAR)), found(("truck", CAR)), RealismRules(), EVERY)
    assert called(match) == ["truck"] and match.state.tolist() == [OTHER_CLASS]


def test_a_person_in_the_place_of_a_car_is_not_the_car():
    match = match_frame(labelled(("car", CAR)), found(("person", CAR)), RealismRules(), EVERY)
    assert called(match) == [None] and match.state.tolist() == [OTHER_CLASS]


def test_detections_of_nothing_and_of_labels_that_are_not_judged():
    frame = labelled(("car", CAR), ("car", (100, 10, 130, 30)), wanted=[True, False])
    boxes = found(
        ("car", CAR), ("car", (101, 10, 131, 30)), ("car", (150, 50, 180, 80)), ("car", (104, 12, 112, 24)),
        ("car", (0, 0, 9, 7.5)),
    )  # fmt: skip
    match = match_frame(frame, boxes, RealismRules(), EVERY)
    assert match.state.tolist() == [RIGHT, UNCOUNTED, NOTHING, UNCOUNTED, UNCOUNTED]
    unlabelled = match_frame(frame, boxes, RealismRules(), frozenset({"person"}))
    assert set(unlabelled.state.tolist()) == {UNCOUNTED}


def test_one_detection_finds_one_label_only():
    twins = labelled(("car", CAR), ("car", (12, 10, 42, 30)))
    match = match_frame(twins, found(("car", CAR)), RealismRules(), EVERY)
    assert called(match) == ["car", None]


def test_pairs_are_taken_by_falling_overlap():
    overlap = np.array([[0.6, 0.9], [0.55, 0.8]])
    assert matched_pairs(overlap, 0.5).tolist() == [1, 0]
    assert matched_pairs(overlap, 0.7).tolist() == [1, -1]
    assert matched_pairs(np.zeros((0, 3)), 0.5).tolist() == []


def test_a_cyclist_is_found_as_person_and_as_bicycle():
    rider, side_on = (20, 10, 40, 60), (5, 10, 65, 60)
    frame = labelled(("cyclist", rider))
    match = match_frame(frame, found(("bicycle", (18, 20, 42, 60)), ("person", rider)), RealismRules(), EVERY)
    assert called(match) == ["person"] and match.person[0] and match.bicycle[0] and match.rider[0]
    assert match.state.tolist() == [RIGHT, RIGHT]
    # From the side the rider is narrow in a wide box: no match by overlap, but a rider whose box is no error.
    narrow = match_frame(labelled(("cyclist", side_on)), found(("person", (22, 11, 45, 52))), RealismRules(), EVERY)
    assert called(narrow) == [None] and narrow.rider[0] and narrow.state.tolist() == [UNCOUNTED]
    annotated = labelled(("cyclist", side_on), riders=False)  # such labels are of the rider alone
    assert not match_frame(annotated, found(("person", (22, 11, 45, 52))), RealismRules(), EVERY).rider[0]
    thin = match_frame(labelled(("cyclist", side_on)), found(("person", (22, 11, 30, 52))), RealismRules(), EVERY)
    assert not thin.rider[0]


def test_a_motorcycle_under_its_rider_is_compared_with_the_part_that_it_spans_in_height():
    """The box of a scene's motorcycle holds the rider; the detector boxes the machine, which is half as high."""
    both = labelled(("motorcycle", (20, 10, 50, 70)))
    machine, rider = ("motorcycle", (20, 44, 50, 70)), ("person", (24, 10, 46, 55))
    match = match_frame(both, found(machine, rider), RealismRules(), EVERY)
    assert called(match) == [None] and match.machine[0] and match.rider[0]
    assert match.state.tolist() == [UNCOUNTED, UNCOUNTED]
    low = match_frame(both, found(("motorcycle", (20, 56, 50, 70))), RealismRules(), EVERY)
    assert not low.machine[0] and not low.rider[0]
    whole = match_frame(both, found(("motorcycle", (20, 12, 50, 70))), RealismRules(), EVERY)
    assert called(whole) == ["motorcycle"] and whole.machine[0]


def test_every_class_but_the_cone_has_names_and_families():
    assert set(RECOGNISED_AS) == set(CLASSES) - {"traffic_cone"}
    assert families_of(RECOGNISED_AS["cyclist"]) == ("person", "two_wheeler")
    assert all(name in COCO80 for names in FAMILIES.values() for name in names)


def test_the_table_can_be_changed():
    table = recognised_as({"car": ("car", "truck"), "animal": ()})
    match = match_frame(labelled(("car", CAR)), found(("truck", CAR)), RealismRules(recognised=table), EVERY)
    assert "animal" not in table and match.state.tolist() == [RIGHT]
    with pytest.raises(InputError, match="COCO name of car"):
        recognised_as({"car": ("boat",)})
    with pytest.raises(InputError, match="class"):
        recognised_as({"van": ("car",)})


@pytest.mark.parametrize("change", [{"overlap": 0}, {"min_visible": 1.5}, {"least_score": -1}, {"min_height_px": 0}])
def test_rules_out_of_range_are_refused(change):
    with pytest.raises(InputError):
        RealismRules(**change)
