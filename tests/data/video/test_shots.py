"""Cuts, repeated frames and files that go on in another, on drives of moving textures."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from worldgen.data.video.shots import THUMBNAIL_PX, find_cuts, find_repeats, follows, frame_changes


def drive(seed: int, count: int = 30, *, brightness: int = 110, speed_px: float = 1.0) -> np.ndarray:
    """Thumbnails of a drive: a view that shifts by ``speed_px`` a frame."""
    width, height = THUMBNAIL_PX
    rng = np.random.default_rng(seed)
    wide = rng.normal(size=(height, width + 200)).astype(np.float32)
    wide = cv2.GaussianBlur(wide, (0, 0), 3)
    wide = brightness + 45 * wide / wide.std()
    frames = []
    for i in range(count):
        shift = np.float32([[1, 0, -i * speed_px], [0, 1, 0]])
        frames.append(cv2.warpAffine(wide, shift, (width, height), flags=cv2.INTER_LINEAR))
    return np.clip(np.stack(frames), 0, 255).astype(np.uint8)[..., None].repeat(3, -1)


def cuts_of(thumbnails: np.ndarray) -> tuple[int, ...]:
    return find_cuts(frame_changes(thumbnails))


def repeats_of(thumbnails: np.ndarray) -> np.ndarray:
    return find_repeats(frame_changes(thumbnails))


def test_cuts_are_where_the_drive_changes():
    joined = np.concatenate([drive(0), drive(1, 25, brightness=40), drive(2, 40, brightness=170)])
    assert cuts_of(joined) == (30, 55)


@pytest.mark.parametrize("seed", range(4))
def test_a_drive_has_no_cut(seed):
    assert cuts_of(drive(seed, 60, speed_px=0.5 + seed)) == ()
    assert cuts_of(drive(seed, 1)) == cuts_of(drive(seed, 2)) == ()


def test_a_flash_and_a_change_of_exposure_are_no_cuts():
    frames = drive(3, 40)
    frames[20] = 255
    assert cuts_of(frames) == ()
    frames = drive(3, 40).astype(int)
    frames += np.clip(np.arange(40) - 10, 0, 15)[:, None, None, None] * 4
    assert cuts_of(np.clip(frames, 0, 255).astype(np.uint8)) == ()


@pytest.mark.parametrize("at", [1, 2, 58, 59])
def test_a_cut_near_an_end_is_found(at):
    assert cuts_of(np.concatenate([drive(0, at), drive(1, 60 - at, brightness=50)])) == (at,)


def test_repeats_of_a_rate_that_is_too_high():
    once = drive(0, 40)
    doubled = np.repeat(once, 2, 0)
    assert repeats_of(doubled).tolist() == [False, True] * 40
    order = np.sort(np.concatenate([np.arange(40), np.arange(3, 40, 4)]))  # 24 frames stored as 30
    np.testing.assert_array_equal(repeats_of(once[order]), np.concatenate([[False], np.diff(order) == 0]))
    assert not repeats_of(once).any()


def test_a_car_that_stands_repeats_nothing():
    rng = np.random.default_rng(0)
    stands = np.clip(drive(0, 1).astype(int) + rng.integers(-1, 2, (60, 27, 48, 3)), 0, 255).astype(np.uint8)
    assert not repeats_of(np.concatenate([stands, stands[-1:].repeat(60, 0)])).any()


def test_one_file_goes_on_in_the_next():
    whole = drive(5, 60)
    assert follows(whole[:30], whole[30:])
    assert not follows(whole[:30], whole[36:])
    assert not follows(whole[:30], drive(6))
    assert not follows(whole[:1], whole[1:])
    assert not follows(whole[:1].repeat(20, 0), whole[:1].repeat(20, 0))  # two files that stand still tell nothing


def test_changes_are_those_of_the_frames_and_hold_few_of_them():
    frames = drive(7, 90)
    changes = frame_changes(iter(frames))
    assert (changes.num_frames, len(changes.step), len(changes.two), len(changes.three)) == (90, 89, 88, 87)
    exact = np.abs(frames[1:].astype(int) - frames[:-1]).mean((1, 2, 3))
    np.testing.assert_allclose(changes.sharp_step, exact, rtol=1e-5)
    np.testing.assert_array_equal(changes.head, frames[:20])
    np.testing.assert_array_equal(changes.tail, frames[-20:])
    assert frame_changes(frames[:1]).num_frames == 1
