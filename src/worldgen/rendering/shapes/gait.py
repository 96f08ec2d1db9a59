"""How people stand, walk and run: joint angles over the gait cycle and the joints of the body that follow from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

THIGH_DEG = (21, 21.5, 20.5, 17.5, 13, 7.5, 1.5, -4.5, -10.5, -16, -20, -19, -12.5, -2.5, 8, 16.5, 22, 25, 25, 22.5)
KNEE_DEG = (4, 11, 17.5, 19, 16.5, 12.5, 9, 7, 6.5, 8, 13, 23, 37, 52.5, 62, 62, 52.5, 36, 18, 5.5)
ANKLE_DEG = (0, -5, -3.5, 0.5, 3, 5, 6.5, 8, 9.5, 10, 7, -4, -16, -17, -10.5, -4.5, -0.5, 1, 1.5, 1)
"""Thigh forward of the vertical, flexion of the knee and dorsiflexion of the ankle in degrees, at every 5 % of the
cycle from heel strike on. Sources: thigh at the ends of the phases from J. Perry and J. Burnfield, Gait Analysis, 2010;
knee and ankle from D. A. Winter, The Biomechanics and Motor Control of Human Gait, 1991, natural cadence."""

NUM_HARMONICS = 6
"""Harmonics that hold more than 99 % of the power of gait curves (Winter, Biomechanics, 2009, section 2.2)."""


@dataclass(frozen=True)
class Stature:
    """Lengths of a body in metres.

    Shares of stature of adults: R. Drillis and R. Contini 1966, as in Winter, Biomechanics, figure 4.1. Children have a
    larger head and shorter legs: R. G. Snyder et al. 1977, Anthropometry of infants, children and youths to age 18.
    """

    height: float
    thigh: float
    shank: float
    ankle: float
    spine: float
    upper_arm: float
    forearm: float
    hand: float
    head: float
    foot: float
    shoulder: float
    hip: float

    @classmethod
    def of(cls, height_m: float, *, grown: bool = False) -> Stature:
        """The lengths of a person of this stature; below 1.5 m those of a child unless ``grown``."""
        child = 0.0 if grown else float(np.clip((1.5 - height_m) / 0.35, 0.0, 1.0))
        adult = dict(
            thigh=0.245, shank=0.246, ankle=0.039, spine=0.288, upper_arm=0.186, forearm=0.146, hand=0.108, head=0.137,
            foot=0.152, shoulder=0.108, hip=0.052,
        )  # fmt: skip
        young = dict(
            thigh=0.228, shank=0.228, ankle=0.040, spine=0.280, upper_arm=0.172, forearm=0.138, hand=0.100, head=0.176,
            foot=0.155, shoulder=0.104, hip=0.050,
        )  # fmt: skip
        return cls(height_m, **{k: height_m * ((1 - child) * adult[k] + child * young[k]) for k in adult})


@dataclass(frozen=True, eq=False)
class BodyPose:
    """Joints of a body over T frames, metres in its own axes: x forward, y left, z up.

    pelvis: ``(T, 3)`` middle of the hips. chest: ``(T, 3)`` middle of the shoulders. head: ``(T, 3)`` between the ears.
    head_pitch: ``(T,)`` radians, positive looks down. hips, knees, ankles, shoulders, elbows, wrists: ``(T, 2, 3)``,
    left then right. foot_pitch: ``(T, 2)`` radians, toes up. toe_bend: ``(T, 2)`` radians by which the toes bend up.
    bow: how far the back bends out behind the line from pelvis to chest, metres.
    """

    pelvis: np.ndarray
    chest: np.ndarray
    head: np.ndarray
    head_pitch: np.ndarray
    hips: np.ndarray
    knees: np.ndarray
    ankles: np.ndarray
    shoulders: np.ndarray
    elbows: np.ndarray
    wrists: np.ndarray
    foot_pitch: np.ndarray
    toe_bend: np.ndarray
    bow: float = 0.0

    def raised(self, by_m: np.ndarray) -> BodyPose:
        """The same pose with all joints higher by ``(T,)`` metres."""
        lift = np.zeros((len(by_m), 3))
        lift[:, 2] = by_m
        return BodyPose(
            self.pelvis + lift, self.chest + lift, self.head + lift, self.head_pitch, self.hips + lift[:, None],
            self.knees + lift[:, None], self.ankles + lift[:, None], self.shoulders + lift[:, None],
            self.elbows + lift[:, None], self.wrists + lift[:, None], self.foot_pitch, self.toe_bend, self.bow,
        )  # fmt: skip


@dataclass(frozen=True)
class Manner:
    """How somebody moves. vigour: factor on the angles of the walk. stoop_rad: forward lean of the trunk. bent_knees:
    constant flexion of hip and knee in radians. relaxed: flexion of one knee at rest in radians, of the left leg when
    positive. arms: "swing", "pockets", "phone" or "umbrella"; the last two are
    of the right arm."""

    vigour: float = 1.0
    stoop_rad: float = 0.04
    bent_knees: float = 0.0
    relaxed: float = 0.0
    arms: str = "swing"


def harmonic(table_deg: tuple[float, ...], cycle: np.ndarray) -> np.ndarray:
    """A curve of the gait cycle in radians at positions ``cycle``, of which 1 is the whole, by its first harmonics."""
    spectrum = np.fft.rfft(np.radians(table_deg))[: NUM_HARMONICS + 1] / len(table_deg)
    angle = 2j * np.pi * np.asarray(cycle, float)[..., None] * np.arange(NUM_HARMONICS + 1)
    weight = np.where(np.arange(NUM_HARMONICS + 1) > 0, 2.0, 1.0)
    return (weight * spectrum * np.exp(angle)).real.sum(-1)


def swung(start: np.ndarray, angle: np.ndarray, spread: np.ndarray | float, length: float) -> np.ndarray:
    """The end ``(..., 3)`` of a limb that hangs from ``start``: ``angle`` forward, ``spread`` to the left (radians)."""
    angle, spread = np.broadcast_arrays(angle, spread)
    down = np.cos(angle) * np.cos(spread)
    return start + length * np.stack([np.sin(angle) * np.cos(spread), np.sin(spread), -down], -1)


def turned(offset: np.ndarray, yaw: np.ndarray) -> np.ndarray:
    """Horizontal offsets ``(3,)`` turned by ``yaw`` ``(T,)``: ``(T, 3)``."""
    c, s = np.cos(yaw), np.sin(yaw)
    return np.stack([c * offset[0] - s * offset[1], s * offset[0] + c * offset[1], np.full(len(yaw), offset[2])], -1)


SIDES = np.array([1.0, -1.0])


def walking_pose(body: Stature, phase: np.ndarray, speed: np.ndarray, manner: Manner) -> BodyPose:
    """The joints of a walking person, the pelvis at height 0.

    phase: ``(T,)`` radians, 0 at heel strike of the left foot. speed: ``(T,)`` m/s; below a slow walk the swing fades
    to standing, above 2 m/s it becomes a run.
    """
    phase, speed = np.asarray(phase, float), np.abs(np.asarray(speed, float))
    moving = np.clip(speed / 0.35, 0.0, 1.0)
    moving = moving * moving * (3 - 2 * moving) * manner.vigour
    run = np.clip((speed - 1.9) / 1.3, 0.0, 1.0)
    cycle = phase[:, None] / (2 * np.pi) + np.array([0.0, 0.5])  # (T, 2)
    swing, back = moving[:, None], moving * np.cos(phase)
    hip = harmonic(THIGH_DEG, cycle) * swing * (1 + 0.2 * run[:, None]) + manner.bent_knees * 0.6
    knee = (harmonic(KNEE_DEG, cycle) + np.radians(2.5)) * swing + np.radians(2.0) * (1 - swing) + manner.bent_knees
    knee = knee * (1 + 0.35 * run[:, None]) + 0.12 * run[:, None] * swing
    ankle = harmonic(ANKLE_DEG, cycle) * swing + manner.bent_knees * 0.4 + np.radians(2.0) * (1 - swing)
    ease = (manner.relaxed * SIDES).clip(0) * (1 - swing.clip(0, 1))
    hip, knee, ankle = hip + 0.55 * ease, knee + ease, ankle + 0.45 * ease
    lean = manner.stoop_rad + 0.12 * run + 0.02 * moving
    sway = 0.011 * body.height * moving * np.cos(phase - 0.6 * np.pi)
    pelvis = np.stack([np.zeros(len(phase)), sway, np.zeros(len(phase))], -1)
    hips = np.stack([pelvis + turned(np.array([0.0, s * body.hip, 0.0]), -0.09 * back) for s in SIDES], 1)
    inwards = -SIDES * 0.028 - sway[:, None] / (body.thigh + body.shank)
    knees = swung(hips, hip, inwards, body.thigh)
    ankles = swung(knees, hip - knee, inwards, body.shank)
    pitch = hip - knee + ankle
    up = np.stack([np.sin(lean), np.zeros(len(phase)), np.cos(lean)], -1)
    chest = pelvis * [1.0, 0.4, 1.0] + body.spine * up
    shoulders = np.stack(
        [chest + turned(np.array([0.0, s * body.shoulder, -0.012 * body.height]), 0.10 * back) for s in SIDES], 1
    )
    elbows, wrists = _arms(
        body, shoulders, cycle, swing=swing * np.where(run > 0, 1 + 0.5 * run, 1.0)[:, None], run=run, manner=manner
    )
    # The head balances: it looks ahead, however far the trunk leans.
    head = chest + body.height * (0.022 * up + np.array([0.012, 0.0, 0.0])) + np.array([0.0, 0.0, 0.80 * body.head])
    return BodyPose(
        pelvis, chest, head, np.full(len(phase), 0.0 if manner.arms != "phone" else 0.42), hips, knees, ankles,
        shoulders, elbows, wrists, pitch, np.clip(-pitch - 0.12, 0.0, 0.75),
    )  # fmt: skip


def _arms(
    body: Stature, shoulders: np.ndarray, cycle: np.ndarray, *, swing: np.ndarray, run: np.ndarray, manner: Manner
) -> tuple[np.ndarray, np.ndarray]:
    """Elbows and wrists ``(T, 2, 3)``. An arm swings against its leg, 20 degrees each way (M. P. Murray 1967)."""
    beat = -np.cos(2 * np.pi * (cycle - 0.02))
    upper = np.radians(-4.0) + np.radians(18.0) * beat * swing
    bend = np.radians(13.0) + np.radians(7.0) * (1 + beat) * swing + np.radians(62.0) * run[:, None]
    spread = SIDES * np.radians(9.0) * np.ones_like(upper)
    inwards = -SIDES * np.radians(4.0) * np.ones_like(upper)
    if manner.arms == "pockets":
        upper, bend = 0.25 * upper - np.radians(14.0), np.radians(34.0) + 0 * bend
        spread, inwards = spread * 1.7, inwards * 5.5
    elif manner.arms in ("phone", "umbrella"):
        lifted = (
            np.radians(24.0 if manner.arms == "phone" else 18.0),
            np.radians(98.0 if manner.arms == "phone" else 118.0),
        )
        upper, bend, inwards = upper.copy(), bend.copy(), inwards.copy()
        upper[:, 1], bend[:, 1] = lifted[0] + 0.04 * beat[:, 1] * swing[:, 0], lifted[1]
        inwards[:, 1] = np.radians(20.0 if manner.arms == "phone" else 8.0)
    elbows = swung(shoulders, upper, spread, body.upper_arm)
    return elbows, swung(elbows, upper + bend, inwards, body.forearm)
