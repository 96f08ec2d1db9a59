"""Rays through a scene: what they meet first, and whether light is blocked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from worldgen.core.camera import Camera
from worldgen.core.scene import Scene
from worldgen.rendering.raycast.geometry.agent_bodies import AgentBody
from worldgen.rendering.raycast.geometry.outline_cells import points_in_boxes
from worldgen.rendering.raycast.geometry.static_world import StaticWorld

FAR_M = 1000.0
"""Depth given to the sky, and the farthest depth of anything."""
NEAR_M = 0.25
MARGIN_M = 0.05
"""Boxes of bodies are so much larger for light, whose rays start a little above the surface."""
LOW_M = 0.3
"""What is not this much lower than a lamp is tested without a look at where it stands."""
SKY, STATIC = -2, -1
"""Owners of hits that are no agent: nothing, and the ground or a static object."""


@dataclass(frozen=True, eq=False)
class SceneHits:
    """What M rays meet first.

    owner: ``(M,)`` int32 index of the agent, ``STATIC`` or ``SKY``. triangle: ``(M,)`` int32 number in the mesh of the
    owner. distance: ``(M,)`` float32 in lengths of the direction, ``FAR_M`` for the sky. u, v: ``(M,)`` barycentric.
    """

    owner: np.ndarray
    triangle: np.ndarray
    distance: np.ndarray
    u: np.ndarray
    v: np.ndarray


class SceneRays:
    """Casts rays through one scene."""

    def __init__(self, scene: Scene):
        self.scene = scene
        self.world = StaticWorld(scene)
        self.bodies = [AgentBody(scene, index) for index in range(len(scene.agents))]
        self._placed: tuple[int, list[AgentBody], np.ndarray] | None = None

    @classmethod
    @lru_cache(maxsize=1)
    def of(cls, scene: Scene) -> SceneRays:
        """Those of a scene; of the last one they are kept, because a scene is often drawn at a second size at once:
        meshes and their trees are a sixth of the time from a prompt to its frames."""
        return cls(scene)

    def camera_pose(self, frame: int, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
        """Rotation ``(3, 3)`` from world to camera axes, and the position ``(3,)`` of the camera in the world (m)."""
        x, y, yaw = self.scene.ego_poses[frame]
        c, s = np.cos(yaw), np.sin(yaw)
        ego_from_world = np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])
        position = np.array([x, y, self.scene.ego_z_m[frame] + camera.height_m])
        return camera.camera_from_ego()[:3, :3] @ ego_from_world, position

    def bodies_at(self, frame: int) -> tuple[list[AgentBody], np.ndarray]:
        """The bodies that are present in a frame, and the corners ``(B, 8, 3)`` float64 of their boxes in the world."""
        if self._placed is None or self._placed[0] != frame:
            present = [body for body in self.bodies if body.agent.present[frame]]
            corners = np.array([body.corners(frame) for body in present]).reshape(-1, 8, 3)
            self._placed = (frame, present, corners)
        return self._placed[1:]

    def first_hits(
        self, frame: int, origin: np.ndarray, directions: np.ndarray, chosen: dict[int, np.ndarray]
    ) -> SceneHits:
        """What rays from one point or from M points meet first.

        origin: ``(1, 3)`` or ``(M, 3)`` world m. directions: ``(M, 3)``. chosen: for an agent the numbers of the rays
        that can meet it; others are not tested.
        """
        origin = origin.astype(np.float32)
        origins = np.broadcast_to(origin, directions.shape)
        found = self.world.mesh.first_hit(origins, directions)
        owner = np.where(found.triangle >= 0, np.int32(STATIC), np.int32(SKY))
        triangle, u, v = found.triangle.copy(), found.u.copy(), found.v.copy()
        distance = np.minimum(found.distance, np.float32(FAR_M))
        for body in self.bodies_at(frame)[0]:
            rows = chosen.get(body.index)
            if rows is None or not len(rows):
                continue
            mine = body.first_hit(frame, origin if len(origin) == 1 else origin.take(rows, 0), directions.take(rows, 0))
            closer = np.flatnonzero((mine.triangle >= 0) & (mine.distance < distance.take(rows)))
            rows = rows[closer]
            owner[rows], triangle[rows] = body.index, mine.triangle[closer]
            distance[rows], u[rows], v[rows] = mine.distance[closer], mine.u[closer], mine.v[closer]
        return SceneHits(owner, triangle, distance, u, v)

    def near_mirrored(self, frame: int, camera: Camera, directions: np.ndarray) -> dict[int, np.ndarray]:
        """For each agent the rays ``(M, 3)`` that can meet it, if they are sight lines mirrored in level ground.

        A mirror image stays in the vertical plane of the sight line, so only the bearing counts.
        """
        rotation, position = self.camera_pose(frame, camera)
        ahead = np.array([rotation[2, 0], rotation[2, 1], 0.0])
        ahead /= np.linalg.norm(ahead)
        axes = np.stack([ahead, [-ahead[1], ahead[0], 0.0]])
        seen = directions @ axes.T.astype(np.float32)
        bodies, corners = self.bodies_at(frame)
        placed = (corners - position) @ axes.T  # (B, 8, 2)
        boxes = np.tile([-np.inf, np.inf, -1.0, 1.0], (len(bodies), 1))
        front = placed[..., 0].min(1, initial=np.inf) > NEAR_M
        if len(seen) and seen[:, 0].min() > 0:
            bearing = placed[front, :, 1] / placed[front, :, 0]
            boxes[front, 0], boxes[front, 1] = bearing.min(1) - 1e-3, bearing.max(1) + 1e-3
        kept = np.flatnonzero(placed[..., 0].max(1, initial=-np.inf) > 0)
        x = seen[:, 1] / np.maximum(seen[:, 0], np.float32(1e-6))
        near = points_in_boxes(x, np.zeros_like(x), boxes[kept])
        return {bodies[kept[number]].index: rows for number, rows in near}

    def blocked(self, frame: int, points: np.ndarray, direction: np.ndarray) -> np.ndarray:
        """Whether anything stands between points ``(M, 3)`` (world m) and light from ``direction`` ``(3,)``.

        Returns ``(M,)`` bool.
        """
        direction = np.asarray(direction, np.float32)
        directions = np.broadcast_to(direction, points.shape)
        corners = self.bodies_at(frame)[1]
        # Seen along the light, points and bodies lie in a plane.
        axes = np.linalg.svd(direction[None].astype(float))[2][1:]
        middle = np.append(self.scene.ego_poses[frame, :2], self.scene.ego_z_m[frame])
        placed = (corners - middle) @ axes.T
        boxes = np.concatenate([placed.min(1) - MARGIN_M, placed.max(1) + MARGIN_M], 1)[:, [0, 2, 1, 3]]
        x, y = (axes.astype(np.float32) @ points.T) - (axes @ middle).astype(np.float32)[:, None]
        return self._blocked(frame, points, directions, None, points_in_boxes(x, y, boxes))

    def blocked_from(
        self, frame: int, points: np.ndarray, toward: np.ndarray, lamp: np.ndarray, reach: float
    ) -> np.ndarray:
        """Whether anything stands between points ``(M, 3)`` (world m) and a lamp at ``lamp`` ``(3,)``.

        toward: ``(M, 3)`` to the lamp or to within ``MARGIN_M`` of it. reach: share of that way that counts. Returns
        ``(M,)`` bool.
        """
        bodies, corners = self.bodies_at(frame)
        # Seen from the lamp, what is lower than it lies in a plane below; nothing low blocks light for what is high.
        below = lamp[2] - corners[..., 2] - MARGIN_M
        low = below.min(1, initial=np.inf) > LOW_M
        depth = np.stack([below[low], below[low] + 2 * MARGIN_M], 1)[..., None]  # (B, 2, 8, 1)
        offset = (corners[low] - lamp)[:, None, :, :2]
        pad = np.array([-MARGIN_M, MARGIN_M])[:, None, None, None, None]
        seen = ((offset + pad) / depth).reshape(2, int(low.sum()), 16, 2)
        boxes = np.tile([-np.inf, np.inf, -np.inf, np.inf], (len(bodies), 1))
        boxes[low, 0::2], boxes[low, 1::2] = seen[0].min(1), seen[1].max(1)
        up = np.where(toward[:, 2] > LOW_M, -toward[:, 2], np.float32(np.nan))
        x, y = toward[:, 0] / up, toward[:, 1] / up
        limit = np.full(len(points), reach, np.float32)
        return self._blocked(frame, points, toward, limit, points_in_boxes(x, y, boxes))

    def _blocked(
        self, frame: int, points: np.ndarray, directions: np.ndarray, reach: np.ndarray | None,
        near: Iterator[tuple[int, np.ndarray]],
    ) -> np.ndarray:  # fmt: skip
        """Whether rays are blocked, ``(M,)`` bool. near: number of a present body, and the rays that can meet it."""
        out = self.world.mesh.blocked(points, directions, reach)
        bodies = self.bodies_at(frame)[0]
        for number, candidates in near:
            rows = candidates[~out[candidates]]
            if len(rows):
                limit = None if reach is None else reach[rows]
                out[rows] = bodies[number].blocked(frame, points.take(rows, 0), directions.take(rows, 0), limit)
        return out


def pixel_boxes(rays: SceneRays, frame: int, camera: Camera) -> dict[int, tuple[float, float, float, float]]:
    """Agent index -> box x0 y0 x1 y1 in pixels that holds all of it, for the agents in front of the camera."""
    rotation, position = rays.camera_pose(frame, camera)
    boxes = {}
    bodies, corners = rays.bodies_at(frame)
    for body, seen in zip(bodies, (corners - position) @ rotation.T, strict=True):
        if seen[:, 2].max() <= NEAR_M:
            continue
        if seen[:, 2].min() <= NEAR_M:
            boxes[body.index] = (0.0, 0.0, float(camera.width_px), float(camera.height_px))
            continue
        u = seen[:, 0] / seen[:, 2] * camera.fx_px + camera.cx_px
        v = seen[:, 1] / seen[:, 2] * camera.fy_px + camera.cy_px
        box = (float(u.min()), float(v.min()), float(u.max()), float(v.max()))
        if box[2] > 0 and box[3] > 0 and box[0] < camera.width_px and box[1] < camera.height_px:
            boxes[body.index] = box
    return boxes
