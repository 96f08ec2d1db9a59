"""Rays through a scene: what they meet first, and whether light is blocked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from worldgen.core.camera import Camera
from worldgen.core.scene import Scene
from worldgen.rendering.raycast.geometry.agent_bodies import AgentBody
from worldgen.rendering.raycast.geometry.static_world import StaticWorld

FAR_M = 1000.0
"""Depth given to the sky, and the farthest depth of anything."""
NEAR_M = 0.25
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

    def camera_pose(self, frame: int, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
        """Rotation ``(3, 3)`` from world to camera axes, and the position ``(3,)`` of the camera in the world (m)."""
        x, y, yaw = self.scene.ego_poses[frame]
        c, s = np.cos(yaw), np.sin(yaw)
        ego_from_world = np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])
        position = np.array([x, y, self.scene.ego_z_m[frame] + camera.height_m])
        return camera.camera_from_ego()[:3, :3] @ ego_from_world, position

    def first_hits(
        self, frame: int, origin: np.ndarray, directions: np.ndarray, *, only: np.ndarray | None = None,
        chosen: dict[int, np.ndarray] | None = None,
    ) -> SceneHits:  # fmt: skip
        """What rays from one point or from M points meet first.

        origin: ``(1, 3)`` or ``(M, 3)`` world m. directions: ``(M, 3)``. only: indices of the agents to test, default
        all that are present. chosen: for an agent the numbers of the rays that can meet it; others are not tested.
        """
        origins = np.broadcast_to(origin.astype(np.float32), directions.shape)
        found = self.world.mesh.first_hit(origins, directions)
        owner = np.where(found.triangle >= 0, STATIC, SKY).astype(np.int32)
        triangle, u, v = found.triangle.copy(), found.u.copy(), found.v.copy()
        distance = np.minimum(found.distance, np.float32(FAR_M))
        for body in self.bodies:
            if not body.agent.present[frame] or (only is not None and body.index not in only):
                continue
            rows = chosen.get(body.index) if chosen is not None else self._near(body, frame, origins, directions)
            if rows is None or not len(rows):
                continue
            mine = body.first_hit(frame, origins[rows], directions[rows])
            closer = (mine.triangle >= 0) & (mine.distance < distance[rows])
            rows = rows[closer]
            owner[rows], triangle[rows] = body.index, mine.triangle[closer]
            distance[rows], u[rows], v[rows] = mine.distance[closer], mine.u[closer], mine.v[closer]
        return SceneHits(owner, triangle, distance, u, v)

    def _near(self, body: AgentBody, frame: int, origins: np.ndarray, directions: np.ndarray) -> np.ndarray:
        """Numbers of the rays that pass the bounding sphere of a body."""
        centre = body.position(frame).astype(np.float32)
        offset = centre - origins
        along = np.einsum("mc,mc->m", offset, directions)
        square = np.einsum("mc,mc->m", directions, directions)
        miss = np.einsum("mc,mc->m", offset, offset) - along * np.abs(along) / square
        return np.flatnonzero((miss < body.radius_m**2) & (along > -body.radius_m * np.sqrt(square)))

    def blocked(
        self, frame: int, points: np.ndarray, directions: np.ndarray, *, reach: np.ndarray | None = None
    ) -> np.ndarray:
        """Whether anything stands between points and light, ``(M,)`` bool.

        points: ``(M, 3)`` world m. directions: ``(M, 3)`` or ``(3,)``. reach: ``(M,)`` lengths of the direction.
        """
        directions = np.broadcast_to(np.asarray(directions, np.float32), points.shape)
        out = self.world.mesh.blocked(points, directions, reach)
        for body in self.bodies:
            if not body.agent.present[frame]:
                continue
            rows = self._near(body, frame, points, directions)
            rows = rows[~out[rows]]
            if len(rows):
                limit = None if reach is None else reach[rows]
                out[rows] = body.blocked(frame, points[rows], directions[rows], limit)
        return out


def pixel_boxes(rays: SceneRays, frame: int, camera: Camera) -> dict[int, tuple[float, float, float, float]]:
    """Agent index -> box x0 y0 x1 y1 in pixels that holds all of it, for the agents in front of the camera."""
    rotation, position = rays.camera_pose(frame, camera)
    boxes = {}
    for body in rays.bodies:
        if not body.agent.present[frame]:
            continue
        seen = (body.corners(frame) - position) @ rotation.T
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
