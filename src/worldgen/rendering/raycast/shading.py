"""Light on surfaces: sun with cast shadows, sky, bounce from the ground, lamps, reflections and glass."""

from __future__ import annotations

import numpy as np

from worldgen.rendering.drawing.palette import Palette
from worldgen.rendering.raycast.geometry.scene_rays import SceneHits, SceneRays
from worldgen.rendering.raycast.lamp_field import LampField
from worldgen.rendering.raycast.reflected_world import ReflectedWorld
from worldgen.rendering.raycast.surface_points import SurfacePoints

GLASS_COLOUR = np.array([0.010, 0.011, 0.012], np.float32)
SEEN_THROUGH = 0.55
"""Share of light that passes both panes of a car."""
LIFT_M = 0.02
"""Shadow rays start this far above the surface."""


class Shading:
    """The light of one scene on its surfaces."""

    def __init__(self, rays: SceneRays, palette: Palette, surroundings: ReflectedWorld, lamps: LampField):
        self.rays, self.palette, self.surroundings, self.lamps = rays, palette, surroundings, lamps
        self.sunlit = float(palette.sun.max()) > 0.02
        self.lit_by_lamps = palette.night > 0.3 or rays.scene.atmosphere.headlights_on

    def radiance(
        self, frame: int, points: SurfacePoints, hits: SceneHits, camera_height_m: float, *, plain: bool = False
    ) -> np.ndarray:
        """Linear radiance ``(M, 3)`` float32 towards the viewer; the sky is left at 0.

        plain: without reflections and without light of lamps, for what is seen in a mirror image.
        """
        palette = self.palette
        out = np.zeros((len(points.distance), 3), np.float32)
        rows = np.flatnonzero(points.solid)
        normal, albedo = points.normal[rows], points.albedo[rows]
        light = points.sky[rows, None] * palette.ambient + points.ground[rows, None] * self.surroundings.ground
        visible = self._sun(frame, points, rows, light)
        if self.lit_by_lamps:
            light += self.lamps.irradiance(frame, points.place[rows], normal, camera_height_m)
        colour = albedo * light
        if not plain:
            self._gloss(points, rows, colour, visible)
            self._glass(frame, points, hits, rows, colour)
        out[rows] = colour + points.emission[rows]
        return out

    def _sun(self, frame: int, points: SurfacePoints, rows: np.ndarray, light: np.ndarray) -> np.ndarray:
        """Add sunlight to ``light`` in place; returns the visibility of the sun ``(R,)`` float32."""
        visible = np.zeros(len(rows), np.float32)
        if not self.sunlit:
            return visible
        palette, normal = self.palette, points.normal[rows]
        cosine = normal @ palette.sun_direction
        leaves = points.foliage[rows]
        cosine = np.where(leaves, 0.35 + 0.45 * cosine, cosine)  # leaves scatter and pass light
        facing = np.flatnonzero(cosine > 0)
        start = points.place[rows[facing]] + LIFT_M * normal[facing]
        blocked = self.rays.blocked(frame, start, palette.sun_direction)
        visible[facing] = np.where(blocked, leaves[facing] * np.float32(0.25), 1.0)
        light += (np.clip(cosine, 0, 1) * visible)[:, None] * palette.sun
        return visible

    def _gloss(self, points: SurfacePoints, rows: np.ndarray, colour: np.ndarray, visible: np.ndarray) -> None:
        """Blend reflections of the surroundings into ``colour``, in place."""
        shiny = np.flatnonzero((points.gloss[rows] > 0.02) | (points.glass[rows] > 0.02))
        if not len(shiny):
            return
        at = rows[shiny]
        mirrored, fresnel, glint = self._mirrored(points, at)
        gloss = points.gloss[at]
        share = (fresnel * np.minimum(gloss, 1.0) + 0.10 * np.maximum(gloss - 1.0, 0.0))[:, None]
        open_share = np.clip((points.sky[at] + points.ground[at]) * 1.3, 0, 1)[:, None]
        sun = (glint * visible[shiny])[:, None] * self.palette.sun
        colour[shiny] *= 1 - share
        colour[shiny] += share * (mirrored + sun) * open_share

    def _mirrored(self, points: SurfacePoints, at: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Mirrored radiance ``(R, 3)``, Fresnel reflectance ``(R,)`` and strength of the sun's glint ``(R,)``.

        Source: the approximation of C. Schlick 1994, with 4 % head-on.
        """
        view, normal = points.view[at], points.normal[at]
        cosine = np.einsum("mc,mc->m", view, normal)
        direction = view - 2 * cosine[:, None] * normal
        fresnel = 0.04 + 0.96 * (1 - np.clip(-cosine, 0, 1)) ** 5
        toward = np.clip(direction @ self.palette.sun_direction, 0, 1)
        return self.surroundings.reflected(direction), fresnel, 40.0 * toward**400 if self.sunlit else 0 * toward

    def _glass(self, frame: int, points: SurfacePoints, hits: SceneHits, rows: np.ndarray, colour: np.ndarray) -> None:
        """Blend glass into ``colour``, in place: what is inside or behind, under the reflection of the pane."""
        panes = np.flatnonzero(points.glass[rows] > 0.02)
        if not len(panes):
            return
        at = rows[panes]
        mirrored, fresnel, _ = self._mirrored(points, at)
        ambient = self.palette.ambient.mean()
        inside = np.tile(GLASS_COLOUR * (2 * ambient), (len(at), 1))
        self._look_inside(frame, points, hits, at, inside)
        share = np.minimum(1.25 * fresnel, 1.0)[:, None]
        open_share = np.clip((points.sky[at] + points.ground[at]) * 1.3, 0, 1)[:, None]
        pane = 0.8 * inside * (1 - share) + share * mirrored * open_share
        glass = points.glass[at, None]
        colour[panes] = colour[panes] * (1 - glass) + pane * glass

    def _look_inside(
        self, frame: int, points: SurfacePoints, hits: SceneHits, at: np.ndarray, inside: np.ndarray
    ) -> None:
        """Fill in what rays meet behind panes of agents: seats in dim light, or the far pane and the world behind."""
        dim = self.palette.ambient * 0.35 + self.palette.sun * 0.05
        for index in np.unique(hits.owner[at]):
            if index < 0:
                continue
            body = self.rays.bodies[index]
            mine = np.flatnonzero(hits.owner[at] == index)
            view = points.view[at[mine]]
            start = points.place[at[mine]] - 0.03 * points.normal[at[mine]] + 0.02 * view
            found = body.first_hit(frame, start, view)
            met = np.flatnonzero(found.triangle >= 0)
            if not len(met):
                continue
            triangle, u, v = found.triangle[met], found.u[met], found.v[met]
            place = start[met] + view[met] * found.distance[met, None]
            surface = body.shape.surface(
                triangle, body.to_own(frame, place), body.hit_normals(frame, triangle, u, v),
                np.full(len(met), 0.02, np.float32), body.colour,
            )  # fmt: skip
            through = surface.glass[:, None]
            behind = self.surroundings.reflected(view[met]) * SEEN_THROUGH
            inside[mine[met]] = surface.albedo * dim * (1 - through) + behind * through
