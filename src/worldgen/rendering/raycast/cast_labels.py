"""Labels measured from what the rays through the pixel centres meet."""

from __future__ import annotations

import numpy as np

from worldgen.core.camera import Camera
from worldgen.rendering.raycast.geometry.agent_bodies import AgentBody
from worldgen.rendering.raycast.geometry.pixel_samples import PixelGrid
from worldgen.rendering.raycast.geometry.scene_rays import NEAR_M, SceneRays, pixel_boxes


def amodal_box(rays: SceneRays, body: AgentBody, frame: int, camera: Camera) -> np.ndarray | None:
    """Box x0 y0 x1 y1 (px) around a body, hidden or not, without what it carries; None if it is behind the camera."""
    rotation, position = rays.camera_pose(frame, camera)
    used = np.unique(body.shape.solid.triangles[body.body_triangles])
    own = body.posed_vertices(frame)[0][used] * body.scale
    world = own @ body.rotation(frame).T + body.position(frame)
    seen = (world - position) @ rotation.T
    seen = seen[seen[:, 2] > NEAR_M]
    if not len(seen):
        return None
    u = seen[:, 0] / seen[:, 2] * camera.fx_px + camera.cx_px
    v = seen[:, 1] / seen[:, 2] * camera.fy_px + camera.cy_px
    return np.array([u.min(), v.min(), u.max(), v.max()])


def unoccluded(grid: PixelGrid, frame: int) -> dict[int, tuple[int, np.ndarray]]:
    """Agent index -> number of its pixels without the other objects, and its amodal box (px); agents in view only.

    What a person carries does not count.
    """
    rays, camera, out = grid.rays, grid.camera, {}
    _, position = rays.camera_pose(frame, camera)
    origin = position.astype(np.float32)[None]
    for index in pixel_boxes(rays, frame, camera):
        body = rays.bodies[index]
        box = amodal_box(rays, body, frame, camera)
        if box is None or box[2] <= 0 or box[3] <= 0 or box[0] >= camera.width_px or box[1] >= camera.height_px:
            continue
        rows = np.flatnonzero((grid.u > box[0]) & (grid.u < box[2]) & (grid.v > box[1]) & (grid.v < box[3]))
        found = body.first_hit(frame, origin, grid.directions(frame, grid.u[rows], grid.v[rows]))
        met = found.triangle[found.triangle >= 0]
        out[index] = (int(np.count_nonzero(body.body_triangles[met])), box)
    return out
