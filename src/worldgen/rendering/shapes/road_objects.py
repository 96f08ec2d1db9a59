"""Shapes of things that stand or lie on the road: cones, boxes, tyres, and the heads of traffic lights."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from worldgen.rendering.shapes.lofts import tube
from worldgen.rendering.shapes.solid import Finish, Shape, Surface
from worldgen.rendering.shapes.solid_builder import SolidBuilder, turn_z
from worldgen.rendering.shapes.tints import linear, shade

Size = tuple[float, float, float]
UP = np.array([0.0, 0.0, 1.0])
ORANGE, WHITE_BAND = linear("#bf5a2a"), linear("#c9c8c2")
CARDBOARD, TAPE, CRATE = linear("#9a7a54"), linear("#b3a27c"), linear("#7b6345")
RUBBER = linear("#1d1d1e")
SIGNAL_BLACK = linear("#1b1d1f")
LENSES = (("green", "#16291f"), ("amber", "#33280f"), ("red", "#321315"))
"""Lamps of a traffic light from below, with the colour of their glass when dark."""
BOX_CODE = 1


def cone_shape(size_m: Size, rng: np.random.Generator) -> Shape:
    """A traffic cone with a rubber foot and two reflecting collars."""
    length, _, height = size_m
    builder = SolidBuilder()
    foot = Finish(linear("#26272a"), gloss=0.1)
    builder.box((0.0, 0.0, 0.022), (length, length, 0.044), foot, taper=0.94)
    radius = 0.37 * length
    dirt = float(rng.uniform(0.75, 1.0))
    edges = (0.044 / height, 0.36, 0.52, 0.64, 0.78, 1.0)
    collars = int(rng.integers(1, 3))
    for k, (low, high) in enumerate(pairwise(edges)):
        white = k == 1 or (k == 3 and collars == 2)
        finish = Finish(shade(WHITE_BAND if white else ORANGE, dirt), gloss=0.35 if white else 0.2)
        profile = [(z * height, radius * (1 - 0.84 * z) * (1.012 if white else 1.0)) for z in (low, high)]
        if k == 4:
            profile.append((height, 0.0))
        builder.lathe((0.0, 0.0, 0.0), profile, finish, axis="z", sides=16)
    return Shape(builder.build(), size_m)


class BoxPaint:
    """Tape and print of a cardboard box, or the boards of a crate. size_m: of the box; crate: whether it is one."""

    def __init__(self, size_m: Size, *, crate: bool) -> None:
        self.size_m, self.crate = size_m, crate

    def __call__(
        self, surface: Surface, points_m: np.ndarray, normals: np.ndarray, code: np.ndarray, footprint_m: np.ndarray
    ) -> None:
        """Paint in place; see :class:`worldgen.rendering.shapes.solid.SurfacePaint`."""
        on = code == BOX_CODE
        height = self.size_m[2]
        soft = np.maximum(footprint_m, 0.003)
        if self.crate:
            gap = np.abs((points_m[:, 2] / height * 6 + 0.5) % 1.0 - 0.5) * height / 6
            dark = np.clip((0.012 - gap) / soft + 0.5, 0, 1) * np.minimum(1.0, 0.024 / soft)
            surface.albedo[on] *= (1 - 0.75 * dark * (np.abs(normals[:, 2]) < 0.5))[on, None]
            return
        across = points_m[:, 1]
        tape = np.clip((0.03 - np.abs(across)) / soft + 0.5, 0, 1) * (
            (np.abs(normals[:, 2]) > 0.5) | (points_m[:, 2] > 0.75 * height)
        )
        tape = (tape * on * (np.abs(normals[:, 1]) < 0.6))[:, None].astype(np.float32)
        surface.albedo[:] = surface.albedo * (1 - tape) + np.array(TAPE, np.float32) * tape


def cargo_box_shape(size_m: Size, rng: np.random.Generator) -> Shape:
    """A cardboard box that lies a little dented, or a wooden crate."""
    length, width, height = size_m
    crate = rng.random() < 0.4
    builder = SolidBuilder()
    finish = Finish(shade(CRATE if crate else CARDBOARD, float(rng.uniform(0.8, 1.1))), code=BOX_CODE)
    builder.box((0.0, 0.0, height / 2), (length, width, height), finish, cells_m=0.3)
    if crate:
        batten = Finish(shade(finish.colour, 0.8))
        for x in (-1, 1):
            for y in (-1, 1):
                builder.box(
                    (x * (length / 2 - 0.04), y * (width / 2 + 0.008), height / 2), (0.08, 0.02, height * 0.98), batten
                )
                builder.box(
                    (x * (length / 2 + 0.008), y * (width / 2 - 0.04), height / 2), (0.02, 0.08, height * 0.98), batten
                )
    else:
        for side in (1, -1):  # the flaps stand a little open
            flap = Finish(shade(finish.colour, 1.08))
            builder.box(
                (0.0, side * width * 0.255, height + 0.006),
                (length * 0.98, width * 0.48, 0.008),
                flap,
                turn=_tilt(side * 0.03),
            )
    return Shape(builder.build(), size_m, BoxPaint(size_m, crate=crate))


def _tilt(angle_rad: float) -> np.ndarray:
    """Rotation about x."""
    c, s = np.cos(angle_rad), np.sin(angle_rad)
    return np.array([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]])


def tyre_shape(size_m: Size, rng: np.random.Generator) -> Shape:
    """A truck tyre that lies on its side, with a torn strip of tread beside it."""
    radius, height = size_m[0] / 2, max(size_m[2], 0.12)
    builder = SolidBuilder()
    rubber = Finish(RUBBER, gloss=0.08)
    inner = 0.52 * radius
    profile = [
        (0.12 * height, inner), (0.0, inner + 0.04), (0.0, 0.82 * radius), (0.14 * height, 0.97 * radius),
        (0.3 * height, radius), (0.7 * height, radius), (0.86 * height, 0.97 * radius), (height, 0.82 * radius),
        (height, inner + 0.04), (0.88 * height, inner), (0.12 * height, inner),
    ]  # fmt: skip
    builder.lathe((0.0, 0.0, 0.0), profile, rubber, axis="z", sides=24)
    builder.lathe(
        (0.0, 0.0, 0.0),
        [(0.35 * height, 0.0), (0.35 * height, inner * 1.02)],
        Finish(linear("#121212")),
        axis="z",
        side=1.0,
        sides=12,
    )
    angle = np.linspace(0.0, 1.6, 7) + rng.uniform(0, 6.28)
    strip = np.stack(
        [1.45 * radius * np.cos(angle), 1.45 * radius * np.sin(angle), 0.075 + 0.04 * np.sin(3 * angle) ** 2], -1
    )
    tube(builder, strip, np.array([(0.014, 0.07)] * 7), rubber, left=UP, sides=6)
    return Shape(builder.build(), size_m)


def signal_shape(size_m: Size) -> Shape:
    """The head of a traffic light alone, facing +x, its foot at the origin."""
    builder = SolidBuilder()
    add_signal_head(builder, (0.0, 0.0, 0.0), size_m[2], depth_m=0.62 * size_m[0])
    return Shape(builder.build(), size_m)


def add_signal_head(
    builder: SolidBuilder, foot: tuple[float, float, float], height: float, *, depth_m: float = 0.19,
    yaw_rad: float = 0.0, lit: bool = True,
) -> None:  # fmt: skip
    """A three-lamp signal above ``foot``, facing +x turned by ``yaw_rad``. lit: whether its lamps can be lit."""
    turn = turn_z(yaw_rad)
    width = height / 2.75
    at = lambda p: tuple(np.asarray(foot) + turn @ np.array(p))  # noqa: E731
    black = Finish(SIGNAL_BLACK, gloss=0.2)
    builder.box(at((0.0, 0.0, height / 2)), (depth_m, width, 0.95 * height), black, turn=turn)
    builder.box(
        at((-0.3 * depth_m, 0.0, height / 2)), (0.012, width * 1.5, height), Finish(linear("#222528")), turn=turn
    )
    radius = 0.39 * width
    for k, (name, dim) in enumerate(LENSES):
        z = height * (0.5 + 0.31 * (k - 1))
        lens = Finish(linear(dim), gloss=0.7, lamp=name if lit else "none")
        centre = at((depth_m / 2 + 0.004, 0.0, z))
        builder.ellipsoid(centre, (0.022, radius, radius), lens, turn=turn, sides=14, bands=6)
        hood = np.linspace(0.12 * np.pi, 0.88 * np.pi, 9)
        rim = np.stack([0 * hood, 1.06 * radius * np.cos(hood), 1.06 * radius * np.sin(hood)], -1)
        front = rim + np.array([0.55 * width, 0.0, 0.0])
        sheet = np.stack([rim, front]) + np.array([depth_m / 2, 0.0, z])
        sheet = sheet @ turn.T + np.asarray(foot)
        builder.grid(sheet, black, flip=True)
        builder.grid((sheet - np.array([0, 0, 0.006])), black)
