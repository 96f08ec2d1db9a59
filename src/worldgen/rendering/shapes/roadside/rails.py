"""Shapes of what runs along a road: concrete and striped barriers, guard rails and fences."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from worldgen.rendering.shapes.solid import Finish, Shape, Surface
from worldgen.rendering.shapes.solid_builder import SolidBuilder
from worldgen.rendering.shapes.tints import Tint, draw_tint, linear, shade

Size = tuple[float, float, float]
FIELD_FENCE_BELOW_M = 7.0
"""Shorter pieces of fence are parts of one along a field: of rails, and all alike."""
CONCRETE_CODE, STRIPE_CODE, WOOD_CODE = 1, 2, 3
CONCRETE, ZINC, POST = linear("#a5a29a"), linear("#8f9496"), linear("#74787a")
STRIPE_RED, STRIPE_WHITE = linear("#a4423a"), linear("#cac9c3")
NEW_JERSEY = ((0.0, 1.0), (0.085, 1.0), (0.33, 0.56), (0.97, 0.34), (1.0, 0.30))
"""Half width by height of a New Jersey barrier, both as shares."""
W_BEAM = (
    (-1.0, 0.30), (-0.86, 0.72), (-0.62, 1.0), (-0.36, 0.72), (-0.12, 0.30), (0.12, 0.30), (0.36, 0.72), (0.62, 1.0),
    (0.86, 0.72), (1.0, 0.30),
)  # fmt: skip
"""Section of a guard rail: height and depth as shares of half its height and of its depth."""


class WeatherPaint:
    """Streaks of dirt on concrete and wood, and the stripes of road works. stripe_m: width of a stripe along x."""

    def __init__(self, seed: int, stripe_m: float = 0.28) -> None:
        self.phase, self.stripe_m = (seed % 628) / 100.0, stripe_m

    def __call__(
        self, surface: Surface, points_m: np.ndarray, normals: np.ndarray, code: np.ndarray, footprint_m: np.ndarray
    ) -> None:
        """Paint in place; see :class:`worldgen.rendering.shapes.solid.SurfacePaint`."""
        x, y, z = points_m.T
        old = np.flatnonzero((code == CONCRETE_CODE) | (code == WOOD_CODE))
        if len(old):
            along = x[old] + y[old]
            streak = np.sin(5.1 * along + self.phase) * np.sin(12.7 * along + 2.0 * self.phase + 1.5 * z[old])
            blotch = np.sin(1.3 * along + self.phase) * np.sin(3.1 * z[old] + 0.7 * along)
            foot = np.clip(1 - z[old] / 0.25, 0, 1)
            factor = 0.94 + 0.07 * streak + 0.06 * blotch - 0.28 * foot
            surface.albedo[old] *= factor[:, None].astype(np.float32)
        striped = np.flatnonzero(code == STRIPE_CODE)
        if len(striped):
            period = 2 * self.stripe_m
            place = (x[striped] + z[striped]) % period
            soft = np.maximum(footprint_m[striped], 0.004)
            red = np.clip((self.stripe_m - place) / soft + 0.5, 0, 1) * np.clip(place / soft + 0.5, 0, 1)
            red = np.where(soft > period, 0.5, red)[:, None].astype(np.float32)
            white = surface.albedo[striped]
            surface.albedo[striped] = white * (1 - red) + np.array(STRIPE_RED, np.float32) * red


def barrier_shape(size_m: Size, rng: np.random.Generator) -> Shape:
    """A concrete barrier along x in elements, or a striped barrier of road works when it is short and low."""
    length, width, height = size_m
    seed = int(rng.integers(1 << 16))
    builder = SolidBuilder()
    if height <= 1.05 and length < 3.5:
        _add_works_barrier(builder, size_m)
        return Shape(builder.build(), size_m, WeatherPaint(seed))
    finish = Finish(shade(CONCRETE, float(rng.uniform(0.8, 1.05))), code=CONCRETE_CODE)
    for a, b in pairwise(np.linspace(-length / 2, length / 2, max(1, round(length / 4.0)) + 1)):
        _add_profile(builder, (a + 0.01, b - 0.01), [(w * width / 2, z * height) for z, w in NEW_JERSEY], finish)
    return Shape(builder.build(), size_m, WeatherPaint(seed))


def _add_profile(
    builder: SolidBuilder, span: tuple[float, float], half: list[tuple[float, float]], finish: Finish
) -> None:
    """A bar along x with sharp edges whose half widths by height are ``half`` (m)."""
    right = [(w, z) for w, z in half]
    outline = [(-w, z) for w, z in right] + [(w, z) for w, z in reversed(right)]  # up on one side, down on the other
    for (y0, z0), (y1, z1) in pairwise(outline):
        if abs(y0 - y1) + abs(z0 - z1) < 1e-6:
            continue
        sheet = np.array([[(span[0], y0, z0), (span[0], y1, z1)], [(span[1], y0, z0), (span[1], y1, z1)]])
        builder.grid(sheet, finish)
    for x, flip in ((span[0], False), (span[1], True)):
        sheet = np.array([[(x, -w, z), (x, w, z)] for w, z in right])
        builder.grid(sheet, finish, flip=flip)


def _add_works_barrier(builder: SolidBuilder, size_m: Size) -> None:
    """Two striped boards on feet of recycled plastic."""
    length, width, height = size_m
    white = Finish(STRIPE_WHITE, gloss=0.25, code=STRIPE_CODE)
    for z in (0.86, 0.50):
        builder.box((0.0, 0.0, z * height), (length, 0.04, 0.22 * height), white, cells_m=0.5)
    for x in (-0.42 * length, 0.0, 0.42 * length):
        builder.box((x, 0.0, 0.5 * height), (0.05, 0.05, height * 0.98), Finish(POST, gloss=0.2))
        builder.box((x, 0.0, 0.045), (0.22, width, 0.09), Finish(linear("#2c2d2f")))


def guard_rail_shape(size_m: Size, rng: np.random.Generator) -> Shape:
    """A steel rail of W section on posts along x."""
    length, width, height = size_m
    builder = SolidBuilder()
    zinc = Finish(shade(ZINC, float(rng.uniform(0.85, 1.05))), gloss=0.22)
    half, depth = 0.155, min(0.083, width / 2)
    section, reach = np.array(W_BEAM), np.array([length / 2, 0.0, 0.0])
    middle = height - half
    for side in (1.0, -1.0):
        profile = np.stack(
            [0 * section[:, 0], side * (0.01 + depth * section[:, 1]), middle + half * section[:, 0]], -1
        )
        sheet = np.stack([profile - reach, profile + reach])
        builder.grid(sheet, zinc, flip=side > 0)
    post = Finish(POST, gloss=0.25)
    for x in np.arange(-length / 2 + 0.1, length / 2, 2.0):
        builder.box((x, 0.0, (height - 0.12) / 2 - 0.1), (0.11, 0.02, height + 0.08), post)
        builder.box((x + 0.05, 0.0, (height - 0.12) / 2 - 0.1), (0.008, 0.10, height + 0.08), post)
    return Shape(builder.build(), size_m)


def fence_shape(size_m: Size, rng: np.random.Generator) -> Shape:
    """A fence along x: pickets, horizontal rails, or steel bars, in a weathered colour."""
    length, _, height = size_m
    kind = ("pickets", "rails", "bars")[int(rng.integers(3))] if length > FIELD_FENCE_BELOW_M else "rails"
    builder = SolidBuilder()
    seed = int(rng.integers(1 << 16))
    colour = draw_tint("fence", rng) if kind != "bars" else linear("#2a2d2f")
    wood = Finish(colour, code=WOOD_CODE if kind != "bars" else 0)
    cuts = np.linspace(-length / 2, length / 2, max(1, round(length / 2.4)) + 1)
    post = Finish(shade(colour, 0.85), code=wood.code)
    for x in cuts:
        builder.box(
            (float(np.clip(x, -length / 2 + 0.05, length / 2 - 0.05)), 0.0, height / 2), (0.09, 0.09, height), post
        )
    for z in (0.22, 0.80) if kind != "rails" else (0.25, 0.55, 0.86):
        thick = (0.035, 0.13 * height) if kind == "rails" else (0.03, 0.05)
        builder.box((0.0, 0.0, z * height), (length, *thick), wood)
    step = {"pickets": 0.13, "rails": 0.0, "bars": 0.125}[kind]
    if step:
        _add_palings(builder, size_m, step, wood, colour, flat=kind == "pickets")
    return Shape(builder.build(), size_m, WeatherPaint(seed))


def _add_palings(
    builder: SolidBuilder, size_m: Size, step: float, wood: Finish, colour: Tint, *, flat: bool
) -> None:  # fmt: skip
    """Upright boards or bars every ``step`` metres, four sheets each, in one piece."""
    length, _, height = size_m
    x = np.arange(-length / 2 + step / 2, length / 2 - 0.3 * step, step)
    half = (0.042, 0.011) if flat else (0.009, 0.009)
    low, high = 0.06 * height, (0.97 if flat else 0.99) * height
    ring = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * half
    for a, b in pairwise([*range(4), 0]):
        normal = np.array(
            [0.5 * (ring[a] + ring[b])[0] / half[0] ** 2, 0.5 * (ring[a] + ring[b])[1] / half[1] ** 2, 0.0]
        )
        normal = np.round(normal / np.linalg.norm(normal), 6)
        corners = np.array([(*ring[a], low), (*ring[b], low), (*ring[b], high), (*ring[a], high)])
        points = (corners[None] + np.stack([x, 0 * x, 0 * x], 1)[:, None]).reshape(-1, 3)
        base = 4 * np.arange(len(x))[:, None]
        triangles = np.concatenate([base + np.array(c) for c in ((0, 1, 2), (0, 2, 3))])
        builder.add(points, np.tile(normal, (len(points), 1)), triangles, wood)
