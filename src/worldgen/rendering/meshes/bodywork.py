"""What vehicles share: paints, glass, wheels, lamps, cabins."""

from __future__ import annotations

import numpy as np

from worldgen.rendering.meshes.mesh import MeshBuilder, Paint, srgb

CAR_COLOURS = tuple(
    srgb(c)
    for c in (
        "#f2f2ee", "#e8e8e6", "#c9ccd0", "#9da1a6", "#6d7278", "#3c4045", "#1b1c1f", "#17181b", "#25406e", "#1f5a9c",
        "#7d1f24", "#b3262b", "#1f4a3a", "#8a7a5c", "#d8b23a", "#c45a1f", "#5c7fa3", "#46303a",
    )
)  # fmt: skip
"""Common car paints, white, grey and black first, as in registrations."""
CAR_WEIGHTS = np.array([12, 8, 9, 8, 7, 6, 9, 6, 5, 6, 4, 5, 3, 3, 2, 2, 3, 2], float)
VAN_COLOURS = tuple(
    srgb(c) for c in ("#f4f4f2", "#f4f4f2", "#e9e9e9", "#d9dadb", "#2c4c86", "#e3b92f", "#8b1d22", "#3b3f44")
)
BOX_COLOURS = tuple(
    srgb(c) for c in ("#f1f1ee", "#e6e6e4", "#dadde0", "#2d5fa8", "#b42a2a", "#2f7a4f", "#e0a12e", "#d6d2c4")
)
BUS_COLOURS = tuple(srgb(c) for c in ("#c3222a", "#e7b21d", "#1d5fae", "#2e8b57", "#e9e9e7", "#e2711d", "#5a2d82"))
GLASS = Paint(srgb("#1a2226"), layer=2, gloss=0.35)
BLACK = Paint(srgb("#121314"))
TYRE = Paint(srgb("#17181a"))
CHROME = srgb("#aeb2b6")


def wheels(builder: MeshBuilder, axles: list[float], width: float, radius: float, *, rim: bool = True) -> None:
    """Tyres under the body (drawn first) and wheel faces on its flanks (drawn last)."""
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
    """Head and tail lamps with turn signals and plates; heights: front low, front high, rear low, rear high (m)."""
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
    """Cabin with screens and side windows. plan: x of rear foot, rear top, front top, front foot; heights: belt, roof (m)."""
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
        # Bilinear cut of the cabin face a-b (foot) and d-c (top), pushed out a little so that it lies on it.
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
