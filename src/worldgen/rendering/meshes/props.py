"""Meshes of street furniture and of objects on the road: cones, boxes, lamps, signals, signs, rails, bins."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from worldgen.rendering.meshes.mesh import Mesh, MeshBuilder, Paint, Size, scaled, srgb

ORANGE = srgb("#f0641e")
WHITE = srgb("#f2f2ee")
RED = srgb("#c81e1e")
METAL = srgb("#8f9498")
ARM_M = 1.6
DARK_METAL = srgb("#3a3e42")
CONCRETE = srgb("#b4b1a8")
WOOD = srgb("#7a5c3c")


def cone(size_m: Size, rng: np.random.Generator) -> Mesh:
    """A traffic cone with a foot plate and a reflective collar."""
    builder = MeshBuilder()
    length, _, height = size_m
    builder.part().box((0, 0, 0.02), (length, length, 0.04), Paint(srgb("#26262a")))
    radius = length * 0.36
    edges, shades = np.array([0.04, 0.38, 0.66, 0.80, 1.0]) * height, (ORANGE, WHITE, ORANGE, ORANGE)
    for low, high, colour in zip(edges[:-1], edges[1:], shades, strict=True):
        r0, r1 = radius * (1 - 0.86 * low / height), radius * (1 - 0.86 * high / height)
        builder.part().tube((0, 0, low), high - low, (r0, r1), Paint(colour), sides=8)
    return builder.build()


def cargo_box(size_m: Size, rng: np.random.Generator) -> Mesh:
    """A cardboard box with tape, or a wooden crate."""
    builder = MeshBuilder()
    length, width, height = size_m
    crate = rng.random() < 0.4
    builder.part().box((0, 0, height / 2), size_m, Paint(WOOD if crate else srgb("#b58a5a")))
    stripe = Paint(srgb("#5b4128") if crate else srgb("#d9c7a0"), layer=1, detail=1)
    for side in (1, -1):
        for axis in (0, 1):
            reach = (length if axis == 0 else width) / 2 + 0.005
            along = (width if axis == 0 else length) / 2
            for at in (-0.85, 0.0, 0.85) if crate else (0.0,):
                a, b = along * at - 0.05, along * at + 0.05
                corners = [
                    (side * reach, a, 0.02),
                    (side * reach, b, 0.02),
                    (side * reach, b, height),
                    (side * reach, a, height),
                ]
                builder.quad(
                    [c if axis == 0 else (c[1], c[0], c[2]) for c in corners], stripe, inside=(0, 0, height / 2)
                )
    builder.quad(
        [
            (-length / 2, -0.05, height + 0.004),
            (length / 2, -0.05, height + 0.004),
            (length / 2, 0.05, height + 0.004),
            (-length / 2, 0.05, height + 0.004),
        ],
        stripe,
        inside=(0, 0, 0),
    )
    return builder.build()


def tyre(size_m: Size, rng: np.random.Generator) -> Mesh:
    """A truck tyre lying on the road, with torn tread beside it."""
    builder = MeshBuilder()
    radius, height = size_m[0] / 2, max(size_m[2], 0.12)
    builder.part().tube((0, 0, 0), height, (radius, radius * 0.95), Paint(srgb("#1b1c1e")), sides=12)
    builder.disc((0, 0, height + 0.004), radius * 0.5, "z", Paint(srgb("#565a5e"), layer=1))
    builder.part().box((radius * 1.5, 0.3, 0.05), (0.5, 0.14, 0.10), Paint(srgb("#1b1c1e")))
    return builder.build()


def signal_head(
    builder: MeshBuilder, foot: tuple[float, float, float], height: float, *, facing: float = -1.0, glow: bool = True
) -> None:
    """A three-lamp traffic signal at ``foot`` (m).

    facing: 1 towards +x, -1 towards -x; glow: whether its lamps can be lit.
    """
    x, y, z = foot
    width = height / 2.7
    middle = (x, y, z + height / 2)
    builder.part().box(middle, (0.20, width, height), Paint(srgb("#16181a")))
    plate = x + facing * 0.11
    rim = [
        (plate, y + a * width * 0.66, z + b)
        for a, b in ((-1, -0.06), (1, -0.06), (1, height + 0.06), (-1, height + 0.06))
    ]
    builder.quad(rim, Paint(srgb("#202326"), layer=1), inside=middle)
    for k, (name, dim) in enumerate((("green", "#12351f"), ("amber", "#3d3010"), ("red", "#3d1212"))):
        lamp = Paint(srgb(dim), layer=2, lamp=name if glow else "none")
        builder.disc(
            (plate + facing * 0.01, y, z + height * (1 + 2 * k) / 6), width * 0.40, "x", lamp, sides=8, facing=facing
        )


def signal(size_m: Size) -> Mesh:
    """A traffic signal's head alone, facing +x."""
    builder = MeshBuilder()
    signal_head(builder, (0.0, 0.0, 0.0), size_m[2], facing=1.0)
    return builder.build()


def street_lamp(builder: MeshBuilder, size_m: Size) -> None:
    """A tall mast with an arm that reaches along +x by ``ARM_M`` and a lamp under its end."""
    height, arm = size_m[2], max(size_m[0], ARM_M)
    steel = Paint(METAL)
    builder.part().tube((0, 0, 0), height, (0.10, 0.06), steel, sides=6)
    builder.part().box((arm / 2, 0, height - 0.02), (arm, 0.09, 0.09), steel)
    builder.part().box((arm, 0, height), (0.75, 0.28, 0.14), Paint(DARK_METAL))
    builder.part().box((arm, 0, height - 0.09), (0.60, 0.24, 0.05), Paint(srgb("#d8d4c4"), lamp="warm"))


def sign(builder: MeshBuilder, size_m: Size, rng: np.random.Generator) -> None:
    """A post with a round, square or triangular traffic sign facing +x, or a wide board on two posts."""
    _, wide, height = size_m
    if wide > 1.5:
        tall = 0.55 * wide
        for y in (-wide * 0.32, wide * 0.32):
            builder.part().tube((-0.1, y, 0), height, (0.08, 0.08), Paint(METAL), sides=5)
        colour = (srgb("#1f4f9a"), srgb("#1d6b42"))[int(rng.integers(2))]
        middle = (0.0, 0.0, height - tall / 2)
        builder.part().box(middle, (0.08, wide, tall), Paint(METAL))
        for grow, paint in ((0.0, Paint(WHITE, layer=1)), (0.06, Paint(colour, layer=2))):
            y, low, high = wide / 2 - grow, height - tall + grow, height - grow
            builder.quad([(0.05, -y, low), (0.05, y, low), (0.05, y, high), (0.05, -y, high)], paint, inside=middle)
        for k, share in enumerate((0.72, 0.45, 0.2)):
            z, half = height - tall + share * tall, wide * (0.36, 0.28, 0.32)[k]
            builder.quad(
                [(0.055, -half, z - 0.07), (0.055, half, z - 0.07), (0.055, half, z + 0.07), (0.055, -half, z + 0.07)],
                Paint(WHITE, layer=3, detail=1),
                inside=middle,
            )
        return
    builder.part().tube((0, 0, 0), height, (0.04, 0.04), Paint(METAL), sides=5)
    kind = int(rng.integers(4))
    radius, top = 0.36, height - 0.36
    sides = (10, 4, 3, 8)[kind]
    rim, face = ((RED, WHITE), (srgb("#1f57a8"), srgb("#1f57a8")), (RED, WHITE), (RED, RED))[kind]
    builder.part().disc((0.06, 0, top), radius, "x", Paint(rim, layer=1), sides=sides)
    builder.disc((0.065, 0, top), radius * 0.78, "x", Paint(face, layer=2), sides=sides)
    mark = Paint(srgb("#16181a") if kind in (0, 2) else WHITE, layer=3, detail=1)
    builder.quad(
        [(0.07, -0.16, top - 0.06), (0.07, 0.16, top - 0.06), (0.07, 0.16, top + 0.06), (0.07, -0.16, top + 0.06)],
        mark,
        inside=(-1.0, 0, top),
    )
    builder.disc((0.05, 0, top), radius, "x", Paint(METAL, layer=0), sides=sides, facing=-1.0)


def construction_sign(builder: MeshBuilder, size_m: Size, rng: np.random.Generator) -> None:
    """A diamond or arrow board on a trestle, facing -x."""
    height = max(size_m[2], 1.2)
    half = min(0.5, height * 0.36)
    top = height - half
    for side in (1, -1):
        builder.part().box((0, side * half * 0.5, (top - 0.2) / 2), (0.06, 0.06, top - 0.2), Paint(DARK_METAL))
    builder.part().disc(
        (-0.06, 0, top), half * 1.15, "x", Paint(srgb("#15161a"), layer=1, two_sided=True), sides=4, facing=-1.0
    )
    builder.quad(
        [
            (-0.07, -half * 1.05, top),
            (-0.07, 0, top - half * 1.05),
            (-0.07, half * 1.05, top),
            (-0.07, 0, top + half * 1.05),
        ],
        Paint(ORANGE, layer=2, two_sided=True),
        inside=(1.0, 0, top),
    )
    builder.quad(
        [(-0.08, -0.06, top - 0.2), (-0.08, 0.06, top - 0.2), (-0.08, 0.06, top + 0.26), (-0.08, -0.06, top + 0.26)],
        Paint(srgb("#15161a"), layer=3, two_sided=True),
        inside=(1.0, 0, top),
    )
    builder.part().box((-0.02, 0, height + 0.08), (0.14, 0.18, 0.16), Paint(srgb("#e0a020"), lamp="beacon", detail=1))


def barrier(builder: MeshBuilder, size_m: Size, *, striped: bool) -> None:
    """A concrete barrier, or a red and white construction barrier, along x in parts."""
    length, width, height = size_m
    pieces = max(1, round(length / (1.0 if striped else 4.0)))
    cuts = np.linspace(-length / 2, length / 2, pieces + 1)
    for k, (a, b) in enumerate(pairwise(cuts)):
        if striped:
            builder.part().box(
                ((a + b) / 2, 0, height * 0.78), (b - a, width * 0.4, height * 0.4), Paint(RED if k % 2 else WHITE)
            )
            if k % 2 == 0:
                builder.part().box(((a + b) / 2, 0, height * 0.29), (0.08, width, height * 0.58), Paint(DARK_METAL))
        else:
            builder.part().box(((a + b) / 2, 0, height / 2), (b - a - 0.04, width, height), Paint(CONCRETE), taper=1.0)


def guard_rail(builder: MeshBuilder, size_m: Size) -> None:
    """A steel rail on posts along x."""
    length, _, height = size_m
    pieces = max(1, round(length / 4.0))
    cuts = np.linspace(-length / 2, length / 2, pieces + 1)
    for a, b in pairwise(cuts):
        middle = (a + b) / 2
        builder.part().box(
            (middle, 0, height - 0.30 * height / 2), (b - a, 0.07, 0.30 * height), Paint(srgb("#a9aeb2"))
        )
        for side in (1, -1):
            y = side * 0.04
            builder.quad(
                [(a, y, height * 0.83), (b, y, height * 0.83), (b, y, height * 0.88), (a, y, height * 0.88)],
                Paint(srgb("#5d6266"), layer=1, detail=1),
                inside=(middle, 0, height * 0.85),
            )
        builder.part().box((a + 0.1, 0, height * 0.42), (0.10, 0.10, height * 0.84), Paint(srgb("#7d8286"), detail=1))


def fence(builder: MeshBuilder, size_m: Size, rng: np.random.Generator) -> None:
    """A garden fence of rails and posts along x."""
    length, _, height = size_m
    colour = (srgb("#e6e4dc"), WOOD, srgb("#5a4a36"))[int(rng.integers(3))]
    pieces = max(1, round(length / 2.4))
    cuts = np.linspace(-length / 2, length / 2, pieces + 1)
    for a, b in pairwise(cuts):
        for z in (0.3, 0.62, 0.92):
            builder.part().box(((a + b) / 2, 0, z * height), (b - a, 0.04, 0.14 * height), Paint(colour))
        builder.part().box((a, 0, height / 2), (0.10, 0.10, height), Paint(scaled(colour, 0.8), detail=1))


def bus_stop(builder: MeshBuilder, size_m: Size) -> None:
    """A shelter with glass walls, a bench and a lit panel, open towards +y."""
    length, width, height = max(size_m[0], 2.5), max(size_m[1], 1.2), max(size_m[2], 2.3)
    glass = Paint(srgb("#5f7a80"), two_sided=True, gloss=0.3)
    for x in (-length / 2, length / 2):
        for y in (-width / 2, width / 2):
            builder.part().box((x, y, height / 2), (0.07, 0.07, height), Paint(DARK_METAL))
    builder.part().quad(
        [
            (-length / 2, -width / 2, 0.2),
            (length / 2, -width / 2, 0.2),
            (length / 2, -width / 2, height - 0.2),
            (-length / 2, -width / 2, height - 0.2),
        ],
        glass,
    )
    builder.part().box((0, -width * 0.25, 0.45), (length * 0.7, 0.35, 0.06), Paint(WOOD))
    builder.part().box((length / 2, 0, 1.2), (0.10, width * 0.8, 1.7), Paint(srgb("#d7dfe6"), lamp="window"))
    builder.part().box((0, 0, height), (length + 0.3, width + 0.3, 0.12), Paint(srgb("#4a5157")))


def bin_(builder: MeshBuilder, size_m: Size, rng: np.random.Generator) -> None:
    """A wheelie bin."""
    length, width, height = size_m
    colour = (srgb("#2c5a36"), srgb("#2f3338"), srgb("#2b4a7a"), srgb("#7a4a20"))[int(rng.integers(4))]
    builder.part().box((0, 0, height * 0.46), (length * 0.92, width * 0.92, height * 0.92), Paint(colour))
    builder.part().box((0, 0, height * 0.96), (length, width, height * 0.08), Paint(scaled(colour, 0.6)))
