"""The metre of motion from pixels by a width that is known, such as that of a lane.

Widths on the road and the height of the camera are seen from the same distance, so the pixels that a known width spans
at a row below the horizon tell how high the camera is. Speeds from pixels grow with that height.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from worldgen.core.camera import Camera
from worldgen.core.errors import InputError, Received
from worldgen.data.ingest.pixels.pixel_motion import PixelMotion

WIDTH_SHARE, EDGE_PX, HORIZON_SHARE = 0.03, 1.0, 0.007
"""Deviations: of a width that is known, as a share of it, of each of its ends in pixels, and of the horizon as a share
of the height of the frame."""
LEAST_BELOW_SHARE = 0.05
"""Rows nearer to the horizon than this share of the height of the frame tell nothing."""


@dataclass(frozen=True)
class KnownWidth:
    """width_m on flat road, across it, from column left_px to column right_px at row row_px."""

    width_m: float
    left_px: float
    right_px: float
    row_px: float

    def camera_height(self, camera: Camera, source: str) -> tuple[float, float]:
        """Height of the camera above the road in metres, and its relative deviation.

        camera: its lens and pitch count. source: name for messages.

        Raises: InputError for a row at or above the horizon, or outside the frame.
        """
        below_px = self.row_px - camera.horizon_px
        if not LEAST_BELOW_SHARE * camera.height_px <= below_px <= camera.height_px - camera.horizon_px:
            received = Received(f"row {self.row_px:g}")
            low = math.ceil(camera.horizon_px + LEAST_BELOW_SHARE * camera.height_px)
            raise InputError(
                f"camera.known_row_px of {source}", received,
                f"a row of road from {low} to {camera.height_px}; the horizon is at {camera.horizon_px:.0f}",
            )  # fmt: skip
        angle = math.atan((self.row_px - camera.cy_px) / camera.fy_px) + camera.pitch_rad
        depth_of_height = math.cos(camera.pitch_rad) / math.tan(angle) + math.sin(camera.pitch_rad)
        span_px = self.right_px - self.left_px
        height_m = self.width_m * camera.fx_px / span_px / depth_of_height
        share = math.hypot(WIDTH_SHARE, math.sqrt(2) * EDGE_PX / span_px, HORIZON_SHARE * camera.height_px / below_px)
        return height_m, share


def with_known_width(motion: PixelMotion, width: KnownWidth, camera: Camera, source: str) -> PixelMotion:
    """The motion with the metre of a known width.

    camera: in pixels of the frames, that the motion was measured with, where the reader states none of its own.
    The deviation that all speeds share keeps what the reader stated and gets that of the width on top: a reader does
    not say which part of it was the height.

    Raises: InputError for a width that does not lie on the road.
    """
    seen = motion.camera or camera
    height_m, share = width.camera_height(seen, source)
    factor = height_m / seen.height_m
    speed = factor * motion.speed_mps
    note = (
        f"camera {height_m:.2f} m above the road by the known width of {width.width_m:g} m (+- {100 * share:.0f} %): "
        f"speeds times {factor:.2f}"
    )
    return replace(
        motion, speed_mps=speed, speed_sigma_mps=((factor * motion.speed_sigma_mps) ** 2 + (share * speed) ** 2) ** 0.5,
        scale_sigma=math.hypot(motion.scale_sigma, share), camera=replace(seen, height_m=height_m),
        notes=(*motion.notes, note),
    )  # fmt: skip
