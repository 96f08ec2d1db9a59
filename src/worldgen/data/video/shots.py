"""Cuts and repeated frames of a video, found by comparing small pictures of its frames."""

from __future__ import annotations

import cv2
import numpy as np

THUMBNAIL_PX = (48, 27)
"""Width and height of the pictures that are compared."""

REACH = 10
"""Frames before and after a step that say how much the picture changes from frame to frame there."""
CUT_RATIO, CUT_LEVELS = 2.6, 8.0
"""A cut changes the picture by at least ``CUT_LEVELS`` (mean over pixels and channels, of 255), and ``CUT_RATIO`` times
as much as its neighbours do (their 90th percentile, plus one level). In 28 uncut drives (18,400 frames, day, night,
rain, a hand before the lens) the largest ratio is 2.4. Of 300 joins of two drives at their own rate it is above 2.6 in
all but one, of jumps of 10 s inside a drive in three of four."""

REPEAT_SHARE, MOVING_LEVELS = 0.12, 0.12
"""A frame repeats the one before it when it differs by less than ``REPEAT_SHARE`` of what its neighbours change (their
75th percentile), where that is at least ``MOVING_LEVELS``: in a car that stands still all frames are alike."""
MIN_REPEATS = 0.05
"""Share of repeated frames from which a file counts as one with repeated frames. Three of 28 public clips hold 11 to
18 % (25 frames/s stored as 30); the others none."""
DRIVING_LEVELS = 0.4
"""Median change from frame to frame from which a view moves enough to tell that one file goes on in another."""


def find_cuts(thumbnails: np.ndarray) -> tuple[int, ...]:
    """First frames of new shots: the frames from which on the picture is another than before.

    A flash or a wiper is no cut, because the picture before it comes back: the change must hold between each of the
    two frames before and the two after. Fades take many frames and are not found.

    thumbnails: ``(N, h, w, 3)`` uint8, consecutive frames.
    """
    blurred = np.stack([cv2.GaussianBlur(t, (0, 0), 1.0) for t in thumbnails.astype(np.float32)])
    step = _differences(blurred, 1)  # step[k]: from frame k to k + 1
    two, three = _differences(blurred, 2), _differences(blurred, 3)
    cuts = []
    for k in np.flatnonzero(step >= CUT_LEVELS):
        across = [step[k]]
        if k > 0:
            across.append(two[k - 1])
        if k < len(two):
            across.append(two[k])
        if 0 < k <= len(three):
            across.append(three[k - 1])
        near = np.concatenate([step[max(k - REACH, 0) : k], step[k + 1 : k + 1 + REACH]])
        usual = np.quantile(near, 0.9) if len(near) else 0.0
        if min(across) >= CUT_LEVELS and min(across) >= CUT_RATIO * (usual + 1):
            cuts.append(int(k) + 1)
    return tuple(cuts)


def find_repeats(thumbnails: np.ndarray) -> np.ndarray:
    """Which frames repeat the one before them, ``(N,)`` bool; all False where they are fewer than ``MIN_REPEATS``.

    Repeats come from files whose rate is higher than that of their pictures. thumbnails: see :func:`find_cuts`.
    """
    step = _differences(thumbnails.astype(np.float32), 1)
    repeated = np.zeros(len(thumbnails), bool)
    for k, change in enumerate(step):
        usual = np.quantile(step[max(k - REACH, 0) : k + 1 + REACH], 0.75)
        repeated[k + 1] = usual >= MOVING_LEVELS and change < REPEAT_SHARE * usual
    return repeated if repeated.mean() >= MIN_REPEATS else np.zeros(len(thumbnails), bool)


def follows(before: np.ndarray, after: np.ndarray) -> bool:
    """Whether one video goes on where another ends: no cut lies between them, and they move.

    before, after: ``(N, h, w, 3)`` uint8 thumbnails, the last of one and the first of the other, at least two each.
    """
    if before.shape[1:] != after.shape[1:] or min(len(before), len(after)) < 2:
        return False
    joined = np.concatenate([before[-REACH:], after[:REACH]]).astype(np.float32)
    step, at = _differences(joined, 1), min(len(before), REACH) - 1
    usual = float(np.median(np.delete(step, at)))
    return usual >= DRIVING_LEVELS and step[at] <= 2 * usual


def _differences(pictures: np.ndarray, lag: int) -> np.ndarray:
    """Mean absolute difference between frames ``lag`` apart, ``(N - lag,)``."""
    return np.abs(pictures[lag:] - pictures[:-lag]).mean((1, 2, 3)) if len(pictures) > lag else np.zeros(0)
