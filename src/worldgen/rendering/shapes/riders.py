"""Riders: bodies on a saddle whose hands and feet are where the machine wants them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from worldgen.rendering.shapes.gait import SIDES, BodyPose, Stature
from worldgen.rendering.shapes.heads import TOP, crown_m
from worldgen.rendering.shapes.lofts import two_bones, unit

HIP_ABOVE_SEAT = 0.056
"""Height of the hip joints of a seated person above the seat, as a share of stature."""
BALL_OF_FOOT = (0.40, -0.98)
"""Place of the ball of the foot from the ankle: forward in foot lengths, up in ankle heights."""


@dataclass(frozen=True, eq=False)
class Seat:
    """How a machine seats its rider; metres in its axes.

    seat: ``(3,)`` top of the saddle under the hips. grips: ``(2, 3)`` where the hands hold, left then right. feet:
    ``(T or 1, 2, 3)`` what the balls of the feet stand on. lean_rad: of the trunk, forward. bow_m: how far the back is
    rounded. foot_pitch: ``(T or 1, 2)`` toes up. knees_out: how far the knees point outwards for each metre forward.
    helmet: "", "full", "open" or "bicycle". look_rad: how far the head looks down.
    """

    seat: np.ndarray
    grips: np.ndarray
    feet: np.ndarray
    lean_rad: float
    foot_pitch: np.ndarray
    bow_m: float = 0.02
    knees_out: float = 0.1
    helmet: str = ""
    look_rad: float = 0.05


def rider_stature(crown_height_m: float, seat_m: float, seat: Seat) -> float:
    """Stature (m) with which the crown of a rider, helmet included, is ``crown_height_m`` above the ground."""
    body = Stature.of(1.7)
    _, head = _trunk(body, np.zeros(3), seat.lean_rad)
    above = head[2] + crown_m(np.array([seat.look_rad]), body.head / TOP, seat.helmet)[0] + HIP_ABOVE_SEAT * 1.7
    return (crown_height_m - seat_m) / (above / 1.7)


def _trunk(body: Stature, pelvis: np.ndarray, lean_rad: float) -> tuple[np.ndarray, np.ndarray]:
    """Chest and head ``(3,)`` above the pelvis; the neck bends less than the back."""
    up = np.array([np.sin(lean_rad), 0.0, np.cos(lean_rad)])
    neck = np.array([np.sin(0.55 * lean_rad), 0.0, np.cos(0.55 * lean_rad)])
    chest = pelvis + body.spine * up
    head = chest + body.height * (0.022 * up + np.array([0.012, 0.0, 0.0])) + 0.80 * body.head * neck
    return chest, head


def rider_pose(body: Stature, seat: Seat) -> BodyPose:
    """The joints of a rider over the frames of ``seat.feet``; arms and legs keep their lengths."""
    frames = max(len(seat.feet), len(seat.foot_pitch))
    pelvis = seat.seat + np.array([0.0, 0.0, HIP_ABOVE_SEAT * body.height])
    chest, head = _trunk(body, pelvis, seat.lean_rad)
    hips = pelvis + SIDES[:, None] * np.array([0.0, body.hip, 0.0])
    shoulders = chest + SIDES[:, None] * np.array([0.0, body.shoulder, 0.0]) - np.array([0.0, 0.0, 0.012 * body.height])
    every = lambda points: np.broadcast_to(points, (frames, *points.shape)).copy()  # noqa: E731
    feet, pitch = np.broadcast_to(seat.feet, (frames, 2, 3)), np.broadcast_to(seat.foot_pitch, (frames, 2))
    forward, up = BALL_OF_FOOT[0] * body.foot, BALL_OF_FOOT[1] * body.ankle
    c, s = np.cos(pitch), np.sin(pitch)
    ankle_targets = feet - np.stack([c * forward - s * up, 0 * c, s * forward + c * up], -1)
    knees, ankles, elbows, wrists = (np.empty((frames, 2, 3)) for _ in range(4))
    for k, side in enumerate(SIDES):
        pole = np.array([1.0, side * seat.knees_out, 0.35])
        knees[:, k], ankles[:, k] = two_bones(
            every(hips[k]), ankle_targets[:, k], (body.thigh, body.shank), np.broadcast_to(pole, (frames, 3))
        )
        hand = unit(seat.grips[k] - shoulders[k]) * 0.5 * body.hand
        elbow_pole = np.array([-0.35, side * 0.75, -0.8])
        elbows[:, k], wrists[:, k] = two_bones(
            every(shoulders[k]), every(seat.grips[k] - hand), (body.upper_arm, body.forearm),
            np.broadcast_to(elbow_pole, (frames, 3)),
        )  # fmt: skip
    return BodyPose(
        every(pelvis), every(chest), every(head), np.full(frames, seat.look_rad), every(hips), knees, ankles,
        every(shoulders), elbows, wrists, pitch.copy(), np.zeros((frames, 2)), seat.bow_m,
    )  # fmt: skip
