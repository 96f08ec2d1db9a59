"""What is painted on the body of a car or van: lamps, grille, plates, gaps, handles, plastic; then the windows."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from worldgen.rendering.shapes.vehicle_parts.body_loft import LoftedBody
from worldgen.rendering.shapes.vehicle_parts.glazing_patches import window_patches
from worldgen.rendering.shapes.vehicle_parts.surface_patches import SurfacePatch, box_patch, polygon_patch
from worldgen.rendering.shapes.vehicle_parts.vehicle_finishes import (
    BLACK,
    CHROME,
    CLEAR_AMBER,
    DARK,
    GAP,
    HEAD,
    HOUSING,
    PLATE,
    REFLECTOR,
    REVERSE,
    TAIL,
    TAIL_CORE,
    TRIM,
)
from worldgen.rendering.shapes.vehicle_parts.vehicle_profiles import CarProfile, Panels, Rectangle

GAP_HALF_M = 0.006
PLATE_HALF_M = (0.26, 0.055)
LAMP_FACING = 0.12
"""Lamps wrap round the corners of the body."""


def car_patches(profile: CarProfile, body: LoftedBody) -> list[SurfacePatch]:
    """The patches of a car or van, from the underside up."""
    panels = profile.panels
    return [
        *_plastic(profile, body), *_front(panels, body), *_rear(panels, body), *_doors(profile, body),
        *_load_doors(profile, body), *window_patches(body, profile.glazing),
    ]  # fmt: skip


def _plastic(profile: CarProfile, body: LoftedBody) -> list[SurfacePatch]:
    """Dark underside, sills, and plastic around the arches."""
    panels, wheels = profile.panels, profile.wheels
    low, high, flank = float(body.x[0]), float(body.x[-1]), float(body.half_width.max())
    made = [box_patch("bottom", (low, high), (-flank, flank), TRIM, facing=0.45)]
    axles = sorted(wheels.axles)
    ends = [low - 0.1, *axles, high + 0.1]
    for a, b in pairwise(ends):
        top = body.at("bottom", np.clip([a, b], axles[0], axles[-1])) + panels.cladding_m
        made.append(polygon_patch("side", [(a, 0), (b, 0), (b, top[1]), (a, top[0])], TRIM, facing=0.2))
    for view, x in (("front", high - 0.3), ("rear", low + 0.3)):
        edge = float(body.at("bottom", x)) + panels.cladding_m
        made.append(box_patch(view, (-flank, flank), (0.0, edge), TRIM, facing=0.2))
    if panels.arch_cladding:
        around = np.linspace(-0.1, 1.1, 17) * np.pi
        radius = wheels.radius_m + wheels.arch_m + 0.065
        for x in wheels.axles:
            ring = np.stack([x + radius * np.cos(around), wheels.radius_m + radius * np.sin(around)], 1)
            made.append(polygon_patch("side", ring, TRIM, facing=0.2))
    return made


def _front(panels: Panels, body: LoftedBody) -> list[SurfacePatch]:
    """Grille, intake, plate and head lamps."""
    span = (body.x[-1] - 0.6, np.inf)
    made = [polygon_patch("front", _trapezoid(panels.intake, 0.86), TRIM, round_m=0.04, span=span)]
    if panels.grille[3] > panels.grille[2]:
        y0, y1, z0, z1 = panels.grille
        made.append(polygon_patch("front", _trapezoid(panels.grille, 0.9), BLACK, round_m=0.03, span=span))
        for z in np.linspace(z0, z1, panels.grille_bars + 2)[1:-1]:
            made.append(
                box_patch("front", (0.94 * y0, 0.94 * y1), (z - 0.008, z + 0.008), CHROME, span=span, opacity=0.6)
            )
        made.append(box_patch("front", (y0, y1), (z1 - 0.004, z1 + 0.016), CHROME, span=span, opacity=0.8))
        middle = (z0 + z1) / 2
        made.append(box_patch("front", (-0.06, 0.06), (middle - 0.04, middle + 0.05), CHROME, round_m=0.04, span=span))
    made.append(_plate("front", panels.plate_front, span))
    y0, y1, z0, z1 = panels.head
    made.append(polygon_patch("front", _lens(panels.head), HOUSING, round_m=0.03, facing=LAMP_FACING, span=span))
    width, height = y1 - y0, z1 - z0
    for share, size in ((0.32, 0.42), (0.72, 0.46)):
        y, z = y0 + share * width, z0 + (0.42 + 0.12 * share) * height
        a, b = max(min(size * height, 0.22 * width), 0.15 * width), size * height * 0.92
        made.append(
            box_patch("front", (y - a, y + a), (z - b, z + b), HEAD, round_m=0.6 * min(a, b), facing=0.15, span=span)
        )
    made.append(
        box_patch("front", (y0 + 0.05, y1), (z0 + 0.012, z0 + 0.042), CLEAR_AMBER, facing=LAMP_FACING, span=span)
    )
    return made


def _rear(panels: Panels, body: LoftedBody) -> list[SurfacePatch]:
    """Tail lamps, plate, lid, reflectors and the dark lower part of the bumper."""
    span = (-np.inf, body.x[0] + 0.55)
    flank = float(body.half_width.max())
    low = float(body.at("bottom", body.x[0] + 0.4))
    made = [box_patch("rear", (-0.46 * flank, 0.46 * flank), (low, low + 0.2), TRIM, round_m=0.04, span=span)]
    if panels.bumper is not None:
        a, b = panels.bumper
        made.append(box_patch("rear", (-flank, flank), (b - 0.008, b + 0.008), GAP, span=span, opacity=0.8))
        z = a + 0.3 * (b - a)
        made.append(box_patch("rear", (0.55 * flank, 0.82 * flank), (z - 0.02, z + 0.02), REFLECTOR, span=span))
    if panels.lid is not None:
        half, bottom = panels.lid
        for y in (half, -half):
            made.append(
                box_patch("rear", (abs(y) - GAP_HALF_M, abs(y) + GAP_HALF_M), (bottom, panels.tail[2]), GAP, span=span)
            )
    z = panels.plate_rear
    made.append(box_patch("rear", (-0.34, 0.34), (z - 0.1, z + 0.1), BLACK, round_m=0.03, span=span, opacity=0.45))
    made.append(box_patch("rear", (-0.3, 0.3), (z + 0.085, z + 0.105), CHROME, span=span, opacity=0.7))
    made.append(_plate("rear", z, span))
    if panels.tail_bar is not None:
        y0, y1, z0, z1 = panels.tail_bar
        made.append(box_patch("rear", (y0, y1), (z0, z1), TAIL, span=span))
    return [*made, *_tail_lamp(panels.tail, span)]


def _tail_lamp(area: Rectangle, span: tuple[float, float]) -> list[SurfacePatch]:
    """A tail lamp with its brighter core, reversing lamp and indicator; tall ones are stacked, wide ones abreast."""
    y0, y1, z0, z1 = area
    width, height = y1 - y0, z1 - z0
    made = [
        box_patch("rear", (y0, y1 + 0.1), (z0, z1), TAIL, round_m=0.02, facing=LAMP_FACING, span=span),
    ]
    if height > width:
        parts = ((0.05, 0.22, REVERSE), (0.25, 0.42, CLEAR_AMBER), (0.48, 0.94, TAIL_CORE))
        cells = [((y0 + 0.02, y1 - 0.02), (z0 + a * height, z0 + b * height), f) for a, b, f in parts]
    else:
        parts = ((0.04, 0.24, REVERSE), (0.27, 0.42, CLEAR_AMBER), (0.46, 0.94, TAIL_CORE))
        cells = [((y0 + a * width, y0 + b * width), (z0 + 0.18 * height, z1 - 0.18 * height), f) for a, b, f in parts]
    for u, v, finish in cells:
        made.append(box_patch("rear", u, v, finish, round_m=0.015, facing=LAMP_FACING, span=span))
    return made


def _doors(profile: CarProfile, body: LoftedBody) -> list[SurfacePatch]:
    """Gaps around the doors and bonnet, handles, filler cap."""
    doors = profile.panels.doors
    if not doors:
        return []
    made = []
    sill = float(body.at("bottom", 0.0)) + profile.panels.cladding_m + 0.03
    for x in doors:
        high = float(body.at("top", x)) - 0.075
        made.append(box_patch("side", (x - GAP_HALF_M, x + GAP_HALF_M), (sill, high), GAP, facing=0.5, opacity=0.85))
    made.append(box_patch("side", (doors[0], doors[-1]), (sill - 0.006, sill + 0.006), GAP, facing=0.5, opacity=0.7))
    for x in doors[:-1]:
        z = float(body.at("belt", x)) - 0.105 if profile.panels.handle_z is None else profile.panels.handle_z
        made.append(box_patch("side", (x + 0.07, x + 0.25), (z - 0.014, z + 0.014), BLACK, facing=0.5, opacity=0.7))
    x, half = profile.glazing.windscreen[1], 0.8 * float(body.half_width.max())
    front = body.x[-1] - 0.12
    made.append(box_patch("top", (x + 0.05, front), (half - GAP_HALF_M, half + GAP_HALF_M), GAP, facing=0.5))
    made.append(box_patch("top", (x - 0.06, x + 0.09), (-0.8 * half, 0.8 * half), TRIM, facing=0.3))
    return made


def _load_doors(profile: CarProfile, body: LoftedBody) -> list[SurfacePatch]:
    """What vans and pickups have: rear doors, the rail of a sliding door, a dark bed."""
    made = []
    rear, span = body.x[0], (-np.inf, body.x[0] + 0.55)
    if "rear doors" in profile.extras:
        low, high = profile.panels.plate_rear + 0.1, profile.size_m[2] - 0.22
        made.append(box_patch("rear", (-GAP_HALF_M, GAP_HALF_M), (low - 0.2, high), GAP, span=span, opacity=0.85))
        made.append(box_patch("rear", (0.03, 0.09), (low + 0.16, low + 0.22), BLACK, span=span))
    if "slide rail" in profile.extras:
        z = float(body.at("belt", 0.0)) - 0.12
        made.append(box_patch("side", (rear + 0.25, profile.panels.doors[0]), (z - 0.015, z + 0.015), GAP, opacity=0.7))
    if "bed" in profile.extras:
        half, front = 0.8 * float(body.half_width.max()), profile.glazing.rear_edge[0] - 0.15
        made.append(box_patch("top", (rear + 0.12, front), (-half, half), DARK, facing=0.6, round_m=0.05))
    return made


def _plate(view: str, z: float, span: tuple[float, float]) -> SurfacePatch:
    """A number plate without a number, its middle at height ``z``."""
    half, tall = PLATE_HALF_M
    return box_patch(view, (-half, half), (z - tall, z + tall), PLATE, span=span)


def _trapezoid(area: Rectangle, below: float) -> np.ndarray:
    """A rectangle that is narrower below by a factor."""
    y0, y1, z0, z1 = area
    return np.array([(y0 * below, z0), (y1 * below, z0), (y1, z1), (y0, z1)])


def _lens(area: Rectangle) -> np.ndarray:
    """A head lamp: it rises outwards and reaches round the corner."""
    y0, y1, z0, z1 = area
    rise = 0.25 * (z1 - z0)
    return np.array([(y0 + 0.03, z0), (y1 + 0.1, z0 + rise), (y1 + 0.1, z1 + 0.3 * rise), (y0, z1 - rise)])
