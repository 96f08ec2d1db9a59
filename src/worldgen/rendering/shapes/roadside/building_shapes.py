"""Shapes of buildings: blocks and halls with flat roofs, houses with pitched ones."""

from __future__ import annotations

import numpy as np

from worldgen.core.seeds import numpy_rng
from worldgen.rendering.meshes.mesh import srgb
from worldgen.rendering.shapes.roadside.facade_paint import ROOF_CODE, WALL_CODE, FacadePaint, FacadeStyle
from worldgen.rendering.shapes.roadside.muted_colours import muted
from worldgen.rendering.shapes.solid import Finish, Shape
from worldgen.rendering.shapes.solid_builder import SolidBuilder

FRAMES = ("#d8d5cc", "#e6e4df", "#4a443c", "#2f3234", "#7d7567")
HOUSE_BELOW_M, HOUSE_LENGTH_M = 8.5, 20.0
PARAPET_M = 0.5


def building_shape(size_m: tuple[float, float, float], style: int) -> Shape:
    """A building of ``size_m`` (length, width, height). style: chooses its look; low and short ones are houses."""
    rng = numpy_rng("building shape", style)
    length, _, height = size_m
    if height < HOUSE_BELOW_M and length < HOUSE_LENGTH_M:
        return _house(size_m, rng)
    return _block(size_m, rng)


def _block(size_m: tuple[float, float, float], rng: np.random.Generator) -> Shape:
    length, width, height = size_m
    hall = length > 20 and height < 15
    brick, office = bool(rng.random() < 0.45), bool(rng.random() < 0.3)
    wall = Finish(muted("wall", rng), code=WALL_CODE)
    frame, trim = srgb(FRAMES[rng.integers(len(FRAMES))]), muted("wall", rng, grey=0.7)
    shop = bool(rng.random() < 0.6) and not hall
    look = FacadeStyle(
        bay_m=float(rng.uniform(2.3, 3.4)), floor_m=float(rng.uniform(2.9, 3.4)),
        window_m=(float(rng.uniform(1.6, 2.1)), float(rng.uniform(1.5, 1.9))) if office
        else (float(rng.uniform(0.95, 1.35)), float(rng.uniform(1.35, 1.7))),
        sill_m=0.75 if office else 0.9, frame=frame, trim=trim, ground=muted("wall", rng, grey=0.6, jitter=0.3),
        brick=brick, shop=shop, top_m=height - 0.9, lit=float(rng.uniform(0.15, 0.4)),
        base_m=3.75 if shop else 0.4, seed=int(rng.integers(1 << 20)),
    )  # fmt: skip
    builder = SolidBuilder()
    roof = Finish((0.11, 0.11, 0.11))
    builder.box((0, 0, (height - PARAPET_M) / 2), (length, width, height - PARAPET_M), wall)
    builder.box((0, 0, height - PARAPET_M / 2), (length + 0.3, width + 0.3, PARAPET_M), Finish(trim))
    if not hall and rng.random() < 0.7:
        at = (rng.uniform(-0.3, 0.3) * length, rng.uniform(-0.2, 0.2) * width, height + 0.9)
        builder.box(at, (min(4.0, 0.3 * length), min(3.0, 0.3 * width), 2.0), roof)
    return Shape(builder.build(), size_m, FacadePaint(look, (length / 2, width / 2)))


def _house(size_m: tuple[float, float, float], rng: np.random.Generator) -> Shape:
    length, width, height = size_m
    eaves = min(height * 0.62, height - 1.6)
    brick = bool(rng.random() < 0.4)
    wall = Finish(muted("wall" if brick else "house_wall", rng), code=WALL_CODE)
    roof = Finish(muted("roof", rng, grey=0.35), code=ROOF_CODE)
    trim = muted("house_wall", rng, grey=0.6)
    look = FacadeStyle(
        bay_m=float(rng.uniform(2.6, 3.6)), floor_m=2.75, window_m=(float(rng.uniform(1.1, 1.6)), 1.25), sill_m=0.95,
        frame=srgb(FRAMES[rng.integers(3)]), trim=trim, ground=muted("wall", rng, grey=0.7), brick=brick, shop=False,
        top_m=eaves - 0.2, lit=float(rng.uniform(0.2, 0.5)), base_m=0.15, seed=int(rng.integers(1 << 20)),
    )  # fmt: skip
    builder = SolidBuilder()
    builder.box((0, 0, eaves / 2), (length, width, eaves), wall)
    a, b, over = length / 2, width / 2, 0.4
    hipped = length <= 9 or rng.random() < 0.3
    ridge = max(a - 0.7 * b, 0.2) if hipped else a + over
    corners = np.array(
        [(-a - over, -b - over, eaves - 0.1), (a + over, -b - over, eaves - 0.1), (a + over, b + over, eaves - 0.1),
         (-a - over, b + over, eaves - 0.1), (-ridge, 0, height), (ridge, 0, height)]
    )  # fmt: skip
    faces = [((0, 1, 5, 4), roof), ((2, 3, 4, 5), roof), ((1, 2, 5), roof if hipped else wall)]
    faces += [((3, 0, 4), roof if hipped else wall)]
    for face, finish in faces:
        points = corners[list(face)]
        normal = np.cross(points[1] - points[0], points[2] - points[0])
        normal /= np.linalg.norm(normal)
        fan = [(0, k, k + 1) for k in range(1, len(face) - 1)]
        builder.add(points, np.tile(normal, (len(face), 1)), np.array(fan), finish)
    builder.box((0, 0, eaves - 0.1), (length + 2 * over, width + 2 * over, 0.12), Finish(trim))
    chimney = Finish(muted("wall", rng))
    builder.box((0.4 * min(ridge, a), 0.12 * width, height - 0.1), (0.6, 0.6, 1.6), chimney)
    return Shape(builder.build(), size_m, FacadePaint(look, (a, b)))
