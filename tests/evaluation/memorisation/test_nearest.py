from __future__ import annotations

import cv2
import numpy as np
import pytest

from worldgen.core.clip import Clip
from worldgen.core.errors import InputError
from worldgen.evaluation.distances.features import ClipItem, FeatureSet
from worldgen.evaluation.memorisation.nearest import ThumbnailClip, fine_match, nearest
from worldgen.evaluation.memorisation.planting import KINDS, REQUIRED, plant
from worldgen.evaluation.memorisation.thresholds import calibrate, feature_neighbours, share_interval


def street(seed, count=12):
    """A street that depends on the seed: buildings, a road, posts that come nearer, and a moving object."""
    rng = np.random.default_rng(seed)
    height, width = 96, 168
    still = np.zeros((height, width, 3), np.uint8)
    still[: height // 2] = rng.integers(120, 220, 3)
    still[height // 2 :] = rng.integers(50, 100, 3)
    for _ in range(14):
        x, w, h = rng.integers(-10, width), rng.integers(8, 34), rng.integers(8, 44)
        cv2.rectangle(
            still, (int(x), height // 2 - int(h)), (int(x + w), height // 2), rng.integers(30, 220, 3).tolist(), -1
        )
    for _ in range(10):
        a, b = rng.integers(0, width, 2)
        cv2.line(still, (int(a), height - 1), (int((a + b) // 2), height // 2), rng.integers(120, 255, 3).tolist(), 1)
    x, y, vx = rng.uniform(0, width), rng.uniform(height * 0.5, height * 0.9), rng.uniform(-5, 5)
    frames = []
    for t in range(count):
        zoom = 1 + 0.025 * t
        frame = cv2.warpAffine(
            still, np.float32([[zoom, 0, (1 - zoom) * width / 2], [0, zoom, (1 - zoom) * height / 2]]), (width, height),
            borderMode=cv2.BORDER_REFLECT,
        )  # fmt: skip
        cv2.circle(frame, (int(x + vx * t) % width, int(y)), 7, (220, 30, 40), -1)
        frames.append(frame)
    return Clip(np.stack(frames), 8.0)


@pytest.fixture(scope="module")
def training():
    return [ClipItem(street(i), f"train{i}", f"drive{i // 2}") for i in range(16)]


@pytest.fixture(scope="module")
def threshold(training):
    """From one half of the clips that cannot be copies; the other half is for false alarms."""
    queries = [ThumbnailClip.of(ClipItem(street(1000 + i), f"held{i}")) for i in range(16)]
    return calibrate(np.array([m.score for m in nearest(queries, training)]), 0.06)


@pytest.mark.parametrize("kind", KINDS)
def test_planted_copies_are_found(training, threshold, kind, rng):
    """All required kinds at 95 %: of four copies each that is all of them. The others are found too, on these clips."""
    chosen = training[::4]
    queries = [ThumbnailClip.of(ClipItem(plant(item.clip, kind, rng), item.key)) for item in chosen]
    matches = nearest(queries, training)
    found = [m.score > threshold.value and m.key == q.key for m, q in zip(matches, queries, strict=True)]
    assert np.mean(found) >= 0.95 if kind in REQUIRED else np.mean(found) >= 0.8, [m.score for m in matches]


def test_clips_that_are_no_copies_raise_few_alarms(training, threshold):
    queries = [ThumbnailClip.of(ClipItem(street(2000 + i), f"new{i}")) for i in range(16)]
    alarms = [m.score > threshold.value for m in nearest(queries, training)]
    assert sum(alarms) <= 2  # one in seventeen expected by the threshold's own promise


def test_the_place_in_time_and_picture_is_found(training):
    clip = training[3].clip
    x, y, w, h = 30, 12, 126, 72  # three quarters of 168x96
    cut = np.stack([cv2.resize(f[y : y + h, x : x + w], (168, 96)) for f in clip.frames[4:]])
    [match] = nearest([ThumbnailClip.of(ClipItem(Clip(cut, 8.0), "q"))], training)
    # These streets only grow, so a later frame is almost an earlier one cropped: three frames are 7 % of scale.
    assert match.key == "train3" and 0 <= match.shift <= 6 and not match.mirrored
    assert match.scale == pytest.approx(0.75, abs=0.08)
    assert match.x == pytest.approx(30 / 168, abs=0.04) and match.y == pytest.approx(12 / 96, abs=0.05)
    record = match.to_json()
    assert record["training_key"] == "train3" and record["shift_frames"] == match.shift


def test_exact_copies_score_one_and_mirroring_is_seen(training):
    small = ThumbnailClip.of(training[5])
    assert fine_match(small, small).score == pytest.approx(1.0, abs=1e-3)
    mirrored = ThumbnailClip.of(ClipItem(Clip(np.ascontiguousarray(training[5].clip.frames[:, :, ::-1]), 8.0), "m"))
    [match] = nearest([mirrored], training)
    assert match.mirrored and match.key == "train5" and match.score > 0.95


def test_blocks_do_not_matter(training, monkeypatch):
    """The training set is read in blocks; their size changes nothing."""
    from worldgen.evaluation.memorisation import nearest as module

    queries = [ThumbnailClip.of(ClipItem(street(3000 + i), f"q{i}")) for i in range(3)]
    whole = nearest(queries, iter(training), keep=3)
    monkeypatch.setattr(module, "BLOCK", 7)
    assert nearest(queries, iter(training), keep=3) == whole


def test_clips_of_the_same_drive_can_be_left_out(training):
    query = ThumbnailClip("q", "drive2", ThumbnailClip.of(training[4]).grey)
    assert nearest([query], training)[0].key == "train4"
    assert nearest([query], training, apart=True)[0].key not in ("train4", "train5")
    with pytest.raises(InputError, match="none of another drive"):
        nearest([query], training[4:6], apart=True)


def test_black_clips_match_nothing(training):
    black = ThumbnailClip.of(ClipItem(Clip(np.zeros((8, 96, 168, 3), np.uint8), 8.0), "black"))
    assert nearest([black], training)[0].score < 0.1


def test_nothing_to_compare_is_refused(training):
    with pytest.raises(InputError):
        nearest([], training)
    with pytest.raises(InputError):
        nearest([ThumbnailClip.of(training[0])], [])
    with pytest.raises(InputError, match="kind of copy"):
        plant(training[0].clip, "forged", np.random.default_rng(0))


def test_the_threshold_keeps_its_promise(rng):
    """A new score passes it as often as it says, whatever the distribution."""
    passed, promised = [], []
    for _ in range(400):
        scores = rng.gamma(2.0, 1.0, 60)
        threshold = calibrate(scores[:-10], 0.05)
        promised.append(threshold.alarm)
        passed.append((scores[-10:] > threshold.value).mean())
    assert np.mean(passed) == pytest.approx(np.mean(promised), abs=0.012) and np.mean(promised) <= 0.05
    few = calibrate(rng.normal(size=9), 0.01)
    assert few.alarm == pytest.approx(0.1) and few.value == few.most  # nine clips cannot guarantee one in a hundred
    for bad in ((np.zeros(1), 0.05), (np.zeros(5), 0.0)):
        with pytest.raises(InputError):
            calibrate(*bad)


def test_nearest_in_features(rng):
    made = {"source_px": []}
    train = FeatureSet(
        rng.normal(size=(50, 6)) * [1, 1, 1, 1, 1, 1000], [f"t{i}" for i in range(50)], [""] * 50, [()] * 50, made
    )
    queries = FeatureSet(train.features[[7, 30]] + 1e-3, ["a", "b"], [""] * 2, [()] * 2, made)
    found = feature_neighbours(queries, train)
    assert found.keys == ["t7", "t30"] and np.all(found.scores > -0.01) and np.all(found.scores <= 0)


def test_interval_of_a_share():
    """The exact interval for 0 of 10 ends at 1 - 0.025^(1 / n); for all of 10 it mirrors that."""
    assert share_interval(0, 10) == pytest.approx((0, 1 - 0.025**0.1))
    assert share_interval(10, 10) == pytest.approx((0.025**0.1, 1))
    low, high = share_interval(48, 50)
    assert 0.86 < low < 0.96 < high < 1
