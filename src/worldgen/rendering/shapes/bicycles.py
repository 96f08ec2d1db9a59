"""Bicycles: frames, wheels, drive and what hangs on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from worldgen.rendering.shapes.lofts import rod, tube
from worldgen.rendering.shapes.solid import Finish
from worldgen.rendering.shapes.solid_builder import SolidBuilder
from worldgen.rendering.shapes.tints import Tint, linear

LEFT = np.array([0.0, 1.0, 0.0])
RUBBER = Finish(linear("#191919"), machine=True)
BLACK = Finish(linear("#1c1d1f"), gloss=0.2, machine=True)
STEEL = Finish(linear("#8f9294"), gloss=0.8, machine=True)
LAMP = Finish(linear("#b9bcbc"), gloss=0.8, lamp="head", machine=True)
TAIL = Finish(linear("#6a1a18"), gloss=0.6, lamp="tail", machine=True)
CRANK_M = 0.17
BAR_ABOVE_SADDLE_M = {"city": 0.14, "trekking": 0.05, "road": -0.03}
LEAN_RAD = {"city": 0.16, "trekking": 0.42, "road": 0.72}
"""Forward lean of the rider's trunk by kind of bicycle."""


@dataclass(frozen=True, eq=False)
class BicycleFrame:
    """The points of a bicycle in metres: kind, wheel radius, axles x, bottom bracket, saddle top, grips ``(2, 3)``."""

    kind: str
    radius: float
    rear: float
    front: float
    bracket: np.ndarray
    saddle: np.ndarray
    grips: np.ndarray

    @classmethod
    def of(cls, kind: str, length_m: float, saddle_m: float, bar_m: float | None = None) -> BicycleFrame:
        """A bicycle as long as ``length_m`` with the saddle, and the handlebar, at these heights."""
        radius = 0.342 * length_m / 1.8
        front = length_m / 2 - radius
        bracket = np.array([-front + 0.44, 0.0, 0.285])
        saddle = np.array([bracket[0] - 0.30 * (saddle_m - bracket[2]), 0.0, saddle_m])
        bar = saddle_m + BAR_ABOVE_SADDLE_M[kind] if bar_m is None else bar_m
        x, wide = {"city": (0.16, 0.27), "trekking": (0.24, 0.29), "road": (0.36, 0.20)}[kind]
        return cls(kind, radius, -front, front, bracket, saddle, np.array([(x, wide, bar), (x, -wide, bar)]))

    def pedals(self, phase: np.ndarray) -> np.ndarray:
        """Centres of the pedals ``(T, 2, 3)``. phase: ``(T,)`` radians, 0 when the left crank points forward."""
        angle = np.asarray(phase, float)[:, None] + np.array([0.0, np.pi])
        side = np.broadcast_to(np.array([0.115, -0.115]), angle.shape)
        return self.bracket + np.stack([CRANK_M * np.cos(angle), side, -CRANK_M * np.sin(angle)], -1)


def add_bicycle(builder: SolidBuilder, bike: BicycleFrame, phase: np.ndarray, colour: Tint) -> None:
    """Add the machine. phase: ``(T,)`` of the cranks in radians; one frame for a bicycle at rest."""
    paint = Finish(colour, gloss=0.7, machine=True)
    for x in (bike.rear, bike.front):
        _add_wheel(builder, x, bike)
    _add_frame(builder, bike, paint)
    _add_drive(builder, bike, phase)
    _add_cockpit(builder, bike)
    if bike.kind != "road":
        for x, turn in ((bike.rear, (0.0, 2.5)), (bike.front, (0.9, 2.9))):
            angle = np.linspace(*turn, 8)
            path = np.stack([x + (bike.radius + 0.016) * np.cos(angle), 0 * angle,
                             bike.radius + (bike.radius + 0.016) * np.sin(angle)], -1)  # fmt: skip
            tube(builder, path, np.array([(0.004, 0.028)] * 8), BLACK if bike.kind == "trekking" else paint, left=LEFT,
                 sides=6)  # fmt: skip


def _add_wheel(builder: SolidBuilder, x: float, bike: BicycleFrame) -> None:
    thick = 0.013 if bike.kind == "road" else 0.021
    centre = (x, 0.0, bike.radius)
    builder.ring(centre, (bike.radius - thick, thick), RUBBER, sides=24, tube=4)
    builder.ring(centre, (bike.radius - 2.1 * thick, 0.009), STEEL, sides=20, tube=3)
    builder.ellipsoid(centre, (0.026, 0.05, 0.026), STEEL, sides=6, bands=4)
    for k in range(12):
        angle, side = 2 * np.pi * k / 12, 0.028 * (1 - 2 * (k % 2))
        rim = np.array(
            [x + (bike.radius - 0.04) * np.cos(angle), 0.0, bike.radius + (bike.radius - 0.04) * np.sin(angle)]
        )
        rod(builder, (x, side, bike.radius), rim, 0.0026, STEEL, sides=3)


def _add_frame(builder: SolidBuilder, bike: BicycleFrame, paint: Finish) -> None:
    bracket = bike.bracket
    post = bike.saddle - np.array([0.0, 0.0, 0.05])
    along = post - bracket
    seat = bracket + along * min(0.82, 0.50 / np.linalg.norm(along))
    low = np.array([bike.front - 0.175, 0.0, 2 * bike.radius + 0.035])
    high = low + np.array([-0.052, 0.0, 0.145])
    thin = 0.016 if bike.kind == "road" else 0.019
    top = seat - 0.06 * along if bike.kind != "city" else bracket + 0.42 * (seat - bracket)
    for a, b, radius in (
        (bracket, seat, thin), (bracket, low, thin + 0.003), (top, high if bike.kind != "city" else low, thin),
        (low, high, thin + 0.002),
    ):  # fmt: skip
        rod(builder, a, b, radius, paint, sides=6, ends=None)
    rod(builder, seat, post, 0.013, STEEL, sides=6)
    for y in (0.055, -0.055):
        rear = np.array([bike.rear, y, bike.radius])
        rod(builder, rear, bracket + np.array([0.0, 0.6 * y, 0.0]), 0.010, paint, sides=5)
        rod(builder, rear, seat + np.array([0.0, 0.3 * y, -0.02]), 0.009, paint, sides=5)
        rod(
            builder, (bike.front, y, bike.radius), low + np.array([0.005, 0.7 * y, 0.0]), (0.011, 0.014), paint, sides=5
        )


def _add_drive(builder: SolidBuilder, bike: BicycleFrame, phase: np.ndarray) -> None:
    builder.ring(tuple(bike.bracket - 0.052 * LEFT), (0.078, 0.009), STEEL, sides=16, tube=4)
    pedals = bike.pedals(phase)
    for k, side in ((0, 0.065), (1, -0.065)):
        axle = bike.bracket + side * LEFT
        rod(
            builder,
            np.broadcast_to(axle, pedals[:, k].shape),
            pedals[:, k] - 0.45 * side * LEFT,
            0.011,
            STEEL,
            ends=0.5,
        )
        builder.ellipsoid(pedals[:, k], (0.048, 0.045, 0.014), BLACK, power=4.0, sides=8, bands=4)
    for z in (0.040, -0.040):
        front = bike.bracket + np.array([0.0, -0.052, 1.7 * z])
        rod(builder, front, (bike.rear, -0.052, bike.radius + 0.6 * z), 0.006, BLACK, sides=4)


def _add_cockpit(builder: SolidBuilder, bike: BicycleFrame) -> None:
    """Saddle, stem, handlebar, lamps and rack."""
    saddle, grips = bike.saddle, bike.grips
    builder.ellipsoid(saddle - np.array([0.02, 0.0, 0.026]), (0.135, 0.075, 0.026), BLACK, power=2.6, sides=7, bands=4)
    builder.ellipsoid(saddle + np.array([0.09, 0.0, -0.03]), (0.09, 0.028, 0.020), BLACK, sides=7, bands=4)
    head = np.array([bike.front - 0.235, 0.0, 2 * bike.radius + 0.18])
    bar = np.array([max(grips[0, 0] + (0.09 if bike.kind == "city" else 0.0), head[0] + 0.03), 0.0, grips[0, 2]])
    rod(builder, head, bar, 0.014, BLACK, sides=6, ends=0.5)
    for k, side in ((0, 1.0), (1, -1.0)):
        middle = bar + np.array([0.0, side * 0.16, 0.01])
        tube(builder, np.stack([bar, middle, grips[k]]), np.array([0.012, 0.012, 0.014]), BLACK,
             left=np.array([0.3, 0.0, 1.0]), sides=6)  # fmt: skip
        if bike.kind == "road":
            drop = grips[k] + np.array(
                [(0, 0, 0), (0.06, 0, -0.02), (0.07, 0, -0.09), (0.0, 0, -0.14), (-0.09, 0, -0.14)]
            )
            tube(builder, drop, np.full(5, 0.014), BLACK, left=LEFT, sides=6)
        else:
            rod(builder, middle, grips[k] + np.array([0.06, 0.0, -0.03]), 0.007, STEEL, sides=4)
    lamp = np.array([bike.front - 0.12, 0.0, 2 * bike.radius + 0.13])
    builder.ellipsoid(lamp, (0.030, 0.034, 0.034), LAMP, sides=7, bands=4)
    if bike.kind == "road":
        builder.ellipsoid(saddle + np.array([-0.11, 0.0, -0.13]), (0.018, 0.022, 0.03), TAIL, sides=6, bands=4)
        return
    rack = np.array(
        [(bike.saddle[0] + 0.02, 0.0, 2 * bike.radius + 0.09), (bike.rear - 0.20, 0.0, 2 * bike.radius + 0.09)]
    )
    for y in (0.06, -0.06):
        rod(builder, rack[0] + y * LEFT, rack[1] + y * LEFT, 0.007, BLACK, sides=4)
        rod(builder, rack[1] + np.array([0.1, y, 0.0]), (bike.rear, y, bike.radius), 0.006, BLACK, sides=4)
    builder.ellipsoid(rack[1] + np.array([-0.02, 0.0, -0.03]), (0.018, 0.045, 0.024), TAIL, sides=8, bands=4)
