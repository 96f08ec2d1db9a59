"""Meshes of trees, hedges and bushes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from worldgen.rendering.drawing.texture import FOLIAGE
from worldgen.rendering.meshes.colours import colours, draw_colour
from worldgen.rendering.meshes.mesh import MeshBuilder, Paint, Size, jittered, scaled, srgb


def tree(builder: MeshBuilder, size: Size, rng: np.random.Generator) -> None:
    """A conifer of three tiers, or a trunk with a crown of several clumps; with a coarse crown for small sizes."""
    height = size[2]
    spread = max(size[0], size[1], 0.45 * height) / 2
    leaf = draw_colour("leaf", rng)
    bark = Paint(srgb("#4a3828"))
    coarse = Paint(scaled(leaf, 0.9), texture=FOLIAGE, detail=-1)
    if rng.random() < 0.25:
        builder.part().tube((0, 0, 0), height * 0.25, (0.16, 0.14), bark, sides=5)
        for k, (low, high, wide) in enumerate(((0.16, 0.52, 0.62), (0.38, 0.76, 0.46), (0.62, 1.0, 0.30))):
            paint = Paint(scaled(colours("leaf")[2], 0.62 + 0.2 * k), texture=FOLIAGE)
            builder.part().tube(
                (0, 0, low * height), (high - low) * height, (spread * wide * 1.4, 0.04), paint, sides=7
            )
        builder.part().tube((0, 0, 0.1 * height), 0.9 * height, (spread * 0.8, 0.04), coarse, sides=5)
        return
    builder.part().tube((0, 0, 0), height * 0.5, (0.045 * height * 0.5 + 0.05, 0.07), bark, sides=5)
    clumps = 6
    for k in range(clumps):
        turn = 2 * np.pi * k / (clumps - 1) + rng.uniform(-0.4, 0.4)
        top = k == clumps - 1
        out = 0.0 if top else spread * rng.uniform(0.38, 0.58)
        z = height * (rng.uniform(0.74, 0.80) if top else rng.uniform(0.50, 0.68))
        radius = spread * rng.uniform(0.50, 0.66)
        tall = min(radius * rng.uniform(0.75, 1.0), height - z)
        paint = Paint(jittered(leaf, rng, 0.75, 1.1), texture=FOLIAGE)
        builder.part().ball(
            np.array([out * np.cos(turn), out * np.sin(turn), z]), (radius, radius, tall), paint, sides=7, bands=3
        )
    builder.part().tube((0, 0, 0), height * 0.4, (0.15, 0.1), Paint(bark.colour, detail=-1), sides=4)
    builder.part().ball(
        np.array([0, 0, 0.66 * height]), (spread * 0.95, spread * 0.95, 0.34 * height), coarse, sides=6, bands=3
    )


def hedge(builder: MeshBuilder, size: Size, rng: np.random.Generator, *, clipped: bool) -> None:
    """A clipped hedge along x, or a round bush."""
    length, width, height = size
    leaf = draw_colour("leaf", rng)
    if not clipped:
        for x, y, s in ((0, 0, 1.0), (0.25, 0.2, 0.7), (-0.28, 0.1, 0.75)):
            builder.part().ball(
                np.array([x * length, y * width, 0.42 * height * s]),
                (length * 0.42 * s, width * 0.42 * s, height * 0.56 * s),
                Paint(jittered(leaf, rng, 0.8, 1.1), texture=FOLIAGE),
                sides=7,
                bands=3,
            )
        return
    pieces = max(1, round(length / 4.0))
    cuts = np.linspace(-length / 2, length / 2, pieces + 1)
    for a, b in pairwise(cuts):
        builder.part().box(
            ((a + b) / 2, 0, height / 2),
            (b - a, width, height * rng.uniform(0.95, 1.0)),
            Paint(jittered(leaf, rng, 0.85, 1.1), texture=FOLIAGE),
            taper=1.0,
        )
