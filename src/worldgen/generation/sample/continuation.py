"""Going on with a video: its last known frames, how fast the car seems to drive in them, and what it does next."""

from __future__ import annotations

import numpy as np

from worldgen.core.camera import Camera
from worldgen.core.clip import Clip
from worldgen.core.ego import EgoMotion
from worldgen.core.manoeuvres import manoeuvre_motion

DEFAULT_SPEED_MPS = 10.0
"""Assumed where a single frame shows no motion."""


def seen_motion(context: Clip, camera: Camera | None = None) -> tuple[float, float]:
    """Speed in m/s and yaw rate in rad/s of a clip's frames, read from their pixels by the shipped instrument; mean over frames.

    The speed is that of the picture as ``camera`` (default: the one assumed of unknown cameras) sees it: with another
    height of the camera than the assumed one, it is off by their ratio, and so is everything that goes on from it.
    """
    if len(context) < 2:
        return DEFAULT_SPEED_MPS, 0.0
    # Not before: the process that makes scenes ahead (``ahead.py``) reads requests too, and starts faster without torch.
    from worldgen.instruments.motion.motion_reader import MotionReader
    from worldgen.models.native.conditions import DEFAULT_FOV_DEG

    camera = camera or Camera.from_fov(context.width_px, context.height_px, DEFAULT_FOV_DEG)
    read = MotionReader.load().read(context, camera)
    return round(float(read.speed_mps.mean()), 2), round(float(read.yaw_rate_radps.mean()), 3)


def manoeuvre_from(
    name: str, motion: tuple[float, float], *, given: int, frames: int, fps: float
) -> EgoMotion:  # fmt: skip
    """``frames`` rows of ego motion: ``given`` of them (at least one) as in ``motion``, speed in m/s and yaw rate in rad/s, then
    a manoeuvre that starts at that speed."""
    speed, turn = motion
    lead = given - 1
    ahead = manoeuvre_motion(name, frames - lead, fps, speed_mps=speed)
    return EgoMotion(
        np.concatenate([np.full(lead, speed), ahead.speed_mps]),
        np.concatenate([np.full(lead, turn), ahead.yaw_rate_radps]), fps,
    )  # fmt: skip
