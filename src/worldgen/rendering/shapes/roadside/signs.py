"""Shapes of traffic signs, boards, and the signs of road works."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from worldgen.rendering.shapes.lofts import rod
from worldgen.rendering.shapes.roadside import sign_faces
from worldgen.rendering.shapes.roadside.sign_faces import FACE_CODE, PlatePaint
from worldgen.rendering.shapes.solid import Finish, Shape
from worldgen.rendering.shapes.solid_builder import SolidBuilder
from worldgen.rendering.shapes.tints import linear

Size = tuple[float, float, float]
STEEL = Finish(linear("#85898c"), gloss=0.35)
DARK_STEEL = Finish(linear("#4a4d50"), gloss=0.2)
BACK = Finish(linear("#7f8386"), gloss=0.25)
FACE = Finish(linear("#c9c8c4"), gloss=0.3, code=FACE_CODE)
ROUND = np.linspace(0, 2 * np.pi, 20, endpoint=False)
OUTLINES = {
    "round": np.stack([np.cos(ROUND), np.sin(ROUND)], 1),
    "octagon": np.stack([np.cos((np.arange(8) + 0.5) * np.pi / 4), np.sin((np.arange(8) + 0.5) * np.pi / 4)], 1),
    "triangle": np.array([(-1.0, -0.866), (1.0, -0.866), (0.0, 0.866)]),
    "down": np.array([(0.0, -0.866), (1.0, 0.866), (-1.0, 0.866)]),
    "square": np.array([(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)]),
    "diamond": np.array([(0.0, -1.0), (1.0, 0.0), (0.0, 1.0), (-1.0, 0.0)]),
}
"""Corners (right, up) of plates in radii, counter-clockwise for who looks at the face."""
SIGNS: tuple[tuple[str, Callable[[], np.ndarray]], ...] = (
    ("round", lambda: sign_faces.speed_limit("30")), ("round", lambda: sign_faces.speed_limit("50")),
    ("round", sign_faces.no_parking), ("triangle", sign_faces.warning), ("down", sign_faces.give_way),
    ("octagon", sign_faces.stop), ("square", sign_faces.parking), ("diamond", sign_faces.priority),
)  # fmt: skip


def add_plate(
    builder: SolidBuilder, outline: np.ndarray, middle: tuple[float, float, float], radius: tuple[float, float],
    face: Finish, *, facing: int = 1, thick_m: float = 0.012,
) -> tuple[float, float]:  # fmt: skip
    """Add a flat plate that faces ``facing`` times +x, its back in metal; returns the half extents of its picture (m).

    outline: ``(n, 2)`` right and up in radii for who looks at it. middle: of its face. radius: across and up (m).
    """
    corners = np.zeros((len(outline), 3))
    corners[:, 1], corners[:, 2] = facing * outline[:, 0] * radius[0], outline[:, 1] * radius[1]
    corners += middle
    behind = corners - np.array([facing * thick_m, 0.0, 0.0])
    count = len(corners)
    fan = np.stack([np.zeros(count - 2, int), np.arange(1, count - 1), np.arange(2, count)], 1)
    out = np.tile(np.array([float(facing), 0.0, 0.0]), (count, 1))
    builder.add(corners, out, fan, face)
    builder.add(behind, -out, fan[:, ::-1], BACK)
    for a, b in zip(range(count), [*range(1, count), 0], strict=True):
        quad = np.stack([corners[a], corners[b], behind[b], behind[a]])
        normal = np.cross(quad[2] - quad[0], quad[1] - quad[0])
        normal = normal / max(float(np.linalg.norm(normal)), 1e-12)
        builder.add(quad, np.tile(normal, (4, 1)), np.array([(0, 2, 1), (0, 3, 2)]), BACK)
    spread = np.abs(outline).max(0)
    return float(spread[0] * radius[0]), float(spread[1] * radius[1])


def sign_shape(size_m: Size, rng: np.random.Generator) -> Shape:
    """A sign on its post facing +x, or a wide board on two posts."""
    _, wide, height = size_m
    if wide > 1.5:
        return _board_shape(size_m, rng)
    form, draw = SIGNS[int(rng.integers(len(SIGNS)))]
    radius = 0.5 * min(wide, 0.75)
    half_high = radius * (0.866 if form in ("triangle", "down") else 0.9 if form == "square" else 1.0)
    builder = SolidBuilder()
    rod(builder, (0.0, 0.0, -0.1), (0.0, 0.0, height - 0.02), 0.032, STEEL, sides=8, ends=0.2)
    middle = (0.05, 0.0, height - half_high)
    half = add_plate(builder, OUTLINES[form], middle, (radius, radius), FACE)
    picture = draw()
    plates = [(picture, (middle[1], middle[2]), half, 1)]
    return Shape(builder.build(), size_m, PlatePaint(plates, dirt=float(rng.uniform(0.0, 0.25))))


def _board_shape(size_m: Size, rng: np.random.Generator) -> Shape:
    _, wide, height = size_m
    tall = 0.55 * wide
    builder = SolidBuilder()
    for y in (-0.32 * wide, 0.32 * wide):
        rod(builder, (-0.10, y, -0.2), (-0.10, y, height - 0.1), 0.075, STEEL, sides=8)
        builder.box((-0.06, y, height - tall / 2), (0.05, 0.06, 0.96 * tall), BACK)
    middle = (0.0, 0.0, height - tall / 2)
    half = add_plate(
        builder, np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]), middle, (wide / 2, tall / 2), FACE, thick_m=0.03
    )
    plates = [(sign_faces.board(rng), (0.0, middle[2]), half, 1)]
    return Shape(builder.build(), size_m, PlatePaint(plates, dirt=float(rng.uniform(0.0, 0.2))))


def construction_sign_shape(size_m: Size, rng: np.random.Generator) -> Shape:
    """A diamond or a board of arrows on a trestle with a beacon, facing -x."""
    _, wide, total = size_m
    height = max(total, 1.2)
    arrows = wide > 1.2
    half = (wide / 2, 0.30) if arrows else (min(0.5, 0.38 * height),) * 2
    middle = (-0.05, 0.0, height - 0.14 - half[1])
    builder = SolidBuilder()
    for side in (1, -1):
        y = side * 0.55 * half[0]
        rod(builder, (-0.02, y, middle[2]), (-0.02, y, 0.03), 0.022, DARK_STEEL, sides=6)
        builder.box((0.0, y, 0.045), (0.62, 0.16, 0.09), Finish(linear("#2b2c2e")))
    outline = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) if arrows else OUTLINES["diamond"]
    spread = add_plate(builder, outline, middle, half, FACE, facing=-1)
    builder.lathe((-0.02, 0.0, height - 0.14), [(0.0, 0.0), (0.0, 0.055), (0.03, 0.06)], DARK_STEEL, axis="z", sides=10)
    beacon = Finish(linear("#b5822e"), gloss=0.6, lamp="beacon")
    builder.ellipsoid((-0.02, 0.0, height - 0.06), (0.055, 0.075, 0.06), beacon, sides=10, bands=7)
    picture = sign_faces.arrow_board() if arrows else sign_faces.works()
    plates = [(picture, (0.0, middle[2]), spread, -1)]
    return Shape(builder.build(), size_m, PlatePaint(plates, dirt=float(rng.uniform(0.05, 0.3))))
