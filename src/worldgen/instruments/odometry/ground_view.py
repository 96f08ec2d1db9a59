"""The road as seen from above, and how likely each speed makes the step from one view to the next.

Points on smooth asphalt cannot be followed one by one: what is left of its texture after compression is weaker than
reflections in the windscreen. Seen from above, the whole lane steps by one way, and marks across the lane decide.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from worldgen.core.camera import Camera
from worldgen.instruments.odometry.pair_geometry import PairGeometry, half_turn
from worldgen.instruments.odometry.speed_path import SPEEDS_MPS

CELL_M, LENGTH_M, HALF_WIDTH_M = 0.15, 12.0, 3.3
"""Cells of the view from above, its length from the nearest ground that is seen, and half of its width."""
BONNET_M = 0.3
ALONG_CELLS, CLIP_LEVELS = 21, 40.0
"""Grey values count from the mean of this many cells along the road, which removes streaks along it and shadows; at
most ``CLIP_LEVELS``."""
BLOCK_CELLS = (14, 11)
"""Length and width of the blocks that are compared; they overlap by half along the road."""
NOISE_LEVELS, BLUR_SHARE = 3.0, 0.3
"""Difference of a cell that was found again: noise, and this share of the variance of its block, for blur."""
INDEPENDENT_CELLS, INDEPENDENT_BLOCKS = 0.15, 0.25
"""Cells are smaller than pixels far away, and blocks overlap: each counts as this share of an independent one."""
ROAD_SHARE = 0.5
"""Share of blocks that are expected to be road; the others are cars and kerbs."""
NEAREST_M, FAR_M = 6.0, 60.0
"""Half of what a car's camera follows is further away than ``NEAREST_M``, and a quarter of it nearer than ``FAR_M``."""
AROUND_HEADING_PX, STILL_MPS, BOUND_SHARE = 20.0, 1.0, 0.15
"""Points nearer to the heading do not tell how fast it comes nearer. Bounds are soft, by this and this share."""


@dataclass(frozen=True, eq=False)
class GroundView:
    """A camera above the lane. camera: in pixels of the frames. heading_px: column the car drives to. nearest_m:
    distance of the nearest ground that is seen."""

    camera: Camera
    heading_px: float
    nearest_m: float

    @classmethod
    def above(cls, camera: Camera, heading_px: float, bottom_px: float) -> GroundView | None:
        """The view from above, None where no ground is seen. bottom_px: row below which is bonnet or no picture."""
        slope = math.tan(math.atan((bottom_px - camera.cy_px) / camera.fy_px) + camera.pitch_rad)
        if slope < 0.08:
            return None
        return cls(camera, heading_px, camera.height_m / slope + BONNET_M)

    def picture(self, grey: np.ndarray, turn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The lane from above ``(rows, columns)`` float32 without its streaks, the far end first, and which cells the
        frame shows.

        grey: ``(h, w)`` uint8 or float32. turn: ``(3, 3)``; rows of rays half way between two frames times this are
        rays of the frame.
        """
        camera, (cos, sin) = self.camera, (math.cos(self.camera.pitch_rad), math.sin(self.camera.pitch_rad))
        ahead, aside = np.meshgrid(
            np.arange(self.nearest_m + LENGTH_M, self.nearest_m, -CELL_M),
            np.arange(-HALF_WIDTH_M, HALF_WIDTH_M + 1e-6, CELL_M), indexing="ij",
        )  # fmt: skip
        right = aside + (self.heading_px - camera.cx_px) / camera.fx_px * ahead
        down, forward = cos * camera.height_m - sin * ahead, sin * camera.height_m + cos * ahead
        rays = np.stack([right, down, forward], -1) @ turn
        u = camera.fx_px * rays[..., 0] / rays[..., 2] + camera.cx_px - 0.5
        v = camera.fy_px * rays[..., 1] / rays[..., 2] + camera.cy_px - 0.5
        shown = (u >= 0) & (u <= grey.shape[1] - 1) & (v >= 0) & (v <= grey.shape[0] - 1) & (rays[..., 2] > 0.1)
        seen = cv2.remap(
            grey, u.astype(np.float32), v.astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        ).astype(np.float32)
        return (seen - cv2.blur(seen, (1, ALONG_CELLS))).clip(-CLIP_LEVELS, CLIP_LEVELS), shown


def speed_likelihood(
    view: GroundView, before: np.ndarray, after: np.ndarray, turn_rad: np.ndarray, seconds: float
) -> np.ndarray:
    """Logarithm of the likelihood of each of ``SPEEDS_MPS`` for two frames, ``(S,)``; all equal where nothing is seen.

    before, after: grey ``(h, w)`` uint8 or float32. turn_rad: ``(3,)`` of the camera between them. A block of the
    second view is compared with the first one at every way along the road, up to one cell aside. A block that fits no
    way says nothing, since it may be a car.
    """
    half = half_turn(turn_rad)
    first, _ = view.picture(before, half.T)
    second, shown = view.picture(after, half)
    length, width = BLOCK_CELLS
    reach = int(SPEEDS_MPS[-1] * seconds / CELL_M) + 2
    total = np.zeros(len(SPEEDS_MPS))
    for row in range(len(first) - length, length // 2, -(length // 2)):
        top = max(0, row - reach)
        ways = (row - np.arange(row + 2 - top) - top) * CELL_M  # how much further away the first view shows a block
        for column in range(1, first.shape[1] - width - 1, width // 2 + 1):
            if not shown[row : row + length, column : column + width].all():
                continue
            block = second[row : row + length, column : column + width]
            strip = first[top : row + length + 1, column - 1 : column + width + 1]
            difference = cv2.matchTemplate(strip, block, cv2.TM_SQDIFF).min(1)
            variance = NOISE_LEVELS**2 + BLUR_SHARE * float((block**2).mean())
            score = -0.5 * INDEPENDENT_CELLS * difference / variance
            order = slice(None, None, -1)
            known = SPEEDS_MPS * seconds <= ways[0]
            at = np.interp(SPEEDS_MPS * seconds, ways[: len(score)][order], score[order])
            fits = np.exp(np.where(known, at, -np.inf) - at[known].max())
            fits = np.where(known, fits / fits[known].mean(), 1.0)
            total += INDEPENDENT_BLOCKS * np.log(ROAD_SHARE * fits + 1 - ROAD_SHARE)
    return total


def expansion_likelihood(pair: PairGeometry, seconds: float) -> np.ndarray:
    """Logarithm of the likelihood of each of ``SPEEDS_MPS``, ``(S,)``, from how fast the whole picture comes nearer.

    Points at a distance Z move away from the heading by v / Z a second, so the picture bounds the speed on both sides
    where the road shows none: glare stays in place while the car drives, and so does a car ahead while trees pass.
    """
    arm = (pair.first_px + pair.second_px) / 2 - pair.heading_px
    far = np.hypot(*arm.T) > AROUND_HEADING_PX
    used = far & (pair.weights > 0.3)
    if used.sum() < 20:
        return np.zeros(len(SPEEDS_MPS))
    along = ((pair.second_px - pair.first_px) * arm).sum(1)[used] / (arm[used] ** 2).sum(1) / seconds
    low, high = NEAREST_M * float(np.median(along)), FAR_M * float(np.quantile(along, 0.75)) + STILL_MPS
    outside = np.maximum(np.maximum(low - SPEEDS_MPS, SPEEDS_MPS - max(high, STILL_MPS)), 0.0)
    total: np.ndarray = -0.5 * (outside / (0.2 * STILL_MPS + BOUND_SHARE * SPEEDS_MPS)) ** 2
    return total
