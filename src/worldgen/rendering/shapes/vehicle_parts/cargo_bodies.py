"""Bodies behind the cabs of trucks: boxes, curtain sides, tippers and tankers, and the frame that carries them."""

from __future__ import annotations

import numpy as np

from worldgen.rendering.shapes.solid import Finish
from worldgen.rendering.shapes.solid_builder import SolidBuilder, superellipse
from worldgen.rendering.shapes.vehicle_parts.fittings import add_inner_tyre, add_wheel
from worldgen.rendering.shapes.vehicle_parts.surface_patches import SurfacePatch, box_patch
from worldgen.rendering.shapes.vehicle_parts.vehicle_finishes import (
    AMBER,
    BLACK,
    CARGO_CODE,
    DARK,
    GAP,
    PLATE,
    REFLECTOR,
    REVERSE,
    STEEL,
    TAIL,
    TRIM,
)
from worldgen.rendering.shapes.vehicle_parts.vehicle_profiles import Cargo, Wheels

CELL_M = 0.6
"""Largest cell of large flat sides, at whose corners light is stored."""


def add_cargo(builder: SolidBuilder, cargo: Cargo) -> list[SurfacePatch]:
    """Add a body behind a cab; returns the patches on its ``CARGO_CODE`` surfaces."""
    made = {"box": _box, "curtain": _box, "tipper": _tipper, "tanker": _tanker}[cargo.kind](builder, cargo)
    _add_tail(builder, cargo)
    return made


def _box(builder: SolidBuilder, cargo: Cargo) -> list[SurfacePatch]:
    """A box of sheet metal, or one with curtains along its sides."""
    (rear, front), (low, high), half = cargo.x, cargo.z, cargo.half_width_m
    skin = Finish(cargo.colour, gloss=0.3, code=CARGO_CODE)
    size = (front - rear, 2 * half, high - low)
    builder.box(((rear + front) / 2, 0, (low + high) / 2), size, skin, cells_m=CELL_M)
    made = [
        box_patch("side", (rear, front), (low, low + 0.1), STEEL),
        box_patch("side", (rear, front), (high - 0.07, high), STEEL),
        box_patch("side", (rear, rear + 0.06), (low, high), STEEL),
        box_patch("side", (front - 0.06, front), (low, high), STEEL),
    ]
    shade = skin.but(colour=tuple(0.72 * c for c in cargo.colour))
    step = 0.62 if cargo.kind == "curtain" else 1.2
    for x in np.arange(rear + step, front - 0.3, step):
        made.append(box_patch("side", (x - 0.012, x + 0.012), (low + 0.1, high - 0.07), shade, opacity=0.7))
        if cargo.kind == "curtain":
            made.append(box_patch("side", (x - 0.025, x + 0.025), (low - 0.0, low + 0.22), BLACK, opacity=0.8))
    if cargo.mark:
        mark = skin.but(colour=cargo.mark)
        middle, length = (rear + front) / 2, 0.44 * (front - rear)
        z = low + 0.56 * (high - low)
        made.append(box_patch("side", (middle - length / 2, middle + length / 2), (z - 0.34, z + 0.3), mark))
        pale = skin.but(colour=tuple(0.3 + 0.5 * c for c in cargo.mark))
        for k in range(5):  # the blocks of a name
            x = middle + (k - 2) * 0.17 * length
            made.append(box_patch("side", (x - 0.05 * length, x + 0.05 * length), (z - 0.17, z + 0.13), pale))
        made.append(box_patch("rear", (-0.6 * half, 0.6 * half), (z - 0.2, z + 0.15), mark))
    made += [box_patch("side", (x, x + 0.3), (low + 0.02, low + 0.08), REFLECTOR) for x in np.arange(rear, front, 1.1)]
    return made + _rear_doors(cargo)


def _rear_doors(cargo: Cargo) -> list[SurfacePatch]:
    """Two doors with frames, locking bars and hinges."""
    (low, high), half = cargo.z, cargo.half_width_m
    made = [
        box_patch("rear", (half - 0.07, half), (low, high), STEEL),
        box_patch("rear", (-half, half), (high - 0.09, high), STEEL),
        box_patch("rear", (-half, half), (low, low + 0.1), STEEL),
        box_patch("rear", (-0.012, 0.012), (low + 0.1, high - 0.09), GAP),
    ]
    for y in (0.2 * half, 0.52 * half):
        made.append(box_patch("rear", (y - 0.018, y + 0.018), (low + 0.1, high - 0.09), STEEL, opacity=0.85))
        made.append(box_patch("rear", (y - 0.05, y + 0.05), (low + 0.55, low + 0.65), TRIM))
    for share in (0.12, 0.5, 0.88):
        z = low + share * (high - low)
        made.append(box_patch("rear", (half - 0.2, half - 0.03), (z - 0.03, z + 0.03), STEEL, opacity=0.8))
    return made


def _tipper(builder: SolidBuilder, cargo: Cargo) -> list[SurfacePatch]:
    """An open steel trough with ribs, a tailgate, a guard over the cab, and a load of gravel."""
    (rear, front), (low, high), half = cargo.x, cargo.z, cargo.half_width_m
    skin = Finish(cargo.colour, gloss=0.25, code=CARGO_CODE)
    middle, length, height = (rear + front) / 2, front - rear, high - low
    wall = high - 0.22
    for side in (1.0, -1.0):
        centre = (middle, side * (half - 0.07), (low + wall) / 2)
        builder.box(centre, (length, 0.08, wall - low), skin, cells_m=CELL_M)
        builder.box((middle, side * (half - 0.05), wall), (length, 0.1, 0.1), skin)
        for x in np.linspace(rear + 0.06, front - 0.06, 7):
            builder.box((x, side * (half - 0.02), (low + wall) / 2), (0.09, 0.05, wall - low), skin)
    builder.box((rear + 0.04, 0, (low + wall) / 2), (0.08, 2 * half - 0.1, wall - low), skin, cells_m=CELL_M)
    builder.box((front - 0.04, 0, (low + high) / 2), (0.08, 2 * half - 0.1, height), skin, cells_m=CELL_M)
    builder.box((front + 0.35, 0, high - 0.03), (0.8, 1.7 * half, 0.06), skin)
    builder.box((middle, 0, low + 0.05), (length, 2 * half - 0.1, 0.1), DARK)
    gravel = Finish((0.17, 0.155, 0.135))
    builder.ellipsoid((middle, 0, wall - 0.3), (0.47 * length, half - 0.12, 0.5), gravel, power=2.6, bands=8)
    made = [box_patch("rear", (y - 0.04, y + 0.04), (low, wall), GAP, opacity=0.5) for y in (0.3, 0.75)]
    made.append(box_patch("side", (rear, front), (low, low + 0.09), TRIM))
    return made


def _tanker(builder: SolidBuilder, cargo: Cargo) -> list[SurfacePatch]:
    """A tank with domed ends, bands, a walkway and a ladder."""
    (rear, front), (low, high), half = cargo.x, cargo.z, cargo.half_width_m
    top = high - 0.14
    skin = Finish(cargo.colour, gloss=0.9, code=CARGO_CODE)
    middle_z, tall = (low + top) / 2, (top - low) / 2
    share = np.array([0.0, 0.02, 0.06, 0.12, 0.2, 0.3])
    ends = rear + share, front - share[::-1]
    along = np.concatenate([ends[0], np.linspace(rear + 0.3, front - 0.3, 10)[1:-1], ends[1]])
    depth = np.minimum(along - rear, front - along)
    size = np.sqrt(np.clip(1 - (1 - np.clip(depth / 0.3, 0, 1)) ** 2.2, 0, 1))
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    y, z = half * superellipse(np.cos(angle), 2.5), tall * superellipse(np.sin(angle), 2.5)
    rings = np.stack(np.broadcast_arrays(along[:, None], size[:, None] * y, middle_z + size[:, None] * z), -1)
    builder.grid(rings, skin, closed=True, flip=True)
    builder.box(((rear + front) / 2, 0, top + 0.02), (front - rear - 0.8, 0.55, 0.05), TRIM)
    for position in np.linspace(rear + 0.9, front - 0.9, 4).tolist():
        builder.lathe(
            (position, 0, top + 0.02), [(0.0, 0.26), (0.1, 0.26), (0.12, 0.2), (0.12, 0.004)], STEEL, axis="z", sides=12
        )
    for y_rail in (0.22, -0.22):
        builder.box((rear - 0.04, y_rail, (low + top) / 2), (0.035, 0.035, top - low - 0.1), STEEL)
    for z_step in np.arange(low + 0.15, top - 0.1, 0.32):
        builder.box((rear - 0.04, 0, z_step), (0.03, 0.44, 0.03), STEEL)
    for side in (1.0, -1.0):
        builder.box(((rear + front) / 2, side * (half - 0.1), low + 0.1), (front - rear - 1.2, 0.16, 0.3), TRIM)
    made = [
        box_patch("side", (p - 0.03, p + 0.03), (low, top), STEEL, facing=0.0)
        for p in np.linspace(rear + 0.5, front - 0.5, 6)
    ]
    if cargo.mark:
        centre, reach, paint = (rear + front) / 2, 0.14 * (front - rear), skin.but(colour=cargo.mark)
        made.append(box_patch("side", (centre - reach, centre + reach), (middle_z - 0.1, middle_z + 0.42), paint))
    for part in (0.33, 0.66):  # seams of the compartments, with their dark rings
        x = rear + part * (front - rear)
        made.append(box_patch("side", (x - 0.07, x + 0.07), (low, top), TRIM, facing=-0.2, opacity=0.8))
    sign = Finish((0.50, 0.20, 0.02), gloss=0.2)
    made.append(box_patch("rear", (0.28, 0.6), (low + 0.5, low + 0.72), sign))
    return made


def _add_tail(builder: SolidBuilder, cargo: Cargo) -> None:
    """Bumper, lamps, plate and mud flaps under the rear of the body."""
    rear, half, z = cargo.x[0], cargo.half_width_m, cargo.lamps_m
    builder.box((rear + 0.12, 0, z - 0.17), (0.1, 1.9 * half, 0.13), Finish((0.24, 0.05, 0.04), gloss=0.2))
    builder.box((rear + 0.12, 0, z), (0.08, 1.9 * half, 0.19), TRIM)
    for side, turn in ((1.0, "left"), (-1.0, "right")):
        builder.box((rear + 0.06, side * 0.78 * half, z), (0.05, 0.24, 0.13), TAIL)
        builder.box((rear + 0.06, side * 0.62 * half, z), (0.05, 0.12, 0.13), AMBER.but(lamp=turn))
        builder.box((rear + 0.06, side * 0.52 * half, z), (0.05, 0.1, 0.12), REVERSE)
        builder.box((rear + 0.3, side * 0.72 * half, z - 0.28), (0.02, 0.5, 0.46), DARK)
    builder.box((rear + 0.06, 0, z), (0.03, 0.52, 0.11), PLATE)


def add_frame(builder: SolidBuilder, cargo: Cargo) -> None:
    """Chassis beams, side guards, tank and boxes under a body."""
    half, low, x = cargo.half_width_m, cargo.z[0], cargo.frame_x
    middle, length = (x[0] + x[1]) / 2, x[1] - x[0]
    for side in (1.0, -1.0):
        builder.box((middle, side * 0.42, low - 0.14), (length, 0.1, 0.24), DARK)
        for z in cargo.guard_z:
            a, b = cargo.guard_x
            builder.box(((a + b) / 2, side * (half - 0.05), z), (b - a, 0.03, 0.11), STEEL)
    a, b = cargo.guard_x
    builder.box((b - 0.45, 0.72 * half, low - 0.36), (0.8, 0.5, 0.46), STEEL)
    builder.box((b - 0.45, -0.72 * half, low - 0.36), (0.7, 0.5, 0.44), TRIM)
    if cargo.legs_x is not None:
        for side in (1.0, -1.0):
            builder.box((cargo.legs_x, side * 0.7 * half, 0.62), (0.12, 0.12, 1.0), TRIM)


def add_axles(builder: SolidBuilder, wheels: Wheels, half_widths_m: tuple[float, float]) -> None:
    """Wheels on axles under a frame, with their axle beams; twin tyres where they are numbered.

    half_widths_m: over the steered axle and over the others.
    """
    radius, width = wheels.radius_m, wheels.width_m
    for number, x in enumerate(wheels.axles):
        half = half_widths_m[min(number, 1)]
        for side in (1.0, -1.0):
            y = side * (half - width / 2 - 0.03)
            add_wheel(builder, (x, y, radius), width, side, steel=True)
            if number in wheels.twin:
                add_inner_tyre(builder, (x, y - side * (width + 0.04), radius), width, side)
        builder.box((x, 0, radius), (0.14, 1.6 * half, 0.14), DARK)
