"""Façades painted together look as each painted alone."""

from __future__ import annotations

import numpy as np

from worldgen.rendering.shapes.roadside.building_shapes import building_shape
from worldgen.rendering.shapes.roadside.facade_paint import (
    ROOF_CODE,
    WALL_CODE,
    FacadePaint,
    FacadeTable,
    band,
    draws,
)  # fmt: skip
from worldgen.rendering.shapes.solid import LAMP_CODES, Surface

SIZES = ((14.0, 11.0, 12.0), (9.0, 8.0, 6.5), (30.0, 12.0, 9.0), (12.0, 12.0, 21.0), (16.0, 10.0, 15.0))
FIELDS = ("albedo", "gloss", "glass", "lamp")


def surface(count: int) -> Surface:
    rng = np.random.default_rng(2)
    albedo = rng.uniform(0.1, 0.6, (count, 3)).astype(np.float32)
    return Surface(albedo, np.zeros(count, np.float32), np.zeros(count, np.float32), np.zeros(count, np.int16))


def test_together_as_alone() -> None:
    rng = np.random.default_rng(1)
    paints = [building_shape(size, style).paint for style, size in enumerate(SIZES)]
    assert all(isinstance(paint, FacadePaint) for paint in paints)
    assert {paint.style.shop for paint in paints} == {True, False} == {paint.style.brick for paint in paints}
    count = 4000
    which = rng.integers(0, len(SIZES), count)
    size = np.array(SIZES, np.float32)[which]
    points = (rng.uniform((-0.5, -0.5, 0), (0.5, 0.5, 1), (count, 3)) * size).astype(np.float32)
    normals = np.eye(3, dtype=np.float32)[rng.integers(0, 2, count)] * rng.choice([-1, 1], (count, 1)).astype(
        np.float32
    )
    code = rng.choice([0, WALL_CODE, ROOF_CODE], count, p=[0.1, 0.7, 0.2])
    footprint = rng.uniform(0.005, 0.2, count).astype(np.float32)
    together = surface(count)
    FacadeTable(paints).paint(which, together, points, normals, code=code, footprint_m=footprint)
    alone = surface(count)
    for number, paint in enumerate(paints):
        rows = np.flatnonzero(which == number)
        part = Surface(*(getattr(alone, name)[rows] for name in FIELDS))
        paint(part, points[rows], normals[rows], code[rows], footprint[rows])
        for name in FIELDS:
            getattr(alone, name)[rows] = getattr(part, name)
    for name in FIELDS:
        np.testing.assert_allclose(getattr(together, name), getattr(alone, name), atol=1e-6)
        assert getattr(together, name).dtype == getattr(alone, name).dtype
    before = surface(count)
    np.testing.assert_array_equal(together.albedo[code == 0], before.albedo[code == 0])
    assert (together.lamp == LAMP_CODES["window"]).any() and (together.gloss > 1).any()
    assert together.albedo.min() >= 0.0 and together.albedo.max() < 1.0


def test_draws_are_even_and_depend_on_every_number() -> None:
    column, row = np.meshgrid(np.arange(-100, 100), np.arange(200))
    seed = np.full(column.size, 77)
    values = draws(seed, column.ravel(), row.ravel())
    assert values.dtype == np.float32 and values.min() >= 0 and values.max() < 1
    np.testing.assert_allclose(np.histogram(values, 10, (0, 1))[0] / values.size, 0.1, atol=0.02)
    for other in (draws(seed + 1, column.ravel(), row.ravel()), draws(seed, column.ravel() + 1, row.ravel())):
        assert (other != values).mean() > 0.99


def test_a_band_keeps_its_width_at_every_softness() -> None:
    x = np.linspace(-3, 3, 6001, dtype=np.float32)
    for soft in (0.01, 0.1, 0.5):
        covered = band(x, -0.4, 0.6, np.full_like(x, soft)).mean() * 6
        assert abs(covered - 1.0) < 0.01
