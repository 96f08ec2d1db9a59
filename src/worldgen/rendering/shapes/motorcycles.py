"""Motorcycles and scooters as machines: wheels, forks, engines, tanks, lamps and plates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from worldgen.rendering.shapes.lofts import loft, rod, tube
from worldgen.rendering.shapes.riders import Seat
from worldgen.rendering.shapes.solid import Finish
from worldgen.rendering.shapes.solid_builder import SolidBuilder, turn_y
from worldgen.rendering.shapes.tints import Tint, linear

LEFT = np.array([0.0, 1.0, 0.0])
RUBBER = Finish(linear("#161617"), machine=True)
BLACK = Finish(linear("#1a1b1d"), gloss=0.35, machine=True)
ENGINE = Finish(linear("#3b3d40"), gloss=0.5, machine=True)
CHROME = Finish(linear("#85888b"), gloss=1.6, machine=True)
SEAT_COVER = Finish(linear("#1b1a1a"), gloss=0.15, machine=True)
HEADLAMP = Finish(linear("#c3c7c8"), gloss=1.3, lamp="head", machine=True)
TAIL_LAMP = Finish(linear("#7a1614"), gloss=0.9, lamp="tail", machine=True)
PLATE = Finish(linear("#c9c8bd"), gloss=0.2, machine=True)
MIRROR = Finish(linear("#55595d"), gloss=2.0, machine=True)
SCREEN = Finish(linear("#2a3034"), gloss=1.0, machine=True)
AMBER = linear("#b5651f")


@dataclass(frozen=True, eq=False)
class MotorcycleFrame:
    """The points of a motorcycle in metres: kind, scale of heights, axles x, wheel radii, half width, the seat of its
    rider, the height of the handlebar."""

    kind: str
    scale: float
    front: float
    rear: float
    radii: tuple[float, float]
    half_width: float
    seat: Seat
    bar: np.ndarray

    @classmethod
    def of(cls, kind: str, size_m: tuple[float, float, float]) -> MotorcycleFrame:
        """A machine as long and wide as ``size_m`` for a rider whose crown is at its height."""
        k = size_m[2] / 1.5
        scooter = kind == "scooter"
        radii = (0.25, 0.25) if scooter else (0.305, 0.31)
        front, rear = size_m[0] / 2 - radii[0] - 0.01, -size_m[0] / 2 + radii[1] + (0.10 if scooter else 0.04)
        wide = size_m[1] / 2 * 0.90
        seat_x, seat_z, lean, bow = {
            "naked": (-0.22, 0.675, 0.36, 0.03), "sport": (-0.20, 0.70, 0.62, 0.06),
            "touring": (-0.28, 0.665, 0.20, 0.02), "scooter": (-0.34, 0.655, 0.12, 0.02),
        }[kind]  # fmt: skip
        bar = {
            "naked": (0.31, 0.985), "sport": (0.40, 0.90), "touring": (0.22, 1.02), "scooter": (0.20, 0.98),
        }[kind]  # fmt: skip
        foot = {
            "naked": (-0.10, 0.30, 0.20), "sport": (-0.22, 0.35, 0.20), "touring": (0.06, 0.28, 0.23),
            "scooter": (0.24, 0.30, 0.13),
        }[kind]  # fmt: skip
        grips = np.array([(bar[0] - 0.03, side * (wide - 0.06), bar[1] * k) for side in (1, -1)])
        feet = np.array([[(foot[0], side * foot[2], foot[1] * k) for side in (1, -1)]])
        seat = Seat(
            np.array([seat_x, 0.0, seat_z * k]), grips, feet, lean, np.full((1, 2), -0.1 if not scooter else 0.05),
            bow_m=bow, knees_out=0.35 if not scooter else 0.12, helmet="full", look_rad=-0.05,
        )  # fmt: skip
        return cls(kind, k, front, rear, radii, wide, seat, np.array([bar[0], 0.0, bar[1] * k]))


def add_motorcycle(builder: SolidBuilder, machine: MotorcycleFrame, colour: Tint, rng: np.random.Generator) -> None:
    """Add the machine without its rider."""
    paint = Finish(colour, gloss=1.0, machine=True)
    scooter = machine.kind == "scooter"
    for x, radius, thick in (
        (machine.front, machine.radii[0], 0.062 if not scooter else 0.056),
        (machine.rear, machine.radii[1], 0.088 if not scooter else 0.066),
    ):
        _add_wheel(builder, x, radius, thick, disc=x > 0)
    _add_fork(builder, machine, paint)
    if scooter:
        _add_scooter_body(builder, machine, paint)
    else:
        _add_motorcycle_body(builder, machine, paint)
    _add_bar(builder, machine)
    _add_rear(builder, machine, paint)
    if machine.kind == "touring" or (scooter and rng.random() < 0.4):
        _add_cases(builder, machine, Finish(linear("#27292c"), gloss=0.4, machine=True))


def _add_wheel(builder: SolidBuilder, x: float, radius: float, thick: float, *, disc: bool) -> None:
    centre = (x, 0.0, radius)
    builder.ring(centre, (radius - thick, thick), RUBBER, sides=22, tube=7)
    builder.ring(centre, (radius - 1.75 * thick, 0.020), ENGINE, sides=16, tube=4)
    builder.ellipsoid(centre, (0.05, 0.085, 0.05), ENGINE, sides=6, bands=4)
    for k in range(5):
        angle = 2 * np.pi * k / 5 + 0.3
        reach = radius - 1.7 * thick
        rim = (x + reach * np.cos(angle), 0.0, radius + reach * np.sin(angle))
        rod(builder, centre, rim, (0.024, 0.016), ENGINE, sides=5)
    for y in (0.06, -0.06) if disc else (0.08,):
        builder.lathe(
            (x, y, radius), ((-0.004, 0.06), (-0.004, 0.135), (0.004, 0.135), (0.004, 0.06)), CHROME, sides=18
        )


def _add_fork(builder: SolidBuilder, machine: MotorcycleFrame, paint: Finish) -> None:
    k, x, radius = machine.scale, machine.front, machine.radii[0]
    head = np.array([x - 0.36 * k, 0.0, 0.86 * k])
    for y in (0.095, -0.095):
        rod(builder, (x, y, radius), (x - 0.17, y, radius + 0.29), (0.032, 0.030), ENGINE, sides=8, ends=0.4)
        rod(builder, (x - 0.17, y, radius + 0.29), head + y * LEFT, 0.023, CHROME, sides=8)
    angle = np.linspace(0.55, 2.35, 8)
    out = radius + 0.028
    path = np.stack([x + out * np.cos(angle), 0 * angle, radius + out * np.sin(angle)], -1)
    tube(builder, path, np.array([(0.008, 0.075)] * 8), paint, left=LEFT, sides=8)


def _add_motorcycle_body(builder: SolidBuilder, machine: MotorcycleFrame, paint: Finish) -> None:
    """Engine, frame, tank, seat, headlamp or fairing of a motorcycle."""
    k, x = machine.scale, machine.front
    seat = machine.seat.seat
    builder.ellipsoid((0.06, 0.0, 0.40 * k), (0.27, 0.185, 0.19 * k), ENGINE, power=3.2, sides=9, bands=6)
    builder.ellipsoid((0.14, 0.0, 0.58 * k), (0.16, 0.20, 0.10 * k), ENGINE, power=3.0, sides=9, bands=6)
    builder.box((x - 0.42, 0.0, 0.52 * k), (0.05, 0.30, 0.26 * k), BLACK, turn=turn_y(-0.25))
    for side in (1, -1):
        rod(
            builder,
            (machine.rear, side * 0.10, machine.radii[1]),
            (-0.14, side * 0.13, 0.40 * k),
            (0.030, 0.036),
            ENGINE,
            sides=6,
        )
        rod(builder, (x - 0.38, side * 0.06, 0.84 * k), (-0.12, side * 0.14, 0.46 * k), (0.03, 0.035), BLACK, sides=6)
        rod(
            builder, (-0.16, side * 0.14, 0.60 * k), (machine.rear - 0.02, side * 0.10, 0.72 * k), 0.022, BLACK, sides=5
        )
    tank = np.array([
        (0.44, 0.045, 0.06), (0.37, 0.085, 0.115), (0.22, 0.115, 0.155), (0.06, 0.105, 0.14), (-0.06, 0.075, 0.095),
    ])  # fmt: skip
    top = (0.765, 0.80, 0.815, 0.785, 0.745)
    centres = np.stack([tank[:, 0], 0 * tank[:, 0], np.array(top) * k], -1)
    loft(
        builder,
        centres,
        (np.array([0.0, 0.0, 1.0])[None, None], LEFT[None, None]),
        tank[:, 1:] * [k, 1.0],
        paint,
        sides=12,
        power=2.5,
    )
    builder.ellipsoid(
        seat + np.array([0.02, 0.0, -0.055]), (0.25, 0.145, 0.058), SEAT_COVER, power=2.6, sides=9, bands=6
    )
    builder.ellipsoid(
        (seat[0] - 0.33, 0.0, seat[2] + 0.03), (0.22, 0.125, 0.055), SEAT_COVER, power=2.6, sides=9, bands=6
    )
    builder.ellipsoid(
        (machine.rear + 0.02, 0.0, seat[2] + 0.01), (0.21, 0.11, 0.065), paint, power=2.4, sides=9, bands=6
    )
    pipe = np.array([(0.27, -0.16, 0.48), (0.24, -0.17, 0.27), (-0.10, -0.18, 0.24), (-0.40, -0.19, 0.31)]) * [1, 1, k]
    tube(builder, pipe, np.full(4, 0.028), CHROME, left=LEFT, sides=7)
    rod(builder, pipe[-1], (machine.rear - 0.06, -0.20, 0.43 * k), (0.045, 0.062), CHROME, sides=9, ends=0.2)
    for side in (1, -1):
        peg = machine.seat.feet[0, 0 if side > 0 else 1]
        rod(
            builder,
            peg - np.array([0.0, side * 0.10, 0.012]),
            peg - np.array([0.0, -side * 0.05, 0.012]),
            0.014,
            BLACK,
            sides=5,
        )
    if machine.kind == "naked":
        _add_headlamp(builder, np.array([x - 0.235, 0.0, 0.845 * k]), 0.098)
        builder.ellipsoid((x - 0.30, 0.0, 0.955 * k), (0.06, 0.10, 0.045), BLACK, sides=6, bands=4)
    else:
        _add_fairing(builder, machine, paint)


def _add_fairing(builder: SolidBuilder, machine: MotorcycleFrame, paint: Finish) -> None:
    """A half fairing with two headlamps and a screen."""
    k, x = machine.scale, machine.front
    sport = machine.kind == "sport"
    rings = np.array(
        [(-0.50, 0.20, 0.20), (-0.38, 0.205, 0.235), (-0.26, 0.17, 0.205), (-0.15, 0.115, 0.135), (-0.09, 0.05, 0.055)]
    )
    centres = np.stack([x + rings[:, 0], 0 * rings[:, 0], np.array((0.78, 0.80, 0.80, 0.775, 0.75)) * k], -1)
    axes = np.array([0.0, 0.0, 1.0])[None, None], -LEFT[None, None]
    loft(builder, centres, axes, rings[:, 1:] * [k, 1.0], paint, sides=12, power=2.4, ends=(0.1, 0.5))
    for side in (1, -1):
        builder.ellipsoid((x - 0.175, side * 0.082, 0.80 * k), (0.055, 0.062, 0.046), HEADLAMP, sides=9, bands=6)
        builder.ellipsoid(
            (x - 0.42, side * 0.175, 0.55 * k), (0.20, 0.035, 0.17 * k), paint, power=2.6, sides=9, bands=6
        )
    high = 0.13 if sport else 0.24
    builder.ellipsoid(
        (x - 0.36, 0.0, (0.93 + high / 2) * k), (0.05, 0.19, high * k), SCREEN, turn=turn_y(-0.55), sides=9, bands=6
    )


def _add_headlamp(builder: SolidBuilder, centre: np.ndarray, radius: float) -> None:
    """A round headlamp that faces forward in a black shell."""
    shell = [(-0.13, 0.02), (-0.10, 0.62), (-0.03, 1.0), (0.015, 1.06), (0.02, 0.95)]
    turned = [(o, r * radius) for o, r in shell]
    offset, ring = np.array(turned).T
    points = centre + np.stack([offset, 0 * offset, 0 * offset], -1)
    axes = LEFT[None, None], np.array([0.0, 0.0, 1.0])[None, None]
    loft(builder, points, axes, np.stack([ring, ring], -1), BLACK, sides=14, ends=(0.0, 0.0))
    builder.ellipsoid(
        centre + np.array([0.012, 0.0, 0.0]), (0.035, 0.94 * radius, 0.94 * radius), HEADLAMP, sides=12, bands=6
    )


def _add_scooter_body(builder: SolidBuilder, machine: MotorcycleFrame, paint: Finish) -> None:
    """Leg shield, footboard, rear body and seat of a scooter."""
    k, x, seat = machine.scale, machine.front, machine.seat.seat
    shield = np.array(
        [(x - 0.24, 0.055, 0.20), (x - 0.29, 0.06, 0.215), (x - 0.35, 0.055, 0.19), (x - 0.385, 0.05, 0.13)]
    )
    centres = np.stack([shield[:, 0], 0 * shield[:, 0], np.array((0.36, 0.52, 0.70, 0.84)) * k], -1)
    axes = np.array([1.0, 0.0, 0.0])[None, None], LEFT[None, None]
    loft(builder, centres, axes, shield[:, 1:], paint, sides=12, power=2.6)
    builder.ellipsoid((x - 0.16, 0.0, 0.42 * k), (0.20, 0.11, 0.15), paint, power=2.3, sides=9, bands=6)
    builder.box((0.02, 0.0, 0.255 * k), (x - 0.22, 0.36, 0.09), BLACK)
    rear = np.array(
        [(0.02, 0.10, 0.15), (-0.12, 0.17, 0.185), (-0.45, 0.19, 0.20), (-0.75, 0.14, 0.165), (-0.93, 0.06, 0.09)]
    )
    rear[:, 0] *= -(machine.rear - 0.12) / 0.93
    centres = np.stack([rear[:, 0], 0 * rear[:, 0], np.array((0.38, 0.43, 0.48, 0.53, 0.57)) * k], -1)
    loft(
        builder,
        centres,
        (np.array([0.0, 0.0, 1.0])[None, None], LEFT[None, None]),
        rear[:, 1:] * [k, 1.0],
        paint,
        sides=12,
        power=2.6,
    )
    builder.ellipsoid(
        (seat[0] - 0.10, 0.0, seat[2] - 0.045), (0.42, 0.16, 0.055), SEAT_COVER, power=2.8, sides=9, bands=6
    )
    rod(builder, (-0.15, -0.17, 0.24), (machine.rear - 0.10, -0.17, 0.33), (0.05, 0.06), BLACK, sides=8, ends=0.3)
    _add_headlamp(builder, np.array([machine.bar[0] + 0.11, 0.0, machine.bar[2] - 0.045]), 0.082)
    builder.ellipsoid(machine.bar + np.array([0.05, 0.0, -0.03]), (0.10, 0.16, 0.075), paint, sides=9, bands=6)
    rod(builder, (x - 0.30, 0.0, 0.70 * k), machine.bar, 0.04, BLACK, sides=6)


def _add_bar(builder: SolidBuilder, machine: MotorcycleFrame) -> None:
    """Handlebar, grips, mirrors and indicators."""
    bar, wide = machine.bar, machine.half_width
    middle = bar + np.array([0.05, 0.0, -0.04])
    for side, name in ((1, "left"), (-1, "right")):
        end = bar + np.array([-0.05, side * wide, 0.0])
        path = np.stack([middle, middle + np.array([0.0, side * 0.12, 0.03]), end])
        tube(builder, path, np.array([0.014, 0.014, 0.017]), BLACK, left=np.array([0.3, 0.0, 1.0]), sides=6)
        stalk = bar + np.array([0.0, side * (wide - 0.12), 0.0])
        glass = stalk + np.array([0.03, side * 0.07, 0.19])
        rod(builder, stalk, glass, 0.008, BLACK, sides=4)
        builder.ellipsoid(glass, (0.026, 0.090, 0.060), BLACK, power=2.6, sides=9, bands=6)
        builder.ellipsoid(
            glass - np.array([0.012, 0.0, 0.0]), (0.016, 0.078, 0.050), MIRROR, power=2.6, sides=9, bands=6
        )
        for x, z, y in (
            (machine.front - 0.27, 0.80 * machine.scale, 0.20),
            (machine.rear - 0.10, machine.seat.seat[2] - 0.05, 0.17),
        ):
            lamp = Finish(AMBER, gloss=0.8, lamp=name, machine=True)
            builder.ellipsoid((x, side * y, z), (0.034, 0.042, 0.034), lamp, sides=6, bands=4)
            rod(builder, (x, side * (y - 0.12), z), (x, side * y, z), 0.009, BLACK, sides=4)


def _add_rear(builder: SolidBuilder, machine: MotorcycleFrame, paint: Finish) -> None:
    """Tail lamp, plate, rear mudguard."""
    k, rear = machine.scale, machine.rear
    end, high = rear - machine.radii[1] + 0.02, machine.seat.seat[2]
    lamp = np.array([max(end + 0.05, rear - 0.24), 0.0, high - 0.005])
    builder.ellipsoid(lamp, (0.038, 0.112, 0.052), TAIL_LAMP, power=2.6, sides=9, bands=6)
    path = np.stack([(lamp[0] + 0.06, 0.0, high - 0.03), (end + 0.05, 0.0, high - 0.12), (end - 0.005, 0.0, 0.42 * k)])
    tube(builder, path, np.array([(0.012, 0.085), (0.012, 0.08), (0.012, 0.07)]), BLACK, left=LEFT, sides=8)
    builder.box((end - 0.005, 0.0, high - 0.16 * k), (0.012, 0.20, 0.145), PLATE, turn=turn_y(0.25))


def _add_cases(builder: SolidBuilder, machine: MotorcycleFrame, finish: Finish) -> None:
    """A top case, and side cases on a touring machine."""
    x, high = machine.rear, machine.seat.seat[2]
    builder.ellipsoid((x - 0.02, 0.0, high + 0.21), (0.20, 0.22, 0.14), finish, power=3.6, sides=9, bands=6)
    builder.box((x + 0.02, 0.0, high + 0.06), (0.28, 0.16, 0.04), BLACK)
    if machine.kind == "touring":
        for side in (1, -1):
            builder.ellipsoid(
                (x - 0.02, side * 0.26, high - 0.17), (0.24, 0.10, 0.16), finish, power=3.6, sides=9, bands=6
            )
