"""Open doors of cars: the left front door that turns on its hinge, and the dark opening behind it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from worldgen.rendering.shapes.solid import Shape, Solid
from worldgen.rendering.shapes.solid_builder import SolidBuilder
from worldgen.rendering.shapes.vehicle_parts.body_loft import LoftedBody
from worldgen.rendering.shapes.vehicle_parts.glazing_patches import ROOF_RAIL_M, SILL_M
from worldgen.rendering.shapes.vehicle_parts.vehicle_finishes import BLACK, DOOR, GLASS, SEAT
from worldgen.rendering.shapes.vehicle_parts.vehicle_profiles import CarProfile

REACH_M = 0.9
"""How far the edge of a fully open door stands out from the body; the simulation keeps this distance clear."""
LARGEST_RAD = np.radians(68)
THICK_M = 0.06
SHUT = 0.02
"""Openings below this count as shut."""
PROUD_M = 0.006
"""Distance of the skin of the door from the body, in which it would lie otherwise."""
OPENING_PROUD_M = 0.018
"""Distance of the dark opening from the body; its cells are flatter than the body is."""


@dataclass(frozen=True, eq=False)
class DoorOutline:
    """The closed left front door. skin: ``(U, V, 3)`` from its rear to its hinge, from the sill to the belt line.

    pane: ``(U, W, 3)`` from the belt line to the roof.
    """

    skin: np.ndarray
    pane: np.ndarray


@dataclass(frozen=True, eq=False)
class VehicleShape(Shape):
    """A shape of a vehicle, with its door if it has one that opens."""

    door: DoorOutline | None = None


def door_outline(profile: CarProfile, body: LoftedBody) -> DoorOutline:
    """The left front door of a car, on the surface of its body."""
    rear, front = profile.panels.doors[-2:]
    x = np.linspace(rear, front, 7)
    sill = float(body.at("bottom", (rear + front) / 2)) + profile.panels.cladding_m + 0.03
    belt, high = body.at("belt", x) + SILL_M, body.at("top", x) - 0.6 * ROOF_RAIL_M
    high = np.maximum(high, belt + 0.01)
    share = np.linspace(0, 1, 6)
    return DoorOutline(_flank(body, x, sill + (belt - sill)[:, None] * share), _flank(
        body, x, belt[:, None] + (high - belt)[:, None] * share
    ))  # fmt: skip


def _flank(body: LoftedBody, x: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Points ``(U, V, 3)`` of the left side of a body at x ``(U,)`` and heights z ``(U, V)``."""
    left = body.points[:, 2:13]
    rows = left[:, 0, 0]
    points = []
    for at, heights in zip(x, z, strict=True):
        section = np.array([[np.interp(at, rows, left[:, k, axis]) for axis in (1, 2)] for k in range(left.shape[1])])
        y = np.interp(heights, section[:, 1], section[:, 0])
        points.append(np.stack([np.full(len(heights), at), y, heights], -1))
    return np.array(points)


def door_solid(shape: VehicleShape, swing: np.ndarray) -> Solid:
    """The open door of a vehicle in the axes of its shape, moving over T frames.

    swing: ``(T,)`` 0 (shut) to 1 (open). In frames in which it is shut nothing of it is seen. Its panel takes the
    colour of the instance, as its code is one of ``shape.body_codes``. Raises: ValueError for a vehicle without one.
    """
    if shape.door is None:
        raise ValueError("shape of the door: received a vehicle without one, expected a car")
    skin, pane = shape.door.skin, shape.door.pane
    swing = np.asarray(swing, float)
    outward = np.array([0.0, PROUD_M, 0.0])
    hinge = skin[-1, 0] * [1, 1, 0] + outward
    hinge[1] = skin[-1, :, 1].max()
    length = float(skin[-1, 0, 0] - skin[0, 0, 0])
    angle = swing * min(np.arcsin(min(REACH_M / length, 1.0)), LARGEST_RAD)
    place = _Placing(hinge, angle)
    builder = SolidBuilder()
    inner = np.array([0.0, -THICK_M, 0.0])
    builder.grid(place.turned(skin + outward), DOOR, flip=True)
    builder.grid(place.turned(skin + inner), SEAT)
    edge = np.concatenate([skin[:-1, 0], skin[-1, :-1], skin[:0:-1, -1], skin[0, :0:-1]])
    builder.grid(place.turned(np.stack([edge + outward, edge + inner])), BLACK, closed=True)
    builder.grid(place.turned(pane + np.array([0.0, -0.4 * THICK_M, 0.0])), GLASS, flip=True)
    rim = [pane[0, 0], pane[0, -1], *pane[1:-1, -1], pane[-1, -1], pane[-1, 0]]
    for start, end in pairwise(rim):
        ends = place.turned(np.stack([start, end])[None])[:, 0]
        builder.capsule(ends[:, 0], ends[:, 1], (0.022, 0.022), BLACK, sides=6)
    opening = np.concatenate([skin, pane[:, 1:]], 1) + np.array([0.0, OPENING_PROUD_M, 0.0])
    builder.grid(place.still(opening), SEAT, flip=True)
    solid = builder.build()
    speck = hinge - np.array([0.3, 0.2, -0.25])  # inside the sill
    hidden = (speck + 1e-4 * (solid.vertices - hinge)).astype(np.float32)
    return replace(solid, vertices=np.where((swing > SHUT)[:, None, None], solid.vertices, hidden))


@dataclass(frozen=True, eq=False)
class _Placing:
    """Where the parts of a door are over T frames. hinge: ``(3,)``. angle: ``(T,)`` rad."""

    hinge: np.ndarray
    angle: np.ndarray

    def turned(self, points: np.ndarray) -> np.ndarray:
        """Points ``(A, B, 3)`` of the shut door, turned about the hinge: ``(T, A, B, 3)``."""
        c, s = np.cos(self.angle), np.sin(self.angle)
        turn = np.zeros((len(self.angle), 3, 3))
        turn[:, 0, 0], turn[:, 0, 1], turn[:, 1, 0], turn[:, 1, 1], turn[:, 2, 2] = c, s, -s, c, 1
        return np.einsum("tjk,abk->tabj", turn, points - self.hinge) + self.hinge

    def still(self, points: np.ndarray) -> np.ndarray:
        """Points ``(A, B, 3)`` that stay: ``(T, A, B, 3)``."""
        return np.broadcast_to(points, (len(self.angle), *points.shape))
