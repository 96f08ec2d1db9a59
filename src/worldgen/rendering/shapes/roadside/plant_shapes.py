"""Shapes of trees, bushes and hedges: clumps of leaves around dark crowns, on trunks and branches."""

from __future__ import annotations

import numpy as np

from worldgen.core.seeds import numpy_rng
from worldgen.rendering.meshes.mesh import srgb
from worldgen.rendering.shapes.roadside.muted_colours import muted
from worldgen.rendering.shapes.solid import Finish, Shape
from worldgen.rendering.shapes.solid_builder import SolidBuilder

UNIT_TREE_M, UNIT_BUSH_M = (4.0, 4.0, 8.0), (1.4, 1.4, 1.1)
TREES, BUSHES = 16, 8
CONIFER_SHARE = 0.25
CLUMPS = {"tree": 800, "bush": 170}
TINTS = (0.75, 1.0, 1.3, 1.7)
"""Brightness of the leaf clumps of a plant."""


def tree_shape(style: int) -> Shape:
    """A tree of ``UNIT_TREE_M``; instances scale it."""
    rng = numpy_rng("tree shape", style % TREES)
    builder = SolidBuilder()
    _, _, height = UNIT_TREE_M
    bark = Finish(tuple(c * rng.uniform(0.7, 1.2) for c in srgb("#52463a")))  # type: ignore[arg-type]
    leaf = np.array(muted("leaf", rng, grey=0.35))
    if rng.random() < CONIFER_SHARE:
        _conifer(builder, height, bark, 0.55 * leaf, rng)
    else:
        _broadleaf(builder, height, bark, leaf, rng)
    return Shape(builder.build(), UNIT_TREE_M)


def bush_shape(style: int) -> Shape:
    """A round bush of ``UNIT_BUSH_M``; instances scale it."""
    rng = numpy_rng("bush shape", style % BUSHES)
    builder = SolidBuilder()
    leaf = np.array(muted("leaf", rng, grey=0.35))
    lumps = []
    for x, y, s in ((0, 0, 1.0), (0.3, 0.2, 0.7), (-0.3, 0.1, 0.75), (0.05, -0.3, 0.65)):
        lumps.append(((x * 1.2, y * 1.2, 0.42 * s), (0.55 * s, 0.55 * s, 0.58 * s)))
    _crown(builder, lumps, leaf, rng, count=CLUMPS["bush"], size_m=0.16)
    return Shape(builder.build(), UNIT_BUSH_M)


def hedge_shape(size_m: tuple[float, float, float], style: int) -> Shape:
    """A clipped hedge along x."""
    rng = numpy_rng("hedge shape", style)
    length, width, height = size_m
    builder = SolidBuilder()
    leaf = np.array(muted("leaf", rng, grey=0.35))
    builder.box((0, 0, 0.48 * height), (0.98 * length, 0.85 * width, 0.94 * height), _leaves(0.35 * leaf))
    count = int(min(40 + 55 * length * height, 900))
    side = rng.integers(0, 3, count)
    x = rng.uniform(-0.5, 0.5, count) * length
    y = np.where(side == 0, rng.uniform(-0.45, 0.45, count), np.where(side == 1, -0.45, 0.45)) * width
    z = np.where(side == 0, 0.97 * height, rng.uniform(0.05, 0.95, count) * height)
    normal = np.where((side == 0)[:, None], [0, 0, 1.0], np.stack([0 * y, np.sign(y), 0.3 + 0 * y], 1))
    _clumps(builder, np.stack([x, y, z], 1), normal, leaf, rng, size_m=0.17)
    return Shape(builder.build(), size_m)


def _leaves(colour: np.ndarray) -> Finish:
    return Finish((float(colour[0]), float(colour[1]), float(colour[2])), foliage=True)


def _broadleaf(builder: SolidBuilder, height: float, bark: Finish, leaf: np.ndarray, rng: np.random.Generator) -> None:
    spread, fork = 2.0, rng.uniform(0.26, 0.36) * height
    lean = rng.normal(0, 0.12, 2)
    top = np.array([*lean, fork])
    builder.capsule((0, 0, -0.2), top, (0.17, 0.11), bark, sides=7)
    lumps = []
    count = int(rng.integers(5, 9))
    for k in range(count):
        turn = 2 * np.pi * k / count + rng.uniform(-0.5, 0.5)
        out, up = spread * rng.uniform(0.28, 0.50), height * rng.uniform(0.50, 0.72)
        centre = np.array([out * np.cos(turn), out * np.sin(turn), up])
        radius = spread * rng.uniform(0.42, 0.56)
        lumps.append((centre, (radius, radius, radius * rng.uniform(0.7, 0.95))))
        builder.capsule(top, centre, (0.08, 0.03), bark, sides=5)
    crown = spread * rng.uniform(0.52, 0.64)
    lumps.append((np.array([*lean, height - 0.8 * crown]), (crown, crown, 0.8 * crown)))
    _crown(builder, lumps, leaf, rng, count=CLUMPS["tree"], size_m=0.24)


def _conifer(builder: SolidBuilder, height: float, bark: Finish, leaf: np.ndarray, rng: np.random.Generator) -> None:
    builder.capsule((0, 0, -0.2), (0, 0, 0.96 * height), (0.15, 0.02), bark, sides=6)
    profile = [(0.12 * height, 1.25), (0.35 * height, 0.95), (0.65 * height, 0.5), (0.97 * height, 0.02)]
    builder.lathe((0, 0, 0), profile, _leaves(0.35 * leaf), axis="z", sides=9)
    count = CLUMPS["tree"]
    share = 1 - np.sqrt(rng.uniform(0, 1, count))  # more where the cone is wide
    up = (0.10 + 0.88 * share) * height
    tier = 0.75 + 0.35 * np.abs(np.sin(share * 9 * np.pi))
    radius = 1.75 * (1 - share) * tier + 0.06
    turn = rng.uniform(0, 2 * np.pi, count)
    at = np.stack([radius * np.cos(turn), radius * np.sin(turn), up - 0.12 * radius], 1)
    normal = np.stack([np.cos(turn), np.sin(turn), np.full(count, 0.55)], 1)
    _clumps(builder, at, normal, leaf, rng, size_m=0.21)


def _crown(
    builder: SolidBuilder, lumps: list, leaf: np.ndarray, rng: np.random.Generator, *, count: int, size_m: float
) -> None:
    """A dark core for each lump (centre, radii) and ``count`` clumps of leaves over all of them."""
    for centre, radii in lumps:
        builder.ellipsoid(centre, np.array(radii) * 0.80, _leaves(0.30 * leaf), sides=9, bands=6)
    area = np.array([np.mean(radii) ** 2 for _, radii in lumps])
    chosen = rng.choice(len(lumps), count, p=area / area.sum())
    centres = np.array([centre for centre, _ in lumps])[chosen]
    spans = np.array([radii for _, radii in lumps])[chosen]
    direction = rng.standard_normal((count, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    at = centres + direction * spans * rng.uniform(0.82, 1.06, (count, 1))
    _clumps(builder, at, direction, leaf, rng, size_m=size_m)


def _clumps(
    builder: SolidBuilder, at: np.ndarray, normal: np.ndarray, leaf: np.ndarray, rng: np.random.Generator, *,
    size_m: float,
) -> None:  # fmt: skip
    """Irregular four-cornered clumps of leaves ``(N, 3)``, turned at random, lit as the crown that they cover."""
    count = len(at)
    normal = normal / np.linalg.norm(normal, axis=1, keepdims=True)
    facing = normal + rng.normal(0, 0.55, (count, 3))
    facing /= np.linalg.norm(facing, axis=1, keepdims=True)
    helper = rng.standard_normal((count, 3))
    first = np.cross(facing, helper)
    first /= np.maximum(np.linalg.norm(first, axis=1, keepdims=True), 1e-9)
    second = np.cross(facing, first)
    reach = size_m * rng.uniform(0.6, 1.4, (count, 4, 1))
    corners = np.stack([first, second, -first, -second], 1) * reach + at[:, None]
    tint = rng.integers(0, len(TINTS), count)
    for k, brightness in enumerate(TINTS):
        mine = np.flatnonzero(tint == k)
        hue = leaf * brightness * (1 + 0.08 * np.array([k - 1.5, 0.0, 0.0]))
        base = 4 * np.arange(len(mine))[:, None]
        triangles = np.concatenate([base + np.array([0, 1, 2]), base + np.array([0, 2, 3])])
        lit = np.repeat(normal[mine], 4, axis=0)
        builder.add(corners[mine].reshape(-1, 3), lit, triangles, _leaves(hue))
