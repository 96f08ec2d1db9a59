"""Shapes of bicycles and motorcycles, with and without riders."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from worldgen.rendering.shapes.bicycles import LEAN_RAD, BicycleFrame, add_bicycle
from worldgen.rendering.shapes.figure import Clothes, add_figure, plain
from worldgen.rendering.shapes.gait import Stature
from worldgen.rendering.shapes.heads import TOP, HeadFrame, Headwear, add_head, add_helmet
from worldgen.rendering.shapes.motorcycles import MotorcycleFrame, add_motorcycle
from worldgen.rendering.shapes.riders import Seat, rider_pose, rider_stature
from worldgen.rendering.shapes.solid import Finish, Shape
from worldgen.rendering.shapes.solid_builder import SolidBuilder
from worldgen.rendering.shapes.tints import draw_tint, linear, shade
from worldgen.rendering.shapes.walkers import NIGHT_CLOTH

Size = tuple[float, float, float]
BICYCLE_KINDS = ("city", "city", "trekking", "trekking", "road")
MOTORCYCLE_KINDS = ("naked", "sport", "touring", "scooter", "scooter")
LEG_STRETCH = 0.955
"""Distance from hip to ankle with the pedal at its lowest, as a share of the leg."""


def bicycle_shape(size_m: Size, rng: np.random.Generator) -> Shape:
    """A bicycle without a rider. size_m: its height is that of the handlebar."""
    builder = SolidBuilder()
    kind = BICYCLE_KINDS[int(rng.integers(len(BICYCLE_KINDS)))]
    drop = {"city": 0.10, "trekking": 0.06, "road": 0.03}[kind]
    bike = BicycleFrame.of(kind, size_m[0], size_m[2] - drop, size_m[2] - 0.014)
    add_bicycle(builder, bike, rng.uniform(0.0, 2 * np.pi, 1), draw_tint("bicycle", rng))
    return Shape(builder.build(), size_m)


def cyclist_shape(size_m: Size, phase: np.ndarray, rng: np.random.Generator, *, dark: bool = False) -> Shape:
    """A bicycle with a pedalling rider over T frames.

    size_m: length of the bicycle, width, height of the rider's crown. phase: ``(T,)`` crank angle in radians, 0 when
    the left crank points forward. dark: wears dark clothes.
    """
    phase = np.asarray(phase, float)
    kind = BICYCLE_KINDS[int(rng.integers(len(BICYCLE_KINDS)))]
    helmet = "bicycle" if rng.random() < (0.9 if kind == "road" else 0.5) else ""
    colour = draw_tint("bicycle", rng)
    clothes, wear = _cycling_clothes(rng, kind=kind, dark=dark)
    shell = Finish(draw_tint("helmet", rng), gloss=0.5)
    body, bike, seat = fitted_rider(size_m, kind, phase, helmet)
    builder = SolidBuilder()
    add_bicycle(builder, bike, phase, colour)
    pose = rider_pose(body, seat)
    add_figure(builder, body, pose, clothes, rng)
    frame = HeadFrame(pose.head, pose.head_pitch, body.head / TOP)
    add_head(builder, frame, wear)
    if helmet:
        add_helmet(builder, frame, helmet, shell)
    if kind != "road" and rng.random() < 0.3:
        bag = plain(draw_tint("bag", rng), carried=True)
        middle = 0.42 * pose.pelvis + 0.58 * pose.chest + np.array([-0.105, 0.0, 0.04]) * body.height
        builder.ellipsoid(middle, (0.085, 0.14, 0.22), bag, power=3.0, sides=10, bands=7)
    return Shape(builder.build(), size_m)


def fitted_rider(size_m: Size, kind: str, phase: np.ndarray, helmet: str) -> tuple[Stature, BicycleFrame, Seat]:
    """The rider and the height of the saddle with which the crown is at the height and the legs reach the pedals."""
    lean = LEAN_RAD[kind]
    saddle = 0.88 * size_m[2] / 1.72
    for _ in range(12):  # a contraction: a higher saddle wants longer legs, which leave less for the trunk
        bike = BicycleFrame.of(kind, size_m[0], saddle)
        pitch = -0.22 + 0.16 * np.sin(phase[:, None] + np.array([0.0, np.pi]) + 0.6)
        seat = Seat(
            bike.saddle, bike.grips, bike.pedals(phase) + np.array([0.0, 0.0, 0.014]), lean, pitch,
            bow_m=0.03 + 0.05 * lean, knees_out=0.06, helmet=helmet, look_rad=-0.12 if kind == "road" else 0.0,
        )  # fmt: skip
        body = Stature.of(rider_stature(size_m[2], saddle, seat), grown=True)
        lowest = bike.pedals(np.array([np.pi / 2]))[0, 0]
        ankle = lowest + np.array([-0.38 * body.foot, 0.0, 0.014 + 1.25 * body.ankle])
        across = ankle[0] - bike.saddle[0]
        leg = LEG_STRETCH * (body.thigh + body.shank)
        wanted = ankle[2] + np.sqrt(leg**2 - across**2) - 0.056 * body.height
        saddle = 0.5 * saddle + 0.5 * float(wanted)
    return body, bike, seat


def _cycling_clothes(rng: np.random.Generator, *, kind: str, dark: bool) -> tuple[Clothes, Headwear]:
    """Clothes of a cyclist, and the head under a helmet."""
    sporty = kind == "road"
    top = plain(draw_tint("jacket" if rng.random() < 0.6 else "shirt", rng))
    trousers = plain(draw_tint("trousers", rng))
    skin, shoe = plain(draw_tint("skin", rng, spread=0.08)), plain(draw_tint("shoe", rng))
    if dark:
        top, trousers = plain(shade(NIGHT_CLOTH, float(rng.uniform(0.7, 1.5)))), plain(NIGHT_CLOTH)
    if sporty:
        trousers = plain(linear("#1b1c1f"))
    bare = rng.random() < (0.7 if sporty else 0.3)
    clothes = Clothes(
        top, trousers, shoe, skin, hem=-0.09, sleeves=-0.4 if bare else 0.96, legs=-1.0 if bare else 1.0,
        thick=0.004 if sporty else 0.009, girth=float(rng.uniform(0.92, 1.06)),
    )  # fmt: skip
    hair = plain(draw_tint("dark_hair" if skin.colour[1] < 0.2 else "hair", rng), gloss=0.1)
    style = ("short", "short", "bun" if sporty else "long")[int(rng.integers(3))]
    return clothes, Headwear(skin, hair, style, beard=style == "short" and rng.random() < 0.2)


def motorcyclist_shape(size_m: Size, rng: np.random.Generator, *, dark: bool = False) -> Shape:
    """A motorcycle or scooter with a helmeted rider. size_m: length and width of the machine, height of the crown.

    dark: wears dark clothes.
    """
    kind = MOTORCYCLE_KINDS[int(rng.integers(len(MOTORCYCLE_KINDS)))]
    machine = MotorcycleFrame.of(kind, size_m)
    builder = SolidBuilder()
    add_motorcycle(builder, machine, draw_tint("motorcycle", rng), rng)
    clothes, shell, helmet, wear = _riding_clothes(rng, kind=kind, dark=dark)
    seat = replace(machine.seat, helmet=helmet)
    body = Stature.of(rider_stature(size_m[2], float(seat.seat[2]), seat), grown=True)
    pose = rider_pose(body, seat)
    add_figure(builder, body, pose, clothes, rng)
    frame = HeadFrame(pose.head, pose.head_pitch, body.head / TOP)
    if helmet == "open":
        add_head(builder, frame, wear)
    add_helmet(builder, frame, helmet, shell)
    return Shape(builder.build(), size_m)


def _riding_clothes(rng: np.random.Generator, *, kind: str, dark: bool) -> tuple[Clothes, Finish, str, Headwear]:
    """Clothes of a motorcyclist, finish and kind of the helmet, and the head in it."""
    casual = kind == "scooter" and rng.random() < 0.7
    top = plain(draw_tint("jacket" if casual or rng.random() < 0.3 else "leather", rng), gloss=0.0 if casual else 0.2)
    trousers = plain(draw_tint("trousers" if casual or rng.random() < 0.5 else "leather", rng))
    if dark:
        top, trousers = plain(NIGHT_CLOTH), plain(NIGHT_CLOTH)
    skin = plain(draw_tint("skin", rng, spread=0.08))
    glove = skin if casual else plain(linear("#191a1b"))
    clothes = Clothes(
        top, trousers, plain(linear("#1b1b1c"), gloss=0.2), glove, hem=-0.09, thick=0.014,
        girth=float(rng.uniform(0.98, 1.12)),
    )  # fmt: skip
    helmet = "open" if casual and rng.random() < 0.6 else "full"
    hair = plain(draw_tint("hair", rng))
    return clothes, Finish(draw_tint("helmet", rng), gloss=0.9), helmet, Headwear(skin, hair, "short")
