"""Meshes of cars, vans and pickups."""

from __future__ import annotations

import numpy as np

from worldgen.rendering.meshes.bodywork import (
    BLACK,
    CHROME,
    GLASS,
    cabin,
    lamps,
    plate,
    wheels,
)
from worldgen.rendering.meshes.colours import draw_colour
from worldgen.rendering.meshes.mesh import MeshBuilder, Paint, Size


def car(builder: MeshBuilder, variant: str, size_m: Size, rng: np.random.Generator) -> None:
    """A passenger car: sedan, hatchback, SUV or estate."""
    length, width, height = size_m
    colour = draw_colour("car", rng, weighted=True)
    body = Paint(colour, gloss=0.12)
    f = length / 2
    tall = variant == "suv"
    sill, belt = height * (0.19 if tall else 0.15), height * (0.60 if tall else 0.62)
    hood = belt * (0.97 if tall else 0.93)
    nose = belt * (0.88 if tall else 0.80)
    deck = belt * (1.0 if variant == "sedan" else 1.02)
    stations = [
        (-f, sill + 0.12, deck * 0.90, width * 0.44), (-f + 0.12, sill, deck * 0.98, width * 0.485),
        (-f * 0.45, sill - 0.02, deck, width * 0.5), (f * 0.32, sill - 0.02, belt, width * 0.5),
        (f * 0.44, sill - 0.02, hood, width * 0.495), (f - 0.22, sill, nose * 1.02, width * 0.47),
        (f, sill + 0.08, nose * 0.86, width * 0.42),
    ]  # fmt: skip
    builder.part().loft(stations, body)
    dark = BLACK.but(layer=1, detail=1)
    for side in (1, -1):
        # A dark sill line and door gaps.
        y = side * (width / 2 + 0.004)
        builder.quad(
            [
                (-f * 0.5, y, sill - 0.02),
                (f * 0.5, y, sill - 0.02),
                (f * 0.5, y, sill + 0.07),
                (-f * 0.5, y, sill + 0.07),
            ],
            dark,
            inside=(0, 0, 0.5),
        )
        for x in (-f * 0.36, f * 0.03, f * 0.40):
            builder.quad(
                [(x, y, sill + 0.08), (x + 0.03, y, sill + 0.08), (x + 0.03, y, belt), (x, y, belt)],
                dark.but(detail=2),
                inside=(0, 0, 0.5),
            )
    plate(builder, f + 0.006, (-width * 0.30, width * 0.30, nose * 0.42, nose * 0.62), BLACK.but(layer=5, detail=1))
    plate(builder, f + 0.006, (-width * 0.40, width * 0.40, sill + 0.08, sill + 0.16), BLACK.but(layer=5, detail=1))
    plate(builder, -f - 0.006, (-width * 0.42, width * 0.42, sill + 0.10, sill + 0.22), BLACK.but(layer=5, detail=1))
    lamps(builder, length, width * 0.94, (nose * 0.62, nose * 0.82, deck * 0.66, deck * 0.88))
    wheels(builder, [-f * 0.60, f * 0.63], width, height * 0.215)
    rear, rear_top = {
        "sedan": (-f * 0.66, -f * 0.34), "hatchback": (-f * 0.96, -f * 0.66), "suv": (-f * 0.98, -f * 0.84),
        "estate": (-f * 0.97, -f * 0.80),
    }.get(variant, (-f * 0.66, -f * 0.34))  # fmt: skip
    cabin(builder, (rear, rear_top, f * 0.06, f * 0.40), (belt * 0.99, height), width * 0.95, body)
    for side in (1, -1):
        builder.part().box((f * 0.27, side * (width / 2 + 0.07), belt + 0.06), (0.12, 0.18, 0.13), body.but(detail=1))


def van(builder: MeshBuilder, size_m: Size, rng: np.random.Generator) -> None:
    """A panel van."""
    length, width, height = size_m
    body = Paint(draw_colour("van", rng), gloss=0.08)
    f, sill, belt = length / 2, 0.32, height * 0.54
    stations = [
        (-f, sill, height * 0.97, width * 0.49), (-f + 0.15, sill, height, width * 0.5),
        (f * 0.42, sill, height, width * 0.5), (f * 0.74, sill, belt, width * 0.5),
        (f - 0.12, sill, belt * 0.84, width * 0.48), (f, sill + 0.05, belt * 0.70, width * 0.45),
    ]  # fmt: skip
    builder.part().loft(stations, body, tumble=0.93)
    w = width / 2
    for side in (1, -1):
        y0, y1 = side * (w + 0.01), side * (w * 0.955 + 0.02)
        builder.quad(
            [(f * 0.36, y0, belt), (f * 0.70, y0, belt), (f * 0.47, y1, height * 0.9), (f * 0.36, y1, height * 0.9)],
            GLASS,
            inside=(0, 0, 1),
        )
        for x in (-f * 0.45, f * 0.30):
            builder.quad(
                [
                    (x, y0, sill + 0.1),
                    (x + 0.03, y0, sill + 0.1),
                    (x + 0.03, y1, height * 0.92),
                    (x, y1, height * 0.92),
                ],
                BLACK.but(layer=1, detail=2),
                inside=(0, 0, 1),
            )
        builder.quad(
            [(-f * 0.97, y0, sill), (f * 0.9, y0, sill), (f * 0.9, y0, sill + 0.12), (-f * 0.97, y0, sill + 0.12)],
            BLACK.but(layer=1, detail=1),
            inside=(0, 0, 1),
        )
    slope = lambda z: f * 0.42 + (height - z) / (height - belt) * f * 0.32 + 0.012  # noqa: E731
    low, high = belt + 0.05, height * 0.93
    builder.quad(
        [
            (slope(low), -w * 0.90, low),
            (slope(low), w * 0.90, low),
            (slope(high), w * 0.86, high),
            (slope(high), -w * 0.86, high),
        ],
        GLASS,
        inside=(0, 0, 1),
    )
    for side in (1, -1):
        plate(builder, -f - 0.01, (side * 0.05, side * w * 0.80, belt + 0.06, height * 0.86), GLASS)
    plate(builder, -f - 0.008, (-0.015, 0.015, sill + 0.1, height * 0.92), BLACK.but(layer=1, detail=1))
    plate(builder, f + 0.006, (-w * 0.6, w * 0.6, 0.5, 0.68), BLACK.but(layer=5, detail=1))
    plate(builder, -f - 0.01, (-w * 0.9, w * 0.9, sill, sill + 0.16), BLACK.but(layer=5, detail=1))
    lamps(builder, length, width * 0.97, (0.72, 0.94, 0.85, 1.35))
    wheels(builder, [-f * 0.58, f * 0.62], width, 0.34)


def pickup(builder: MeshBuilder, size_m: Size, rng: np.random.Generator) -> None:
    """A pickup with an open bed."""
    length, width, height = size_m
    body = Paint(draw_colour("car", rng), gloss=0.1)
    f, sill, belt = length / 2, 0.42, height * 0.60
    stations = [
        (-f, sill, belt, width * 0.49), (-f * 0.02, sill, belt, width * 0.5),
        (f * 0.36, sill, belt * 0.99, width * 0.5), (f - 0.15, sill, belt * 0.90, width * 0.49),
        (f, sill + 0.05, belt * 0.80, width * 0.46),
    ]  # fmt: skip
    builder.part().loft(stations, body)
    builder.quad(
        [
            (-f + 0.1, -width * 0.42, belt + 0.01),
            (-f * 0.1, -width * 0.42, belt + 0.01),
            (-f * 0.1, width * 0.42, belt + 0.01),
            (-f + 0.1, width * 0.42, belt + 0.01),
        ],
        BLACK.but(layer=1),
        inside=(0, 0, 0),
    )
    plate(builder, f + 0.006, (-width * 0.33, width * 0.33, belt * 0.5, belt * 0.74), BLACK.but(layer=5, detail=1))
    plate(builder, -f - 0.006, (-width * 0.45, width * 0.45, sill, sill + 0.14), Paint(CHROME, layer=5, detail=1))
    lamps(builder, length, width * 0.96, (belt * 0.58, belt * 0.76, belt * 0.62, belt * 0.95))
    wheels(builder, [-f * 0.58, f * 0.62], width, 0.38)
    cabin(builder, (-f * 0.05, 0.02 * f, f * 0.20, f * 0.42), (belt * 0.99, height), width * 0.94, body)
