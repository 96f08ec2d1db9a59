"""Rasterisation: the face buffer of one frame, with the depth of every face.

Faces are drawn back to front into a buffer of face numbers (painter's algorithm: by object, by convex part, by layer).
Instance ids, classes, depth, colours and light are all looked up from that one buffer, so they agree.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from worldgen.core.camera import Camera
from worldgen.core.scene import Scene
from worldgen.rendering.drawing.depth_order import AgentOrder
from worldgen.rendering.drawing.ground import SEM
from worldgen.rendering.drawing.scene_geometry import Faces, agent_faces, road_faces, static_faces

NEAR_M = 0.25
FAR_M = 1000.0
"""Depth given to the sky, and the farthest depth of anything."""
DRAW_DISTANCE_M = 260.0
SUBPIXEL_BITS = 4
SKY, TERRAIN, FIRST_FACE = 0, 1, 2
"""Numbers in the face buffer: no surface, the flat ground up to the horizon, and the first drawn face."""

DETAIL_PX = np.array([0.0, 11.0, 40.0])
"""A face of level of detail 0, 1, 2 is drawn when its object is at least this many raster pixels wide."""
COARSE_BELOW_PX = 34.0
"""Objects narrower than this are drawn by their coarse faces (detail -1), where they have any."""
SPECK_PX = 1.3
"""Static objects narrower than this are left out."""


BORDER_PX = 2.0
"""OpenCV fills at most this far beyond the corners of a face."""
MARGIN_M = 0.01
"""Spheres around agents are so much larger than their faces."""
MOVING = ("vertices", "normals", "part_centre", "group_centre")
"""Columns of :class:`Faces` that change from frame to frame."""


@dataclass(frozen=True, eq=False)
class FrameRaster:
    """The face buffer of one frame and tables over its numbers.

    index: ``(h, w)`` int32 face numbers at the size of the raster. faces: ``(N,)``; ``faces[n - FIRST_FACE]`` is the
    face of number n. planes: ``(N + 2, 3)`` float32, inverse depth (1/m) = plane . (x, y, 1) on the unit-depth ray.
    limits: ``(N + 2, 2)`` least and greatest inverse depth. semantic, track: ``(N + 2,)`` class code and track id.
    instance: ``(N + 2,)`` track id, negative for a thing that the agent of this track carries.
    """

    index: np.ndarray
    faces: np.ndarray
    planes: np.ndarray
    limits: np.ndarray
    semantic: np.ndarray
    track: np.ndarray
    instance: np.ndarray

    def inverse_depth(self, index: np.ndarray, rays_x: np.ndarray, rays_y: np.ndarray) -> np.ndarray:
        """Inverse depth in 1/m, float32 ``(h, w)``, of face numbers along the rays of their pixels.

        index: ``(h, w)`` int32. rays_x: ``(1, w)`` and rays_y: ``(h, 1)`` float32, on the unit-depth plane.
        """
        plane = np.take(self.planes, index, 0)
        value = plane[..., 0] * rays_x
        value += plane[..., 1] * rays_y
        value += plane[..., 2]
        limit = np.take(self.limits, index, 0)
        return np.minimum(np.maximum(value, limit[..., 0]), limit[..., 1])


@dataclass(frozen=True, eq=False)
class DrawnFaces:
    """The projected faces of one frame, back to front.

    faces: ``(N,)`` numbers into the face table of the scene. corners: ``(MAX_CORNERS, N, 3)`` float32, camera axes, m.
    pixels: ``(N, MAX_CORNERS, 2)`` float32, projected corners.
    """

    faces: np.ndarray
    corners: np.ndarray
    pixels: np.ndarray


class RasterScene:
    """A scene at one raster size: all faces in one table, and the camera path.

    carried: whether the things that a person carries count as the person in instances, silhouettes and boxes. ground:
    whether it has faces; they are behind all objects, so labels do not need them. Without them the scene must have an
    object.
    """

    def __init__(self, scene: Scene, camera: Camera, *, carried: bool = False, ground: bool = True):
        self.scene, self.camera, self.carried = scene, camera, carried
        road = road_faces(scene) if ground else None
        self.pieces: list[Faces] = [f for f in (road, static_faces(scene), agent_faces(scene)) if f is not None]
        self._join()
        self.rotation = camera.camera_from_ego()[:3, :3]
        heights = [p.points_m[:, 2] for p in scene.road.patches]
        self.crest = bool(heights) and float(np.ptp(np.concatenate(heights))) > 0.05
        self.order = AgentOrder(scene) if scene.agents else None
        self._frame = -1

    def _join(self) -> None:
        """Join the pieces into one table of faces."""
        pieces = self.pieces
        joined = lambda name: np.concatenate([getattr(p, name) for p in pieces])  # noqa: E731
        self.starts = {name: np.cumsum([0] + [getattr(p, name).shape[1] for p in pieces]) for name in MOVING}
        first, part, group = self.starts["vertices"], self.starts["part_centre"], self.starts["group_centre"]
        self.corners = np.concatenate([p.corners + f for p, f in zip(pieces, first, strict=False)])
        self.corner_rows = np.ascontiguousarray(self.corners.T)
        self.part = np.concatenate([p.part + f for p, f in zip(pieces, part, strict=False)])
        self.group = np.concatenate([p.group + f for p, f in zip(pieces, group, strict=False)])
        self.counts, self.semantic, self.track = joined("counts"), joined("semantic"), joined("track")
        self.instance = self.track if self.carried else np.where(joined("carried"), -self.track, self.track)
        self.layer, self.detail, self.two_sided = joined("layer"), joined("detail"), joined("two_sided")
        self.colour, self.gloss, self.lamp = joined("colour"), joined("gloss"), joined("lamp")
        self.texture, self.texture_axes = joined("texture"), joined("texture_axes")
        self.grain, self.snow, self.mirror = joined("grain"), joined("snow"), joined("mirror")
        self.group_radius, self.group_width = joined("group_radius"), joined("group_width")
        self.group_agent = joined("agent")
        self.num_faces = len(self.counts)
        self.is_road = self.group_radius[self.group] > 1e5
        self.has_coarse = np.zeros(len(self.group_agent), bool)
        self.has_coarse[self.group[self.detail < 0]] = True
        self.of_agent = self.group_agent[self.group]
        self.present = np.ones((self.scene.num_frames, len(self.group_agent)), bool)
        for g in np.flatnonzero(self.group_agent >= 0):
            self.present[:, g] = self.scene.agents[self.group_agent[g]].present
        self.agent_vertices: dict[int, slice | np.ndarray] = {}
        for agent in range(len(self.scene.agents)):
            mine = self.corners[self.of_agent == agent]
            self.agent_vertices[agent] = slice(int(mine.min()), int(mine.max()) + 1)
            if (self.instance[self.of_agent == agent] < 0).any():
                self.agent_vertices[agent] = np.unique(self.corners[self._body(agent)])
        self.now = {name: np.concatenate([getattr(p, name)[0] for p in pieces]) for name in MOVING}

    def _body(self, agent: int) -> np.ndarray:
        """Which faces ``(F,)`` bool are of an agent without the things that it carries."""
        return (self.of_agent == agent) & (self.instance >= 0)

    def at_frame(self, frame: int) -> dict[str, np.ndarray]:
        """The columns ``MOVING`` of all faces in one frame, world m; the arrays are reused by the next call."""
        if frame != self._frame:
            for name in MOVING:
                for piece, start in zip(self.pieces, self.starts[name], strict=False):
                    values = getattr(piece, name)
                    if values.shape[0] > 1:
                        self.now[name][start : start + values.shape[1]] = values[frame]
            self._frame = frame
        return self.now

    def pose(self, frame: int) -> tuple[np.ndarray, np.ndarray]:
        """Rotation ``(3, 3)`` from world to camera axes, and the position ``(3,)`` of the camera in the world (m)."""
        x, y, yaw = self.scene.ego_poses[frame]
        c, s = np.cos(yaw), np.sin(yaw)
        ego_from_world = np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])
        camera_position = np.array([x, y, self.scene.ego_z_m[frame] + self.camera.height_m])
        return self.rotation @ ego_from_world, camera_position

    def draw(self, frame: int) -> FrameRaster:
        """The face buffer of one frame."""
        return self.rasterise(frame, self.prepare(frame))

    def rasterise(self, frame: int, drawn: DrawnFaces) -> FrameRaster:
        """The face buffer of one frame, filled with its prepared faces."""
        index = np.zeros((self.camera.height_px, self.camera.width_px), np.int32)
        index[max(0, int(np.ceil(self.camera.horizon_px - 0.5))) :] = TERRAIN
        self.fill(index, drawn)
        lead = lambda sky, plain, values: np.concatenate([[sky, plain], values])  # noqa: E731
        semantic = lead(SEM["sky"], SEM["terrain"], self.semantic[drawn.faces]).astype(np.uint8)
        track = lead(0, 0, self.track[drawn.faces]).astype(np.int32)
        instance = lead(0, 0, self.instance[drawn.faces]).astype(np.int32)
        return FrameRaster(index, drawn.faces, *self._planes(frame, drawn), semantic, track, instance)

    def prepare(self, frame: int) -> DrawnFaces:
        """The faces that may be visible, projected and sorted back to front.

        Each object at the level of detail of its size.
        """
        now = self.at_frame(frame)
        rotation, camera_position = self.pose(frame)
        faces = self._in_view(frame)
        first = now["vertices"][self.corner_rows[0, faces]]
        facing = np.einsum("fc,fc->f", now["normals"][faces], first - camera_position.astype(np.float32))
        faces = faces[(facing < 0) | self.two_sided[faces]]
        corners = now["vertices"][self.corner_rows[:, faces]] - camera_position.astype(np.float32)
        if self.crest:
            corners = raised_to_crest(self.scene, frame, corners, self.camera.height_m)
        corners = corners @ rotation.T.astype(np.float32)
        faces, corners, pixels = self._projected(faces, corners)
        order = self._draw_order(frame, faces, camera_position)
        return DrawnFaces(faces[order], corners[:, order], np.ascontiguousarray(pixels[:, order].transpose(1, 0, 2)))

    def _in_view(self, frame: int) -> np.ndarray:
        """Numbers of the faces of objects inside the view frustum, at their level of detail."""
        rotation, camera_position = self.pose(frame)
        camera, radius = self.camera, self.group_radius
        centres = (self.at_frame(frame)["group_centre"] - camera_position.astype(np.float32)) @ rotation.T.astype(
            np.float32
        )
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

    def _projected(self, faces: np.ndarray, corners: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Faces that touch the image, their corners, and pixels (pixel centres are integers, as in OpenCV)."""
        camera = self.camera
        depth = np.maximum(corners[..., 2], NEAR_M)
        u = corners[..., 0] / depth * camera.fx_px + np.float32(camera.cx_px - 0.5)
        v = corners[..., 1] / depth * camera.fy_px + np.float32(camera.cy_px - 0.5)
        near, far = corners[..., 2].min(0), corners[..., 2].max(0)
        visible = (u.max(0) >= -1) & (u.min(0) <= camera.width_px) & (v.max(0) >= -1) & (v.min(0) <= camera.height_px)
        if self.crest:
            # Faces hidden behind a crest were flattened to lines, which OpenCV would still draw.
            visible &= v.max(0) - v.min(0) > 0.2
        keep = np.flatnonzero((far > NEAR_M) & (visible | (near <= NEAR_M)))
        return faces[keep], corners[:, keep], np.stack([u[:, keep], v[:, keep]], -1)

    def _draw_order(self, frame: int, faces: np.ndarray, camera_position: np.ndarray) -> np.ndarray:
        """Drawing order: ground by layer, then objects from far to near, in each the parts, in each part the layers."""
        offset = self.now["part_centre"] - camera_position.astype(np.float32)
        part = np.sqrt(np.einsum("pc,pc->p", offset, offset))[self.part[faces]]
        agent = self.of_agent[faces]
        object_distance = part.copy()
        if self.order is not None:
            shown = np.zeros(len(self.scene.agents), bool)
            shown[agent[agent >= 0]] = True
            corrected = self.order.distances(frame, camera_position, shown)
            object_distance[agent >= 0] = corrected[agent[agent >= 0]]
        road = self.is_road[faces]
        object_distance[road], part[road] = np.inf, 0.0
        return np.lexsort((self.layer[faces], -part, -object_distance))

    def fill(
        self,
        index: np.ndarray,
        drawn: DrawnFaces,
        chosen: np.ndarray | None = None,
        *,
        corner: tuple[int, int] = (0, 0),
    ) -> None:
        """Fill faces in order with their numbers.

        index: ``(h, w)`` int32, changed in place. chosen: rows of ``drawn``. corner: x and y of the first pixel of
        ``index`` in the raster; then no chosen face may cross the near plane.
        """
        camera, scale, limit = self.camera, 1 << SUBPIXEL_BITS, 1e6
        chosen = np.arange(len(drawn.faces)) if chosen is None else chosen
        if not len(chosen):
            return
        crossing = drawn.corners[:, chosen, 2].min(0) <= NEAR_M
        assert corner == (0, 0) or not crossing.any(), corner
        pixels = np.rint(np.clip(drawn.pixels[chosen], -limit, limit) * scale).astype(np.int32)
        pixels -= np.array(corner, np.int32) * scale
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
        """Planes ``(N + 2, 3)`` and limits ``(N + 2, 2)`` of inverse depth for every number in the face buffer."""
        rotation, camera_position = self.pose(frame)
        normals = self.now["normals"][drawn.faces] @ rotation.T.astype(np.float32)
        offset = np.einsum("fc,fc->f", normals, drawn.corners[0])
        safe = np.where(np.abs(offset) < 1e-4, -1e-4, offset)
        up = (rotation @ np.array([0.0, 0.0, 1.0])) / -camera_position[2]
        planes = np.concatenate([np.zeros((1, 3)), up[None], normals / safe[:, None]]).astype(np.float32)
        z = np.maximum(drawn.corners[..., 2], NEAR_M)
        span = np.stack([1 / z.max(0), 1 / z.min(0)], 1) if len(drawn.faces) else np.zeros((0, 2))
        if not self.crest:
            # The ground continues beyond the edges of its faces, and filling exceeds them by half a pixel.
            span[self.is_road[drawn.faces]] = (1 / FAR_M, 1 / NEAR_M)
        limits = np.concatenate([[[1 / FAR_M, 1 / FAR_M], [1 / FAR_M, 1 / NEAR_M]], span])
        return planes, np.maximum(limits, 1 / FAR_M).astype(np.float32)

    def silhouette_pixels(self, drawn: DrawnFaces, chosen: np.ndarray, bounds: np.ndarray, step: int) -> int:
        """Number of pixels that some faces cover without the others; every ``step``-th along each side is counted.

        chosen: rows of ``drawn``. bounds: ``(4,)`` x0 y0 x1 y1 of these rows, of :func:`face_bounds`. Only this part of
        the raster is filled. The first pixel counted is number ``step // 2``.
        """
        size = np.array([self.camera.width_px, self.camera.height_px])
        low = np.clip(np.maximum(bounds[:2], 0), 0, size).astype(int) // step * step
        high = np.clip(np.ceil(bounds[2:]), 0, size).astype(int)
        if not (high > low).all():
            return 0
        index = np.zeros(tuple((high - low)[::-1]), np.int32)
        self.fill(index, drawn, chosen, corner=(int(low[0]), int(low[1])))
        return int(np.count_nonzero(index[step // 2 :: step, step // 2 :: step]))

    def agents_near_view(self, frame: int) -> np.ndarray:
        """Which agents ``(A,)`` bool may touch the image, by a sphere around each; others have no amodal box in it."""
        camera, (rotation, camera_position) = self.camera, self.pose(frame)
        groups = np.flatnonzero(self.group_agent >= 0)
        x, y, z = ((self.at_frame(frame)["group_centre"][groups] - camera_position) @ rotation.T).T
        radius = self.group_radius[groups] + MARGIN_M
        near = z + radius > NEAR_M
        for across, focal, centre, size in (
            (x, camera.fx_px, camera.cx_px, camera.width_px), (y, camera.fy_px, camera.cy_px, camera.height_px)
        ):  # fmt: skip
            for side, edge in ((1, centre), (-1, size - centre)):  # beyond the plane through the eye and a border
                near &= side * across * focal + z * edge > -radius * np.hypot(focal, edge)
        out = np.zeros(len(self.scene.agents), bool)
        out[self.group_agent[groups]] = near
        return out

    def amodal_box(self, frame: int, agent: int) -> np.ndarray | None:
        """Box x0 y0 x1 y1 (raster pixels) around an agent, hidden or not, without what it carries.

        None if it is behind the camera.
        """
        points = self.at_frame(frame)["vertices"][self.agent_vertices[agent]]
        rotation, camera_position = self.pose(frame)
        points = (points - camera_position.astype(np.float32)) @ rotation.T.astype(np.float32)
        points = points[points[:, 2] > NEAR_M]
        if not len(points):
            return None
        u = points[:, 0] / points[:, 2] * self.camera.fx_px + self.camera.cx_px
        v = points[:, 1] / points[:, 2] * self.camera.fy_px + self.camera.cy_px
        return np.array([u.min(), v.min(), u.max(), v.max()], float)


def face_bounds(drawn: DrawnFaces) -> np.ndarray:
    """x0 y0 x1 y1 in raster pixels that hold all pixels of each face, ``(N, 4)``; infinite across the near plane."""
    corners = np.ascontiguousarray(drawn.pixels.transpose(1, 2, 0))
    bounds = np.concatenate([corners.min(0) - BORDER_PX, corners.max(0) + BORDER_PX]).T.astype(float)
    bounds[drawn.corners[..., 2].min(0) <= NEAR_M] = (-np.inf, -np.inf, np.inf, np.inf)
    return bounds


def clipped(points: np.ndarray, near_m: float) -> np.ndarray:
    """The part of a polygon ``(N, 3)`` in camera axes beyond the near plane. Source: Sutherland and Hodgman 1974."""
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


def raised_to_crest(scene: Scene, frame: int, points: np.ndarray, height_m: float) -> np.ndarray:
    """Points with those hidden behind a crest of the road raised onto the line of sight over it.

    points: ``(..., 3)`` world m, relative to the camera. Roads with crests are straight, so the height of the road
    depends on the distance ahead alone.
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
