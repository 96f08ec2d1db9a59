"""Trucks and buses: a cab with a cargo body on a frame, and long bodies with rows of seats."""

from __future__ import annotations

import numpy as np

from worldgen.rendering.shapes.solid_builder import SolidBuilder
from worldgen.rendering.shapes.vehicle_parts.body_loft import add_skin, loft
from worldgen.rendering.shapes.vehicle_parts.car_doors import VehicleShape
from worldgen.rendering.shapes.vehicle_parts.cargo_bodies import add_axles, add_cargo, add_frame
from worldgen.rendering.shapes.vehicle_parts.fittings import add_arch, add_cabin, add_wheels
from worldgen.rendering.shapes.vehicle_parts.listed_patches import listed_patches
from worldgen.rendering.shapes.vehicle_parts.surface_patches import PatchPaint, WheelFaces
from worldgen.rendering.shapes.vehicle_parts.vehicle_finishes import (
    BEACON,
    BODY,
    BODY_CODE,
    CARGO_CODE,
    CHROME,
    RIM_CODE,
    SEAT,
    TRIM,
    WHITE,
)
from worldgen.rendering.shapes.vehicle_parts.vehicle_profiles import HeavyProfile


def truck_body(profile: HeavyProfile) -> VehicleShape:
    """The shape of a truck, alone or with a trailer."""
    assert profile.cargo is not None, profile.name
    builder, cab, wheels, cargo = SolidBuilder(), loft(profile.lines), profile.wheels, profile.cargo
    steered, reach = wheels.axles[0], wheels.radius_m + wheels.arch_m
    half = float(cab.half_width.max())
    add_skin(builder, cab, BODY, arches=((steered, wheels.radius_m, reach),), arch_inner_m=0.5 * half)
    for side in (1.0, -1.0):
        span = (side * 0.5 * half, side * 0.97 * half)
        add_arch(builder, (steered, wheels.radius_m, reach), span, float(cab.at("bottom", steered)))
    add_axles(builder, wheels, (half, cargo.half_width_m))
    patches = add_cargo(builder, cargo)
    add_frame(builder, cargo)
    _add_mirrors(builder, profile)
    add_cabin(builder, profile.seats, float(cab.at("belt", profile.seats[0])) - 0.05, half)
    _add_extras(builder, profile)
    paint = PatchPaint({BODY_CODE: listed_patches(profile.patches), CARGO_CODE: patches}, _faces(profile))
    return VehicleShape(builder.build(), profile.size_m, paint, (BODY_CODE,))


def bus_body(profile: HeavyProfile) -> VehicleShape:
    """The shape of a bus."""
    builder, body, wheels = SolidBuilder(), loft(profile.lines), profile.wheels
    arches = tuple((x, wheels.radius_m, wheels.radius_m + wheels.arch_m) for x in wheels.axles)
    half = float(body.half_width.max())
    add_skin(builder, body, BODY, arches=arches, arch_inner_m=0.5 * half)
    add_wheels(builder, body, wheels)
    _add_mirrors(builder, profile)
    floor = float(body.at("belt", 0.0)) - 0.45
    low, high = body.x[0] + 0.2, body.x[-1] - 0.3
    builder.box(((low + high) / 2, 0, floor - 0.35), (high - low, 1.9 * half - 0.1, 0.05), SEAT)
    for x in profile.seats[1:]:
        for side in (1.0, -1.0):
            builder.box((x, side * 0.62 * half, floor + 0.42), (0.12, 0.7 * half, 0.75), SEAT)
    add_cabin(builder, profile.seats[:1], floor + 0.4, half)
    _add_extras(builder, profile)
    paint = PatchPaint({BODY_CODE: listed_patches(profile.patches)}, _faces(profile))
    return VehicleShape(builder.build(), profile.size_m, paint, (BODY_CODE,))


def _faces(profile: HeavyProfile) -> WheelFaces:
    wheels = profile.wheels
    return WheelFaces(RIM_CODE, np.array([(x, wheels.radius_m) for x in wheels.axles]), wheels.spokes)


def _add_mirrors(builder: SolidBuilder, profile: HeavyProfile) -> None:
    """Tall mirrors on arms."""
    x, y, z, tall = profile.mirrors
    for side in (1.0, -1.0):
        builder.ellipsoid((x, side * (y + 0.15), z), (0.06, 0.11, tall), TRIM, power=3.2, sides=8, bands=6)
        builder.capsule(
            (x - 0.02, side * (y - 0.05), z + 0.8 * tall),
            (x, side * (y + 0.15), z + 0.7 * tall),
            (0.018, 0.018),
            TRIM,
            sides=6,
        )


def _add_extras(builder: SolidBuilder, profile: HeavyProfile) -> None:
    """Beacons, exhaust stacks, units on the roof."""
    rear, roof = profile.lines.top[0][0], max(z for _, z in profile.lines.top)
    if "beacon" in profile.extras:
        for side in (1.0, -1.0):
            builder.lathe(
                (profile.mirrors[0] - 0.9, side * 0.7, roof - 0.04),
                [(0.0, 0.085), (0.15, 0.08), (0.17, 0.004)],
                BEACON,
                axis="z",
                sides=10,
            )
    if "stacks" in profile.extras:
        for side in (1.0, -1.0):
            builder.lathe(
                (rear - 0.16, side * 1.02, 1.0),
                [(0.0, 0.1), (1.4, 0.1), (1.45, 0.07), (2.7, 0.07)],
                CHROME,
                axis="z",
                sides=10,
            )
            builder.lathe(
                (rear + 0.75, side * 0.92, 0.72),
                [(-0.7, 0.004), (-0.7, 0.3), (0.7, 0.3), (0.7, 0.004)],
                CHROME,
                sides=12,
            )
    if "roof units" in profile.extras:
        top = profile.size_m[2]
        for x, length in ((-0.28 * profile.size_m[0], 2.6), (0.2 * profile.size_m[0], 1.8)):
            builder.box(
                (x, 0, (roof + top) / 2 - 0.03), (length, 1.7, top - roof + 0.06), WHITE, cells_m=0.6, taper=0.94
            )
