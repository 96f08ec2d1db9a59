"""Printing a clip, its motion and its labels says what they hold instead of showing arrays."""

from __future__ import annotations

import numpy as np

from worldgen.core.clip import Clip
from worldgen.core.ego import EgoMotion
from worldgen.core.labels import Labels


def test_types_with_arrays_print_in_one_short_line() -> None:
    assert repr(Clip(np.zeros((3, 4, 6, 3), np.uint8), 8.0)) == "Clip(3 frames of 6x4 at 8 fps)"
    assert repr(EgoMotion(np.array([8.0, 9.5]), np.zeros(2), 8.0)) == "EgoMotion(2 rows at 8 fps, 8 to 9.5 m/s)"
    assert repr(Labels.empty(3, 6, 4)) == "Labels(0 boxes of 0 tracks in 3 frames, source 'scene')"
