"""Tuning: the allowance is used where it catches most faults, and is never exceeded."""

from __future__ import annotations

import numpy as np
import pytest

from tests.generation.labels_rig import labels
from worldgen.generation.quality.calibration import Allowance, calibrate, false_rejections
from worldgen.generation.quality.examination import ExaminedClip, FaultyCard, values_of_faults
from worldgen.generation.quality.faults import FaultyLabels
from worldgen.generation.quality.gate import GateConfig
from worldgen.generation.quality.scorecard import Scorecard
from worldgen.generation.quality.track_scores import TrackScore
from worldgen.generation.quality.tuning import ScorecardTable, caught, config_at, threshold_grid, threshold_values, tune


def card(rng, *, unlabelled: float, wrong: float, other: float = 0.0, agreement: float = 0.9) -> Scorecard:
    tracks = (
        TrackScore(1, "car", 9, agreement, float(rng.beta(9, 2)), other),
        TrackScore(2, "car", 9, float(rng.beta(9, 2)), float(rng.beta(9, 2)), 0.0),
    )
    values = {"label_agreement": float(np.mean([t.agreement for t in tracks])), "label_fit": float(rng.beta(9, 2))}
    return Scorecard({**values, "wrong_class": wrong, "unlabelled": unlabelled}, tracks=tracks)


@pytest.fixture(scope="module")
def examined() -> list[ExaminedClip]:
    """Clips in which missing labels are hard to find, wrong classes are easy, and added boxes can be dropped."""
    rng, truth, out = np.random.default_rng(0), labels(), []
    for number in range(200):
        clean = card(rng, unlabelled=float(rng.beta(2, 5)), wrong=float(rng.normal(-0.5, 0.1)))
        fault = FaultyLabels(truth, 1, truth)
        faulty = (
            FaultyCard("deleted", card(rng, unlabelled=float(rng.beta(5, 3)), wrong=-0.5), fault),
            FaultyCard("swapped_near", card(rng, unlabelled=0.1, wrong=float(rng.normal(0.6, 0.1))), fault),
            FaultyCard("added", card(rng, unlabelled=0.1, wrong=-0.5, agreement=0.02), fault),
        )
        out.append(ExaminedClip(str(number), (), clean, faulty))
    return out


def test_more_faults_are_caught_for_the_same_false_rejections(examined):
    clean, faults = [e.clean for e in examined], [s for e in examined for s in e.faulty]
    before = calibrate(clean, values_of_faults(examined), Allowance(0.03), GateConfig(object_other=0.5))
    after = tune(before, examined, Allowance(0.03))
    assert false_rejections(after, clean) <= 0.03
    assert caught(after, faults) > caught(before, faults)
    by_kind = {
        kind: caught(after, [s for s in faults if s.kind == kind]) for kind in ("deleted", "swapped_near", "added")
    }
    assert by_kind["swapped_near"] > 190 and by_kind["added"] > 190
    # The rest of the allowance goes to the hard fault: about its share beyond the 97th percentile of clean clips.
    limit = np.quantile([c.values["unlabelled"] for c in clean], 0.97)
    possible = sum(s.card.values["unlabelled"] > limit for s in faults if s.kind == "deleted")
    assert by_kind["deleted"] >= possible - 12
    assert caught(tune(after, examined, Allowance(0.03)), faults) == caught(after, faults)


def test_the_quick_count_is_that_of_the_gate(examined):
    clean, faults = [e.clean for e in examined], [s for e in examined for s in e.faulty]
    kept = GateConfig()
    grid = threshold_grid(clean)
    good, bad = (
        ScorecardTable.of(clean, [None] * len(clean), kept),
        ScorecardTable.of([s.card for s in faults], faults, kept),
    )
    rng = np.random.default_rng(3)
    for _ in range(25):
        point = {name: float(rng.choice(values)) for name, values in grid.items()}
        config = config_at(kept, point)
        assert bad.caught(point) == caught(config, faults)
        assert good.touched(point) == round(false_rejections(config, clean) * len(clean))


def test_nothing_is_tuned_without_faults(examined):
    bare = [ExaminedClip(e.key, e.tags, e.clean) for e in examined]
    config = calibrate([e.clean for e in bare], {}, Allowance(0.03))
    assert tune(config, bare, Allowance(0.03)) == config


def test_thresholds_leave_the_share_outside_that_they_say():
    values = np.arange(1000) / 1000
    high, low = threshold_values(values, low=False), threshold_values(values, low=True)
    assert high[0] == 0.999 and high == sorted(high, reverse=True) and low == sorted(low) and low[0] == 0
    assert (values > high[-1]).mean() == pytest.approx(0.12, abs=2e-3) and (values < low[-1]).mean() == pytest.approx(
        0.12
    )
    assert threshold_values([], low=True) == []
