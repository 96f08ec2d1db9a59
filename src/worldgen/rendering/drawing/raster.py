"""One geometry pass per frame: which face is seen at each pixel, and how far away it is.

Faces are drawn back to front into a buffer of face numbers (painter's order: by thing, by convex part, by layer).
Instance ids, classes, depth, colours and light are all looked up from that one buffer, so they cannot disagree.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from worldgen.core.camera import Camera
from worldgen.core.scene import Scene
from worldgen.rendering.drawing.cast import Faces, agent_faces, road_faces, static_faces
from worldgen.rendering.drawing.depth_order import AgentOrder
from worldgen.rendering.drawing.ground import SEM

NEAR_M = 0.25
FAR_M = 1000.0
"""Depth given to the sky, and the farthest depth of anything."""
DRAW_DISTANCE_M = 260.0
SUBPIXEL_BITS = 4
SKY, TERRAIN, FIRST_FACE = 0, 1, 2
"""Numbers in the face buffer: nothing, the plain ground up to the horizon, and the first drawn face."""

DETAIL_PX = np.array([0.0, 11.0, 40.0])
"""A face of detail 0, 1, 2 is drawn when its thing is at least this many raster pixels wide."""
COARSE_BELOW_PX = 34.0
"""Faces of detail -1 stand in for whole things that are smaller than this."""
SPECK_PX = 1.3
"""Surroundings smaller than this are left out."""


@dataclass(frozen=True, eq=False)
class FrameRaster:
    """One frame of face numbers. index: ``(h, w)`` int32 at the raster's size; ``faces[n - 2]`` is the face of number n.

    planes: ``(N + 2, 3)`` float32, inverse depth (1/m) = plane . (x, y, 1) on the unit-depth ray; limits:
    ``(N + 2, 2)`` least and greatest inverse depth; semantic, track: ``(N + 2,)`` code and track id of each number.
    """

    index: np.ndarray
    faces: np.ndarray
    planes: np.ndarray
    limits: np.ndarray
    semantic: np.ndarray
    track: np.ndarray

    def inverse_depth(self, index: np.ndarray, rays_x: np.ndarray, rays_y: np.ndarray) -> np.ndarray:
        """Inverse depth in 1/m, float32, of face numbers seen along rays; x broadcasts over columns and y over rows."""
        plane = np.take(self.planes, index, 0)
        value = plane[..., 0] * rays_x
        value += plane[..., 1] * rays_y
        value += plane[..., 2]
        limit = np.take(self.limits, index, 0)
        return np.minimum(np.maximum(value, limit[..., 0]), limit[..., 1])


@dataclass(frozen=True, eq=False)
class DrawnFaces:
    """Faces of one frame ready to be filled, back to front: numbers into the stage's table ``(N,)``, corners in the
    camera frame ``(MAX_CORNERS, N, 3)`` float32, and the pixels they fall on ``(N, MAX_CORNERS, 2)`` float32."""

    faces: np.ndarray
    corners: np.ndarray
    pixels: np.ndarray


class RasterScene:
    """A scene ready to be drawn at one raster size: all faces in one table, and the camera path."""

    def __init__(self, scene: Scene, camera: Camera):
        self.scene, self.camera = scene, camera
        self.pieces: list[Faces] = [
            f for f in (road_faces(scene), static_faces(scene), agent_faces(scene)) if f is not None
        ]
        self._join()
        self.rotation = camera.camera_from_ego()[:3, :3]
        heights = [p.points_m[:, 2] for p in scene.road.patches]
        self.crest = bool(heights) and float(np.ptp(np.concatenate(heights))) > 0.05
        self.order = AgentOrder(scene) if scene.agents else None
        self._frame = -1

    def _join(self) -> None:
        pieces = self.pieces
        joined = lambda name: np.concatenate([getattr(p, name) for p in pieces])  # noqa: E731
        self.starts = {name: np.cumsum([0] + [getattr(p, name).shape[1] for p in pieces]) for name in MOVING}
        first, part, group = self.starts["vertices"], self.starts["part_centre"], self.starts["group_centre"]
        self.corners = np.concatenate([p.corners + f for p, f in zip(pieces, first, strict=False)])
        self.corner_rows = np.ascontiguousarray(self.corners.T)
        self.part = np.concatenate([p.part + f for p, f in zip(pieces, part, strict=False)])
        self.group = np.concatenate([p.group + f for p, f in zip(pieces, group, strict=False)])
        for name in COLUMNS:
            setattr(self, name, joined(name))
        self.group_radius, self.group_width, self.group_agent = (
            joined("group_radius"),
            joined("group_width"),
            joined("agent"),
        )
        self.num_faces = len(self.counts)
        self.is_road = self.group_radius[self.group] > 1e5
        self.has_coarse = np.zeros(len(self.group_agent), bool)
        self.has_coarse[self.group[self.detail < 0]] = True
        self.of_agent = self.group_agent[self.group]
        self.present = np.ones((self.scene.num_frames, len(self.group_agent)), bool)
        for g in np.flatnonzero(self.group_agent >= 0):
            self.present[:, g] = self.scene.agents[self.group_agent[g]].present
        self.agent_vertices = {}
        for agent in range(len(self.scene.agents)):
            mine = self.corners[self.of_agent == agent]
            self.agent_vertices[agent] = slice(int(mine.min()), int(mine.max()) + 1)
        self.now = {name: np.concatenate([getattr(p, name)[0] for p in pieces]) for name in MOVING}

    def seek(self, frame: int) -> dict[str, np.ndarray]:
        """Moving arrays of all faces at one frame: vertices, normals, part_centre, group_centre in world metres."""
        if frame != self._frame:
            for name in MOVING:
                for piece, start in zip(self.pieces, self.starts[name], strict=False):
                    values = getattr(piece, name)
                    if values.shape[0] > 1:
                        self.now[name][start : start + values.shape[1]] = values[frame]
            self._frame = frame
        return self.now

    def pose(self, frame: int) -> tuple[np.ndarray, np.ndarray]:
        """Rotation ``(3, 3)`` from world to camera and the camera's place ``(3,)`` in the world."""
        x, y, yaw = self.scene.ego_poses[frame]
        c, s = np.cos(yaw), np.sin(yaw)
        ego_from_world = np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])
        place = np.array([x, y, self.scene.ego_z_m[frame] + self.camera.height_m])
        return self.rotation @ ego_from_world, place

    def draw(self, frame: int) -> FrameRaster:
        """The face buffer of one frame."""
        return self.rasterised(frame, self.prepare(frame))

    def rasterised(self, frame: int, drawn: DrawnFaces) -> FrameRaster:
        """The face buffer filled with prepared faces."""
        index = np.zeros((self.camera.height_px, self.camera.width_px), np.int32)
        index[max(0, int(np.ceil(self.camera.horizon_px - 0.5))) :] = TERRAIN
        self.fill(index, drawn)
        lead = lambda sky, plain, values: np.concatenate([[sky, plain], values])  # noqa: E731
        semantic = lead(SEM["sky"], SEM["terrain"], self.semantic[drawn.faces]).astype(np.uint8)
        track = lead(0, 0, self.track[drawn.faces]).astype(np.int32)
        return FrameRaster(index, drawn.faces, *self._planes(frame, drawn), semantic, track)

    def prepare(self, frame: int) -> DrawnFaces:
        """The faces that can be seen, sorted back to front and projected; each thing at the detail its size asks for."""
        now = self.seek(frame)
        rotation, place = self.pose(frame)
        faces = self._worth_drawing(frame)
        first = now["vertices"][self.corner_rows[0, faces]]
        facing = np.einsum("fc,fc->f", now["normals"][faces], first - place.astype(np.float32))
        faces = faces[(facing < 0) | self.two_sided[faces]]
        corners = now["vertices"][self.corner_rows[:, faces]] - place.astype(np.float32)
        if self.crest:
            corners = over_the_crest(self.scene, frame, corners, self.camera.height_m)
        corners = corners @ rotation.T.astype(np.float32)
        faces, corners, pixels = self._on_screen(faces, corners)
        order = self._sorted(frame, faces, place)
        return DrawnFaces(faces[order], corners[:, order], np.ascontiguousarray(pixels[:, order].transpose(1, 0, 2)))

    def _worth_drawing(self, frame: int) -> np.ndarray:
        """Numbers of the faces of things in view, at their level of detail."""
        rotation, place = self.pose(frame)
        camera, radius = self.camera, self.group_radius
        centres = (self.seek(frame)["group_centre"] - place.astype(np.float32)) @ rotation.T.astype(np.float32)
        distance = np.sqrt(np.einsum("gc,gc->g", centres, centres))
        slope = max(camera.cx_px, camera.width_px - camera.cx_px) / camera.fx_px
        in_view = (centres[:, 2] + radius > NEAR_M) & (distance - radius < DRAW_DISTANCE_M) & self.present[frame]
        in_view &= np.abs(centres[:, 0]) < np.maximum(centres[:, 2], 0.0) * slope + radius * np.hypot(1.0, slope)
        width_px = self.group_width * camera.fy_px / np.maximum(distance, 0.5)
        in_view &= (width_px > SPECK_PX) | (self.group_agent >= 0)
        faces = np.flatnonzero(in_view[self.group])
        detail, size = self.detail[faces], width_px[self.group[faces]]
        stand_in = self.has_coarse[self.group[faces]] & (size < COARSE_BELOW_PX)
        return faces[np.where(detail < 0, stand_in, (size >= DETAIL_PX[np.maximum(detail, 0)]) & ~stand_in)]

    def _on_screen(self, faces: np.ndarray, corners: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Faces that touch the image, their corners, and pixels (from pixel centres, as OpenCV counts)."""
        camera = self.camera
        depth = np.maximum(corners[..., 2], NEAR_M)
        u = corners[..., 0] / depth * camera.fx_px + np.float32(camera.cx_px - 0.5)
        v = corners[..., 1] / depth * camera.fy_px + np.float32(camera.cy_px - 0.5)
        near, far = corners[..., 2].min(0), corners[..., 2].max(0)
        seen = (u.max(0) >= -1) & (u.min(0) <= camera.width_px) & (v.max(0) >= -1) & (v.min(0) <= camera.height_px)
        if self.crest:
            # What sank behind a crest has become a line there, and lines would still be drawn.
            seen &= v.max(0) - v.min(0) > 0.2
        keep = np.flatnonzero((far > NEAR_M) & (seen | (near <= NEAR_M)))
        return faces[keep], corners[:, keep], np.stack([u[:, keep], v[:, keep]], -1)

    def _sorted(self, frame: int, faces: np.ndarray, place: np.ndarray) -> np.ndarray:
        """Drawing order: ground by layer, then things from far to near, inside them parts, inside these layers."""
        offset = self.now["part_centre"] - place.astype(np.float32)
        part = np.sqrt(np.einsum("pc,pc->p", offset, offset))[self.part[faces]]
        agent = self.of_agent[faces]
        thing = part.copy()
        if self.order is not None:
            shown = np.zeros(len(self.scene.agents), bool)
            shown[agent[agent >= 0]] = True
            mended = self.order.distances(frame, place, shown)
            thing[agent >= 0] = mended[agent[agent >= 0]]
        road = self.is_road[faces]
        thing[road], part[road] = np.inf, 0.0
        return np.lexsort((self.layer[faces], -part, -thing))

    def fill(self, index: np.ndarray, drawn: DrawnFaces, chosen: np.ndarray | None = None) -> None:
        """Fill faces in order with their numbers. index: ``(h, w)`` int32, changed in place; chosen: places in ``drawn``."""
        camera, scale, limit = self.camera, 1 << SUBPIXEL_BITS, 1e6
        chosen = np.arange(len(drawn.faces)) if chosen is None else chosen
        if not len(chosen):
            return
        crossing = drawn.corners[:, chosen, 2].min(0) <= NEAR_M
        pixels = np.rint(np.clip(drawn.pixels[chosen], -limit, limit) * scale).astype(np.int32)
        fill, shift = cv2.fillConvexPoly, SUBPIXEL_BITS
        columns = (pixels, self.counts[drawn.faces[chosen]].tolist(), crossing.tolist(), chosen.tolist())
        for outline, count, near, k in zip(*columns, strict=True):
            if near:
                cut = clipped(drawn.corners[:count, k], NEAR_M)
                if len(cut) < 3:
                    continue
                flat = cut[:, :2] / cut[:, 2:] * (camera.fx_px, camera.fy_px) + (camera.cx_px - 0.5, camera.cy_px - 0.5)
                fill(index, np.rint(np.clip(flat, -limit, limit) * scale).astype(np.int32), k + FIRST_FACE, 8, shift)
            else:
                fill(index, outline[:count], k + FIRST_FACE, 8, shift)

    def _planes(self, frame: int, drawn: DrawnFaces) -> tuple[np.ndarray, np.ndarray]:
        """Plane and limits of inverse depth for every number in the face buffer."""
        rotation, place = self.pose(frame)
        normals = self.now["normals"][drawn.faces] @ rotation.T.astype(np.float32)
        offset = np.einsum("fc,fc->f", normals, drawn.corners[0])
        safe = np.where(np.abs(offset) < 1e-4, -1e-4, offset)
        up = (rotation @ np.array([0.0, 0.0, 1.0])) / -place[2]
        planes = np.concatenate([np.zeros((1, 3)), up[None], normals / safe[:, None]]).astype(np.float32)
        z = np.maximum(drawn.corners[..., 2], NEAR_M)
        span = np.stack([1 / z.max(0), 1 / z.min(0)], 1) if len(drawn.faces) else np.zeros((0, 2))
        if not self.crest:
            # The ground goes on beyond the edges of its faces, and filling spills over them by half a pixel.
            span[self.is_road[drawn.faces]] = (1 / FAR_M, 1 / NEAR_M)
        limits = np.concatenate([[[1 / FAR_M, 1 / FAR_M], [1 / FAR_M, 1 / NEAR_M]], span])
        return planes, np.maximum(limits, 1 / FAR_M).astype(np.float32)

    def silhouette(self, drawn: DrawnFaces, agent: int) -> np.ndarray:
        """One agent of a frame alone: its mask over the image, ``(h, w)`` bool."""
        index = np.zeros((self.camera.height_px, self.camera.width_px), np.int32)
        self.fill(index, drawn, np.flatnonzero(self.of_agent[drawn.faces] == agent))
        return index > 0

    def amodal_box(self, frame: int, agent: int) -> np.ndarray | None:
        """Box x0 y0 x1 y1 (pixels) around all of an agent in front of the camera, seen or not; None if all is behind."""
        rotation, place = self.pose(frame)
        points = self.seek(frame)["vertices"][self.agent_vertices[agent]]
        points = (points - place.astype(np.float32)) @ rotation.T.astype(np.float32)
        points = points[points[:, 2] > NEAR_M]
        if not len(points):
            return None
        u = points[:, 0] / points[:, 2] * self.camera.fx_px + self.camera.cx_px
        v = points[:, 1] / points[:, 2] * self.camera.fy_px + self.camera.cy_px
        return np.array([u.min(), v.min(), u.max(), v.max()], float)


MOVING = ("vertices", "normals", "part_centre", "group_centre")
COLUMNS = (
    "counts", "colour", "layer", "detail", "lamp", "texture", "two_sided", "gloss", "grain", "snow", "mirror", "semantic",
    "track", "frame",
)  # fmt: skip


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


def over_the_crest(scene: Scene, frame: int, points: np.ndarray, height_m: float) -> np.ndarray:
    """Points hidden behind a crest of the road raised onto the line of sight over it, so that they vanish into it.

    points: ``(..., 3)`` world, relative to the camera. Crests stand on straight roads, so height is a function of the
    distance ahead alone.
    """
    x, y, yaw = scene.ego_poses[frame]
    ahead = points[..., 0] * np.float32(np.cos(yaw)) + points[..., 1] * np.float32(np.sin(yaw))
    centre = scene.road.centre_m
    s = (centre[:, 0] - x) * np.cos(yaw) + (centre[:, 1] - y) * np.sin(yaw)
    if not (s > 1.0).any():
        return points
    grid = np.linspace(1.0, s.max(), 400)
    order = np.argsort(s)
    slope = (np.interp(grid, s[order], centre[order, 2]) - scene.ego_z_m[frame] - height_m) / grid
    lowest = np.interp(ahead, grid, np.maximum.accumulate(slope)) * ahead
    out = points.copy()
    out[..., 2] = np.where(ahead > 1.0, np.maximum(out[..., 2], lowest - 0.002), out[..., 2])
    return out
