"""Heads: skull, face, hair, caps, hoods and helmets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from worldgen.rendering.shapes.lofts import loft
from worldgen.rendering.shapes.solid import Finish
from worldgen.rendering.shapes.solid_builder import SolidBuilder
from worldgen.rendering.shapes.tints import shade

SKULL = np.array([
    (0.00, 0.36, 0.00, 0.13), (0.09, 0.39, -0.12, 0.21), (0.22, 0.40, -0.24, 0.275), (0.35, 0.405, -0.33, 0.31),
    (0.50, 0.385, -0.42, 0.325), (0.65, 0.405, -0.455, 0.335), (0.78, 0.375, -0.445, 0.325), (0.88, 0.30, -0.37, 0.275),
    (0.96, 0.16, -0.24, 0.17),
])  # fmt: skip
"""Rings of the head: height above the chin, front, back and half width, in heights of the head from chin to crown;
the ears are at x = 0. Breadth .67 and length .87 of the height: C. C. Gordon et al. 1989."""
SHORT_HAIR = np.array([
    (0.22, -0.10, -0.34, 0.24), (0.36, -0.05, -0.43, 0.32), (0.50, 0.03, -0.485, 0.352), (0.64, 0.13, -0.505, 0.366),
    (0.74, 0.33, -0.505, 0.362), (0.83, 0.415, -0.475, 0.345), (0.93, 0.345, -0.40, 0.285), (1.01, 0.20, -0.26, 0.18),
])  # fmt: skip
LONG_HAIR = np.array([
    (-0.55, -0.22, -0.40, 0.27), (-0.35, -0.16, -0.46, 0.34), (0.0, -0.10, -0.50, 0.38), (0.30, -0.02, -0.52, 0.39),
    (0.50, 0.08, -0.53, 0.39), (0.64, 0.16, -0.53, 0.385), (0.75, 0.33, -0.52, 0.37), (0.84, 0.41, -0.485, 0.35),
    (0.93, 0.345, -0.40, 0.285), (1.01, 0.20, -0.26, 0.18),
])  # fmt: skip
HOOD = np.array([
    (-0.20, 0.06, -0.44, 0.40), (0.10, 0.20, -0.52, 0.43), (0.35, 0.27, -0.55, 0.44), (0.60, 0.32, -0.56, 0.435),
    (0.80, 0.38, -0.52, 0.40), (0.92, 0.35, -0.42, 0.32), (1.01, 0.21, -0.27, 0.19),
])  # fmt: skip
CAP = np.array([
    (0.60, 0.42, -0.50, 0.365), (0.72, 0.435, -0.505, 0.37), (0.84, 0.41, -0.475, 0.35), (0.94, 0.33, -0.39, 0.28),
    (1.01, 0.20, -0.26, 0.18),
])  # fmt: skip
FULL_HELMET = np.array([
    (-0.12, 0.40, -0.30, 0.30), (0.02, 0.56, -0.42, 0.42), (0.22, 0.61, -0.54, 0.475), (0.50, 0.585, -0.61, 0.50),
    (0.75, 0.52, -0.61, 0.48), (0.95, 0.36, -0.49, 0.37), (1.08, 0.15, -0.27, 0.20),
])  # fmt: skip
OPEN_HELMET = np.array([
    (0.22, -0.02, -0.50, 0.40), (0.42, 0.10, -0.57, 0.45), (0.62, 0.42, -0.585, 0.465), (0.80, 0.47, -0.56, 0.445),
    (0.95, 0.36, -0.47, 0.365), (1.07, 0.16, -0.27, 0.21),
])  # fmt: skip
BICYCLE_HELMET = np.array([
    (0.60, 0.46, -0.54, 0.385), (0.70, 0.50, -0.57, 0.41), (0.86, 0.47, -0.54, 0.385), (1.00, 0.33, -0.42, 0.295),
    (1.08, 0.16, -0.27, 0.18),
])  # fmt: skip
HELMETS = {"full": (FULL_HELMET, 1.14), "open": (OPEN_HELMET, 1.13), "bicycle": (BICYCLE_HELMET, 1.12)}
"""Rings of helmets and the height of their crown."""
TOP = 1.05
"""Height of the crown, hair or hat included, in the same unit."""


def crown_m(pitch: np.ndarray, height_m: float, helmet: str = "") -> np.ndarray:
    """How far ``(T,)`` the highest point of a head is above the middle of its ears.

    pitch: ``(T,)`` radians, positive looks down. height_m: from chin to crown without hair. helmet: "", "full", "open"
    or "bicycle".
    """
    rings, top = HELMETS[helmet] if helmet else (np.concatenate([HOOD, CAP]), TOP)
    near = top - 0.01
    x = np.concatenate([rings[:, 1], rings[:, 2], [0.55 * rings[-1, 1], 0.55 * rings[-1, 2], rings[-1, 1:3].mean()]])
    z = np.concatenate([rings[:, 0], rings[:, 0], [near, near, top]]) - HeadFrame.EARS
    return height_m * (np.cos(pitch)[:, None] * z - np.sin(pitch)[:, None] * x).max(1)


@dataclass(frozen=True)
class Headwear:
    """What is on a head. skin, hair: finishes. style: "short", "long", "bun", "bald", "cap", "beanie" or "hood".
    cover: finish of cap, beanie or hood. beard: whether the chin is covered with hair."""

    skin: Finish
    hair: Finish
    style: str = "short"
    cover: Finish | None = None
    beard: bool = False


class HeadFrame:
    """Places points in the axes of a head: x towards the face, y left, z up from the chin, in units of its height.

    ears: ``(T, 3)`` m, middle of the ears. pitch: ``(T,)`` radians, positive looks down. height_m: from chin to crown.
    """

    EARS = 0.5

    def __init__(self, ears: np.ndarray, pitch: np.ndarray, height_m: float) -> None:
        c, s = np.cos(pitch), np.sin(pitch)
        zero, one = np.zeros_like(c), np.ones_like(c)
        self.turn = np.stack(
            [np.stack([c, zero, s], -1), np.stack([zero, one, zero], -1), np.stack([-s, zero, c], -1)], -2
        )
        self.ears, self.height_m = ears, height_m

    def at(self, points: np.ndarray | tuple[float, float, float]) -> np.ndarray:
        """Points ``(3,)`` or ``(K, 3)`` in head units as ``(T, 3)`` or ``(T, K, 3)`` metres."""
        local = (np.asarray(points, float) - [0.0, 0.0, self.EARS]) * self.height_m
        if local.ndim == 1:
            return self.ears + np.einsum("tij,j->ti", self.turn, local)
        return self.ears[:, None] + np.einsum("tij,kj->tki", self.turn, local)

    def rings(
        self, builder: SolidBuilder, table: np.ndarray, finish: Finish, *, sides: int = 10, power: float = 2.15,
        ends: tuple[float | None, float | None] = (0.25, 0.3),
    ) -> None:  # fmt: skip
        """A loft through rings (height, front, back, half width) in head units."""
        z, front, back, half = table.T
        centres = np.stack([(front + back) / 2, 0 * z, z], -1)
        radii = np.stack([(front - back) / 2, half], -1) * self.height_m
        axes = self.turn[:, None, :, 0], self.turn[:, None, :, 1]
        loft(builder, self.at(centres), axes, radii, finish, sides=sides, power=power, ends=ends)

    def front(
        self, builder: SolidBuilder, table: np.ndarray, finish: Finish, *, heights: tuple[float, ...], reach_rad: float,
        grow: float,
    ) -> None:  # fmt: skip
        """A sheet in front of the rings of a loft, at these heights, ``reach_rad`` to each side, larger by ``grow``."""
        z = np.array(heights)
        front, back, half = (np.interp(z, table[:, 0], table[:, k]) for k in (1, 2, 3))
        angle = np.linspace(-reach_rad, reach_rad, 11)
        x = ((front + back) / 2)[:, None] + grow * ((front - back) / 2)[:, None] * np.cos(angle)
        points = np.stack([x, grow * half[:, None] * np.sin(angle), np.broadcast_to(z[:, None], x.shape)], -1)
        placed = self.at(points.reshape(-1, 3))
        builder.grid(placed.reshape(len(placed), *x.shape, 3), finish, flip=True)

    def blob(
        self, builder: SolidBuilder, centre: tuple[float, float, float], radii: tuple[float, float, float],
        finish: Finish, *, sides: int = 5, bands: int = 4, power: float = 2.0,
    ) -> None:  # fmt: skip
        """An ellipsoid in head units."""
        size = [r * self.height_m for r in radii]
        builder.ellipsoid(self.at(centre), size, finish, turn=self.turn, sides=sides, bands=bands, power=power)


def add_head(builder: SolidBuilder, frame: HeadFrame, wear: Headwear) -> None:
    """Add a head whose highest point is ``TOP`` above the chin."""
    frame.rings(builder, SKULL, wear.skin, ends=(0.3, 0.35))
    dark = wear.skin.but(colour=shade(wear.skin.colour, 0.16))
    shadow = wear.skin.but(colour=shade(wear.skin.colour, 0.62))
    frame.blob(builder, (0.40, 0.0, 0.42), (0.075, 0.055, 0.105), wear.skin)
    frame.blob(builder, (0.385, 0.0, 0.225), (0.03, 0.085, 0.02), shadow.but(colour=_reddish(shadow)))
    for side in (1, -1):
        frame.blob(builder, (0.355, side * 0.135, 0.525), (0.035, 0.06, 0.03), dark)
        if wear.style not in ("long", "hood"):
            frame.blob(builder, (-0.01, side * 0.335, 0.47), (0.085, 0.04, 0.12), shadow)
    if wear.beard:
        frame.blob(builder, (0.20, 0.0, 0.13), (0.225, 0.235, 0.16), wear.hair, sides=8, bands=5)
    _add_hair(builder, frame, wear)


def add_helmet(builder: SolidBuilder, frame: HeadFrame, kind: str, shell: Finish) -> None:
    """Add a helmet around a head: "full" with a dark visor, "open" with a clear one above the face, or "bicycle"."""
    rings, top = HELMETS[kind]
    frame.rings(builder, rings, shell, sides=14, ends=(0.15, _to_crown(rings, top)))
    visor = Finish((0.008, 0.009, 0.011), gloss=1.2)
    if kind == "full":
        frame.front(builder, rings, visor, heights=(0.30, 0.40, 0.52, 0.64, 0.74), reach_rad=1.25, grow=1.025)
    elif kind == "open":
        frame.blob(builder, (0.46, 0.0, 0.66), (0.13, 0.36, 0.035), visor, sides=10)
        for side in (1, -1):
            frame.blob(builder, (0.06, side * 0.36, 0.20), (0.05, 0.035, 0.25), visor.but(gloss=0.1))
    else:
        dark = shell.but(colour=shade(shell.colour, 0.15), gloss=0.1)
        for y in (-0.17, 0.0, 0.17):
            frame.blob(builder, (0.06, y, 0.99 - 1.2 * y * y), (0.36, 0.03, 0.105), dark, sides=6)


def _reddish(finish: Finish) -> tuple[float, float, float]:
    red, green, blue = finish.colour
    return red, green * 0.72, blue * 0.75


def _to_crown(table: np.ndarray, top: float = TOP) -> float:
    """Roundness of the upper end with which a loft reaches ``top``."""
    z, front, back, half = table[-1]
    return float((top - z) / (((front - back) / 2 + half) / 2))


def _add_hair(builder: SolidBuilder, frame: HeadFrame, wear: Headwear) -> None:
    cover = wear.cover or wear.hair
    if wear.style == "hood":
        frame.rings(builder, HOOD, cover, ends=(0.0, _to_crown(HOOD)))
        return
    if wear.style == "bald":
        frame.rings(builder, SHORT_HAIR[:4], wear.hair, ends=(0.1, 0.1))
        frame.blob(builder, (-0.04, 0.0, 0.74), (0.42, 0.335, TOP - 0.74), wear.skin, sides=8, bands=5)
        return
    table = LONG_HAIR if wear.style == "long" else SHORT_HAIR
    covered = wear.style in ("cap", "beanie")
    table = table[: len(table) - 3] if covered else table
    frame.rings(builder, table, wear.hair, ends=(0.12, 0.1 if covered else _to_crown(table)))
    if wear.style == "bun":
        frame.blob(builder, (-0.53, 0.0, 0.70), (0.15, 0.15, 0.14), wear.hair, sides=7, bands=5)
    if covered:
        table = CAP if wear.style == "cap" else np.concatenate([CAP[:1] - [0.14, 0, 0, 0], CAP])
        frame.rings(builder, table, cover, ends=(0.05, _to_crown(table)))
    if wear.style == "cap":
        frame.blob(builder, (0.47, 0.0, 0.645), (0.24, 0.27, 0.028), cover, sides=10, bands=4)
