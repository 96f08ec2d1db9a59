"""Meshes of cars, vans, pickups, trucks and buses: bodies, glass, wheels and lamps."""

from __future__ import annotations

import numpy as np

from worldgen.core.scene import Agent
from worldgen.scenes.sketch.mesh import Mesh, MeshBuilder, Paint, srgb

CAR_COLOURS = tuple(
    srgb(c)
    for c in (
        "#f2f2ee", "#e8e8e6", "#c9ccd0", "#9da1a6", "#6d7278", "#3c4045", "#1b1c1f", "#17181b", "#25406e", "#1f5a9c",
        "#7d1f24", "#b3262b", "#1f4a3a", "#8a7a5c", "#d8b23a", "#c45a1f", "#5c7fa3", "#46303a",
    )
)  # fmt: skip
"""Common car paints, white, grey and black first, as in registrations."""
CAR_WEIGHTS = np.array([12, 8, 9, 8, 7, 6, 9, 6, 5, 6, 4, 5, 3, 3, 2, 2, 3, 2], float)
VAN_COLOURS = tuple(
    srgb(c) for c in ("#f4f4f2", "#f4f4f2", "#e9e9e9", "#d9dadb", "#2c4c86", "#e3b92f", "#8b1d22", "#3b3f44")
)
BOX_COLOURS = tuple(
    srgb(c) for c in ("#f1f1ee", "#e6e6e4", "#dadde0", "#2d5fa8", "#b42a2a", "#2f7a4f", "#e0a12e", "#d6d2c4")
)
BUS_COLOURS = tuple(srgb(c) for c in ("#c3222a", "#e7b21d", "#1d5fae", "#2e8b57", "#e9e9e7", "#e2711d", "#5a2d82"))
GLASS = Paint(srgb("#1a2226"), layer=2, gloss=0.35)
BLACK = Paint(srgb("#121314"))
TYRE = Paint(srgb("#17181a"))
CHROME = srgb("#aeb2b6")


def vehicle(variant: str, size_m: tuple[float, float, float], rng: np.random.Generator) -> Mesh:
    """A road vehicle of the given variant, stretched to ``size_m`` (length, width, height in metres)."""
    maker = {"van": _van, "pickup": _pickup, "box_truck": _box_truck, "semi_truck": _semi_truck, "city_bus": _bus}.get(
        variant
    )
    builder = MeshBuilder()
    if maker is None:
        _car(builder, variant, size_m, rng)
    else:
        maker(builder, size_m, rng)
    return builder.build()


def add_door(mesh: Mesh, agent: Agent) -> Mesh:
    """The vehicle with its left front door swung out by ``agent.door_open`` (0 to 1) over the frames, where it opens at all."""
    swing = np.asarray(agent.door_open, float)
    if not swing.any():
        return mesh
    length, width, height = agent.size_m
    hinge, reach, belt = 0.19 * length, 0.23 * length, 0.60 * height
    turn = swing * np.radians(68)
    frames = len(swing)
    along = np.stack([-np.cos(turn), np.sin(turn)], 1) * reach  # (T, 2)
    foot = np.array([hinge, width / 2 + 0.02])
    panels = ((0.18 * height, belt, 1.0), (belt, 0.93 * height, 0.86))
    blocks, builder = [], MeshBuilder()
    colour = tuple(np.median(mesh.colour[mesh.layer == 0], 0))
    for low, high, share in panels:
        near, far = np.broadcast_to(foot, (frames, 2)), foot + along * share
        blocks.append(
            np.stack(
                [
                    np.c_[near, np.full(frames, low)],
                    np.c_[far, np.full(frames, low)],
                    np.c_[far, np.full(frames, high)],
                    np.c_[near, np.full(frames, high)],
                ],
                1,
            )
        )
    builder.part().add(blocks[0], [range(4)], Paint(colour, two_sided=True))
    builder.add(blocks[1], [range(4)], Paint(GLASS.colour, two_sided=True, gloss=0.3))
    door = builder.build()
    return Mesh(
        vertices=np.concatenate([np.broadcast_to(mesh.vertices, (frames, *mesh.vertices.shape[1:])), door.vertices], 1),
        flat=np.concatenate([mesh.flat, door.flat + mesh.vertices.shape[1]]),
        part=np.concatenate([mesh.part, np.full(len(door.part), mesh.part.max() + 1)]),
        **{name: np.concatenate([getattr(mesh, name), getattr(door, name)]) for name in ("counts", "colour", "layer", "detail", "lamp", "texture", "two_sided", "gloss")},
    )  # fmt: skip


def _wheels(builder: MeshBuilder, axles: list[float], width: float, radius: float, *, rim: bool = True) -> None:
    """Tyres under the body (drawn first) and wheel faces on its flanks (drawn last)."""
    thick = min(0.28, 0.14 * width)
    for x in axles:
        for side in (1, -1):
            y = side * (width / 2 - thick / 2)
            builder.box((x, y, radius), (1.5 * radius, thick, 2 * radius), TYRE.but(layer=-20, detail=1))
    for x in axles:
        for side in (1, -1):
            y = side * (width / 2 + 0.012)
            builder.disc(
                (x, side * (width / 2 + 0.006), radius * 1.08),
                radius * 1.22,
                "y",
                BLACK.but(layer=3, detail=1),
                facing=side,
            )
            builder.disc((x, y, radius), radius, "y", TYRE.but(layer=4), facing=side, sides=12)
            if rim:
                builder.disc((x, y * 1.002, radius), radius * 0.66, "y", Paint(CHROME, layer=5, detail=1), facing=side)
                builder.disc(
                    (x, y * 1.003, radius), radius * 0.22, "y", BLACK.but(layer=6, detail=2), facing=side, sides=6
                )


def _end(builder: MeshBuilder, x: float, box: tuple[float, float, float, float], paint: Paint) -> None:
    """A rectangle on the front or back at ``x``; box: y from, y to, z from, z to."""
    y0, y1, z0, z1 = box
    builder.quad(
        [(x, y0, z0), (x, y1, z0), (x, y1, z1), (x, y0, z1)], paint, inside=(0.0, (y0 + y1) / 2, (z0 + z1) / 2)
    )


def _lamps(builder: MeshBuilder, length: float, width: float, heights: tuple[float, float, float, float]) -> None:
    """Head and tail lamps with turn signals and plates; heights: front low, front high, rear low, rear high (m)."""
    f, r, w = length / 2 + 0.012, -length / 2 - 0.012, width / 2
    f0, f1, r0, r1 = heights
    for side, turn in ((1, "left"), (-1, "right")):
        _end(builder, f, (side * w * 0.52, side * w * 0.93, f0, f1), Paint(srgb("#d9dee0"), layer=6, lamp="head"))
        _end(
            builder,
            f + 0.004,
            (side * w * 0.86, side * w * 0.96, f0, f1),
            Paint(srgb("#b98235"), layer=7, lamp=turn, detail=1),
        )
        _end(builder, r, (side * w * 0.62, side * w * 0.96, r0, r1), Paint(srgb("#7a1212"), layer=6, lamp="tail"))
        _end(
            builder,
            r - 0.004,
            (side * w * 0.84, side * w * 0.96, r0, r0 + 0.3 * (r1 - r0)),
            Paint(srgb("#b56a28"), layer=7, lamp=turn, detail=1),
        )
    plate = Paint(srgb("#d9d8c8"), layer=6, detail=1)
    _end(builder, r, (-0.26, 0.26, max(0.42, r0 - 0.28), max(0.53, r0 - 0.17)), plate)
    _end(builder, f, (-0.26, 0.26, max(0.36, f0 - 0.26), max(0.47, f0 - 0.15)), plate)


def _greenhouse(
    builder: MeshBuilder,
    plan: tuple[float, float, float, float],
    heights: tuple[float, float],
    width: float,
    paint: Paint,
) -> None:
    """Cabin with screens and side windows. plan: x of rear foot, rear top, front top, front foot; heights: belt, roof (m)."""
    rear, rear_top, front_top, front = plan
    belt, roof = heights
    low, top = width / 2, width / 2 * 0.80
    corners = np.array([
        (rear, -low, belt), (front, -low, belt), (front, low, belt), (rear, low, belt),
        (rear_top, -top, roof), (front_top, -top, roof), (front_top, top, roof), (rear_top, top, roof),
    ])  # fmt: skip
    builder.part().add(corners, [(4, 5, 6, 7), (0, 1, 5, 4), (1, 2, 6, 5), (2, 3, 7, 6), (3, 0, 4, 7)], paint)
    inside = corners.mean(0)

    def pane(a: int, b: int, c: int, d: int, span: tuple[float, float, float, float]) -> None:
        # Bilinear cut of the cabin face a-b (foot) and d-c (top), pushed out a little so that it lies on it.
        u0, u1, v0, v1 = span
        foot0, foot1 = corners[a], corners[b]
        top0, top1 = corners[d], corners[c]
        at = lambda u, v: (foot0 * (1 - u) + foot1 * u) * (1 - v) + (top0 * (1 - u) + top1 * u) * v  # noqa: E731
        builder.quad([at(u0, v0), at(u1, v0), at(u1, v1), at(u0, v1)], GLASS, inside=inside)

    pane(1, 2, 6, 5, (0.06, 0.94, 0.05, 0.92))
    pane(3, 0, 4, 7, (0.08, 0.92, 0.12, 0.90))
    for a, b, c, d in ((0, 1, 5, 4), (3, 2, 6, 7)):
        pane(a, b, c, d, (0.10, 0.47, 0.12, 0.88))
        pane(a, b, c, d, (0.51, 0.93, 0.12, 0.88))


def _car(builder: MeshBuilder, variant: str, size_m: tuple[float, float, float], rng: np.random.Generator) -> None:
    length, width, height = size_m
    colour = CAR_COLOURS[rng.choice(len(CAR_COLOURS), p=CAR_WEIGHTS / CAR_WEIGHTS.sum())]
    body = Paint(colour, gloss=0.12)
    f = length / 2
    tall = variant == "suv"
    sill, belt = height * (0.19 if tall else 0.15), height * (0.60 if tall else 0.62)
    hood = belt * (0.97 if tall else 0.93)
    nose = belt * (0.88 if tall else 0.80)
    deck = belt * (1.0 if variant == "sedan" else 1.02)
    stations = [
        (-f, sill + 0.12, deck * 0.90, width * 0.44), (-f + 0.12, sill, deck * 0.98, width * 0.485),
        (-f * 0.45, sill - 0.02, deck, width * 0.5), (f * 0.32, sill - 0.02, belt, width * 0.5),
        (f * 0.44, sill - 0.02, hood, width * 0.495), (f - 0.22, sill, nose * 1.02, width * 0.47),
        (f, sill + 0.08, nose * 0.86, width * 0.42),
    ]  # fmt: skip
    builder.part().loft(stations, body)
    dark = BLACK.but(layer=1, detail=1)
    for side in (1, -1):
        # A dark sill line and door gaps make the flank read as a car.
        y = side * (width / 2 + 0.004)
        builder.quad(
            [
                (-f * 0.5, y, sill - 0.02),
                (f * 0.5, y, sill - 0.02),
                (f * 0.5, y, sill + 0.07),
                (-f * 0.5, y, sill + 0.07),
            ],
            dark,
            inside=(0, 0, 0.5),
        )
        for x in (-f * 0.36, f * 0.03, f * 0.40):
            builder.quad(
                [(x, y, sill + 0.08), (x + 0.03, y, sill + 0.08), (x + 0.03, y, belt), (x, y, belt)],
                dark.but(detail=2),
                inside=(0, 0, 0.5),
            )
    _end(builder, f + 0.006, (-width * 0.30, width * 0.30, nose * 0.42, nose * 0.62), BLACK.but(layer=5, detail=1))
    _end(builder, f + 0.006, (-width * 0.40, width * 0.40, sill + 0.08, sill + 0.16), BLACK.but(layer=5, detail=1))
    _end(builder, -f - 0.006, (-width * 0.42, width * 0.42, sill + 0.10, sill + 0.22), BLACK.but(layer=5, detail=1))
    _lamps(builder, length, width * 0.94, (nose * 0.62, nose * 0.82, deck * 0.66, deck * 0.88))
    _wheels(builder, [-f * 0.60, f * 0.63], width, height * 0.215)
    rear, rear_top = {
        "sedan": (-f * 0.66, -f * 0.34), "hatchback": (-f * 0.96, -f * 0.66), "suv": (-f * 0.98, -f * 0.84),
        "estate": (-f * 0.97, -f * 0.80),
    }.get(variant, (-f * 0.66, -f * 0.34))  # fmt: skip
    _greenhouse(builder, (rear, rear_top, f * 0.06, f * 0.40), (belt * 0.99, height), width * 0.95, body)
    for side in (1, -1):
        builder.part().box((f * 0.27, side * (width / 2 + 0.07), belt + 0.06), (0.12, 0.18, 0.13), body.but(detail=1))


def _van(builder: MeshBuilder, size_m: tuple[float, float, float], rng: np.random.Generator) -> None:
    length, width, height = size_m
    body = Paint(VAN_COLOURS[rng.integers(len(VAN_COLOURS))], gloss=0.08)
    f, sill, belt = length / 2, 0.32, height * 0.54
    stations = [
        (-f, sill, height * 0.97, width * 0.49), (-f + 0.15, sill, height, width * 0.5), (f * 0.42, sill, height, width * 0.5),
        (f * 0.74, sill, belt, width * 0.5), (f - 0.12, sill, belt * 0.84, width * 0.48), (f, sill + 0.05, belt * 0.70, width * 0.45),
    ]  # fmt: skip
    builder.part().loft(stations, body, tumble=0.93)
    w = width / 2
    for side in (1, -1):
        y0, y1 = side * (w + 0.01), side * (w * 0.955 + 0.02)
        builder.quad(
            [(f * 0.36, y0, belt), (f * 0.70, y0, belt), (f * 0.47, y1, height * 0.9), (f * 0.36, y1, height * 0.9)],
            GLASS,
            inside=(0, 0, 1),
        )
        for x in (-f * 0.45, f * 0.30):
            builder.quad(
                [
                    (x, y0, sill + 0.1),
                    (x + 0.03, y0, sill + 0.1),
                    (x + 0.03, y1, height * 0.92),
                    (x, y1, height * 0.92),
                ],
                BLACK.but(layer=1, detail=2),
                inside=(0, 0, 1),
            )
        builder.quad(
            [(-f * 0.97, y0, sill), (f * 0.9, y0, sill), (f * 0.9, y0, sill + 0.12), (-f * 0.97, y0, sill + 0.12)],
            BLACK.but(layer=1, detail=1),
            inside=(0, 0, 1),
        )
    slope = lambda z: f * 0.42 + (height - z) / (height - belt) * f * 0.32 + 0.012  # noqa: E731
    low, high = belt + 0.05, height * 0.93
    builder.quad(
        [
            (slope(low), -w * 0.90, low),
            (slope(low), w * 0.90, low),
            (slope(high), w * 0.86, high),
            (slope(high), -w * 0.86, high),
        ],
        GLASS,
        inside=(0, 0, 1),
    )
    for side in (1, -1):
        _end(builder, -f - 0.01, (side * 0.05, side * w * 0.80, belt + 0.06, height * 0.86), GLASS)
    _end(builder, -f - 0.008, (-0.015, 0.015, sill + 0.1, height * 0.92), BLACK.but(layer=1, detail=1))
    _end(builder, f + 0.006, (-w * 0.6, w * 0.6, 0.5, 0.68), BLACK.but(layer=5, detail=1))
    _end(builder, -f - 0.01, (-w * 0.9, w * 0.9, sill, sill + 0.16), BLACK.but(layer=5, detail=1))
    _lamps(builder, length, width * 0.97, (0.72, 0.94, 0.85, 1.35))
    _wheels(builder, [-f * 0.58, f * 0.62], width, 0.34)


def _pickup(builder: MeshBuilder, size_m: tuple[float, float, float], rng: np.random.Generator) -> None:
    length, width, height = size_m
    body = Paint(CAR_COLOURS[rng.integers(len(CAR_COLOURS))], gloss=0.1)
    f, sill, belt = length / 2, 0.42, height * 0.60
    builder.part().loft(
        [(-f, sill, belt, width * 0.49), (-f * 0.02, sill, belt, width * 0.5), (f * 0.36, sill, belt * 0.99, width * 0.5), (f - 0.15, sill, belt * 0.90, width * 0.49), (f, sill + 0.05, belt * 0.80, width * 0.46)], body
    )  # fmt: skip
    builder.quad(
        [
            (-f + 0.1, -width * 0.42, belt + 0.01),
            (-f * 0.1, -width * 0.42, belt + 0.01),
            (-f * 0.1, width * 0.42, belt + 0.01),
            (-f + 0.1, width * 0.42, belt + 0.01),
        ],
        BLACK.but(layer=1),
        inside=(0, 0, 0),
    )
    _end(builder, f + 0.006, (-width * 0.33, width * 0.33, belt * 0.5, belt * 0.74), BLACK.but(layer=5, detail=1))
    _end(builder, -f - 0.006, (-width * 0.45, width * 0.45, sill, sill + 0.14), Paint(CHROME, layer=5, detail=1))
    _lamps(builder, length, width * 0.96, (belt * 0.58, belt * 0.76, belt * 0.62, belt * 0.95))
    _wheels(builder, [-f * 0.58, f * 0.62], width, 0.38)
    _greenhouse(builder, (-f * 0.05, 0.02 * f, f * 0.20, f * 0.42), (belt * 0.99, height), width * 0.94, body)


def _cargo(
    builder: MeshBuilder,
    plan: tuple[float, float],
    heights: tuple[float, float],
    width: float,
    colour: tuple[float, float, float],
) -> None:
    """A cargo box from x to x, cut along its length so that it sorts well; with doors and a stripe."""
    (rear, front), (low, high) = plan, heights
    cuts = np.linspace(rear, front, max(2, round((front - rear) / 4.0) + 1))
    paint = Paint(colour, gloss=0.05)
    w = width / 2
    for a, b in zip(cuts[:-1], cuts[1:], strict=True):
        builder.part().box(((a + b) / 2, 0, (low + high) / 2), (b - a, width, high - low), paint)
        for side in (1, -1):
            y = side * (w + 0.01)
            builder.quad(
                [(a, y, low), (b, y, low), (b, y, low + 0.10), (a, y, low + 0.10)],
                Paint(CHROME, layer=1, detail=1),
                inside=((a + b) / 2, 0, 1),
            )
            mid = low + 0.45 * (high - low)
            builder.quad(
                [(a, y, mid), (b, y, mid), (b, y, mid + 0.35), (a, y, mid + 0.35)],
                Paint(tuple(0.25 * c for c in colour), layer=1, detail=1),
                inside=((a + b) / 2, 0, 1),
            )
        if a == cuts[0]:
            for y0, y1 in ((-w * 0.96, -0.02), (0.02, w * 0.96)):
                _end(
                    builder,
                    rear - 0.01,
                    (y0, y1, low + 0.06, high - 0.06),
                    Paint(tuple(0.82 * c for c in colour), layer=1, detail=1),
                )
                _end(
                    builder,
                    rear - 0.014,
                    (0.6 * y1 + 0.4 * y0, 0.6 * y1 + 0.4 * y0 + 0.06, low + 0.1, high - 0.1),
                    Paint(CHROME, layer=2, detail=2),
                )
            for side in (1, -1):
                _end(
                    builder,
                    rear - 0.016,
                    (side * w * 0.45, side * w * 0.97, low - 0.02, low + 0.09),
                    Paint(srgb("#c8451f"), layer=3, detail=1),
                )


def _truck_rear(builder: MeshBuilder, rear: float, width: float) -> None:
    """Bumper with tail lamps below a cargo box."""
    w = width / 2
    builder.part().box((rear + 0.12, 0, 0.72), (0.2, width * 0.96, 0.34), BLACK)
    for side, turn in ((1, "left"), (-1, "right")):
        _end(
            builder,
            rear - 0.01,
            (side * w * 0.58, side * w * 0.94, 0.62, 0.86),
            Paint(srgb("#7a1212"), layer=6, lamp="tail"),
        )
        _end(
            builder,
            rear - 0.014,
            (side * w * 0.46, side * w * 0.57, 0.64, 0.82),
            Paint(srgb("#b56a28"), layer=7, lamp=turn, detail=1),
        )
    _end(builder, rear - 0.01, (-0.26, 0.26, 0.66, 0.78), Paint(srgb("#d9d8c8"), layer=6, detail=1))


def _cab(
    builder: MeshBuilder, plan: tuple[float, float], height: float, width: float, colour: tuple[float, float, float]
) -> None:
    """A truck cab with a wide flat windscreen, steps, grille and lamps."""
    rear, front = plan
    w, belt = width / 2, height * 0.55
    builder.part().loft(
        [
            (rear, 0.5, height, w),
            (front - 0.35, 0.45, height, w),
            (front, 0.45, belt, w * 0.98),
            (front + 0.02, 0.5, belt * 0.9, w * 0.97),
        ],
        Paint(colour, gloss=0.1),
    )
    slope = lambda z: front - 0.35 * (z - belt) / (height - belt) + 0.015  # noqa: E731
    low, high = belt + 0.05, height * 0.90
    middle = ((rear + front) / 2, 0, height / 2)
    builder.quad(
        [
            (slope(low), -w * 0.92, low),
            (slope(low), w * 0.92, low),
            (slope(high), w * 0.92, high),
            (slope(high), -w * 0.92, high),
        ],
        GLASS,
        inside=middle,
    )
    for side, turn in ((1, "left"), (-1, "right")):
        y = side * (w + 0.012)
        builder.quad(
            [
                (rear + 0.5, y, belt),
                (front - 0.15, y, belt),
                (front - 0.42, y, height * 0.88),
                (rear + 0.5, y, height * 0.88),
            ],
            GLASS,
            inside=middle,
        )
        _end(
            builder,
            front + 0.035,
            (side * w * 0.60, side * w * 0.94, 0.62, 0.84),
            Paint(srgb("#d9dee0"), layer=6, lamp="head"),
        )
        _end(
            builder,
            front + 0.04,
            (side * w * 0.86, side * w * 0.96, 0.86, 0.96),
            Paint(srgb("#b98235"), layer=7, lamp=turn, detail=1),
        )
    _end(builder, front + 0.03, (-w * 0.6, w * 0.6, 0.95, belt * 0.9), BLACK.but(layer=5, detail=1))
    _end(builder, front + 0.03, (-w * 0.95, w * 0.95, 0.45, 0.58), BLACK.but(layer=5, detail=1))


def _box_truck(builder: MeshBuilder, size_m: tuple[float, float, float], rng: np.random.Generator) -> None:
    length, width, height = size_m
    f = length / 2
    colour = BOX_COLOURS[rng.integers(len(BOX_COLOURS))]
    cab_rear = f - min(2.1, 0.3 * length)
    _wheels(builder.part(), [-f * 0.55, f - 0.95], width * 0.96, 0.46)
    builder.box((-0.3, 0, 0.75), (length * 0.86, width * 0.7, 0.32), BLACK.but(layer=-10))
    _cab(builder, (cab_rear, f), min(2.7, height * 0.84), width * 0.95, BOX_COLOURS[rng.integers(4)])
    _cargo(builder, (-f, cab_rear - 0.1), (0.98, height), width, colour)
    _truck_rear(builder, -f, width)


def _semi_truck(builder: MeshBuilder, size_m: tuple[float, float, float], rng: np.random.Generator) -> None:
    length, width, height = size_m
    f = length / 2
    colour = BOX_COLOURS[rng.integers(len(BOX_COLOURS))]
    _wheels(builder.part(), [-f + 1.3, -f + 2.5, -f + 3.7, f - 4.2, f - 1.2], width * 0.97, 0.5)
    builder.box((0, 0, 0.8), (length * 0.9, width * 0.6, 0.36), BLACK.but(layer=-10))
    _cab(builder, (f - 2.3, f), min(3.4, height * 0.88), width * 0.96, CAR_COLOURS[rng.integers(len(CAR_COLOURS))])
    _cargo(builder, (-f, f - 2.7), (1.08, height), width, colour)
    _truck_rear(builder, -f, width)


def _bus(builder: MeshBuilder, size_m: tuple[float, float, float], rng: np.random.Generator) -> None:
    length, width, height = size_m
    f, w = length / 2, width / 2
    colour = BUS_COLOURS[rng.integers(len(BUS_COLOURS))]
    paint, light = Paint(colour, gloss=0.1), Paint(srgb("#dedfdc"), layer=1)
    low, belt, top = 0.34, height * 0.40, height * 0.82
    cuts = np.linspace(-f, f, max(3, round(length / 3.6) + 1))
    for k, (a, b) in enumerate(zip(cuts[:-1], cuts[1:], strict=True)):
        builder.part().box(((a + b) / 2, 0, (low + height) / 2), (b - a, width, height - low), paint)
        middle = ((a + b) / 2, 0, 1.5)
        for side in (1, -1):
            y = side * (w + 0.012)
            lit = Paint(GLASS.colour, layer=2, gloss=0.3, lamp="window")
            for u, v in ((a + 0.08, (a + b) / 2 - 0.05), ((a + b) / 2 + 0.05, b - 0.08)):
                builder.quad([(u, y, belt), (v, y, belt), (v, y, top), (u, y, top)], lit, inside=middle)
            builder.quad(
                [(a, y, low), (b, y, low), (b, y, low + 0.22), (a, y, low + 0.22)],
                BLACK.but(layer=1, detail=1),
                inside=middle,
            )
            builder.quad(
                [(a, y, height - 0.28), (b, y, height - 0.28), (b, y, height - 0.06), (a, y, height - 0.06)],
                light.but(detail=1),
                inside=middle,
            )
            if side < 0 and k in (0, len(cuts) // 2, len(cuts) - 2):
                builder.quad(
                    [
                        (a + 0.3, y - 0.004, low + 0.05),
                        (a + 1.5, y - 0.004, low + 0.05),
                        (a + 1.5, y - 0.004, top),
                        (a + 0.3, y - 0.004, top),
                    ],
                    Paint(GLASS.colour, layer=3, detail=1, lamp="window"),
                    inside=middle,
                )
        if k == 0:
            _end(
                builder,
                -f - 0.012,
                (-w * 0.86, w * 0.86, height * 0.52, top),
                Paint(GLASS.colour, layer=2, gloss=0.3, lamp="window"),
            )
            _end(
                builder,
                -f - 0.012,
                (-w * 0.5, w * 0.5, height * 0.86, height * 0.95),
                Paint(srgb("#d58a1a"), layer=2, lamp="warm"),
            )
            _bus_lamps(builder, -f - 0.014, w, "tail")
        if b == cuts[-1]:
            _end(
                builder,
                f + 0.012,
                (-w * 0.93, w * 0.93, height * 0.36, height * 0.80),
                Paint(GLASS.colour, layer=2, gloss=0.3),
            )
            _end(
                builder,
                f + 0.012,
                (-w * 0.7, w * 0.7, height * 0.84, height * 0.95),
                Paint(srgb("#d58a1a"), layer=2, lamp="warm"),
            )
            _bus_lamps(builder, f + 0.014, w, "head")
    for x in (-f * 0.52, f * 0.56):
        part = 1 + int(np.searchsorted(cuts, x) - 1)
        keep, builder.num_parts = builder.num_parts, part
        for side in (1, -1):
            builder.disc((x, side * (w + 0.02), 0.48), 0.58, "y", BLACK.but(layer=3, detail=1), facing=side)
            builder.disc((x, side * (w + 0.025), 0.46), 0.46, "y", TYRE.but(layer=4), facing=side)
            builder.disc((x, side * (w + 0.03), 0.46), 0.26, "y", Paint(CHROME, layer=5, detail=1), facing=side)
        builder.num_parts = keep
    for x in (-f * 0.52, f * 0.56):
        builder.part().box((x, 0, 0.3), (0.8, width * 0.9, 0.6), TYRE.but(layer=-20))


def _bus_lamps(builder: MeshBuilder, x: float, w: float, lamp: str) -> None:
    colour = srgb("#7a1212") if lamp == "tail" else srgb("#d9dee0")
    for side, turn in ((1, "left"), (-1, "right")):
        _end(builder, x, (side * w * 0.70, side * w * 0.95, 0.62, 0.90), Paint(colour, layer=6, lamp=lamp))
        _end(
            builder,
            x,
            (side * w * 0.82, side * w * 0.95, 0.94, 1.08),
            Paint(srgb("#b56a28"), layer=7, lamp=turn, detail=1),
        )
