"""Meshes of trucks and buses: cabs, cargo boxes, rows of windows."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from worldgen.rendering.meshes.bodywork import (
    BLACK,
    CHROME,
    GLASS,
    TYRE,
    plate,
    wheels,
)
from worldgen.rendering.meshes.colours import colours, draw_colour
from worldgen.rendering.meshes.mesh import Colour, MeshBuilder, Paint, Size, scaled, srgb


def _cargo(
    builder: MeshBuilder,
    plan: tuple[float, float],
    heights: tuple[float, float],
    width: float,
    colour: Colour,
) -> None:
    """A cargo box with doors and a stripe, cut along its length so that its parts sort by distance.

    plan: x of rear and front; heights: bottom and top (m).
    """
    (rear, front), (low, high) = plan, heights
    cuts = np.linspace(rear, front, max(2, round((front - rear) / 4.0) + 1))
    paint = Paint(colour, gloss=0.05)
    w = width / 2
    for a, b in pairwise(cuts):
        builder.part().box(((a + b) / 2, 0, (low + high) / 2), (b - a, width, high - low), paint)
        for side in (1, -1):
            y = side * (w + 0.01)
            builder.quad(
                [(a, y, low), (b, y, low), (b, y, low + 0.10), (a, y, low + 0.10)],
                Paint(CHROME, layer=1, detail=1),
                inside=((a + b) / 2, 0, 1),
            )
            mid = low + 0.45 * (high - low)
            builder.quad(
                [(a, y, mid), (b, y, mid), (b, y, mid + 0.35), (a, y, mid + 0.35)],
                Paint(scaled(colour, 0.25), layer=1, detail=1),
                inside=((a + b) / 2, 0, 1),
            )
        if a == cuts[0]:
            for y0, y1 in ((-w * 0.96, -0.02), (0.02, w * 0.96)):
                plate(
                    builder,
                    rear - 0.01,
                    (y0, y1, low + 0.06, high - 0.06),
                    Paint(scaled(colour, 0.82), layer=1, detail=1),
                )
                plate(
                    builder,
                    rear - 0.014,
                    (0.6 * y1 + 0.4 * y0, 0.6 * y1 + 0.4 * y0 + 0.06, low + 0.1, high - 0.1),
                    Paint(CHROME, layer=2, detail=2),
                )
            for side in (1, -1):
                plate(
                    builder,
                    rear - 0.016,
                    (side * w * 0.45, side * w * 0.97, low - 0.02, low + 0.09),
                    Paint(srgb("#c8451f"), layer=3, detail=1),
                )


def _truck_rear(builder: MeshBuilder, rear: float, width: float) -> None:
    """Bumper with tail lamps below a cargo box."""
    w = width / 2
    builder.part().box((rear + 0.12, 0, 0.72), (0.2, width * 0.96, 0.34), BLACK)
    for side, turn in ((1, "left"), (-1, "right")):
        plate(
            builder,
            rear - 0.01,
            (side * w * 0.58, side * w * 0.94, 0.62, 0.86),
            Paint(srgb("#7a1212"), layer=6, lamp="tail"),
        )
        plate(
            builder,
            rear - 0.014,
            (side * w * 0.46, side * w * 0.57, 0.64, 0.82),
            Paint(srgb("#b56a28"), layer=7, lamp=turn, detail=1),
        )
    plate(builder, rear - 0.01, (-0.26, 0.26, 0.66, 0.78), Paint(srgb("#d9d8c8"), layer=6, detail=1))


def _cab(builder: MeshBuilder, plan: tuple[float, float], height: float, width: float, colour: Colour) -> None:
    """A truck cab with a wide flat windscreen, steps, grille and lamps."""
    rear, front = plan
    w, belt = width / 2, height * 0.55
    builder.part().loft(
        [
            (rear, 0.5, height, w),
            (front - 0.35, 0.45, height, w),
            (front, 0.45, belt, w * 0.98),
            (front + 0.02, 0.5, belt * 0.9, w * 0.97),
        ],
        Paint(colour, gloss=0.1),
    )
    slope = lambda z: front - 0.35 * (z - belt) / (height - belt) + 0.015  # noqa: E731
    low, high = belt + 0.05, height * 0.90
    middle = ((rear + front) / 2, 0, height / 2)
    builder.quad(
        [
            (slope(low), -w * 0.92, low),
            (slope(low), w * 0.92, low),
            (slope(high), w * 0.92, high),
            (slope(high), -w * 0.92, high),
        ],
        GLASS,
        inside=middle,
    )
    for side, turn in ((1, "left"), (-1, "right")):
        y = side * (w + 0.012)
        builder.quad(
            [
                (rear + 0.5, y, belt),
                (front - 0.15, y, belt),
                (front - 0.42, y, height * 0.88),
                (rear + 0.5, y, height * 0.88),
            ],
            GLASS,
            inside=middle,
        )
        plate(
            builder,
            front + 0.035,
            (side * w * 0.60, side * w * 0.94, 0.62, 0.84),
            Paint(srgb("#d9dee0"), layer=6, lamp="head"),
        )
        plate(
            builder,
            front + 0.04,
            (side * w * 0.86, side * w * 0.96, 0.86, 0.96),
            Paint(srgb("#b98235"), layer=7, lamp=turn, detail=1),
        )
    plate(builder, front + 0.03, (-w * 0.6, w * 0.6, 0.95, belt * 0.9), BLACK.but(layer=5, detail=1))
    plate(builder, front + 0.03, (-w * 0.95, w * 0.95, 0.45, 0.58), BLACK.but(layer=5, detail=1))


def box_truck(builder: MeshBuilder, size_m: Size, rng: np.random.Generator) -> None:
    """A rigid truck with a box."""
    length, width, height = size_m
    f = length / 2
    colour = draw_colour("cargo_box", rng)
    cab_rear = f - min(2.1, 0.3 * length)
    wheels(builder.part(), [-f * 0.55, f - 0.95], width * 0.96, 0.46)
    builder.box((-0.3, 0, 0.75), (length * 0.86, width * 0.7, 0.32), BLACK.but(layer=-10))
    _cab(builder, (cab_rear, f), min(2.7, height * 0.84), width * 0.95, colours("cargo_box")[rng.integers(4)])
    _cargo(builder, (-f, cab_rear - 0.1), (0.98, height), width, colour)
    _truck_rear(builder, -f, width)


def semi_truck(builder: MeshBuilder, size_m: Size, rng: np.random.Generator) -> None:
    """A tractor with a long trailer."""
    length, width, height = size_m
    f = length / 2
    colour = draw_colour("cargo_box", rng)
    wheels(builder.part(), [-f + 1.3, -f + 2.5, -f + 3.7, f - 4.2, f - 1.2], width * 0.97, 0.5)
    builder.box((0, 0, 0.8), (length * 0.9, width * 0.6, 0.36), BLACK.but(layer=-10))
    _cab(builder, (f - 2.3, f), min(3.4, height * 0.88), width * 0.96, draw_colour("car", rng))
    _cargo(builder, (-f, f - 2.7), (1.08, height), width, colour)
    _truck_rear(builder, -f, width)


def bus(builder: MeshBuilder, size_m: Size, rng: np.random.Generator) -> None:
    """A city bus."""
    length, width, height = size_m
    f, w = length / 2, width / 2
    colour = draw_colour("bus", rng)
    paint, light = Paint(colour, gloss=0.1), Paint(srgb("#dedfdc"), layer=1)
    low, belt, top = 0.34, height * 0.40, height * 0.82
    cuts = np.linspace(-f, f, max(3, round(length / 3.6) + 1))
    for k, (a, b) in enumerate(pairwise(cuts)):
        builder.part().box(((a + b) / 2, 0, (low + height) / 2), (b - a, width, height - low), paint)
        middle = ((a + b) / 2, 0, 1.5)
        for side in (1, -1):
            y = side * (w + 0.012)
            lit = Paint(GLASS.colour, layer=2, gloss=0.3, lamp="window")
            for u, v in ((a + 0.08, (a + b) / 2 - 0.05), ((a + b) / 2 + 0.05, b - 0.08)):
                builder.quad([(u, y, belt), (v, y, belt), (v, y, top), (u, y, top)], lit, inside=middle)
            builder.quad(
                [(a, y, low), (b, y, low), (b, y, low + 0.22), (a, y, low + 0.22)],
                BLACK.but(layer=1, detail=1),
                inside=middle,
            )
            builder.quad(
                [(a, y, height - 0.28), (b, y, height - 0.28), (b, y, height - 0.06), (a, y, height - 0.06)],
                light.but(detail=1),
                inside=middle,
            )
            if side < 0 and k in (0, len(cuts) // 2, len(cuts) - 2):
                builder.quad(
                    [
                        (a + 0.3, y - 0.004, low + 0.05),
                        (a + 1.5, y - 0.004, low + 0.05),
                        (a + 1.5, y - 0.004, top),
                        (a + 0.3, y - 0.004, top),
                    ],
                    Paint(GLASS.colour, layer=3, detail=1, lamp="window"),
                    inside=middle,
                )
        if k == 0:
            plate(
                builder,
                -f - 0.012,
                (-w * 0.86, w * 0.86, height * 0.52, top),
                Paint(GLASS.colour, layer=2, gloss=0.3, lamp="window"),
            )
            plate(
                builder,
                -f - 0.012,
                (-w * 0.5, w * 0.5, height * 0.86, height * 0.95),
                Paint(srgb("#d58a1a"), layer=2, lamp="warm"),
            )
            _bus_lamps(builder, -f - 0.014, w, "tail")
        if b == cuts[-1]:
            plate(
                builder,
                f + 0.012,
                (-w * 0.93, w * 0.93, height * 0.36, height * 0.80),
                Paint(GLASS.colour, layer=2, gloss=0.3),
            )
            plate(
                builder,
                f + 0.012,
                (-w * 0.7, w * 0.7, height * 0.84, height * 0.95),
                Paint(srgb("#d58a1a"), layer=2, lamp="warm"),
            )
            _bus_lamps(builder, f + 0.014, w, "head")
    for x in (-f * 0.52, f * 0.56):
        part = 1 + int(np.searchsorted(cuts, x) - 1)
        keep, builder.num_parts = builder.num_parts, part
        for side in (1, -1):
            builder.disc((x, side * (w + 0.02), 0.48), 0.58, "y", BLACK.but(layer=3, detail=1), facing=side)
            builder.disc((x, side * (w + 0.025), 0.46), 0.46, "y", TYRE.but(layer=4), facing=side)
            builder.disc((x, side * (w + 0.03), 0.46), 0.26, "y", Paint(CHROME, layer=5, detail=1), facing=side)
        builder.num_parts = keep
    for x in (-f * 0.52, f * 0.56):
        builder.part().box((x, 0, 0.3), (0.8, width * 0.9, 0.6), TYRE.but(layer=-20))


def _bus_lamps(builder: MeshBuilder, x: float, w: float, lamp: str) -> None:
    """Head or tail lamps with turn signals at ``x``; w: half width (m)."""
    colour = srgb("#7a1212") if lamp == "tail" else srgb("#d9dee0")
    for side, turn in ((1, "left"), (-1, "right")):
        plate(builder, x, (side * w * 0.70, side * w * 0.95, 0.62, 0.90), Paint(colour, layer=6, lamp=lamp))
        plate(
            builder,
            x,
            (side * w * 0.82, side * w * 0.95, 0.94, 1.08),
            Paint(srgb("#b56a28"), layer=7, lamp=turn, detail=1),
        )
