"""Calibration: clean clips pass, faults do not, and no bound is stricter than the faults need."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.generation.labels_rig import FRAMES, labels
from worldgen.core.errors import InputError
from worldgen.core.seeds import numpy_rng
from worldgen.generation.quality.calibration import Allowance, calibrate, false_rejections
from worldgen.generation.quality.examination import ExaminedClip, FaultyCard, outcome, results
from worldgen.generation.quality.faults import LABEL_FAULTS, FaultyLabels, added, late
from worldgen.generation.quality.gate import Bound, Gate, GateConfig
from worldgen.generation.quality.scorecard import Scorecard
from worldgen.generation.quality.track_scores import TrackScore, judged_rows
from worldgen.instruments.detector.detector import box_iou


def cards(count: int, seed: int = 0) -> list[Scorecard]:
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(count):
        tracks = tuple(TrackScore(i, "car", 5, float(rng.beta(9, 2)), float(rng.beta(9, 2)), 0.0) for i in range(1, 5))
        agreement = float(np.mean([t.agreement for t in tracks]))
        values = {
            "sharpness": float(rng.normal(1, 0.02)),
            "flicker": float(rng.normal(1, 0.1)),
            "light": float(rng.beta(20, 1)),
        }
        out.append(Scorecard({**values, "label_agreement": agreement}, tracks=tracks))
    return out


def test_no_more_clean_clips_are_refused_than_allowed_and_new_ones_hardly_more():
    clean, new = cards(300), cards(2000, seed=1)
    config = calibrate(clean, {}, Allowance(0.03))
    assert 0 < false_rejections(config, clean) <= 0.03
    assert false_rejections(config, new) < 0.07
    assert set(config.bounds) == {"sharpness", "flicker", "light", "label_agreement"}
    assert config.object_low > 0 and config.object_fit > 0


def test_a_zero_allowance_refuses_none_of_the_clips_it_was_set_on():
    clean = cards(60)
    assert false_rejections(calibrate(clean, {}, Allowance(0.0)), clean) == 0


def test_bounds_move_out_to_the_faults_and_still_catch_them():
    clean = cards(100)
    blurred = np.random.default_rng(2).normal(0.4, 0.05, 500)
    config = calibrate(clean, {"sharpness": blurred.tolist()})
    low = config.bounds["sharpness"].low
    assert 0.65 < low < 0.8 and (blurred < low).all()  # half way from 0.95, the softest clean clips, to 0.5
    overlapping = calibrate(clean, {"sharpness": np.full(50, 1.5).tolist()}).bounds["sharpness"].low
    assert (
        overlapping <= min(card.values["sharpness"] for card in clean) + 0.05
    )  # never stricter than the clean clips ask


def with_presence(clean: list[Scorecard], values: list[float]) -> list[Scorecard]:
    return [
        Scorecard({**one.values, "presence": value}, tracks=one.tracks)
        for one, value in zip(clean, values, strict=True)
    ]


def test_presence_has_an_allowance_of_its_own():
    shown = np.random.default_rng(3).uniform(0.8, 1, 300).tolist()
    clean = cards(300)
    config = calibrate(with_presence(clean, shown), {})
    low = config.bounds["presence"].low
    assert 0.8 < low < 0.83 and np.mean(np.array(shown) < low) <= 0.03  # 3 % of them, whatever the others refuse
    plain = calibrate(clean, {})
    assert {name: b for name, b in config.bounds.items() if name != "presence"} == plain.bounds
    assert config.object_low == plain.object_low and "presence" not in plain.bounds


def test_presence_moves_out_to_its_fault_but_never_below_one_half():
    shown = [0.9] * 60
    assert calibrate(with_presence(cards(60), shown), {"presence": [0.3] * 40}).bounds["presence"].low == 0.6
    assert calibrate(with_presence(cards(60), shown), {"presence": [0.0] * 40}).bounds["presence"].low == 0.5
    assert calibrate(with_presence(cards(60), [0.4] * 60), {}).bounds["presence"].low == 0.5
    few = with_presence(cards(60)[:10], shown[:10]) + cards(60)[10:]
    assert "presence" not in calibrate(few, {}).bounds


def test_values_set_by_hand_stay():
    config = calibrate(cards(50), {}, base=GateConfig(bounds={"light": Bound(low=0.01)}, object_other=0.7))
    assert config.bounds["light"].low == 0.01 and config.object_other == 0.7


def test_few_clips_set_nothing():
    with pytest.raises(InputError, match="clean clips"):
        calibrate(cards(5), {})


@pytest.mark.parametrize("kind", LABEL_FAULTS)
def test_faults_change_what_they_say_and_nothing_else(kind):
    before = labels()
    fault = LABEL_FAULTS[kind](before, numpy_rng("test", kind))
    after = fault.labels
    others = before.track_id != fault.track
    if kind in ("shifted_one", "swapped", "swapped_near"):
        assert np.array_equal(after.box_px[others], before.box_px[others])
        assert np.array_equal(after.class_id[others], before.class_id[others])
    if kind == "shifted_one":
        overlap = [
            box_iou(a[None], b[None])[0, 0] for a, b in zip(after.box_px[~others], before.box_px[~others], strict=True)
        ]
        assert max(overlap) < 0.6
    if kind == "shifted":
        assert not np.isclose(after.box_px, before.box_px).all(1).any()
    if kind in ("swapped", "swapped_near"):
        assert (after.class_id[~others] != before.class_id[~others]).all()
        assert np.array_equal(after.box_px, before.box_px)
    if kind == "deleted":
        assert set(after.track_id) == set(before.track_id) - {fault.track}
    if kind == "late":
        assert np.array_equal(after.at(FRAMES - 1).box_px, before.at(FRAMES - 1 - _delay(before, after)).box_px)


def _delay(before, after) -> int:
    last = after.at(FRAMES - 1).box_px
    return next(d for d in range(FRAMES) if np.allclose(before.at(FRAMES - 1 - d).box_px, last))


def test_labels_that_stand_still_are_never_late():
    still = labels()
    still = dataclasses.replace(still, box_px=still.at(0).box_px.repeat(1, 0)[np.tile(np.arange(3), FRAMES)])
    assert late(still, numpy_rng("still")) is None


def test_an_added_track_overlaps_no_label():
    before = labels()
    assert added(before, before, numpy_rng("guest")) is None  # everywhere it fits, somebody is
    alone = before.where(before.track_id == 1)
    fault = added(alone, before.where(before.track_id == 3), numpy_rng("guest"))
    assert fault.track == 2 and set(fault.labels.track_id) == {1, 2} and judged_rows(fault.labels).any()


def test_outcomes_are_distinguished():
    gate, before = Gate(GateConfig(object_low=0.3)), labels()
    tracks = tuple(TrackScore(i, "car", 5, 0.1 if i == 2 else 0.9, 0.9, 0.0) for i in (1, 2, 3))
    card = Scorecard({}, tracks=tracks)
    faulty = {
        "added": FaultyCard("added", card, FaultyLabels(before, 2, before)),
        "swapped": FaultyCard("swapped", card, FaultyLabels(before, 2, before)),
        "wrong": FaultyCard("added", card, FaultyLabels(before, 3, before)),
        "deleted": FaultyCard("deleted", card, FaultyLabels(before, 2, before)),
    }
    found = {name: outcome(each, gate.decide(each.card, before)) for name, each in faulty.items()}
    assert found == {"added": "repaired", "swapped": "thinned", "wrong": "missed", "deleted": "missed"}
    strict = Gate(GateConfig(bounds={"blank": Bound(high=0.0)}))
    bad = FaultyCard("blank", Scorecard({"blank": 0.5}), None)
    assert outcome(bad, strict.decide(bad.card, None)) == "rejected"


def test_results_count_with_intervals():
    gate = Gate(GateConfig(bounds={"sharpness": Bound(low=0.5)}))
    good, bad = Scorecard({"sharpness": 1.0}), Scorecard({"sharpness": 0.1})
    examined = [ExaminedClip(f"k{i}", (), good if i else bad, (FaultyCard("blurred", bad, None),)) for i in range(4)]
    record = results(gate, examined)
    assert record["clean"]["refused"] == 1 and record["clean"]["false_rejection"]["value"] == 0.25
    assert record["faults"]["blurred"]["rejected_or_repaired"]["value"] == 1.0
    assert record["all_pictures"]["clips"] == 4 and record["all_labels"]["rejected_or_repaired"]["value"] is None
