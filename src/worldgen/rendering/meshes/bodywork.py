"""Parts that vehicles share: glass, wheels, lamps and cabins."""

from __future__ import annotations

import numpy as np

from worldgen.rendering.meshes.mesh import MeshBuilder, Paint, srgb

GLASS = Paint(srgb("#1a2226"), layer=2, gloss=0.35)
BLACK = Paint(srgb("#121314"))
TYRE = Paint(srgb("#17181a"))
CHROME = srgb("#aeb2b6")


def wheels(builder: MeshBuilder, axles: list[float], width: float, radius: float, *, rim: bool = True) -> None:
    """Tyres under the body (drawn first) and wheel discs on its flanks (drawn last). axles: x of each (m)."""
    thick = min(0.28, 0.14 * width)
    for x in axles:
        for side in (1, -1):
            y = side * (width / 2 - thick / 2)
            builder.box((x, y, radius), (1.5 * radius, thick, 2 * radius), TYRE.but(layer=-20, detail=1))
    for x in axles:
        for side in (1, -1):
            y = side * (width / 2 + 0.012)
            builder.disc(
                (x, side * (width / 2 + 0.006), radius * 1.08),
                radius * 1.22,
                "y",
                BLACK.but(layer=3, detail=1),
                facing=side,
            )
            builder.disc((x, y, radius), radius, "y", TYRE.but(layer=4), facing=side, sides=12)
            if rim:
                builder.disc((x, y * 1.002, radius), radius * 0.66, "y", Paint(CHROME, layer=5, detail=1), facing=side)
                builder.disc(
                    (x, y * 1.003, radius), radius * 0.22, "y", BLACK.but(layer=6, detail=2), facing=side, sides=6
                )


def plate(builder: MeshBuilder, x: float, box: tuple[float, float, float, float], paint: Paint) -> None:
    """A rectangle on the front or back at ``x``; box: y from, y to, z from, z to."""
    y0, y1, z0, z1 = box
    builder.quad(
        [(x, y0, z0), (x, y1, z0), (x, y1, z1), (x, y0, z1)], paint, inside=(0.0, (y0 + y1) / 2, (z0 + z1) / 2)
    )


def lamps(builder: MeshBuilder, length: float, width: float, heights: tuple[float, float, float, float]) -> None:
    """Head and tail lamps with turn signals and number plates; heights: front low, high, rear low, high (m)."""
    f, r, w = length / 2 + 0.012, -length / 2 - 0.012, width / 2
    f0, f1, r0, r1 = heights
    for side, turn in ((1, "left"), (-1, "right")):
        plate(builder, f, (side * w * 0.52, side * w * 0.93, f0, f1), Paint(srgb("#d9dee0"), layer=6, lamp="head"))
        plate(
            builder,
            f + 0.004,
            (side * w * 0.86, side * w * 0.96, f0, f1),
            Paint(srgb("#b98235"), layer=7, lamp=turn, detail=1),
        )
        plate(builder, r, (side * w * 0.62, side * w * 0.96, r0, r1), Paint(srgb("#7a1212"), layer=6, lamp="tail"))
        plate(
            builder,
            r - 0.004,
            (side * w * 0.84, side * w * 0.96, r0, r0 + 0.3 * (r1 - r0)),
            Paint(srgb("#b56a28"), layer=7, lamp=turn, detail=1),
        )
    number_plate = Paint(srgb("#d9d8c8"), layer=6, detail=1)
    plate(builder, r, (-0.26, 0.26, max(0.42, r0 - 0.28), max(0.53, r0 - 0.17)), number_plate)
    plate(builder, f, (-0.26, 0.26, max(0.36, f0 - 0.26), max(0.47, f0 - 0.15)), number_plate)


def cabin(
    builder: MeshBuilder,
    plan: tuple[float, float, float, float],
    heights: tuple[float, float],
    width: float,
    paint: Paint,
) -> None:
    """A cabin with windows. plan: x of rear foot, rear top, front top, front foot; heights: belt line, roof (m)."""
    rear, rear_top, front_top, front = plan
    belt, roof = heights
    low, top = width / 2, width / 2 * 0.80
    corners = np.array([
        (rear, -low, belt), (front, -low, belt), (front, low, belt), (rear, low, belt),
        (rear_top, -top, roof), (front_top, -top, roof), (front_top, top, roof), (rear_top, top, roof),
    ])  # fmt: skip
    builder.part().add(corners, [(4, 5, 6, 7), (0, 1, 5, 4), (1, 2, 6, 5), (2, 3, 7, 6), (3, 0, 4, 7)], paint)
    inside = corners.mean(0)

    def pane(a: int, b: int, c: int, d: int, span: tuple[float, float, float, float]) -> None:
        # A part of the cabin face with foot a-b and top d-c, by bilinear interpolation; it lies in the face.
        u0, u1, v0, v1 = span
        foot0, foot1 = corners[a], corners[b]
        top0, top1 = corners[d], corners[c]
        at = lambda u, v: (foot0 * (1 - u) + foot1 * u) * (1 - v) + (top0 * (1 - u) + top1 * u) * v  # noqa: E731
        builder.quad([at(u0, v0), at(u1, v0), at(u1, v1), at(u0, v1)], GLASS, inside=inside)

    pane(1, 2, 6, 5, (0.06, 0.94, 0.05, 0.92))
    pane(3, 0, 4, 7, (0.08, 0.92, 0.12, 0.90))
    for a, b, c, d in ((0, 1, 5, 4), (3, 2, 6, 7)):
        pane(a, b, c, d, (0.10, 0.47, 0.12, 0.88))
        pane(a, b, c, d, (0.51, 0.93, 0.12, 0.88))
