"""Shapes of animals on the road: deer and dogs that stand, walk or trot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from worldgen.rendering.shapes.gait import swung
from worldgen.rendering.shapes.lofts import tube
from worldgen.rendering.shapes.solid import Finish, Shape, Solid
from worldgen.rendering.shapes.solid_builder import SolidBuilder
from worldgen.rendering.shapes.tints import Tint, blend, draw_tint, linear, shade

LEFT = np.array([0.0, 1.0, 0.0])


@dataclass(frozen=True)
class LegPlan:
    """A leg of three bones and a hoof or paw.

    joint: x, z of its upper joint (m). lengths: of the bones (m). rest_deg: of the bones, forward from hanging down.
    swing_deg: how far each swings. fold_deg: how far they fold back while the foot moves forward. radii: at the joints,
    and of the hoof (m).
    """

    joint: tuple[float, float]
    lengths: tuple[float, float, float]
    rest_deg: tuple[float, float, float]
    swing_deg: tuple[float, float, float]
    fold_deg: tuple[float, float, float]
    radii: tuple[float, float, float, float, float]


@dataclass(frozen=True)
class AnimalPlan:
    """An animal in metres at its own length and height of back. trunk: rings (x, z, half height, half width) from the
    rump to the breast. neck, head: rings (x, z, half height, half width). fore, hind: legs. spread: y of the legs."""

    trunk: tuple[tuple[float, float, float, float], ...]
    neck: tuple[tuple[float, float, float, float], ...]
    head: tuple[tuple[float, float, float, float], ...]
    fore: LegPlan
    hind: LegPlan
    spread: float


DEER = AnimalPlan(
    trunk=(
        (-0.66, 0.78, 0.07, 0.06), (-0.60, 0.755, 0.135, 0.115), (-0.46, 0.735, 0.175, 0.155),
        (-0.20, 0.715, 0.170, 0.160), (0.06, 0.700, 0.190, 0.165), (0.26, 0.705, 0.200, 0.150),
        (0.40, 0.745, 0.165, 0.115), (0.48, 0.775, 0.10, 0.07),
    ),
    neck=(
        (0.34, 0.79, 0.13, 0.095), (0.47, 0.90, 0.105, 0.075), (0.56, 1.01, 0.085, 0.062), (0.615, 1.085, 0.07, 0.055),
    ),
    head=(
        (0.545, 1.125, 0.045, 0.045), (0.60, 1.125, 0.075, 0.068), (0.68, 1.095, 0.070, 0.060),
        (0.78, 1.045, 0.047, 0.040), (0.85, 1.015, 0.034, 0.032),
    ),
    fore=LegPlan(
        (0.28, 0.64), (0.32, 0.24, 0.08), (4, 0, 14), (24, 22, 14), (0, 62, 50), (0.075, 0.038, 0.026, 0.022, 0.030)
    ),
    hind=LegPlan(
        (-0.46, 0.70), (0.25, 0.28, 0.27), (24, -36, 2), (20, 22, 26), (-14, 26, 52), (0.11, 0.068, 0.034, 0.026, 0.03)
    ),
    spread=0.085,
)  # fmt: skip
DOG = AnimalPlan(
    trunk=(
        (-0.29, 0.375, 0.035, 0.03), (-0.26, 0.365, 0.065, 0.055), (-0.17, 0.355, 0.078, 0.070),
        (-0.04, 0.345, 0.078, 0.072), (0.08, 0.335, 0.098, 0.082), (0.17, 0.345, 0.095, 0.074),
        (0.23, 0.37, 0.06, 0.045),
    ),
    neck=((0.16, 0.385, 0.065, 0.055), (0.23, 0.435, 0.058, 0.050), (0.275, 0.485, 0.052, 0.047)),
    head=(
        (0.225, 0.515, 0.035, 0.038), (0.265, 0.52, 0.058, 0.058), (0.32, 0.51, 0.050, 0.050),
        (0.36, 0.485, 0.033, 0.032),
        (0.42, 0.475, 0.026, 0.025),
    ),
    fore=LegPlan(
        (0.13, 0.31), (0.155, 0.12, 0.04), (4, -2, 22), (25, 24, 14), (0, 52, 40), (0.046, 0.028, 0.020, 0.018, 0.026)
    ),
    hind=LegPlan(
        (-0.19, 0.345), (0.13, 0.14, 0.13), (26, -38, 6), (20, 22, 24), (-12, 24, 44),
        (0.064, 0.044, 0.023, 0.019, 0.026)
    ),
    spread=0.048,
)  # fmt: skip


def creature_shape(
    variant: str, size_m: tuple[float, float, float], phase: np.ndarray, speed: np.ndarray, rng: np.random.Generator
) -> Shape:
    """A deer or a dog over T frames.

    variant: "deer" or "dog". size_m: length, width and height of its highest point, ears or antlers. phase: ``(T,)`` of
    the gait in radians. speed: ``(T,)`` m/s; the legs come to rest below a slow walk.
    """
    plan = DEER if variant == "deer" else DOG
    coat = draw_tint(variant, rng)
    stag = variant == "deer" and rng.random() < 0.45
    builder = SolidBuilder()
    amount = np.clip(np.abs(np.asarray(speed, float)) / 0.4, 0.0, 1.0)
    _add_trunk(builder, plan, coat, variant)
    for fore, side, beat in ((1, 1, 0.0), (1, -1, np.pi), (0, 1, np.pi), (0, -1, 0.0)):
        _add_leg(builder, plan, coat, np.asarray(phase, float) + beat, amount, fore=bool(fore), side=side)
    if variant == "deer":
        _add_deer_details(builder, coat, stag=stag)
    else:
        _add_dog_details(builder, coat, pointed=rng.random() < 0.5)
    return Shape(_fitted(builder, size_m), size_m)


def _fitted(builder: SolidBuilder, size_m: tuple[float, float, float]) -> Solid:
    """The solid at its size, with its lowest point on the ground in every frame."""
    solid = builder.build()
    vertices = solid.vertices.astype(float)
    vertices[..., 2] -= vertices[..., 2].min(1, keepdims=True)
    low, high = vertices[0].min(0), vertices.max((0, 1))
    scale = np.array([size_m[0] / (high[0] - low[0]), 1.0, size_m[2] / high[2]])
    scale[1] = (scale[0] * scale[2]) ** 0.5
    vertices[..., 0] -= (high[0] + low[0]) / 2
    normals = solid.normals / scale
    normals = normals / np.linalg.norm(normals, axis=-1, keepdims=True).clip(1e-9)
    return Solid(
        (vertices * scale).astype(np.float32), normals.astype(np.float32), solid.triangles, solid.finishes, solid.finish
    )


def _rings(
    builder: SolidBuilder, table: tuple[tuple[float, float, float, float], ...], finish: Finish, sides: int
) -> None:
    """A tube through rings (x, z, half height, half width) in the middle plane."""
    x, z, high, wide = np.array(table).T
    tube(
        builder,
        np.stack([x, 0 * x, z], -1),
        np.stack([high, wide], -1),
        finish,
        left=LEFT,
        sides=sides,
        ends=(0.7, 0.7),
    )


def _add_trunk(builder: SolidBuilder, plan: AnimalPlan, coat: Tint, variant: str) -> None:
    fur = Finish(coat)
    _rings(builder, plan.trunk, fur, 14)
    belly = np.array(plan.trunk)[2:-1]
    belly[:, 1] -= 0.16 * belly[:, 2]
    belly[:, 2:] *= (0.90, 0.86)
    _rings(builder, tuple(map(tuple, belly)), Finish(blend(coat, linear("#c9bda6"), 0.45)), 10)
    _rings(builder, plan.neck, fur, 10)
    _rings(builder, plan.head, Finish(shade(coat, 0.92)), 10)
    x, z, high, _ = plan.head[-1]
    nose = Finish(linear("#141110"), gloss=0.3)
    builder.ellipsoid(
        (x + 0.6 * high, 0.0, z + 0.2 * high), (0.55 * high, 0.7 * high, 0.6 * high), nose, sides=7, bands=5
    )
    x, z, high, wide = plan.head[2]
    for side in (1, -1):
        builder.ellipsoid(
            (x - 0.25 * high, side * 0.86 * wide, z + 0.35 * high),
            (0.2 * high, 0.15 * high, 0.2 * high),
            nose,
            sides=6,
            bands=4,
        )


def _add_leg(
    builder: SolidBuilder, plan: AnimalPlan, coat: Tint, phase: np.ndarray, amount: np.ndarray, *, fore: bool, side: int
) -> None:  # fmt: skip
    """One leg. phase: ``(T,)``; the foot moves forward while its cosine is positive."""
    leg = plan.fore if fore else plan.hind
    joints = [np.broadcast_to(np.array([leg.joint[0], side * plan.spread, leg.joint[1]]), (len(phase), 3))]
    forward = np.cos(phase).clip(0) * amount
    for length, rest, swing, fold in zip(leg.lengths, leg.rest_deg, leg.swing_deg, leg.fold_deg, strict=True):
        angle = np.radians(rest + swing * amount * np.sin(phase) - fold * forward)
        joints.append(swung(joints[-1], angle, 0.0, length))
    path = np.stack(joints, 1)
    radii = np.array(leg.radii[:4])
    middle = (path[:, 1:] + path[:, :-1]) / 2
    dense = np.stack([path[:, 0], middle[:, 0], path[:, 1], middle[:, 1], path[:, 2], middle[:, 2], path[:, 3]], 1)
    slim = (radii[1:] + radii[:-1]) / 2 * np.array([1.0, 0.82, 0.85])
    thick = np.array([radii[0], slim[0], radii[1], slim[1], radii[2], slim[2], radii[3]])
    flat = np.stack([thick, thick * np.array([0.62, 0.72, 0.85, 0.9, 0.95, 1, 1])], -1)
    tube(builder, dense[:, :5], flat[:5], Finish(coat), left=LEFT, sides=8, ends=(0.5, 0.5))
    tube(builder, dense[:, 4:], flat[4:] * 1.01, Finish(shade(coat, 0.7)), left=LEFT, sides=7, ends=(0.3, 0.3))
    foot = path[:, 3] + np.array([0.35 * leg.radii[4], 0.0, 0.0])
    builder.ellipsoid(
        foot,
        (1.35 * leg.radii[4], 0.95 * leg.radii[4], 0.9 * leg.radii[4]),
        Finish(linear("#1b1815")),
        sides=7,
        bands=5,
    )


def _add_deer_details(builder: SolidBuilder, coat: Tint, *, stag: bool) -> None:
    """Ears, white rump, tail and, on a stag, antlers."""
    white, fur = Finish(linear("#c9c0ae")), Finish(shade(coat, 0.85))
    builder.ellipsoid((-0.628, 0.0, 0.745), (0.05, 0.085, 0.115), white, sides=10, bands=6)
    builder.ellipsoid((-0.685, 0.0, 0.765), (0.022, 0.035, 0.075), fur, sides=8, bands=5)
    for side in (1, -1):
        ear = np.array([(0.56, 0.05 * side, 1.165), (0.535, 0.11 * side, 1.20), (0.515, 0.175 * side, 1.235)])
        width = np.array([(0.020, 0.022), (0.020, 0.045), (0.006, 0.012)])
        tube(builder, ear, width, fur, left=np.array([1.0, 0.0, 0.5]), sides=7)
        if stag:
            horn = Finish(linear("#8d7b5c"))
            beam = np.array([(0.57, 0.04, 1.19), (0.52, 0.13, 1.30), (0.50, 0.22, 1.40), (0.58, 0.25, 1.50)])
            beam[:, 1] *= side
            tube(builder, beam, np.array([0.020, 0.017, 0.014, 0.007]), horn, left=np.array([1.0, 0.0, 0.0]), sides=6)
            for k, tip in ((1, (0.62, 0.12, 1.37)), (2, (0.60, 0.20, 1.46))):
                end = np.array(tip) * [1, side, 1]
                tube(builder, np.stack([beam[k], end]), np.array([0.013, 0.006]), horn, left=LEFT, sides=5)


def _add_dog_details(builder: SolidBuilder, coat: Tint, *, pointed: bool) -> None:
    """Ears and tail."""
    fur = Finish(shade(coat, 0.8))
    for side in (1, -1):
        if pointed:
            ear = np.array([(0.25, 0.035, 0.56), (0.245, 0.042, 0.60), (0.25, 0.046, 0.64)])
            radii = np.array([(0.016, 0.026), (0.012, 0.020), (0.004, 0.005)])
        else:
            ear = np.array([(0.255, 0.052, 0.55), (0.25, 0.074, 0.525), (0.25, 0.076, 0.475)])
            radii = np.array([(0.012, 0.024), (0.012, 0.034), (0.008, 0.022)])
        tube(builder, ear * [1, side, 1], radii, fur, left=np.array([1.0, 0.0, 0.0]), sides=6)
    tail = np.array([(-0.28, 0.0, 0.405), (-0.34, 0.0, 0.43), (-0.385, 0.01, 0.48), (-0.40, 0.02, 0.55)])
    tube(builder, tail, np.array([0.022, 0.020, 0.018, 0.009]), Finish(coat), left=LEFT, sides=6)
