from __future__ import annotations

import json

import numpy as np
import pytest

from worldgen.core.errors import InputError
from worldgen.evaluation.distances.features import FeatureSet
from worldgen.evaluation.distances.frechet import distance_of
from worldgen.evaluation.distances.kernel_distance import kernel_distance
from worldgen.evaluation.distances.protocol import UncertaintyOptions, compare

SIZE = 6
QUICK = UncertaintyOptions(draws=30)


def _set(rng, count, *, shift=0.0, name="a", drives=None, tags=None, **changes):
    made_by = {
        "extractor": "fd-worldgen", "extractor_hash": "0123456789abcdef", "feature_size": SIZE, "resize": "area",
        "input_px": [96, 56], "rule": {"frames": 16, "fps": 0.0, "skip_s": 0.25, "position": "start"}, "fps": 8.0,
        "source_px": ["224x128"],
    }  # fmt: skip
    keys = [f"{name}{i}" for i in range(count)]
    return FeatureSet(
        rng.normal(size=(count, SIZE)) + shift, keys, drives or keys, tags or [("day",)] * count, made_by | changes
    )


def test_the_card_holds_everything_that_changes_the_number(rng):
    real, made = _set(rng, 90), _set(rng, 80, shift=0.7, name="b")
    card = compare(real, made, QUICK)
    record = json.loads(json.dumps(card.to_json(), allow_nan=False))
    assert record["value"] == pytest.approx(distance_of(real.features, made.features), rel=1e-5)
    assert record["kernel_distance"]["value"] == pytest.approx(kernel_distance(real.features, made.features), rel=1e-4)
    assert record["interval_95"][0] < record["value"] < record["interval_95"][1]
    assert record["generated"]["clips"] == 80 and record["reference"]["clips"] == 90
    protocol = record["protocol"]
    for name in (
        "extractor",
        "extractor_hash",
        "resize",
        "resize_order",
        "frames",
        "fps",
        "reference_frames",
        "feature_size",
    ):
        assert protocol[name], name
    assert protocol["reference_frames"] == "excluded" and record["warnings"] == []
    line = card.line()
    for word in ("N = 80 against 90", "16 frames at 8 fps", "first 0.25 s excluded", "area to 96x56", "0123456789ab"):
        assert word in line
    assert "\n" not in line and "FVD" not in line


def test_only_i3d_is_called_fvd(rng):
    one, two = (_set(rng, 20, name=n, extractor="i3d", feature_size=400) for n in "ab")
    assert compare(one, two, QUICK).line().startswith("FVD ")


def test_the_floor_is_what_real_clips_score_at_the_same_count(rng):
    real, made = _set(rng, 400), _set(rng, 60, shift=1.5, name="b")
    floor = compare(real, made, QUICK).floor
    assert floor.clips == 60 and floor.by_drive
    expected = np.mean([distance_of(rng.normal(size=(60, SIZE)), rng.normal(size=(60, SIZE))) for _ in range(50)])
    assert floor.mean == pytest.approx(expected, rel=0.25) and floor.generated > 10 * floor.mean
    few = compare(_set(rng, 40), made, QUICK).floor
    assert few.clips == 20  # half of what there is


def test_clips_as_good_as_real_raise_a_warning(rng):
    card = compare(_set(rng, 300), _set(rng, 100, name="b"), QUICK)
    assert any("cannot distinguish these from real" in w for w in card.warnings)


def test_too_few_clips_for_the_features_are_named(rng):
    """400 features of I3D need more than 400 clips."""
    wide = {"extractor": "i3d", "feature_size": 400}
    for count, expected in ((400, True), (401, False)):
        one, two = _set(rng, count, **wide), _set(rng, count, name="b", **wide)
        warned = any("rank" in w for w in compare(one, two, UncertaintyOptions(draws=0)).warnings)
        assert warned is expected


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"drives": ["x"] * 40 + ["y"] * 40}, "2 drives"),
        ({"source_px": ["384x216"]}, "different size"),
        ({"name": "a"}, "same key on both sides"),
    ],
)
def test_what_makes_a_number_unreliable_raises_a_warning(rng, changes, word):
    made = _set(rng, 80, shift=1.0, **({"name": "b"} | changes))
    assert any(word in w for w in compare(_set(rng, 80), made, QUICK).warnings), word


def test_floor_of_few_drives_says_that_its_halves_share_them(rng):
    real = _set(rng, 60, drives=["x"] * 30 + ["y"] * 30)
    card = compare(real, _set(rng, 60, shift=1, name="b"), QUICK)
    assert not card.floor.by_drive and any("share drives" in w for w in card.warnings)


def test_halves_of_the_floor_share_no_drive(rng):
    """All clips of a drive alike: halves that shared drives would score far too low."""
    drives = [f"d{i // 10}" for i in range(100)]
    real = _set(rng, 100, drives=drives)
    real.features = np.repeat(rng.normal(size=(10, SIZE)), 10, 0) + 0.01 * rng.normal(size=(100, SIZE))
    floor = compare(real, _set(rng, 50, name="b"), QUICK).floor
    order = rng.permutation(100)
    assert floor.by_drive and floor.mean > 3 * distance_of(real.features[order[:50]], real.features[order[50:]])


@pytest.mark.parametrize("name", ["extractor_hash", "resize", "fps", "rule"])
def test_sets_made_differently_are_not_compared(rng, name):
    other = {"extractor_hash": "ff", "resize": "squash", "fps": 10.0, "rule": {"frames": 8}}[name]
    with pytest.raises(InputError, match=f"{name} of the two sets"):
        compare(_set(rng, 10), _set(rng, 10, **{name: other}), QUICK)


def test_slices_by_tag(rng):
    tags = [("night", "rain")] * 30 + [("day",)] * 30
    real, made = _set(rng, 60, tags=tags), _set(rng, 60, name="b", tags=tags)
    made.features[:30] += 2.0  # only night goes wrong
    slices = compare(real, made, QUICK).slices
    assert set(slices) == {"night", "rain", "day"}
    assert slices["night"]["kernel_distance"] > 5 * abs(slices["day"]["kernel_distance"])
    assert slices["day"]["generated_clips"] == 30
    few = compare(real.rows(range(30, 65 - 5)), made, QUICK).slices
    assert "night" not in few


def test_one_clip_is_no_set(rng):
    with pytest.raises(InputError, match="at least 2"):
        compare(_set(rng, 1), _set(rng, 5), QUICK)
