"""Boxes of objects in the ego frame, from a scene or from labels, and their solid pictures by rays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from worldgen.core.camera import Camera
from worldgen.core.labels import CLASSES, Labels
from worldgen.core.scene import Scene
from worldgen.rendering.controls.pixel_fill import NEAR_M, in_camera, on_image
from worldgen.rendering.labelling import ego_box

Colour = tuple[int, int, int]
EDGES = ((0, 1), (1, 2), (2, 3), (3, 0), (4, 5), (5, 6), (6, 7), (7, 4), (0, 4), (1, 5), (2, 6), (3, 7))
"""Pairs of corners that an edge of a box joins."""


@dataclass(frozen=True, eq=False)
class Cuboid:
    """A box in the ego frame.

    name: class of ``core.labels.CLASSES``, or "" for an object without one. row: ``(7,)`` centre x y z, length, width,
    height (m), yaw (rad), as ``Labels.box3d``. light: state of a traffic light, index into ``SIGNAL_STATES``, None if
    unknown or no light.
    """

    name: str
    row: np.ndarray
    light: int | None = None

    @property
    def rotation(self) -> np.ndarray:
        """``(3, 3)`` from the axes of the box (forward, left, up) to the ego frame."""
        c, s = np.cos(self.row[6]), np.sin(self.row[6])
        return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])

    @property
    def corners_m(self) -> np.ndarray:
        """``(8, 3)`` corners in the ego frame: the bottom, counter-clockwise from front left, then the top."""
        signs = np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)], float)
        half = np.asarray(self.row[3:6], float) / 2
        level = np.concatenate([np.column_stack([signs * half[:2], np.full(4, z)]) for z in (-half[2], half[2])])
        return np.asarray(level @ self.rotation.T + np.asarray(self.row[:3], float))


def scene_cuboids(scene: Scene, frame: int) -> list[Cuboid]:
    """The boxes of all agents that are present in a frame of a scene."""
    return [
        Cuboid(
            agent.label or "", ego_box(scene, agent, frame),
            None if agent.signal_state is None else int(agent.signal_state[frame]),
        )
        for agent in scene.agents
        if agent.present[frame]
    ]  # fmt: skip


def label_cuboids(labels: Labels, frame: int) -> list[Cuboid]:
    """The boxes of the labels of one frame that have a known place in space."""
    rows = labels.at(frame)
    known = np.isfinite(rows.box3d).all(1)
    return [
        Cuboid(CLASSES[int(k)], box.astype(float))
        for k, box in zip(rows.class_id[known], rows.box3d[known], strict=True)
    ]


class CuboidPainter:
    """Paints solid boxes into pictures of one camera: what is nearer hides what is farther."""

    def __init__(self, camera: Camera):
        self.camera, self.shape = camera, (camera.height_px, camera.width_px)
        self.rays = camera.rays()
        self.eye = np.array([0.0, 0.0, camera.height_m])

    def paint(
        self, image: np.ndarray, depth_m: np.ndarray, cuboid: Cuboid, *, front: Colour, rear: Colour, edge_px: float,
        edge: Colour,
    ) -> None:  # fmt: skip
        """Paint one box into ``image`` ``(H, W, 3)`` uint8 where it is nearer than ``depth_m`` ``(H, W)``, in place.

        Its colour goes from ``front`` to ``rear`` along its length. edge_px: width of its edges, in ``edge`` colour; 0
        for none.
        """
        window = self._window(cuboid)
        if window is None:
            return
        toward = (self.rays[window] @ cuboid.rotation).astype(np.float32)
        start = (self.eye - cuboid.row[:3]) @ cuboid.rotation
        half = np.maximum(np.asarray(cuboid.row[3:6], float) / 2, 1e-3)
        with np.errstate(divide="ignore", invalid="ignore"):
            first, second = (-half - start) / toward, (half - start) / toward
        near, far = np.minimum(first, second), np.maximum(first, second)
        enter, leave = near.max(-1), far.min(-1)
        distance = np.where(enter >= NEAR_M, enter, leave)  # from inside a box its far side is seen
        hit = (enter <= leave) & (distance >= NEAR_M) & (distance < depth_m[window])
        if not hit.any():
            return
        place = (start + toward * distance[..., None]) / half
        share = np.clip((place[..., :1] + 1) / 2, 0, 1)
        colour = np.rint(np.array(rear) + share * (np.array(front, float) - np.array(rear)))
        if edge_px:
            # A point is on an edge where the second largest of its coordinates is near the surface too.
            size_px = self.camera.fx_px / distance
            gap_px = np.sort((1 - np.abs(place)) * half, -1)[..., 1] * size_px
            colour[gap_px < edge_px / 2] = edge
        image[window][hit] = colour[hit].astype(np.uint8)
        depth_m[window][hit] = distance[hit]

    def _window(self, cuboid: Cuboid) -> tuple[slice, slice] | None:
        """Rows and columns that hold the picture of a box; None where it is not in view."""
        corners = in_camera(self.camera, cuboid.corners_m)
        if corners[:, 2].max() < NEAR_M:
            return None
        height, width = self.shape
        if corners[:, 2].min() < NEAR_M:
            return slice(0, height), slice(0, width)
        seen = on_image(self.camera, corners)
        x0, y0 = np.floor(np.maximum(seen.min(0), 0)).astype(int)
        x1, y1 = np.ceil(np.minimum(seen.max(0), (width, height))).astype(int)
        return (slice(y0, y1), slice(x0, x1)) if x0 < x1 and y0 < y1 else None
