"""Seams: does a clip that was made in chunks show where they were put together?

Both measures compare the step at a seam with the clip's own median step, so that a fast or dark clip is not judged by
another one's numbers.
"""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np

from worldgen.core.clip import Clip
from worldgen.generation.quality.flicker import flicker
from worldgen.generation.quality.scorecard import SEAM_MEASURES, Scorecard

SMALL_PX = 256
"""Width at which frames are compared."""
LEAST_COLOUR = 0.2
"""Smallest median step of colour that is divided by, in CIELAB units: less than the eye sees, more than rounding."""
LEAST_FLICKER = 0.02
"""Smallest median flicker that is divided by."""
MIN_FRAMES = 5


def with_seams(card: Scorecard, clip: Clip, seams: tuple[int, ...]) -> Scorecard:
    """A scorecard with the measures of seams; unchanged for a clip without seams.

    seams: numbers of the first frames after a seam.
    """
    if not seams:
        return card
    values, missing = dict(card.values), dict(card.unmeasured)
    if len(clip) < MIN_FRAMES:
        missing |= dict.fromkeys(SEAM_MEASURES, f"clip of fewer than {MIN_FRAMES} frames")
    else:
        small = small_frames(clip.frames)
        values["seam_colour"] = seam_colour(small, seams)
        values["seam_flicker"] = seam_flicker(small, seams)
    return dataclasses.replace(card, values=values, unmeasured=missing)


def small_frames(frames: np.ndarray) -> np.ndarray:
    """Frames ``(T, H, W, 3)`` uint8, area-averaged to at most ``SMALL_PX`` in width."""
    height, width = frames.shape[1:3]
    if width <= SMALL_PX:
        return frames
    size = (SMALL_PX, max(1, round(height * SMALL_PX / width)))
    return np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in frames])


def seam_colour(frames: np.ndarray, seams: tuple[int, ...]) -> float:
    """Largest step of the mean colour at a seam over the median step between other frames, 1 for no visible seam.

    frames: ``(T, H, W, 3)`` uint8 RGB. Colour is the mean in CIELAB of the picture's upper and lower half.
    """
    means = []
    for frame in frames:
        lab = cv2.cvtColor(frame.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
        middle = max(1, len(lab) // 2)
        means.append(np.concatenate([lab[:middle].mean((0, 1)), lab[middle:].mean((0, 1))]))
    steps = np.linalg.norm(np.diff(np.stack(means), axis=0).reshape(len(frames) - 1, 2, 3), axis=-1).max(axis=-1)
    return _over_median(steps, [seam - 1 for seam in seams], LEAST_COLOUR)


def seam_flicker(frames: np.ndarray, seams: tuple[int, ...]) -> float:
    """Largest change at a seam that motion does not explain, over the clip's median, 1 for no visible seam.

    frames: ``(T, H, W, 3)`` uint8 RGB. A seam lies between two frames; both triples of frames that cross it count.
    """
    grey = np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames])
    changes = np.array([flicker(grey[middle - 1 : middle + 2]) for middle in range(1, len(grey) - 1)])
    at = {middle - 1 for seam in seams for middle in (seam - 1, seam) if 1 <= middle <= len(grey) - 2}
    return _over_median(changes, sorted(at), LEAST_FLICKER)


def _over_median(steps: np.ndarray, at: list[int], least: float) -> float:
    """The largest of the steps ``at`` seams over the median of the others."""
    others = np.delete(steps, at)
    median = float(np.median(others)) if len(others) else least
    return float(steps[at].max() / max(median, least)) if at else 1.0
