"""Meshes of what lines a road: houses, blocks, trees, hedges; and the table of all static kinds."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from itertools import pairwise

import numpy as np

from worldgen.core.seeds import numpy_rng
from worldgen.rendering.drawing.texture import BRICK, FIRST_FACADE, FOLIAGE, NUM_FACADES, ROOF, SHOP
from worldgen.rendering.meshes import props
from worldgen.rendering.meshes.mesh import Mesh, MeshBuilder, Paint, srgb

WALLS = tuple(
    srgb(c)
    for c in (
        "#b9a48c",
        "#a8745a",
        "#8d5b48",
        "#c9bfae",
        "#9aa0a3",
        "#d8cfbd",
        "#7c7f84",
        "#b08a62",
        "#a99c92",
        "#86685a",
        "#cdbb98",
        "#8a949c",
    )
)
HOUSE_WALLS = tuple(srgb(c) for c in ("#e6e0d2", "#d9c9a8", "#b5735a", "#c9cfd2", "#e2d4bd", "#a8b5a6"))
ROOFS = tuple(srgb(c) for c in ("#7a3b2c", "#5a3a32", "#4a4b50", "#6a5040", "#8a4a34"))
LEAVES = tuple(srgb(c) for c in ("#3f5e26", "#4c6b2c", "#35522a", "#5a7432", "#46622e", "#6d7a34"))


UNIT_TREE_M, UNIT_BUSH_M = (4.0, 4.0, 8.0), (1.4, 1.4, 1.1)
LOOKS = {
    "tree": 24,
    "bush": 8,
    "fence": 6,
    "sign": 16,
    "bin": 8,
    "hedge": 12,
    "construction_sign": 1,
    "building": 1 << 31,
}
"""How many different looks a kind has; kinds not named have one."""


def surroundings(kind: str, size_m: tuple[float, float, float], style: int) -> Mesh:
    """The mesh of a static thing in its own frame, its looks drawn from its style."""
    look = style % LOOKS.get(kind, 1)
    if kind == "building":
        return _made(kind, size_m, look)
    if kind not in ("tree", "bush"):
        return _kept(kind, tuple(round(v, 2) for v in size_m), look)
    # Plants are a few shapes stretched to size.
    unit = UNIT_TREE_M if kind == "tree" else UNIT_BUSH_M
    mesh = _kept(kind, unit, look)
    spread = max(size_m[0], size_m[1], 0.45 * size_m[2]) if kind == "tree" else max(size_m[:2])
    return replace(mesh, vertices=mesh.vertices * (spread / unit[0], spread / unit[0], size_m[2] / unit[2]))


@lru_cache(maxsize=1024)
def _kept(kind: str, size: tuple[float, float, float], look: int) -> Mesh:
    return _made(kind, size, look)


def _made(kind: str, size: tuple[float, float, float], look: int) -> Mesh:
    builder = MeshBuilder()
    rng = numpy_rng("static", kind, look)
    makers = {
        "building": lambda: _building(builder, size, rng), "tree": lambda: _tree(builder, size, rng),
        "bush": lambda: _hedge(builder, size, rng, clipped=False), "hedge": lambda: _hedge(builder, size, rng, clipped=True),
        "pole": lambda: _pole(builder, size), "street_lamp": lambda: props.street_lamp(builder, size),
        "traffic_light": lambda: _signal_post(builder, size), "sign": lambda: props.sign(builder, size, rng),
        "construction_sign": lambda: props.construction_sign(builder, size, rng),
        "barrier": lambda: props.barrier(builder, size, striped=size[2] <= 1.05 and size[0] < 3.5),
        "guard_rail": lambda: props.guard_rail(builder, size), "fence": lambda: props.fence(builder, size, rng),
        "bus_stop": lambda: props.bus_stop(builder, size), "bollard": lambda: _bollard(builder, size),
        "bin": lambda: props.bin_(builder, size, rng),
    }  # fmt: skip
    makers[kind]()
    return builder.build()


def _pole(builder: MeshBuilder, size: tuple[float, float, float]) -> None:
    """A wooden pole with a cross-arm when tall, else a steel post."""
    wooden = size[2] > 5.0
    colour = srgb("#6b5a48") if wooden else props.DARK_METAL
    builder.part().tube((0, 0, 0), size[2], (0.11, 0.08), Paint(colour), sides=6)
    if wooden:
        builder.part().box((0, 0, size[2] * 0.92), (0.1, 1.6, 0.1), Paint(srgb("#5a4a3a")))


def _signal_post(builder: MeshBuilder, size: tuple[float, float, float]) -> None:
    """A traffic light on its post, facing -x."""
    foot = max(size[2] - 0.95, 0.5)
    builder.part().tube((0, 0, 0), foot, (0.07, 0.06), Paint(props.DARK_METAL), sides=6)
    props.signal_head(builder, (0, 0, foot), 0.95)


def _bollard(builder: MeshBuilder, size: tuple[float, float, float]) -> None:
    builder.part().tube((0, 0, 0), size[2], (0.08, 0.07), Paint(srgb("#54595d")), sides=6)
    builder.part().tube((0, 0, size[2] * 0.78), 0.1, (0.085, 0.085), Paint(props.WHITE, detail=1), sides=6)


def _wall(
    builder: MeshBuilder, plan: tuple[float, float, float, float], bands: list[tuple[float, float, float, Paint]]
) -> None:
    """A vertical wall from (x0, y0) to (x1, y1), cut in pieces of about 10 m so that it sorts well.

    bands: from z, to z, how far it stands out (m), paint; later bands lie over earlier ones.
    """
    x0, y0, x1, y1 = plan
    length = float(np.hypot(x1 - x0, y1 - y0))
    ux, uy = (x1 - x0) / length, (y1 - y0) / length
    pieces = max(1, round(length / 10.0))
    for k in range(pieces):
        builder.part()
        a, b = k * length / pieces, (k + 1) * length / pieces
        for low, high, out, paint in bands:
            nx, ny = uy * out, -ux * out
            p, q = (
                (x0 + ux * (a - out) + nx, y0 + uy * (a - out) + ny),
                (x0 + ux * (b + out) + nx, y0 + uy * (b + out) + ny),
            )
            builder.quad([(*p, low), (*q, low), (*q, high), (*p, high)], paint, inside=(0, 0, low))


def _building(builder: MeshBuilder, size: tuple[float, float, float], rng: np.random.Generator) -> None:
    length, width, height = size
    a, b = length / 2, width / 2
    sides = ((-a, -b, a, -b), (a, -b, a, b), (a, b, -a, b), (-a, b, -a, -b))
    if height < 8.5 and length < 20:
        _house(builder, size, sides, rng)
        return
    hall = length > 20 and height < 15
    wall = Paint(WALLS[rng.integers(len(WALLS))], texture=FIRST_FACADE + int(rng.integers(NUM_FACADES)))
    ground = Paint(WALLS[rng.integers(len(WALLS))], texture=SHOP if rng.random() < 0.6 and not hall else BRICK)
    trim = Paint(tuple(0.8 * c for c in WALLS[rng.integers(len(WALLS))]), layer=1)
    bands = [
        (0.0, 3.8, 0.0, ground),
        (3.8, height, 0.0, wall),
        (3.65, 3.95, 0.15, trim.but(detail=1)),
        (height - 0.7, height, 0.25, trim),
    ]
    for side in sides:
        _wall(builder, side, bands)


def _house(builder: MeshBuilder, size: tuple[float, float, float], sides: tuple, rng: np.random.Generator) -> None:
    """A dwelling with windows, a door and a pitched roof."""
    length, width, height = size
    wall = Paint(HOUSE_WALLS[rng.integers(len(HOUSE_WALLS))], texture=BRICK)
    eaves = min(height * 0.62, height - 1.6)
    for side in sides:
        _wall(builder, side, [(0.0, eaves, 0.0, wall)])
    a, b, ridge = length / 2, width / 2, a_ridge(length)
    roof = Paint(ROOFS[rng.integers(len(ROOFS))], texture=ROOF)
    over = 0.4
    low = eaves - 0.1
    corners = [
        (-a - over, -b - over, low),
        (a + over, -b - over, low),
        (a + over, b + over, low),
        (-a - over, b + over, low),
        (-ridge, 0, height),
        (ridge, 0, height),
    ]
    builder.part().add(
        np.array(corners), [(0, 1, 5, 4), (2, 3, 4, 5), (1, 2, 5), (3, 0, 4)], roof, inside=np.array([0, 0, eaves])
    )
    glass, frame = (
        Paint(srgb("#20292e"), layer=2, lamp="window", gloss=0.25, detail=1),
        Paint(srgb("#f2efe8"), layer=1, detail=1),
    )
    floors = [0.9] if eaves < 4.2 else [0.9, 3.6]
    for x0, y0, x1, y1 in sides:
        span = float(np.hypot(x1 - x0, y1 - y0))
        ux, uy = (x1 - x0) / span, (y1 - y0) / span
        out = (uy * 0.02, -ux * 0.02)
        count = max(1, int(span / 3.2))
        for z in floors:
            for k in range(count):
                middle = (k + 0.5) * span / count
                door = z < 1 and k == count // 2 and rng.random() < 0.8
                half, low, high = (0.5, 0.05, 2.15) if door else (0.65, z, z + 1.35)
                for grow, paint in ((0.10, frame), (0.0, Paint(srgb("#5a2f22"), layer=2, detail=1) if door else glass)):
                    u, v = middle - half - grow, middle + half + grow
                    p, q = (
                        (x0 + ux * u + out[0] * (1 + (grow == 0)), y0 + uy * u + out[1] * (1 + (grow == 0))),
                        (x0 + ux * v + out[0] * (1 + (grow == 0)), y0 + uy * v + out[1] * (1 + (grow == 0))),
                    )
                    builder.quad(
                        [(*p, low - grow), (*q, low - grow), (*q, high + grow), (*p, high + grow)],
                        paint,
                        inside=(0, 0, low),
                    )
    builder.part().box((ridge * 0.5, width * 0.12, height), (0.6, 0.6, 1.2), Paint(srgb("#7a4a3a"), detail=1))


def a_ridge(length: float) -> float:
    """Half the length of a roof ridge: gabled when long, hipped when short."""
    return max(length / 2 - 0.3, 0.2) if length > 9 else length / 2


def _tree(builder: MeshBuilder, size: tuple[float, float, float], rng: np.random.Generator) -> None:
    """A trunk and a crown: a conifer's tiers, or a broad crown of several leafy clumps; a coarse crown for far away."""
    height = size[2]
    spread = max(size[0], size[1], 0.45 * height) / 2
    leaf = LEAVES[rng.integers(len(LEAVES))]
    bark = Paint(srgb("#4a3828"))
    coarse = Paint(tuple(0.9 * c for c in leaf), texture=FOLIAGE, detail=-1)
    if rng.random() < 0.25:
        builder.part().tube((0, 0, 0), height * 0.25, (0.16, 0.14), bark, sides=5)
        for k, (low, high, wide) in enumerate(((0.16, 0.52, 0.62), (0.38, 0.76, 0.46), (0.62, 1.0, 0.30))):
            paint = Paint(tuple((0.62 + 0.2 * k) * c for c in LEAVES[2]), texture=FOLIAGE)
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
        paint = Paint(tuple(rng.uniform(0.75, 1.1) * c for c in leaf), texture=FOLIAGE)
        builder.part().ball(
            np.array([out * np.cos(turn), out * np.sin(turn), z]), (radius, radius, tall), paint, sides=7, bands=3
        )
    builder.part().tube((0, 0, 0), height * 0.4, (0.15, 0.1), Paint(bark.colour, detail=-1), sides=4)
    builder.part().ball(
        np.array([0, 0, 0.66 * height]), (spread * 0.95, spread * 0.95, 0.34 * height), coarse, sides=6, bands=3
    )


def _hedge(builder: MeshBuilder, size: tuple[float, float, float], rng: np.random.Generator, *, clipped: bool) -> None:
    """A clipped hedge along x, or a round bush."""
    length, width, height = size
    leaf = LEAVES[rng.integers(len(LEAVES))]
    if not clipped:
        for x, y, s in ((0, 0, 1.0), (0.25, 0.2, 0.7), (-0.28, 0.1, 0.75)):
            builder.part().ball(
                np.array([x * length, y * width, 0.42 * height * s]),
                (length * 0.42 * s, width * 0.42 * s, height * 0.56 * s),
                Paint(tuple(rng.uniform(0.8, 1.1) * c for c in leaf), texture=FOLIAGE),
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
            Paint(tuple(rng.uniform(0.85, 1.1) * c for c in leaf), texture=FOLIAGE),
            taper=1.0,
        )
