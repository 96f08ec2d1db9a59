from __future__ import annotations

import numpy as np
import pytest

from worldgen.core.clip import Clip
from worldgen.core.errors import InputError

FRAMES = np.arange(5 * 4 * 6 * 3, dtype=np.uint8).reshape(5, 4, 6, 3)


def test_measures():
    clip = Clip(FRAMES, 12.5)
    assert (len(clip), clip.height_px, clip.width_px, clip.duration_s) == (5, 4, 6, 0.4)


def test_a_part_keeps_the_rate():
    part = Clip(FRAMES, 12.5)[1:3]
    assert part.fps == 12.5
    np.testing.assert_array_equal(part.frames, FRAMES[1:3])


@pytest.mark.parametrize("span", [slice(0, 4, 2), slice(None, None, -1), 2])
def test_a_part_that_would_change_the_rate_is_refused(span):
    with pytest.raises(InputError, match="slice"):
        Clip(FRAMES, 10.0)[span]


@pytest.mark.parametrize(
    "frames",
    [
        FRAMES.astype(np.float32), FRAMES[0], FRAMES[..., :1], FRAMES.tolist(), FRAMES[:0], FRAMES[:, :0], None,
        FRAMES.transpose(0, 3, 1, 2),
    ],
)  # fmt: skip
def test_anything_but_uint8_rgb_frames_is_refused(frames):
    with pytest.raises(InputError, match="clip frames"):
        Clip(frames, 10.0)


@pytest.mark.parametrize("fps", [0, -1.0, np.nan, np.inf])
def test_impossible_rates_are_refused(fps):
    with pytest.raises(InputError, match="fps"):
        Clip(FRAMES, fps)


def test_an_empty_part_is_refused():
    with pytest.raises(InputError, match="at least one frame"):
        Clip(FRAMES, 10.0)[3:3]
