"""Shapes of street furniture: poles, lamps, signal posts, bollards, bins, bus shelters; and the table of all kinds."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from worldgen.core.seeds import numpy_rng
from worldgen.rendering.shapes.lofts import loft, rod, tube
from worldgen.rendering.shapes.road_objects import add_signal_head
from worldgen.rendering.shapes.roadside.rails import (
    FIELD_FENCE_BELOW_M,
    WOOD_CODE,
    WeatherPaint,
    barrier_shape,
    fence_shape,
    guard_rail_shape,
)
from worldgen.rendering.shapes.roadside.signs import construction_sign_shape, sign_shape
from worldgen.rendering.shapes.solid import Finish, Shape
from worldgen.rendering.shapes.solid_builder import SolidBuilder
from worldgen.rendering.shapes.tints import draw_tint, linear, shade

Size = tuple[float, float, float]
ARM_M = 1.6
"""How far the arm of a street lamp reaches along +x."""
STEEL = Finish(linear("#777b7e"), gloss=0.3)
DARK_STEEL = Finish(linear("#3f4245"), gloss=0.25)
LEFT, UP = np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, 1.0])


NUM_LOOKS = {"pole": 4, "street_lamp": 1, "sign": 24, "bollard": 2, "bin": 12, "fence": 12, "bus_stop": 4}
"""Looks of a kind; kinds that are not listed stand in rows of short pieces, which must be alike."""


def furniture_shape(kind: str, size_m: Size, style: int) -> Shape:
    """The shape of a piece of street furniture of ``FURNITURE``. style: chooses its look."""
    look = style % NUM_LOOKS.get(kind, 1)
    if kind == "fence" and size_m[0] < FIELD_FENCE_BELOW_M:
        look = 0
    length, width, height = (round(float(side), 2) for side in size_m)
    return _made(kind, (length, width, height), look)


@lru_cache(maxsize=256)
def _made(kind: str, size_m: Size, look: int) -> Shape:
    return FURNITURE[kind](size_m, numpy_rng("furniture shape", kind, look))


def _pole_shape(size_m: Size, rng: np.random.Generator) -> Shape:
    """A wooden pole with a cross-arm, insulators and a transformer when tall, else a steel post."""
    _, _, height = size_m
    builder = SolidBuilder()
    if height <= 5.0:
        rod(builder, (0.0, 0.0, -0.1), (0.0, 0.0, height), (0.062, 0.055), DARK_STEEL, sides=9, ends=0.2)
        builder.lathe((0.0, 0.0, 0.0), [(0.0, 0.10), (0.05, 0.10), (0.06, 0.07)], DARK_STEEL, axis="z", sides=10)
        return Shape(builder.build(), size_m)
    wood = Finish(shade(linear("#5f5346"), float(rng.uniform(0.75, 1.15))), code=WOOD_CODE)
    rod(builder, (0.0, 0.0, -0.3), (0.0, 0.0, height), (0.145, 0.095), wood, sides=9, ends=0.15)
    arms = 1 + int(rng.integers(2))
    for k in range(arms):
        z = height * (0.95 - 0.085 * k)
        builder.box((0.07, 0.0, z), (0.09, 1.8, 0.11), wood)
        for y in (-0.8, -0.35, 0.35, 0.8):
            rod(
                builder,
                (0.07, y, z + 0.05),
                (0.07, y, z + 0.20),
                (0.035, 0.022),
                Finish(linear("#59524a"), gloss=0.6),
                sides=6,
                ends=0.4,
            )
    if rng.random() < 0.3:
        can = Finish(linear("#6f7375"), gloss=0.25)
        builder.lathe(
            (0.30, 0.0, 0.70 * height), [(0.0, 0.0), (0.0, 0.19), (0.62, 0.19), (0.68, 0.0)], can, axis="z", sides=12
        )
        builder.box((0.12, 0.0, 0.70 * height + 0.3), (0.10, 0.08, 0.3), DARK_STEEL)
    return Shape(builder.build(), size_m, WeatherPaint(int(rng.integers(1 << 16))))


def _street_lamp_shape(size_m: Size, rng: np.random.Generator) -> Shape:
    """A tapered mast whose arm reaches along +x, with a flat or a round lantern under its end."""
    height = size_m[2]
    arm = max(size_m[0], ARM_M)
    steel = Finish(shade(linear("#63676a"), float(rng.uniform(0.7, 1.15))), gloss=0.15)
    builder = SolidBuilder()
    base = [(-0.1, 0.088), (0.9, 0.085), (0.95, 0.066), (1.0, 0.064)]
    builder.lathe((0.0, 0.0, 0.0), base, steel, axis="z", sides=10)
    curved = rng.random() < 0.5
    bend = np.linspace(0, np.pi / 2, 5) if curved else np.array([0.0, np.pi / 2])
    turn = 0.6 if curved else 0.08
    path = [(0.0, 0.0, 0.9), (0.0, 0.0, height - turn)]
    path += [(turn * (1 - np.cos(a)), 0.0, height - turn + turn * np.sin(a)) for a in bend[1:]]
    path.append((arm - 0.3, 0.0, height + 0.02))
    radii = np.linspace(0.064, 0.030, len(path))
    tube(builder, np.array(path), radii, steel, left=LEFT, sides=8, ends=(None, 0.3))
    glow = Finish(linear("#c4bfae"), gloss=0.4, lamp="warm")
    head = (arm - 0.02, 0.0, height + 0.005)
    builder.ellipsoid(head, (0.40, 0.135, 0.075), DARK_STEEL if curved else steel, power=3.0, sides=12, bands=7)
    builder.box((arm, 0.0, height - 0.075), (0.56, 0.21, 0.035), glow)
    return Shape(builder.build(), size_m)


def _signal_post_shape(size_m: Size, rng: np.random.Generator) -> Shape:
    """A traffic light on its post, facing -x."""
    foot = max(size_m[2] - 0.95, 0.5)
    builder = SolidBuilder()
    rod(builder, (0.0, 0.0, -0.1), (0.0, 0.0, foot + 0.1), (0.065, 0.055), DARK_STEEL, sides=9)
    add_signal_head(builder, (-0.10, 0.0, foot), 0.95, yaw_rad=np.pi)
    return Shape(builder.build(), size_m)


def _bollard_shape(size_m: Size, rng: np.random.Generator) -> Shape:
    """A steel bollard with a white band, or a slender delineator with a reflector."""
    _, _, height = size_m
    builder = SolidBuilder()
    slender = size_m[0] < 0.135
    body = Finish(linear("#b9b8b2") if slender else shade(linear("#45494c"), float(rng.uniform(0.7, 1.2))), gloss=0.25)
    radius = 0.055 if slender else 0.075
    profile = [(-0.05, radius), (0.76 * height, 0.94 * radius)]
    builder.lathe((0.0, 0.0, 0.0), profile, body, axis="z", sides=10)
    band = Finish(linear("#2a2b2d") if slender else linear("#bdbcb6"), gloss=0.3)
    builder.lathe(
        (0.0, 0.0, 0.0), [(0.76 * height, 0.96 * radius), (0.88 * height, 0.95 * radius)], band, axis="z", sides=10
    )
    top = [(0.88 * height, 0.94 * radius), (0.96 * height, 0.85 * radius), (height, 0.0)]
    builder.lathe((0.0, 0.0, 0.0), top, body, axis="z", sides=10)
    if slender:
        for side in (1, -1):
            builder.box((side * 0.052, 0.0, 0.82 * height), (0.012, 0.045, 0.10), Finish(linear("#a35a3a"), gloss=0.8))
    return Shape(builder.build(), size_m)


def _bin_shape(size_m: Size, rng: np.random.Generator) -> Shape:
    """A wheelie bin, or a round litter bin."""
    length, width, height = size_m
    builder = SolidBuilder()
    colour = draw_tint("bin", rng)
    body, lid = Finish(colour, gloss=0.25), Finish(shade(colour, float(rng.choice([0.55, 1.0]))), gloss=0.3)
    if rng.random() < 0.3:
        radius = 0.46 * min(length, width)
        profile = [(0.03, 0.0), (0.03, 0.82 * radius), (0.80 * height, radius), (0.80 * height, 0.9 * radius)]
        builder.lathe((0.0, 0.0, 0.0), profile, Finish(shade(linear("#4c5152"), 0.9), gloss=0.2), axis="z", sides=14)
        cap = [(0.86 * height, 0.0), (0.86 * height, 1.02 * radius), (0.95 * height, 0.8 * radius), (height, 0.0)]
        builder.lathe((0.0, 0.0, 0.0), cap, DARK_STEEL, axis="z", sides=14)
        for angle in (0.5, 2.6, 4.7):
            at = np.array([0.9 * radius * np.cos(angle), 0.9 * radius * np.sin(angle), 0.0])
            rod(builder, at + 0.78 * height * UP, at + 0.88 * height * UP, 0.015, DARK_STEEL, sides=5)
        return Shape(builder.build(), size_m)
    centres = np.array([(0.03, 0.0, 0.07), (0.02, 0.0, 0.35 * height), (0.0, 0.0, 0.90 * height)])
    radii = np.array([(0.36 * length, 0.36 * width), (0.41 * length, 0.41 * width), (0.47 * length, 0.47 * width)])
    axes = np.array([1.0, 0.0, 0.0])[None, None], LEFT[None, None]
    loft(builder, centres, axes, radii, body, sides=16, power=7.0, ends=(0.0, 0.0))
    builder.ellipsoid(
        (0.0, 0.0, 0.93 * height), (0.50 * length, 0.49 * width, 0.07 * height), lid, power=4.0, sides=14, bands=7
    )
    rod(
        builder,
        (-0.47 * length, -0.3 * width, 0.90 * height),
        (-0.47 * length, 0.3 * width, 0.90 * height),
        0.018,
        body,
        sides=6,
    )
    hub = [(-0.025, 0.0), (-0.025, 0.075), (0.025, 0.075), (0.025, 0.0)]
    for side in (1, -1):
        builder.lathe((-0.33 * length, side * 0.30 * width, 0.075), hub, DARK_STEEL, sides=12)
    return Shape(builder.build(), size_m)


def _bus_stop_shape(size_m: Size, rng: np.random.Generator) -> Shape:
    """A shelter with glass walls, a bench, a lit panel and a flag, open towards +y.

    Clean panes are as good as unseen, so of the glass only the frames and the printed bands at eye height are there.
    """
    length, width, height = max(size_m[0], 2.5), max(size_m[1], 1.2), max(size_m[2], 2.3)
    builder = SolidBuilder()
    frame = Finish(shade(linear("#46494b"), float(rng.uniform(0.7, 1.2))), gloss=0.3)
    printed = Finish(linear("#8f989a"), gloss=0.4)
    for x in (-length / 2, -length / 6, length / 6, length / 2):
        builder.box((x, -width / 2, height / 2), (0.06, 0.06, height), frame)
    for x in (-length / 2, length / 2):
        builder.box((x, width / 2, height / 2), (0.06, 0.06, height), frame)
        builder.box((x, 0.0, 0.35), (0.04, width, 0.05), frame)
    for z, tall in ((0.32, 0.04), (0.92, 0.06), (1.5, 0.09), (height - 0.25, 0.04)):
        finish = frame if tall == 0.04 else printed
        builder.box((0.0, -width / 2, z), (length - 0.06, 0.02, tall), finish)
        builder.box((-length / 2, 0.0, z), (0.02, width - 0.06, tall), finish)
    builder.box((0.0, -width * 0.27, 0.46), (length * 0.6, 0.34, 0.05), Finish(linear("#6d5b47"), code=WOOD_CODE))
    for x in (-0.25, 0.25):
        builder.box((x * length, -width * 0.27, 0.22), (0.05, 0.28, 0.44), frame)
    builder.box((length / 2, 0.0, 1.2), (0.13, width * 0.85, 1.75), frame)
    for side in (1, -1):
        panel = Finish(linear("#a9b1b5"), gloss=0.5, lamp="window")
        builder.box((length / 2 + side * 0.068, 0.0, 1.22), (0.012, width * 0.74, 1.55), panel)
    builder.box((0.0, 0.05, height + 0.04), (length + 0.3, width + 0.35, 0.09), frame)
    builder.box((0.0, width / 2 + 0.21, height + 0.04), (length + 0.3, 0.02, 0.15), Finish(draw_tint("bin", rng)))
    return Shape(builder.build(), size_m, WeatherPaint(int(rng.integers(1 << 16))))


FURNITURE: dict[str, Callable[[Size, np.random.Generator], Shape]] = {
    "pole": _pole_shape, "street_lamp": _street_lamp_shape, "traffic_light": _signal_post_shape, "sign": sign_shape,
    "construction_sign": construction_sign_shape, "barrier": barrier_shape, "guard_rail": guard_rail_shape,
    "fence": fence_shape, "bus_stop": _bus_stop_shape, "bollard": _bollard_shape, "bin": _bin_shape,
}  # fmt: skip
"""Kind of static object -> its shape of a size and a generator; buildings and plants have modules of their own."""
