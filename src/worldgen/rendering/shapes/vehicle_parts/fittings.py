"""Fittings of cabins and chassis: wheels, arches, mirrors, seats and the driver."""

from __future__ import annotations

import numpy as np

from worldgen.rendering.shapes.solid import Finish
from worldgen.rendering.shapes.solid_builder import SolidBuilder, turn_y
from worldgen.rendering.shapes.vehicle_parts.body_loft import LoftedBody
from worldgen.rendering.shapes.vehicle_parts.vehicle_finishes import (
    BODY,
    DARK,
    RIM,
    SEAT,
    SHIRT,
    SKIN,
    STEEL_RIM,
    TRIM,
    TYRE,
)
from worldgen.rendering.shapes.vehicle_parts.vehicle_profiles import Wheels

WHEEL_SIDES = 16


def add_wheel(
    builder: SolidBuilder, centre: tuple[float, float, float], width_m: float, side: float, *, steel: bool = False
) -> None:
    """A wheel that stands on the ground. centre: z is its radius. side: 1 on the left."""
    half, radius = width_m / 2, centre[2]
    tyre = [
        (-half, 0.004), (-half, 0.9 * radius), (-0.72 * half, radius), (0.72 * half, radius),
        (half, 0.92 * radius), (half, 0.78 * radius), (0.92 * half, 0.68 * radius),
    ]  # fmt: skip
    rim = [(0.92 * half, 0.69 * radius), (0.66 * half, 0.6 * radius), (0.55 * half, 0.2 * radius), (0.72 * half, 0.004)]
    if steel:
        rim = [(0.92 * half, 0.69 * radius), (0.3 * half, 0.56 * radius), (0.4 * half, 0.3 * radius), (0.9 * half, 0.1)]
        rim.append((0.95 * half, 0.004))
    builder.lathe(centre, tyre, TYRE, side=side, sides=WHEEL_SIDES)
    builder.lathe(centre, rim, STEEL_RIM if steel else RIM, side=side, sides=WHEEL_SIDES)


def add_inner_tyre(builder: SolidBuilder, centre: tuple[float, float, float], width_m: float, side: float) -> None:
    """The inner tyre of a twin wheel, of which one sees the tread and the inner wall."""
    half, radius = width_m / 2, centre[2]
    tread = [(-half, 0.004), (-half, 0.94 * radius), (-0.75 * half, radius), (half, radius)]
    builder.lathe(centre, tread, TYRE, side=side, sides=WHEEL_SIDES)


def add_wheels(builder: SolidBuilder, body: LoftedBody, wheels: Wheels) -> None:
    """Wheels just inside the flanks of a body, and the black lining of its arches."""
    radius = wheels.radius_m
    for x in wheels.axles:
        flank = float(body.at("half_width", x))
        for side in (1.0, -1.0):
            y = side * (flank - wheels.width_m / 2 - 0.012)
            add_wheel(builder, (x, y, radius), wheels.width_m, side, steel=wheels.spokes == 0)
            arch = (x, radius, radius + wheels.arch_m)
            add_arch(builder, arch, (side * 0.5 * flank, side * 0.97 * flank), float(body.at("bottom", x)))


def add_arch(builder: SolidBuilder, arch: tuple[float, float, float], span: tuple[float, float], low_m: float) -> None:
    """The lining of a wheel arch (x, z, radius) from y inside to outside, and the wall at its inner end.

    low_m: height of the underside of the body, where it ends.
    """
    x, z, radius = arch
    inner_y, outer_y = span
    radius += 0.012
    start = np.arcsin(np.clip((low_m + 0.02 - z) / radius, -0.9, 0.5))
    angle = np.linspace(start, np.pi - start, 12)
    ring = np.stack([x + radius * np.cos(angle), 0 * angle, z + radius * np.sin(angle)], -1)
    inner, outer = ring + np.array([0, inner_y, 0]), ring + np.array([0, outer_y, 0])
    lining = np.stack([inner, outer])
    builder.grid(lining, DARK, flip=outer_y > inner_y)
    wall = np.stack([inner, np.broadcast_to([x, inner_y, z], ring.shape)])
    builder.grid(wall, DARK, flip=outer_y > inner_y)


def add_mirror(builder: SolidBuilder, foot: tuple[float, float, float], side: float, *, finish: Finish = BODY) -> None:
    """A door mirror. foot: where it joins the left door; ``side`` -1 mirrors it."""
    x, y, z = foot
    builder.ellipsoid((x, side * (y + 0.11), z), (0.075, 0.115, 0.072), finish, power=2.8, sides=10, bands=6)
    builder.box((x + 0.02, side * (y + 0.01), z - 0.04), (0.06, 0.12, 0.035), TRIM)


def add_cabin(builder: SolidBuilder, rows: tuple[float, ...], sill_m: float, half_width_m: float) -> None:
    """Seats with headrests in rows at x, a dashboard ahead of the first, and the driver on the left.

    sill_m: height of the lower edge of the windows.
    """
    lean = turn_y(-0.18)
    for number, x in enumerate(rows):
        for y in (0.4 * half_width_m, -0.4 * half_width_m):
            builder.ellipsoid((x, y, sill_m), (0.08, 0.23, 0.3), SEAT, power=3, sides=8, bands=5, turn=lean)
            builder.ellipsoid((x - 0.07, y, sill_m + 0.33), (0.045, 0.13, 0.09), SEAT, power=3, sides=8, bands=5)
        if number:
            builder.box((x, 0, sill_m - 0.06), (0.16, 1.3 * half_width_m, 0.36), SEAT)
    x, y = rows[0] + 0.2, 0.4 * half_width_m
    builder.ellipsoid((x, y, sill_m + 0.3), (0.1, 0.082, 0.125), SKIN, sides=8, bands=6)
    builder.ellipsoid((x - 0.02, y, sill_m + 0.36), (0.11, 0.088, 0.09), DARK, sides=8, bands=5)
    builder.ellipsoid((x - 0.06, y, sill_m - 0.02), (0.12, 0.22, 0.25), SHIRT, sides=8, bands=6)
    builder.box((rows[0] + 0.78, 0, sill_m - 0.07), (0.42, 1.5 * half_width_m, 0.13), SEAT)
    builder.ring(
        (rows[0] + 0.55, y, sill_m + 0.02), (0.17, 0.016), SEAT, sides=10, tube=4, turn=_steering_turn()
    )  # fmt: skip


def _steering_turn() -> np.ndarray:
    """From the x-z plane of a ring to that of a steering wheel, which faces the driver."""
    stand = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    return turn_y(-0.45) @ stand
