"""Continuing a video: how fast the car drives in its last known frames, and the motion that follows them."""

from __future__ import annotations

import numpy as np

from worldgen.core.camera import Camera
from worldgen.core.clip import Clip
from worldgen.core.ego import EgoMotion
from worldgen.core.manoeuvres import manoeuvre_motion

DEFAULT_SPEED_MPS = 10.0
"""Assumed where a single frame shows no motion."""


def recovered_motion(context: Clip, camera: Camera | None = None) -> tuple[float, float]:
    """Mean speed in m/s and mean yaw rate in rad/s of a clip, recovered from its pixels by the shipped motion reader.

    camera: by default the one that is assumed of unknown cameras. A camera at another height scales the recovered speed
    by the ratio of the two heights, and the speed of everything that continues from it.
    """
    if len(context) < 2:
        return DEFAULT_SPEED_MPS, 0.0
    # Imported late: the second process that prepares scenes imports this module too, and starts faster without torch.
    from worldgen.instruments.motion.motion_reader import MotionReader
    from worldgen.models.native.conditions import DEFAULT_FOV_DEG

    camera = camera or Camera.from_fov(context.width_px, context.height_px, DEFAULT_FOV_DEG)
    read = MotionReader.load().read(context, camera)
    return round(float(read.speed_mps.mean()), 2), round(float(read.yaw_rate_radps.mean()), 3)


def manoeuvre_from(
    name: str, motion: tuple[float, float], *, given: int, frames: int, fps: float
) -> EgoMotion:  # fmt: skip
    """Ego motion of ``frames`` rows: ``motion`` over the known frames, then a manoeuvre that starts at that speed.

    motion: speed in m/s and yaw rate in rad/s. given: known frames, at least 1.
    """
    speed, turn = motion
    lead = given - 1
    following = manoeuvre_motion(name, frames - lead, fps, speed_mps=speed)
    return EgoMotion(
        np.concatenate([np.full(lead, speed), following.speed_mps]),
        np.concatenate([np.full(lead, turn), following.yaw_rate_radps]), fps,
    )  # fmt: skip
