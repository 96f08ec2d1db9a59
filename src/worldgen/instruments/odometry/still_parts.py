"""Parts of the picture that do not move with the road: bonnet, overlays, drops on the windscreen.

An edge that stays where it is survives in the mean of many frames; edges of the passing world blur away. Edges that
point to where the car is heading, such as lane lines, look alike in every frame though they pass, so they are left out.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from worldgen.instruments.odometry.point_tracks import PointTracks

MIN_FRAMES = 8
STILL_SHARE = 0.55
"""Gradient of the mean frame over the mean gradient of the frames, from which an edge stays in place. Bonnets reach
0.8; the passing world stays below 0.3."""
RADIAL_SHARE = 0.6
"""Least part of the gradient along the line to the middle of the picture."""
BLUR_PX, SHADE_PX, MEAN_PX, GROW_PX = 1.0, 12.0, 7, 5
"""Edges are wider than ``BLUR_PX`` and narrower than ``SHADE_PX``, which leaves shading of the road out; means are
taken over ``MEAN_PX``; and what is found grows by ``GROW_PX``."""
MIN_LEVELS = 1.2
"""Least gradient of an edge in levels a pixel: haze and vignettes are fainter and stay in place too."""
BONNET_PART, BONNET_SHARE = 0.3, 0.15
"""In this lower part of the picture, a row of which this share are level edges that stay is the edge of a bonnet, and
everything below it is bonnet."""


def still_parts(frames: Sequence[np.ndarray]) -> np.ndarray:
    """Which pixels stay in place while the car drives, ``(h, w)`` bool; none for fewer than ``MIN_FRAMES`` frames.

    frames: grey ``(h, w)`` uint8, from moments in which the car moves, spread over the clip.
    """
    if len(frames) < MIN_FRAMES:
        return np.zeros(frames[0].shape if len(frames) else (0, 0), bool)
    across: np.ndarray = np.zeros(frames[0].shape, np.float32)
    down, strength = across, across
    for frame in frames:
        soft = cv2.GaussianBlur(frame.astype(np.float32), (0, 0), BLUR_PX)
        soft = soft - cv2.GaussianBlur(soft, (0, 0), SHADE_PX)
        x, y = cv2.Sobel(soft, cv2.CV_32F, 1, 0) / 8, cv2.Sobel(soft, cv2.CV_32F, 0, 1) / 8
        across, down, strength = across + x / len(frames), down + y / len(frames), strength + np.hypot(x, y)
    size = (MEAN_PX, MEAN_PX)
    staying = cv2.blur(np.hypot(across, down), size)
    share = staying / (cv2.blur(strength / len(frames), size) + 1e-6)
    rows, columns = np.indices(share.shape)
    right, below_middle = columns - share.shape[1] / 2, rows - share.shape[0] / 2
    radial = np.abs(across * right + down * below_middle) / (
        np.hypot(across, down) * np.hypot(right, below_middle) + 1e-6
    )
    still = (share > STILL_SHARE) & (staying > MIN_LEVELS) & (radial > RADIAL_SHARE)
    level = still & (np.abs(down) > 3 * np.abs(across))
    below = round((1 - BONNET_PART) * len(still))
    edges = np.flatnonzero(cv2.blur(level[below:].astype(np.float32), (1, 5)).mean(1) > BONNET_SHARE)
    still = cv2.dilate(still.astype(np.uint8), np.ones((GROW_PX, GROW_PX), np.uint8)).astype(bool)
    if len(edges):
        still[below + edges[0] :] = True
    return still


def without_still_parts(tracks: PointTracks, still: np.ndarray) -> PointTracks:
    """The points that do not begin on a still part. still: ``(h, w)`` of the size of the tracks, or empty."""
    if not still.any():
        return tracks
    column, row = tracks.before.astype(int).T
    return tracks.where(~still[row.clip(0, len(still) - 1), column.clip(0, still.shape[1] - 1)])
