"""One geometry pass per frame: which face is seen at each pixel, and how far away it is.

Faces are drawn back to front into a buffer of face numbers (painter's order: by thing, by convex part, by layer).
Instance ids, classes, depth, colours and light are all looked up from that one buffer, so they cannot disagree.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from worldgen.core.camera import Camera
from worldgen.core.scene import Scene
from worldgen.scenes.sketch.cast import Faces, agent_faces, road_faces, static_faces
from worldgen.scenes.sketch.ground import SEM

NEAR_M = 0.25
FAR_M = 1000.0
"""Depth given to the sky, and the farthest depth of anything."""
DRAW_DISTANCE_M = 260.0
SUBPIXEL_BITS = 4
SKY, TERRAIN, FIRST_FACE = 0, 1, 2
"""Numbers in the face buffer: nothing, the plain ground up to the horizon, and the first face."""

DETAIL_PX = np.array([0.0, 9.0, 34.0])
"""A face of detail 0, 1, 2 is drawn when its thing is at least this many raster pixels across."""
COARSE_BELOW_PX = 26.0
"""Faces of detail -1 stand in for whole things that are smaller than this."""


@dataclass(frozen=True, eq=False)
class FrameRaster:
    """One frame of face numbers. index: ``(h, w)`` int32 at the raster's size. planes: ``(F + 2, 3)`` float32, inverse
    depth (1/m) = plane . (x, y, 1) on the unit-depth ray. limits: ``(F + 2, 2)`` least and greatest inverse depth.
    """

    index: np.ndarray
    planes: np.ndarray
    limits: np.ndarray

    def inverse_depth(self, index: np.ndarray, rays_x: np.ndarray, rays_y: np.ndarray) -> np.ndarray:
        """Inverse depth in 1/m, float32, for face numbers seen along rays; broadcasts x over columns and y over rows."""
        plane = self.planes[index]
        value = plane[..., 0] * rays_x + plane[..., 1] * rays_y + plane[..., 2]
        limit = self.limits[index]
        return np.clip(value, limit[..., 0], limit[..., 1])


class Stage:
    """A scene ready to be drawn at one raster size: all faces in one table, and the camera path.

    camera: of the raster. agents only: ``pick`` draws a single thing alone, see :meth:`silhouette`.
    """

    def __init__(self, scene: Scene, camera: Camera):
        self.scene = scene
        self.camera = camera
        self.pieces: list[Faces] = [
            f for f in (road_faces(scene), static_faces(scene), agent_faces(scene)) if f is not None
        ]
        self.num_road = len(self.pieces[0].counts) if scene.road.patches or scene.road.lines else 0
        self._join()
        transform = camera.camera_from_ego()
        self.rotation = transform[:3, :3]
        self.crest = bool(
            np.ptp(np.concatenate([p.points_m[:, 2] for p in scene.road.patches] or [np.zeros(1)])) > 0.05
        )

    def _join(self) -> None:
        pieces = self.pieces
        joined = lambda name: np.concatenate([getattr(p, name) for p in pieces])  # noqa: E731
        first = np.cumsum([0] + [p.vertices.shape[1] for p in pieces])
        part = np.cumsum([0] + [p.part_centre.shape[1] for p in pieces])
        group = np.cumsum([0] + [p.group_centre.shape[1] for p in pieces])
        self.corners = np.concatenate([p.corners + f for p, f in zip(pieces, first, strict=False)])
        self.part = np.concatenate([p.part + f for p, f in zip(pieces, part, strict=False)])
        self.group = np.concatenate([p.group + f for p, f in zip(pieces, group, strict=False)])
        for name in (
            "counts",
            "colour",
            "layer",
            "detail",
            "lamp",
            "texture",
            "two_sided",
            "gloss",
            "grain",
            "snow",
            "mirror",
            "semantic",
            "track",
            "frame",
        ):
            setattr(self, name, joined(name))
        self.group_radius, self.group_agent = joined("group_radius"), joined("agent")
        self.num_faces = len(self.counts)
        self.is_road = np.arange(self.num_faces) < self.num_road
        agents = self.group_agent
        present = np.ones((self.scene.num_frames, len(agents)), bool)
        for g in np.flatnonzero(agents >= 0):
            present[:, g] = self.scene.agents[agents[g]].present
        self.present = present
        self.has_coarse = np.zeros(len(agents), bool)
        self.has_coarse[self.group[self.detail < 0]] = True

    def at(self, name: str, frame: int) -> np.ndarray:
        """A moving array of all faces (vertices, normals, part_centre, group_centre) at one frame."""
        return np.concatenate([getattr(p, name)[frame if getattr(p, name).shape[0] > 1 else 0] for p in self.pieces])

    @cached_property
    def semantic_table(self) -> np.ndarray:
        """Semantic code of every number in the face buffer, ``(F + 2,)`` uint8."""
        return np.concatenate([[SEM["sky"], SEM["terrain"]], self.semantic]).astype(np.uint8)

    @cached_property
    def track_table(self) -> np.ndarray:
        """Track id of every number in the face buffer, ``(F + 2,)`` int32, 0 for none."""
        return np.concatenate([[0, 0], self.track]).astype(np.int32)

    def pose(self, frame: int) -> tuple[np.ndarray, np.ndarray]:
        """Rotation ``(3, 3)`` from world to camera and the camera's place ``(3,)`` in the world."""
        x, y, yaw = self.scene.ego_poses[frame]
        c, s = np.cos(yaw), np.sin(yaw)
        ego_from_world = np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])
        place = np.array([x, y, self.scene.ego_z_m[frame] + self.camera.height_m])
        return self.rotation @ ego_from_world, place

    def project(self, frame: int) -> Projected:
        """All faces of one frame in the camera's view."""
        rotation, place = self.pose(frame)
        vertices = self.at("vertices", frame) - place.astype(np.float32)
        if self.crest:
            vertices = over_the_crest(self.scene, frame, vertices, self.camera.height_m)
        return Projected(self, frame, (vertices @ rotation.T.astype(np.float32)), rotation, place)

    def draw(self, frame: int) -> FrameRaster:
        """The face buffer of one frame."""
        view = self.project(frame)
        index = np.zeros((self.camera.height_px, self.camera.width_px), np.int32)
        self._terrain(index, view)
        paint(index, view, view.visible(np.ones(self.num_faces, bool)), self.camera)
        return FrameRaster(index, *view.planes())

    def _terrain(self, index: np.ndarray, view: Projected) -> None:
        horizon = self.camera.horizon_px
        index[max(0, int(np.ceil(horizon - 0.5))) :] = TERRAIN

    def silhouette(self, view: Projected, agent: int) -> tuple[np.ndarray, np.ndarray] | None:
        """One agent alone: its mask over the image, ``(h, w)`` bool, and its amodal box, or None when it is behind the camera."""
        group = np.flatnonzero(self.group_agent == agent)[0]
        faces = view.visible(self.group == group, coarse=False)
        if not len(faces):
            return None
        index = np.zeros((self.camera.height_px, self.camera.width_px), np.int32)
        paint(index, view, faces, self.camera)
        points = view.points[self.corners[faces].ravel()]
        ahead = points[:, 2] > NEAR_M
        pixels = view.to_pixels(points[ahead])
        return index > 0, np.concatenate([pixels.min(0), pixels.max(0)])


class Projected:
    """Vertices of one frame in the camera frame, and what follows from them."""

    def __init__(self, stage: Stage, frame: int, points: np.ndarray, rotation: np.ndarray, place: np.ndarray):
        self.stage, self.frame, self.points = stage, frame, points
        self.rotation, self.place = rotation, place
        self.normals = stage.at("normals", frame) @ rotation.T.astype(np.float32)
        self.first = points[stage.corners[:, 0]]
        self.offset = np.einsum("fc,fc->f", self.normals, self.first)

    def to_pixels(self, points: np.ndarray) -> np.ndarray:
        """Pixels ``(..., 2)`` of camera points in front of the camera."""
        camera = self.stage.camera
        scale = 1.0 / points[..., 2:3]
        return points[..., :2] * scale * np.array([camera.fx_px, camera.fy_px], np.float32) + np.array(
            [camera.cx_px, camera.cy_px], np.float32
        )

    def visible(self, wanted: np.ndarray, *, coarse: bool = True) -> np.ndarray:
        """Numbers of faces worth drawing: turned to the camera, in front of it, in view, large enough."""
        stage, camera = self.stage, self.stage.camera
        centres = (stage.at("group_centre", self.frame) - self.place) @ self.rotation.T
        distance = np.maximum(np.linalg.norm(centres, axis=1), 0.5)
        across_px = 2 * stage.group_radius * camera.fy_px / distance
        reach = stage.group_radius
        margin_x = (camera.width_px / camera.fx_px) * 0.5 + abs(camera.cx_px - camera.width_px / 2) / camera.fx_px
        in_view = (centres[:, 2] + reach > NEAR_M) & (distance - reach < DRAW_DISTANCE_M)
        in_view &= (
            np.abs(centres[:, 0]) - reach * np.hypot(1.0, margin_x) < np.maximum(centres[:, 2], 0.0) * margin_x + 0.1
        )
        in_view &= stage.present[self.frame]
        keep = wanted & in_view[stage.group] & ((self.offset < 0) | stage.two_sided)
        size = across_px[stage.group]
        if coarse:
            keep &= np.where(stage.detail < 0, size < COARSE_BELOW_PX, (size >= DETAIL_PX[np.maximum(stage.detail, 0)]))
            keep &= ~((stage.detail == 0) & stage.has_coarse[stage.group] & (size < COARSE_BELOW_PX))
        else:
            keep &= stage.detail >= 0
        faces = np.flatnonzero(keep)
        depth = self.points[:, 2][stage.corners[faces]]
        faces = faces[depth.max(1) > NEAR_M]
        return self._sorted(faces)

    def _sorted(self, faces: np.ndarray) -> np.ndarray:
        stage = self.stage
        part = np.linalg.norm(stage.at("part_centre", self.frame) - self.place, axis=1)
        group = group_distance(stage.at("group_centre", self.frame), part, stage, self.place)
        road = stage.is_road[faces]
        keys = (stage.layer[faces], np.where(road, 0, -part[stage.part[faces]]), np.where(road, -1e9, -group[faces]))
        return faces[np.lexsort(keys)]

    def planes(self) -> tuple[np.ndarray, np.ndarray]:
        """Plane and limits of inverse depth for every number in the face buffer."""
        stage = self.stage
        safe = np.where(np.abs(self.offset) < 1e-4, -1e-4, self.offset)
        up = (self.rotation @ np.array([0.0, 0.0, 1.0])) / -self.place[2]
        planes = np.concatenate([np.zeros((1, 3)), up[None], self.normals / safe[:, None]]).astype(np.float32)
        z = np.maximum(self.points[:, 2], NEAR_M)[stage.corners]
        limits = np.concatenate(
            [[[0.0, 1 / FAR_M], [1 / FAR_M, 1 / NEAR_M]], np.stack([1 / z.max(1), 1 / z.min(1)], 1)]
        )
        return planes, np.maximum(limits, 1 / FAR_M).astype(np.float32)


def group_distance(centres: np.ndarray, part: np.ndarray, stage: Stage, place: np.ndarray) -> np.ndarray:
    """Sorting distance of every face's thing: agents as wholes, surroundings part by part (they are long)."""
    whole = np.linalg.norm(centres - place, axis=1)
    return np.where(stage.group_agent[stage.group] >= 0, whole[stage.group], part[stage.part])


def paint(index: np.ndarray, view: Projected, faces: np.ndarray, camera: Camera) -> None:
    """Fill the faces in order with their numbers. index: ``(h, w)`` int32, changed in place."""
    if not len(faces):
        return
    stage = view.stage
    corners = view.points[stage.corners[faces]]
    counts = stage.counts[faces]
    crossing = corners[..., 2].min(1) <= NEAR_M
    z = np.maximum(corners[..., 2], NEAR_M)
    # Half a raster pixel less, because OpenCV counts from pixel centres.
    u = corners[..., 0] / z * camera.fx_px + (camera.cx_px - 0.5)
    v = corners[..., 1] / z * camera.fy_px + (camera.cy_px - 0.5)
    seen = (u.max(1) >= -1) & (u.min(1) <= camera.width_px) & (v.max(1) >= -1) & (
        v.min(1) <= camera.height_px
    ) | crossing
    scale = 1 << SUBPIXEL_BITS
    pixels = np.rint(np.stack([u, v], -1) * scale).astype(np.int32)
    fill, shift = cv2.fillConvexPoly, SUBPIXEL_BITS
    for k in np.flatnonzero(seen):
        number = int(faces[k]) + FIRST_FACE
        if crossing[k]:
            outline = clipped(corners[k, : counts[k]], NEAR_M)
            if len(outline) < 3:
                continue
            flat = outline[:, :2] / outline[:, 2:] * (camera.fx_px, camera.fy_px) + (
                camera.cx_px - 0.5,
                camera.cy_px - 0.5,
            )
            fill(index, np.rint(flat * scale).astype(np.int32), number, 8, shift)
        else:
            fill(index, pixels[k, : counts[k]], number, 8, shift)


def clipped(points: np.ndarray, near_m: float) -> np.ndarray:
    """The part of a polygon ``(N, 3)`` beyond the near plane (Sutherland and Hodgman 1974)."""
    out = []
    previous = points[-1]
    for point in points:
        if (point[2] > near_m) != (previous[2] > near_m):
            share = (near_m - previous[2]) / (point[2] - previous[2])
            out.append(previous + share * (point - previous))
        if point[2] > near_m:
            out.append(point)
        previous = point
    return np.array(out).reshape(-1, 3)


def over_the_crest(scene: Scene, frame: int, vertices: np.ndarray, height_m: float) -> np.ndarray:
    """Points hidden behind a crest of the road raised onto the line of sight over it, so that they vanish into it.

    vertices: ``(V, 3)`` world, relative to the camera. Crests stand on straight roads, so height is a function of the
    distance ahead alone.
    """
    x, y, yaw = scene.ego_poses[frame]
    ahead = vertices[:, 0] * np.cos(yaw) + vertices[:, 1] * np.sin(yaw)
    centre = scene.road.centre_m
    s = (centre[:, 0] - x) * np.cos(yaw) + (centre[:, 1] - y) * np.sin(yaw)
    front = s > 1.0
    if not front.any():
        return vertices
    grid = np.linspace(1.0, s.max(), 400)
    order = np.argsort(s)
    slope = (np.interp(grid, s[order], centre[order, 2]) - scene.ego_z_m[frame] - height_m) / grid
    sight = np.maximum.accumulate(slope)
    lowest = np.interp(ahead, grid, sight) * ahead
    out = vertices.copy()
    out[:, 2] = np.where(ahead > 1.0, np.maximum(out[:, 2], lowest - 0.002), out[:, 2])
    return out
