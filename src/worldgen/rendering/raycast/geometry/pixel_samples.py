"""Where rays are cast in an image: pixel centres, and four rays in pixels that show an edge."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from worldgen.core.camera import Camera
from worldgen.rendering.raycast.geometry.scene_rays import SKY, STATIC, SceneHits, SceneRays, pixel_boxes

EDGE_OFFSETS = ((-0.375, -0.125), (0.125, -0.375), (0.375, 0.125), (-0.125, 0.375))
"""Places of the four rays of an edge pixel from its centre, in pixels: a rotated grid."""


@dataclass(frozen=True, eq=False)
class PixelSamples:
    """M rays through the pixels of an image and what they meet.

    pixel: ``(M,)`` int32 numbers of the pixels, row by row. single: so many pixels, which come first, have one ray;
    the others have four, as four blocks in the same order. directions: ``(M, 3)`` float32 world, of unit depth, so that
    distances are depths. hits: what they meet.
    """

    pixel: np.ndarray
    single: int
    directions: np.ndarray
    hits: SceneHits

    def weight(self, rows: np.ndarray) -> np.ndarray:
        """Share ``(N,)`` float32 of its pixel that each of the rays numbered ``rows`` ``(N,)`` stands for."""
        return np.where(rows < self.single, np.float32(1), np.float32(1 / len(EDGE_OFFSETS)))

    def averaged(self, values: np.ndarray, num_pixels: int) -> np.ndarray:
        """Sample values ``(M, C)`` float32 as means of pixels ``(num_pixels, C)`` float32."""
        out = np.empty((num_pixels, values.shape[1]), np.float32)
        out[self.pixel[: self.single]] = values[: self.single]
        blocks = values[self.single :].reshape(len(EDGE_OFFSETS), -1, values.shape[1])
        if blocks.shape[1]:
            out[self.pixel[self.single : self.single + blocks.shape[1]]] = blocks.mean(0, dtype=np.float32)
        return out


class PixelGrid:
    """The pixels of one camera and the rays through them."""

    def __init__(self, rays: SceneRays, camera: Camera):
        self.rays, self.camera = rays, camera
        self.shape = (camera.height_px, camera.width_px)
        v, u = np.meshgrid(np.arange(self.shape[0]) + 0.5, np.arange(self.shape[1]) + 0.5, indexing="ij")
        self.u, self.v = u.ravel().astype(np.float32), v.ravel().astype(np.float32)

    def directions(self, frame: int, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """World directions ``(M, 3)`` float32 of unit depth through image points ``u``, ``v`` ``(M,)`` px."""
        camera = self.camera
        rotation, _ = self.rays.camera_pose(frame, camera)
        flat = np.stack([(u - camera.cx_px) / camera.fx_px, (v - camera.cy_px) / camera.fy_px, np.ones_like(u)], 1)
        return flat.astype(np.float32) @ rotation.astype(np.float32)

    def cast(self, frame: int, u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, SceneHits]:
        """Directions through image points, and what the rays meet."""
        directions = self.directions(frame, u, v)
        _, position = self.rays.camera_pose(frame, self.camera)
        chosen = {
            index: np.flatnonzero((u > x0 - 1) & (u < x1 + 1) & (v > y0 - 1) & (v < y1 + 1))
            for index, (x0, y0, x1, y1) in pixel_boxes(self.rays, frame, self.camera).items()
        }
        return directions, self.rays.first_hits(frame, position[None], directions, chosen)

    def centres(self, frame: int) -> PixelSamples:
        """One ray through the centre of every pixel."""
        directions, hits = self.cast(frame, self.u, self.v)
        count = len(self.u)
        return PixelSamples(np.arange(count, dtype=np.int32), count, directions, hits)

    def refined(self, frame: int, centres: PixelSamples) -> PixelSamples:
        """The centres of pixels without an edge, and four rays for each other pixel."""
        edge = self._edges(centres.hits).ravel()
        rough, smooth = np.flatnonzero(edge), np.flatnonzero(~edge)
        u = np.concatenate([self.u[rough] + np.float32(x) for x, _ in EDGE_OFFSETS])
        v = np.concatenate([self.v[rough] + np.float32(y) for _, y in EDGE_OFFSETS])
        directions, hits = self.cast(frame, u, v)
        kept = centres.hits
        join = lambda name: np.concatenate([getattr(kept, name).take(smooth), getattr(hits, name)])  # noqa: E731
        count = len(EDGE_OFFSETS)
        return PixelSamples(
            np.concatenate([smooth, np.tile(rough, count)]).astype(np.int32),
            len(smooth),
            np.concatenate([centres.directions.take(smooth, 0), directions]),
            SceneHits(join("owner"), join("triangle"), join("distance"), join("u"), join("v")),
        )

    def _edges(self, hits: SceneHits) -> np.ndarray:
        """Pixels whose surface differs from that of a neighbour, ``(H, W)`` bool."""
        surface = surface_numbers(self.rays, hits).reshape(self.shape)
        edge = np.zeros(self.shape, bool)
        across, down = surface[:, 1:] != surface[:, :-1], surface[1:] != surface[:-1]
        edge[:, 1:] |= across
        edge[:, :-1] |= across
        edge[1:] |= down
        edge[:-1] |= down
        return edge


def surface_numbers(rays: SceneRays, hits: SceneHits) -> np.ndarray:
    """A number ``(M,)`` int64 for the surface of each hit: it changes at outlines, edges and borders of paint."""
    out = np.zeros(len(hits.owner), np.int64)
    agents = hits.owner >= 0
    out[agents] = 1 + hits.owner[agents]
    still = np.flatnonzero(hits.owner == STATIC)
    triangle = hits.triangle[still]
    owner = rays.world.owner[triangle]
    ground = owner < 0
    number = np.int64(10_000) + owner.astype(np.int64) * 64 + rays.world.facet[triangle]
    number[ground] = -2 - rays.world.ground.look[rays.world.detail[triangle[ground]]]
    out[still] = number
    out[hits.owner == SKY] = -1
    return out
