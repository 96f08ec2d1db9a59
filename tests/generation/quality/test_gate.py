"""The gate: values inside the limits pass, reasons name those outside, and labels of objects not shown are dropped."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from tests.generation.labels_rig import labels
from worldgen.core.errors import InputError
from worldgen.files.config_files import load_config
from worldgen.generation.quality.gate import Bound, Gate, GateConfig
from worldgen.generation.quality.scorecard import SEAM_MEASURES, Scorecard
from worldgen.generation.quality.track_scores import TrackScore


def track(number: int, agreement: float = 0.9, other: float = 0.0, fit: float = 0.9) -> TrackScore:
    return TrackScore(number, "car", 5, agreement, fit, other)


def card(*tracks: TrackScore, **values: float) -> Scorecard:
    return Scorecard(values, tracks=tracks)


def test_bounds_are_inclusive_and_reasons_name_measures():
    gate = Gate(GateConfig(bounds={"sharpness": Bound(low=0.5), "flicker": Bound(high=2.0), "drift": Bound(0.1, 0.2)}))
    assert gate.decide(card(sharpness=0.5, flicker=2.0, drift=0.1), None).accepted
    verdict = gate.decide(card(sharpness=0.49, flicker=2.1, drift=0.3), None)
    assert not verdict.accepted and verdict.reasons == ("sharpness", "flicker", "drift")
    assert verdict.details["sharpness"] == "0.49, expected at least 0.5"
    assert verdict.details["drift"] == "0.3, expected 0.1 to 0.2"
    assert verdict.to_json()["reasons"] == ["sharpness", "flicker", "drift"]


def test_what_is_required_must_be_measured():
    gate = Gate(GateConfig(bounds={"novelty": Bound(low=0.2)}, required=("novelty",)))
    verdict = gate.decide(Scorecard({}, {"novelty": "no description"}), None)
    assert verdict.reasons == ("novelty not measured",) and verdict.details == {
        "novelty not measured": "no description"
    }
    assert gate.decide(card(novelty=0.3), None).accepted
    assert (
        Gate(GateConfig(bounds={"novelty": Bound(low=0.2)})).decide(card(), None).accepted
    )  # not required: recorded only


def test_a_label_without_its_object_is_dropped_and_recorded():
    gate, before = Gate(GateConfig(object_low=0.3, object_other=0.4)), labels()
    verdict = gate.decide(card(track(1), track(2, agreement=0.1), track(3)), before)
    assert verdict.accepted and [t.track_id for t in verdict.dropped] == [2]
    assert set(verdict.labels.track_id) == {1, 3} and len(before) > len(verdict.labels)
    assert verdict.to_json()["dropped"][0]["track_id"] == 2
    assert not gate.passes_whole(card(track(1), track(2, agreement=0.1), track(3)))


def test_dropping_never_leaves_an_object_without_a_label():
    gate = Gate(GateConfig(object_low=0.3, object_other=0.4))
    verdict = gate.decide(card(track(1), track(2, agreement=0.1, other=0.8), track(3)), labels())
    assert verdict.reasons == ("another object shown",)


def test_a_track_that_was_ordered_is_never_dropped():
    gate = Gate(GateConfig(object_low=0.3, object_fit=0.3))
    ordered = dataclasses.replace(track(2, agreement=0.9, fit=0.2), ordered=True)
    verdict = gate.decide(card(track(1), ordered, track(3)), labels())
    assert verdict.reasons == ("ordered object not shown",) and "car 2" in verdict.details["ordered object not shown"]
    assert gate.decide(card(track(1, agreement=0.1), dataclasses.replace(ordered, fit=0.9)), labels()).reasons == ()


def test_presence_has_a_bound_of_its_own():
    gate = Gate(GateConfig(bounds={"label_agreement": Bound(low=0.2), "presence": Bound(low=0.5)}))
    assert gate.decide(card(label_agreement=0.8, presence=0.49), None).reasons == ("presence",)
    assert gate.decide(card(label_agreement=0.8, presence=0.5), None).accepted
    assert gate.decide(Scorecard({"label_agreement": 0.8}, {"presence": "no object was ordered"}), None).accepted


def test_the_shipped_gate_has_the_limits_of_seams_that_were_measured(repository):
    gate = load_config(GateConfig, [str(repository / "configs/gate/default.yaml")])
    measured = json.loads((repository / "benchmarks/results/seams.json").read_text())
    assert {name: gate.bounds[name].high for name in SEAM_MEASURES} == measured["limits"]
    found = {kind: values["found"] for kind, values in measured["planted"].items()}
    assert found["2 % brighter"] < found["5 % brighter"] < found["10 % brighter"] and found["another picture"] > 0.9


def test_a_box_that_does_not_fit_counts_as_not_shown():
    gate = Gate(GateConfig(object_fit=0.4))
    assert [t.track_id for t in gate.decide(card(track(1, fit=0.2), track(2), track(3)), labels()).dropped] == [1]


def test_too_many_missing_objects_refuse_the_clip():
    gate = Gate(GateConfig(object_low=0.3, max_dropped=0.5))
    verdict = gate.decide(card(track(1, 0.1), track(2, 0.1), track(3)), labels())
    assert verdict.reasons == ("objects not shown",) and "2 of 3" in verdict.details["objects not shown"]


def test_reject_refuses_where_drop_would_repair():
    gate = Gate(GateConfig(objects="reject", object_low=0.3))
    verdict = gate.decide(card(track(1), track(2, 0.1), track(3)), labels())
    assert verdict.reasons == ("object not shown",) and verdict.labels is not None and not verdict.dropped
    assert len(verdict.labels) == len(labels())


@pytest.mark.parametrize(
    "values",
    [{"bounds": {"beauty": Bound(low=0)}}, {"required": ("charm",)}, {"object_low": 2.0}, {"max_dropped": -0.1}],
)
def test_invalid_configs_are_refused(values):
    with pytest.raises(InputError):
        GateConfig(**values)


def test_invalid_bounds_are_refused():
    with pytest.raises(InputError):
        Bound()
    with pytest.raises(InputError):
        Bound(2, 1)
    assert Bound(low=0).holds(np.float32(0))
