"""Cars, vans and pickups: a lofted body with its cabin and wheels."""

from __future__ import annotations

import numpy as np

from worldgen.rendering.shapes.solid_builder import SolidBuilder
from worldgen.rendering.shapes.vehicle_parts.body_loft import LoftedBody, add_skin, loft
from worldgen.rendering.shapes.vehicle_parts.car_doors import VehicleShape, door_outline
from worldgen.rendering.shapes.vehicle_parts.car_patches import car_patches
from worldgen.rendering.shapes.vehicle_parts.fittings import add_cabin, add_mirror, add_wheels
from worldgen.rendering.shapes.vehicle_parts.surface_patches import PatchPaint, WheelFaces
from worldgen.rendering.shapes.vehicle_parts.vehicle_finishes import BODY, BODY_CODE, PANEL_CODES, RIM_CODE, TRIM
from worldgen.rendering.shapes.vehicle_parts.vehicle_profiles import CarProfile


def car_body(profile: CarProfile) -> VehicleShape:
    """The shape of a car, van or pickup."""
    builder, body, wheels = SolidBuilder(), loft(profile.lines), profile.wheels
    arches = tuple((x, wheels.radius_m, wheels.radius_m + wheels.arch_m) for x in wheels.axles)
    flank = profile.size_m[1] / 2
    add_skin(builder, body, BODY, arches=arches, arch_inner_m=0.5 * flank)
    add_wheels(builder, body, wheels)
    corner = profile.glazing.side_front - 0.14
    foot = (corner, float(body.at("half_width", corner)) - 0.03, float(body.at("belt", corner)) + 0.09)
    for side in (1.0, -1.0):
        add_mirror(builder, foot, side)
    add_cabin(builder, profile.seats, float(body.at("belt", profile.seats[0])), flank)
    if "roof rails" in profile.extras:
        _add_rails(builder, profile, body)
    places = np.array([(x, wheels.radius_m) for x in wheels.axles])
    paint = PatchPaint({BODY_CODE: car_patches(profile, body)}, WheelFaces(RIM_CODE, places, wheels.spokes))
    return VehicleShape(builder.build(), profile.size_m, paint, PANEL_CODES, door=door_outline(profile, body))


def _add_rails(builder: SolidBuilder, profile: CarProfile, body: LoftedBody) -> None:
    """Rails along the edges of the roof, below its middle."""
    for side in (1.0, -1.0):
        ends = [
            (x, side * (float(body.at("roof_half_width", x)) - 0.06), float(body.at("top", x)) - 0.02)
            for x in (profile.glazing.rear_edge[1], profile.glazing.windscreen[0] - 0.1)
        ]
        builder.capsule(ends[0], ends[1], (0.016, 0.016), TRIM, sides=6)
