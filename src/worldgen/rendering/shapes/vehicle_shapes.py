"""Shapes of motor vehicles: cars, vans, trucks and buses in several bodies each."""

from __future__ import annotations

from functools import cache

import numpy as np

from worldgen.rendering.shapes.solid import Shape
from worldgen.rendering.shapes.solid_builder import SolidBuilder
from worldgen.rendering.shapes.vehicle_parts.body_loft import add_skin, loft
from worldgen.rendering.shapes.vehicle_parts.car_patches import car_patches
from worldgen.rendering.shapes.vehicle_parts.fittings import add_cabin, add_mirror, add_wheels
from worldgen.rendering.shapes.vehicle_parts.surface_patches import PatchPaint, WheelFaces
from worldgen.rendering.shapes.vehicle_parts.vehicle_finishes import BODY, BODY_CODE, RIM_CODE, TRIM
from worldgen.rendering.shapes.vehicle_parts.vehicle_profiles import VehicleProfile, profiles

CARS = ("sedan", "hatchback", "suv", "estate", "van", "pickup")


def num_bodies(variant: str) -> int:
    """How many bodies a variant has."""
    return len(profiles(variant))


def vehicle_shape(variant: str, body: int) -> Shape:
    """The shape of a vehicle. variant: one of the motor vehicles of ``VARIANTS`` of :mod:`worldgen.core.scene`.

    body: which of the bodies of the variant, taken modulo their number. Panels take the colour of the instance. Its
    ``size_m`` leaves the mirrors out, as registered sizes do. Raises: KeyError for another variant.
    """
    return _shape(variant, body % num_bodies(variant))


@cache
def _shape(variant: str, body: int) -> Shape:
    return _car(profiles(variant)[body])


def _car(profile: VehicleProfile) -> Shape:
    """A car or van."""
    builder, body, wheels = SolidBuilder(), loft(profile.lines), profile.wheels
    arches = tuple((x, wheels.radius_m, wheels.radius_m + wheels.arch_m) for x in wheels.axles)
    flank = profile.size_m[1] / 2
    add_skin(builder, body, BODY, arches=arches, arch_inner_m=0.5 * flank)
    add_wheels(builder, body, wheels)
    corner = profile.glazing.side_front - 0.14
    for side in (1.0, -1.0):
        add_mirror(
            builder, (corner, float(body.at("half_width", corner)) - 0.03, float(body.at("belt", corner)) + 0.09), side
        )
    add_cabin(builder, profile.seats, float(body.at("belt", profile.seats[0])), flank)
    if "roof rails" in profile.extras:
        _add_rails(builder, profile, body)
    places = np.array([(x, wheels.radius_m) for x in wheels.axles])
    paint = PatchPaint({BODY_CODE: car_patches(profile, body)}, WheelFaces(RIM_CODE, places, wheels.spokes))
    return Shape(builder.build(), profile.size_m, paint, (BODY_CODE,))


def _add_rails(builder: SolidBuilder, profile: VehicleProfile, body) -> None:
    """Rails along the edges of the roof; they do not count to its height, as they are thin."""
    rear, front = profile.glazing.rear_edge[1], profile.glazing.windscreen[0] - 0.1
    for side in (1.0, -1.0):
        ends = [
            (x, side * (float(body.at("roof_half_width", x)) - 0.06), float(body.at("top", x)) - 0.025)
            for x in (rear, front)
        ]
        builder.capsule(ends[0], ends[1], (0.016, 0.016), TRIM, sides=6)
