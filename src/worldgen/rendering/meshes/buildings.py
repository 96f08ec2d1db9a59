"""Meshes of buildings: blocks, halls and houses."""

from __future__ import annotations

import numpy as np

from worldgen.rendering.drawing.texture import BRICK, FIRST_FACADE, NUM_FACADES, ROOF, SHOP
from worldgen.rendering.meshes.colours import draw_colour
from worldgen.rendering.meshes.mesh import MeshBuilder, Paint, Size, scaled, srgb


def _wall(
    builder: MeshBuilder, plan: tuple[float, float, float, float], bands: list[tuple[float, float, float, Paint]]
) -> None:
    """A vertical wall, cut into parts of about 10 m so that they sort by distance.

    plan: x0, y0, x1, y1 of its ends (m). bands: z low, z high, offset outwards (m), paint; later bands cover earlier
    ones.
    """
    x0, y0, x1, y1 = plan
    length = float(np.hypot(x1 - x0, y1 - y0))
    ux, uy = (x1 - x0) / length, (y1 - y0) / length
    pieces = max(1, round(length / 10.0))
    for k in range(pieces):
        builder.part()
        a, b = k * length / pieces, (k + 1) * length / pieces
        for low, high, out, paint in bands:
            nx, ny = uy * out, -ux * out
            p, q = (
                (x0 + ux * (a - out) + nx, y0 + uy * (a - out) + ny),
                (x0 + ux * (b + out) + nx, y0 + uy * (b + out) + ny),
            )
            builder.quad([(*p, low), (*q, low), (*q, high), (*p, high)], paint, inside=(0, 0, low))


def building(builder: MeshBuilder, size: Size, rng: np.random.Generator) -> None:
    """A block or hall with textured walls, or a house when it is low and short."""
    length, width, height = size
    a, b = length / 2, width / 2
    sides = ((-a, -b, a, -b), (a, -b, a, b), (a, b, -a, b), (-a, b, -a, -b))
    if height < 8.5 and length < 20:
        _house(builder, size, sides, rng)
        return
    hall = length > 20 and height < 15
    wall = Paint(draw_colour("wall", rng), texture=FIRST_FACADE + int(rng.integers(NUM_FACADES)))
    ground = Paint(draw_colour("wall", rng), texture=SHOP if rng.random() < 0.6 and not hall else BRICK)
    trim = Paint(scaled(draw_colour("wall", rng), 0.8), layer=1)
    bands = [
        (0.0, 3.8, 0.0, ground),
        (3.8, height, 0.0, wall),
        (3.65, 3.95, 0.15, trim.but(detail=1)),
        (height - 0.7, height, 0.25, trim),
    ]
    for side in sides:
        _wall(builder, side, bands)


def _house(
    builder: MeshBuilder, size: Size, sides: tuple[tuple[float, float, float, float], ...], rng: np.random.Generator
) -> None:
    """A dwelling with windows, a door and a pitched roof."""
    length, width, height = size
    wall = Paint(draw_colour("house_wall", rng), texture=BRICK)
    eaves = min(height * 0.62, height - 1.6)
    for side in sides:
        _wall(builder, side, [(0.0, eaves, 0.0, wall)])
    a, b, ridge = length / 2, width / 2, _half_ridge(length)
    roof = Paint(draw_colour("roof", rng), texture=ROOF)
    over = 0.4
    low = eaves - 0.1
    corners = [
        (-a - over, -b - over, low),
        (a + over, -b - over, low),
        (a + over, b + over, low),
        (-a - over, b + over, low),
        (-ridge, 0, height),
        (ridge, 0, height),
    ]
    builder.part().add(
        np.array(corners), [(0, 1, 5, 4), (2, 3, 4, 5), (1, 2, 5), (3, 0, 4)], roof, inside=np.array([0, 0, eaves])
    )
    glass, frame = (
        Paint(srgb("#20292e"), layer=2, lamp="window", gloss=0.25, detail=1),
        Paint(srgb("#f2efe8"), layer=1, detail=1),
    )
    floors = [0.9] if eaves < 4.2 else [0.9, 3.6]
    for x0, y0, x1, y1 in sides:
        span = float(np.hypot(x1 - x0, y1 - y0))
        ux, uy = (x1 - x0) / span, (y1 - y0) / span
        out = (uy * 0.02, -ux * 0.02)
        count = max(1, int(span / 3.2))
        for z in floors:
            for k in range(count):
                middle = (k + 0.5) * span / count
                door = z < 1 and k == count // 2 and rng.random() < 0.8
                half, low, high = (0.5, 0.05, 2.15) if door else (0.65, z, z + 1.35)
                for grow, paint in ((0.10, frame), (0.0, Paint(srgb("#5a2f22"), layer=2, detail=1) if door else glass)):
                    u, v = middle - half - grow, middle + half + grow
                    p, q = (
                        (x0 + ux * u + out[0] * (1 + (grow == 0)), y0 + uy * u + out[1] * (1 + (grow == 0))),
                        (x0 + ux * v + out[0] * (1 + (grow == 0)), y0 + uy * v + out[1] * (1 + (grow == 0))),
                    )
                    builder.quad(
                        [(*p, low - grow), (*q, low - grow), (*q, high + grow), (*p, high + grow)],
                        paint,
                        inside=(0, 0, low),
                    )
    builder.part().box((ridge * 0.5, width * 0.12, height), (0.6, 0.6, 1.2), Paint(srgb("#7a4a3a"), detail=1))


def _half_ridge(length: float) -> float:
    """Half the length of a roof ridge: gabled when long, hipped when short."""
    return max(length / 2 - 0.3, 0.2) if length > 9 else length / 2
