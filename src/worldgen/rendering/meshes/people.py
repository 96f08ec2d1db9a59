"""Meshes of people: pedestrians, cyclists, motorcyclists."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from worldgen.rendering.meshes.colours import draw_colour
from worldgen.rendering.meshes.mesh import Colour, Mesh, MeshBuilder, Paint, Size, srgb

NIGHT_CLOTH, VEST = srgb("#1c1d22"), srgb("#e8d21c")
SHOE = Paint(srgb("#141414"), detail=1)
DARK = Paint(srgb("#151617"))
HEAD_TOP = 2.51
"""Height of the crown above the neck, in radii of the head; hair included."""
FOOT_PITCH = 0.6
"""Pitch of a foot over the tilt of its shin: toes push off behind, the heel lands in front."""


def sagittal(x: np.ndarray | float, y: float, z: np.ndarray | float) -> np.ndarray:
    """Points ``(T, 3)`` at x, y, z (m), each a number or an array over frames."""
    x, z = np.atleast_1d(np.asarray(x, float)), np.atleast_1d(np.asarray(z, float))
    return np.stack(np.broadcast_arrays(x, np.full(1, y), z), -1)


def reach(start: np.ndarray, angle: np.ndarray | float, length: float) -> np.ndarray:
    """The end of a limb that hangs from ``start`` ``(T, 3)``, swung forward by ``angle`` radians."""
    angle = np.asarray(angle, float)
    return start + length * np.stack(np.broadcast_arrays(np.sin(angle), np.zeros(1), -np.cos(angle)), -1)


def turned(offset: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """An offset ``(3,)`` raised at its front by ``angle`` ``(T,)`` radians about the y axis, ``(T, 3)``."""
    c, s, angle = np.cos(angle), np.sin(angle), np.asarray(angle, float)
    x, y, z = offset
    return np.stack([c * x - s * z, np.full_like(angle, y), s * x + c * z], -1)


@dataclass(frozen=True)
class Outfit:
    """The clothes of a person. rain: may carry an umbrella. dark: dark clothes. vest: a high-visibility vest."""

    rain: bool = False
    dark: bool = False
    vest: bool = False

    def top(self, rng: np.random.Generator) -> Paint:
        """Paint of jacket or shirt."""
        colour = draw_colour("top", rng)
        return Paint(NIGHT_CLOTH if self.dark else VEST if self.vest else colour)

    def trousers(self, rng: np.random.Generator) -> Paint:
        """Paint of trousers."""
        colour = draw_colour("trousers", rng)
        return Paint(NIGHT_CLOTH if self.dark else colour)


PLAIN = Outfit()


def pedestrian(
    size_m: Size,
    phase: np.ndarray,
    speed: np.ndarray,
    rng: np.random.Generator,
    *,
    outfit: Outfit = PLAIN,
) -> Mesh:
    """A person on foot. phase: ``(T,)`` gait phase in radians; speed: ``(T,)`` m/s sets the stride; outfit: clothes."""
    height = size_m[2]
    builder = MeshBuilder()
    child = height < 1.45
    skin = Paint(draw_colour("skin", rng))
    top, legs = outfit.top(rng), outfit.trousers(rng)
    hair = Paint(draw_colour("hair", rng), detail=1)
    coat = rng.random() < 0.35
    head = (0.085 if child else 0.068) * height
    hip, shoulder = 0.49 * height, 0.97 * height - HEAD_TOP * head
    thigh, shank = 0.2355 * height, 0.2155 * height
    amp = np.clip(np.asarray(speed, float) / 1.4, 0.0, 2.0)
    wide = 0.055 * height
    for side in (1, -1):
        swing = 0.50 * side * np.sin(phase) * amp.clip(0, 1.5)
        bend = np.maximum(0.0, -side * np.cos(phase)) * 0.9 * amp.clip(0, 1.4)
        joint = sagittal(0.0, side * wide, hip)
        knee = reach(joint, swing, thigh)
        ankle = reach(knee, swing - bend, shank)
        builder.part().limb(joint, knee, (0.105 * height, 0.075 * height, 0.10 * height), legs)
        builder.part().limb(knee, ankle, (0.075 * height, 0.052 * height, 0.07 * height), legs)
        pitch = FOOT_PITCH * (swing - bend)
        toe = np.array([0.095 * height, 0, -0.018 * height])
        builder.part().limb(
            ankle + turned(np.array((-0.03, 0, 0.0)), pitch),
            ankle + turned(toe, pitch),
            (0.05 * height, 0.04 * height, 0.06 * height),
            SHOE,
        )
    lean = 0.04 * amp.clip(0, 2) * height
    low = sagittal(0.0, 0.0, hip - (0.16 if coat else 0.02) * height)
    neck = sagittal(lean * 0.5, 0.0, shoulder + 0.03 * height)
    builder.part().limb(low, neck, (0.135 * height if coat else 0.12 * height, 0.12 * height, 0.235 * height), top)
    for side in (1, -1):
        swing = -0.55 * side * np.sin(phase) * amp.clip(0, 1.3)
        joint = sagittal(lean * 0.5, side * 0.125 * height, shoulder)
        elbow = reach(joint, swing, 0.165 * height)
        hand = reach(elbow, swing + 0.35, 0.15 * height)
        builder.part().limb(joint, elbow, (0.062 * height, 0.052 * height, 0.06 * height), top)
        builder.part().limb(elbow, hand, (0.05 * height, 0.04 * height, 0.05 * height), top)
        builder.part().ball(hand, (0.025 * height,) * 3, skin.but(detail=2), sides=4, bands=2)
    centre = neck + np.array([0.015 * height, 0, head * 1.25])
    builder.part().ball(centre, (head, head * 0.88, head * 1.12), skin, sides=7, bands=4)
    builder.ball(
        centre + np.array([-0.22 * head, 0, 0.28 * head]),
        (head * 0.98, head * 0.96, head * 0.98),
        hair.but(layer=1),
        sides=7,
        bands=3,
    )
    _belongings(builder, (height, shoulder), neck, rng, rain=outfit.rain and not child)
    return _standing(builder.build())


def _standing(mesh: Mesh) -> Mesh:
    """The mesh with its lowest point on the ground in every frame: a body is lower when its legs are spread."""
    ground = mesh.vertices[..., 2].min(-1)[:, None, None] * np.array([0.0, 0.0, 1.0])
    return replace(mesh, vertices=mesh.vertices - ground)


def _belongings(
    builder: MeshBuilder, heights: tuple[float, float], neck: np.ndarray, rng: np.random.Generator, *, rain: bool
) -> None:
    """Add a backpack, a bag, or in rain an umbrella, each with some probability; they are not part of the person.

    heights: of the body, the shoulder (m).
    """
    height, shoulder = heights
    colour = Paint(draw_colour("top", rng), carried=True)
    draw = rng.random()
    if rain and rng.random() < 0.65:
        canopy = neck + np.array([0.12, 0.0, 0.30 * height])
        turn = np.arange(8) * np.pi / 4
        rim = canopy[:, None] + np.stack([0.52 * np.cos(turn), 0.52 * np.sin(turn), np.full(8, -0.06)], 1)
        apex = canopy[:, None] + np.array([[0, 0, 0.16]])
        builder.part().add(
            np.concatenate([rim, apex], 1),
            [(i, (i + 1) % 8, 8) for i in range(8)],
            Paint(colour.colour, two_sided=True, carried=True),
        )
        builder.part().limb(
            canopy + np.array((0, 0, 0.1)),
            canopy + np.array((0, 0, -0.75)),
            (0.03, 0.03, 0.03),
            Paint(DARK.colour, detail=1, carried=True),
        )
    elif draw < 0.25:
        back = neck + np.array([-0.10 * height, 0, -0.02 * height])
        builder.part().limb(
            back,
            back - np.array((0, 0, 0.22 * height)),
            (0.10 * height, 0.12 * height, 0.17 * height),
            colour.but(detail=1),
        )
    elif draw < 0.4:
        hand = neck + np.array([0.02, 0.17 * height, -(shoulder - 0.42 * height)])
        builder.part().limb(
            hand,
            hand - np.array((0, 0, 0.16 * height)),
            (0.13 * height, 0.14 * height, 0.05 * height),
            colour.but(detail=1),
        )


def _wheel(builder: MeshBuilder, x: float, radius: float, thick: float) -> None:
    """A spoked wheel: a ring across y."""
    sides = 12
    turn = np.arange(sides) * 2 * np.pi / sides
    circle = np.stack([np.cos(turn), np.zeros(sides), np.sin(turn)], 1)
    outer, inner = circle * radius, circle * (radius - thick)
    faces = [(i, (i + 1) % sides, sides + (i + 1) % sides, sides + i) for i in range(sides)]
    builder.part().add(
        np.concatenate([outer, inner]) + np.array((x, 0, radius)), faces, Paint(DARK.colour, two_sided=True)
    )
    ring = np.concatenate(
        [circle * radius + np.array((x, -0.02, radius)), circle * radius + np.array((x, 0.02, radius))]
    )
    builder.add(ring, faces, Paint(DARK.colour, two_sided=True), inside=np.array((x, 0, radius)))


def _bicycle(builder: MeshBuilder, length: float, colour: Colour, *, height: float = 0.0) -> tuple[float, float]:
    """Frame, fork and wheels; returns the heights of the saddle and of the handlebar (m).

    height: of the handlebar, the highest point (m); 0 for one that suits the wheels.
    """
    r = 0.34 * length / 1.8
    rear, front = -length / 2 + r, length / 2 - r
    saddle, bar = 2.75 * r, height - 0.025 if height else 2.95 * r
    for x in (rear, front):
        _wheel(builder, x, r, 0.045)
    tube = Paint(colour)
    at = lambda x, z: np.array([[x, 0.0, z]])  # noqa: E731
    crank, seat, head = (
        at(rear + 0.44 * (front - rear), 0.9 * r),
        at(rear + 0.30 * (front - rear), 2.5 * r),
        at(front - 0.13, 2.45 * r),
    )
    for a, b in (
        (at(rear, r), crank),
        (crank, seat),
        (seat, head),
        (crank, head),
        (at(rear, r), seat),
        (head, at(front, r)),
        (head, at(front - 0.16, bar)),
    ):
        builder.part().limb(a, b, (0.045, 0.045, 0.045), tube)
    builder.part().box((seat[0, 0], 0, saddle - 0.03), (0.24, 0.14, 0.06), DARK)
    builder.part().box((front - 0.16, 0, bar), (0.05, 0.5, 0.05), DARK)
    builder.part().box((rear - 0.05, 0, 2.05 * r), (0.03, 0.08, 0.08), Paint(srgb("#7a1212"), lamp="tail", detail=1))
    builder.part().box((front - 0.02, 0, 2.6 * r), (0.03, 0.08, 0.08), Paint(srgb("#d9dee0"), lamp="head", detail=1))
    return saddle, bar


def bicycle(size_m: Size, rng: np.random.Generator) -> Mesh:
    """A bicycle without a rider."""
    builder = MeshBuilder()
    _bicycle(builder, size_m[0], draw_colour("top", rng), height=size_m[2])
    return builder.build()


def _rider(
    builder: MeshBuilder,
    places: tuple[float, float, float, float],
    top_m: float,
    rng: np.random.Generator,
    *,
    outfit: Outfit = PLAIN,
) -> np.ndarray:
    """Torso, arms and head of a seated person whose head ends at ``top_m``; returns the centre of the head ``(1, 3)``.

    places: x, z of the seat and x, z of the hands (m).
    """
    seat, hands = places[:2], places[2:]
    skin = Paint(draw_colour("skin", rng))
    top = outfit.top(rng)
    hip = np.array([[seat[0], 0.0, seat[1]]])
    lean = 0.45 * (hands[0] - seat[0])
    height = _stature(top_m - seat[1], lean)
    neck = hip + np.array([[lean, 0.0, _torso(height, lean)]])
    builder.part().limb(hip - np.array((0, 0, 0.05)), neck, (0.13 * height, 0.12 * height, 0.235 * height), top)
    for side in (1, -1):
        joint = neck + np.array([0, side * 0.115 * height, -0.03 * height])
        grip = np.array([[hands[0], side * 0.22, hands[1]]])
        elbow = 0.5 * (joint + grip) + np.array([0, side * 0.05, -0.06])
        builder.part().limb(joint, elbow, (0.06 * height, 0.05 * height, 0.06 * height), top)
        builder.part().limb(elbow, grip, (0.05 * height, 0.04 * height, 0.05 * height), skin)
    head = neck + np.array([0.03, 0, 0.095 * height])
    builder.part().ball(head, (0.07 * height, 0.062 * height, 0.08 * height), skin, sides=7, bands=4)
    return head


def _torso(height: float, lean: float) -> float:
    """Rise of the neck over the hip of a person of a height who leans forward by ``lean`` (m)."""
    return float(np.sqrt(max((0.33 * height) ** 2 - lean**2, 0.01)))


def _stature(rise: float, lean: float) -> float:
    """Height (m) of the person whose head ends ``rise`` over the hip when the neck is ``lean`` in front of it (m)."""
    low, high = 0.5, 3.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if _torso(middle, lean) + 0.175 * middle < rise else (low, middle)
    return low


def cyclist(size_m: Size, phase: np.ndarray, rng: np.random.Generator, *, outfit: Outfit = PLAIN) -> Mesh:
    """A bicycle with a pedalling rider. phase: ``(T,)`` crank angle in radians."""
    builder = MeshBuilder()
    length, _, height = size_m
    saddle, bar = _bicycle(builder, length, draw_colour("top", rng))
    body = height * 0.98  # of the legs
    seat_x, crank = -0.20 * length / 1.8, np.array([-0.06 * length, 0.31 * length / 1.8])
    head = _rider(builder, (seat_x, saddle + 0.02, 0.37 * length / 1.8, bar + 0.03), height, rng, outfit=outfit)
    legs = outfit.trousers(rng)
    for side in (1, -1):
        angle = np.asarray(phase, float) + (0 if side > 0 else np.pi)
        foot = sagittal(crank[0] + 0.16 * np.cos(angle), side * 0.11, crank[1] - 0.16 * np.sin(angle))
        hip = sagittal(np.full(len(angle), seat_x), side * 0.09, saddle - 0.02)
        knee = _knee(hip, foot, 0.245 * body)
        builder.part().limb(hip, knee, (0.10 * body, 0.075 * body, 0.09 * body), legs)
        builder.part().limb(knee, foot, (0.072 * body, 0.05 * body, 0.065 * body), legs)
        builder.part().limb(foot - np.array((0.05, 0, 0)), foot + np.array((0.16, 0, 0)), (0.06, 0.05, 0.07), SHOE)
    if rng.random() < 0.6:
        builder.part().ball(
            np.array([[head[0, 0] - 0.01, 0.0, height - 0.10]]),
            (0.14, 0.105, 0.10),
            Paint(draw_colour("top", rng)),
            sides=7,
            bands=3,
        )
    return builder.build()


def _knee(hip: np.ndarray, foot: np.ndarray, bone: float) -> np.ndarray:
    """The knee ``(T, 3)``, in front of the line from hip to foot, for two bones of equal length (m)."""
    middle, along = (hip + foot) / 2, foot - hip
    half = np.linalg.norm(along[:, [0, 2]], axis=-1, keepdims=True) / 2
    out = np.sqrt(np.maximum(bone**2 - half**2, 0.0009))
    forward = np.stack([-along[:, 2], np.zeros(len(along)), along[:, 0]], -1)
    return middle + out * forward / np.maximum(np.linalg.norm(forward, axis=-1, keepdims=True), 1e-6)


def motorbike(size_m: Size, rng: np.random.Generator) -> Mesh:
    """A motorcycle with a helmeted rider."""
    builder = MeshBuilder()
    length, _, height = size_m
    colour = Paint(draw_colour("top", rng), gloss=0.1)
    r = 0.31
    for x in (-length / 2 + r, length / 2 - r):
        builder.part().box((x, 0, r), (1.4 * r, 0.14, 2 * r), DARK)
        for side in (1, -1):
            builder.disc((x, side * 0.08, r), r, "y", DARK.but(layer=1), facing=side, sides=12)
            builder.disc((x, side * 0.085, r), 0.6 * r, "y", Paint(srgb("#8b8f93"), layer=2, detail=1), facing=side)
    builder.part().box((0.0, 0, 0.52), (0.95, 0.30, 0.42), DARK)
    builder.part().box((0.16, 0, 0.86), (0.55, 0.32, 0.28), colour, taper=0.8)
    builder.part().box((-0.45, 0, 0.86), (0.75, 0.26, 0.14), DARK)
    builder.part().box((length * 0.32, 0, 0.92), (0.34, 0.42, 0.42), colour, taper=0.7)
    builder.part().box((-length * 0.43, 0, 0.80), (0.16, 0.24, 0.14), colour)
    builder.part().box((length * 0.32 + 0.18, 0, 0.88), (0.04, 0.24, 0.2), Paint(srgb("#d9dee0"), lamp="head"))
    builder.part().box((-length * 0.43 - 0.09, 0, 0.80), (0.03, 0.22, 0.11), Paint(srgb("#7a1212"), lamp="tail"))
    builder.part().box((0.42, 0, 1.08), (0.05, 0.72, 0.05), DARK)
    head = _rider(builder, (-0.30, 0.92, 0.42, 1.08), height, rng)
    for side in (1, -1):
        hip, knee, foot = (
            np.array([[-0.28, side * 0.12, 0.92]]),
            np.array([[0.16, side * 0.22, 0.74]]),
            np.array([[-0.06, side * 0.22, 0.36]]),
        )
        builder.part().limb(hip, knee, (0.17, 0.13, 0.15), DARK)
        builder.part().limb(knee, foot, (0.13, 0.10, 0.12), DARK)
    builder.part().ball(
        np.array([[head[0, 0], 0.0, height - 0.165]]),
        (0.17, 0.145, 0.165),
        Paint(draw_colour("top", rng), gloss=0.2),
        sides=8,
        bands=4,
    )
    return builder.build()
