"""Cuts and repeated frames of a video, found by comparing small pictures of its frames."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np

THUMBNAIL_PX = (48, 27)
"""Width and height of the pictures that are compared."""

REACH = 10
"""Frames before and after a step that say how much the picture changes from frame to frame there."""
CUT_RATIO, CUT_LEVELS = 2.6, 8.0
"""A cut changes the picture by at least ``CUT_LEVELS`` (mean over pixels and channels, of 255), and ``CUT_RATIO`` times
as much as its neighbours do (their 90th percentile, plus one level). In 28 uncut drives (18,400 frames, day, night,
rain, a hand before the lens) the largest ratio is 2.4, so none has a cut. All of 300 joins of two drives at their own
rate are found, and 75 % of jumps of 10 s inside a drive."""

REPEAT_SHARE, MOVING_LEVELS = 0.12, 0.12
"""A frame repeats the one before it when it differs by less than ``REPEAT_SHARE`` of what its neighbours change (their
75th percentile), where that is at least ``MOVING_LEVELS``: in a car that stands still all frames are alike."""
MIN_REPEATS = 0.05
"""Share of repeated frames from which a file counts as one with repeated frames. Three of 28 public clips hold 11 to
18 % (25 frames/s stored as 30); the others none."""
DRIVING_LEVELS = 0.4
"""Median change from frame to frame from which a view moves enough to tell that one file goes on in another."""


@dataclass(frozen=True, eq=False)
class FrameChanges:
    """How much the pictures of a video change from frame to frame.

    step, two, three: ``(N - 1,)``, ``(N - 2,)``, ``(N - 3,)`` float32 mean absolute differences (of 255) of blurred
    thumbnails 1, 2 and 3 frames apart. sharp_step: ``(N - 1,)`` those of thumbnails as they are, 1 frame apart. head,
    tail: the first and the last ``2 * REACH`` thumbnails, ``(n, h, w, 3)`` uint8.
    """

    num_frames: int
    step: np.ndarray
    two: np.ndarray
    three: np.ndarray
    sharp_step: np.ndarray
    head: np.ndarray
    tail: np.ndarray


def frame_changes(thumbnails: Iterable[np.ndarray]) -> FrameChanges:
    """The changes of a video, frame by frame; only a few thumbnails are held, however long it is.

    thumbnails: ``(h, w, 3)`` uint8 each, consecutive frames of one size, at least one.
    """
    head: list[np.ndarray] = []
    tail: deque[np.ndarray] = deque(maxlen=2 * REACH)
    before: deque[np.ndarray] = deque(maxlen=3)
    apart: tuple[list[float], ...] = ([], [], [])
    sharp: list[float] = []
    count = 0
    for thumbnail in thumbnails:
        blurred = cv2.GaussianBlur(thumbnail.astype(np.float32), (0, 0), 1.0)
        for values, earlier in zip(apart, reversed(before), strict=False):
            values.append(_difference(earlier, blurred))
        if tail:
            sharp.append(_difference(tail[-1], thumbnail))
        before.append(blurred)
        tail.append(thumbnail)
        if count < 2 * REACH:
            head.append(thumbnail)
        count += 1
    step, two, three = (np.array(values, np.float32) for values in apart)
    return FrameChanges(count, step, two, three, np.array(sharp, np.float32), np.stack(head), np.stack(tail))


def find_cuts(changes: FrameChanges) -> tuple[int, ...]:
    """First frames of new shots: the frames from which on the picture is another than before.

    A flash or a wiper is no cut, because the picture before it comes back: the change must hold between each of the
    two frames before and the two after. Fades take many frames and are not found.
    """
    step, two, three = changes.step, changes.two, changes.three
    cuts = []
    for k in np.flatnonzero(step >= CUT_LEVELS):  # step[k]: from frame k to k + 1
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


def find_repeats(changes: FrameChanges) -> np.ndarray:
    """Which frames repeat the one before them, ``(N,)`` bool; all False where they are fewer than ``MIN_REPEATS``.

    Repeats come from files whose rate is higher than that of their pictures.
    """
    step = changes.sharp_step
    repeated = np.zeros(changes.num_frames, bool)
    for k in np.flatnonzero(step < REPEAT_SHARE * step.max(initial=0.0)):
        usual = np.quantile(step[max(k - REACH, 0) : k + 1 + REACH], 0.75)
        repeated[k + 1] = usual >= MOVING_LEVELS and step[k] < REPEAT_SHARE * usual
    return repeated if repeated.mean() >= MIN_REPEATS else np.zeros(changes.num_frames, bool)


def follows(before: np.ndarray, after: np.ndarray) -> bool:
    """Whether one video goes on where another ends: no cut lies between them, and they move.

    before, after: ``(N, h, w, 3)`` uint8 thumbnails, the last of one and the first of the other, at least two each.
    """
    if before.shape[1:] != after.shape[1:] or min(len(before), len(after)) < 2:
        return False
    joined = np.concatenate([before[-REACH:], after[:REACH]])
    step = frame_changes(joined).sharp_step
    at = min(len(before), REACH) - 1
    usual = float(np.median(np.delete(step, at)))
    return usual >= DRIVING_LEVELS and bool(step[at] <= 2 * usual)


def _difference(one: np.ndarray, other: np.ndarray) -> float:
    """Mean absolute difference of two thumbnails."""
    return float(cv2.norm(one, other, cv2.NORM_L1)) / one.size
