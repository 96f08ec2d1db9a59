"""Light on surfaces: sun with cast shadows, sky, bounce from the ground, lamps, reflections and glass."""

from __future__ import annotations

import numpy as np

from worldgen.rendering.drawing.palette import Palette
from worldgen.rendering.raycast.geometry.agent_bodies import dots
from worldgen.rendering.raycast.geometry.scene_rays import SceneRays
from worldgen.rendering.raycast.lamp_field import LampField
from worldgen.rendering.raycast.reflected_world import ReflectedWorld
from worldgen.rendering.raycast.surface_points import SurfacePoints

GLASS_COLOUR = np.array([0.010, 0.011, 0.012], np.float32)
SEEN_THROUGH = 0.55
"""Share of light that passes both panes of a car."""
GLINT_COSINE = 0.95
"""The glint of the sun is below a display step outside this cosine of the angle from it."""
LIFT_M = 0.02
"""Shadow rays start this far above the surface."""


class Shading:
    """The light of one scene on its surfaces."""

    def __init__(self, rays: SceneRays, palette: Palette, surroundings: ReflectedWorld, lamps: LampField):
        self.rays, self.palette, self.surroundings, self.lamps = rays, palette, surroundings, lamps
        self.sunlit = float(palette.sun.max()) > 0.02
        self.lit_by_lamps = palette.night > 0.3 or rays.scene.atmosphere.headlights_on

    def radiance(self, frame: int, points: SurfacePoints, *, plain: bool = False) -> np.ndarray:
        """Linear radiance ``(K, 3)`` float32 of surface points towards the viewer.

        plain: without reflections, for what is seen in a mirror image.
        """
        palette = self.palette
        light = points.sky[:, None] * palette.ambient
        behind = slice(points.num_ground, None)  # the ground sees no other ground
        light[behind] += points.ground[behind, None] * self.surroundings.ground
        visible = self._sun(frame, points, light)
        if self.lit_by_lamps:
            light += self.lamps.irradiance(frame, points.place, points.normal)
        colour = light
        colour *= points.albedo
        if not plain:
            self._reflect(frame, points, colour, visible)
        colour[points.lit] += points.emission
        return colour

    def _sun(self, frame: int, points: SurfacePoints, light: np.ndarray) -> np.ndarray:
        """Add sunlight to ``light`` in place; returns the visibility of the sun ``(K,)`` float32."""
        visible = np.zeros(len(light), np.float32)
        if not self.sunlit:
            return visible
        palette, normal = self.palette, points.normal
        cosine = normal @ palette.sun_direction
        leaves = np.flatnonzero(points.foliage)
        cosine[leaves] = 0.35 + 0.45 * cosine[leaves]  # leaves scatter and pass light
        facing = np.flatnonzero(cosine > 0)
        start = normal.take(facing, 0)
        start *= np.float32(LIFT_M)
        start += points.place.take(facing, 0)
        blocked = self.rays.blocked(frame, start, palette.sun_direction)
        visible[facing] = ~blocked
        shaded = leaves[(visible[leaves] == 0) & (cosine[leaves] > 0)]
        visible[shaded] = 0.25
        light += (np.minimum(cosine, 1) * visible)[:, None] * palette.sun
        return visible

    def _reflect(self, frame: int, points: SurfacePoints, colour: np.ndarray, visible: np.ndarray) -> None:
        """Blend reflections of the surroundings and the panes of windows into ``colour``, in place."""
        first = points.num_ground
        glossy = (points.gloss[first:] > 0.02) | (points.glass[first:] > 0.02)
        at = first + np.flatnonzero(glossy)
        if not len(at):
            return
        mirrored, fresnel, glint = self._mirrored(points, at)
        gloss = points.gloss[at]
        share = (fresnel * np.minimum(gloss, 1) + np.float32(0.10) * np.maximum(gloss - 1, 0))[:, None]
        open_share = np.clip((points.sky[at] + points.ground[at]) * np.float32(1.3), 0, 1)[:, None]
        own = colour[at] * (1 - share)
        own += share * (mirrored + (glint * visible[at])[:, None] * self.palette.sun) * open_share
        panes = np.flatnonzero(points.glass[at] > 0.02)
        if len(panes):
            share = np.minimum(np.float32(1.25) * fresnel[panes], 1)[:, None]
            pane = np.float32(0.8) * self._inside(frame, points, at[panes]) * (1 - share)
            pane += share * mirrored[panes] * open_share[panes]
            glass = points.glass[at[panes], None]
            own[panes] = own[panes] * (1 - glass) + pane * glass
        colour[at] = own

    def _mirrored(self, points: SurfacePoints, at: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Mirrored radiance ``(R, 3)``, Fresnel reflectance ``(R,)`` and strength of the sun's glint ``(R,)``.

        Source: the approximation of C. Schlick 1994, with 4 % head-on.
        """
        view, normal = points.view.take(at, 0), points.normal.take(at, 0)
        cosine = dots(view, normal)
        direction = view - 2 * cosine[:, None] * normal
        slant = 1 - np.clip(-cosine, 0, 1)
        fresnel = np.float32(0.04) + np.float32(0.96) * (np.square(np.square(slant)) * slant)
        glint = np.zeros(len(at), np.float32)
        if self.sunlit:
            toward = direction @ self.palette.sun_direction
            near = np.flatnonzero(toward > GLINT_COSINE)
            glint[near] = 40.0 * np.minimum(toward[near], 1) ** 400
        return self.surroundings.reflected(direction), fresnel, glint

    def _inside(self, frame: int, points: SurfacePoints, at: np.ndarray) -> np.ndarray:
        """Light from behind panes, ``(R, 3)``: seats of vehicles in dim light, or the far pane and the world behind.

        at: ``(R,)`` numbers of the points, ascending.
        """
        out = np.tile(GLASS_COLOUR * (2 * self.palette.ambient.mean()), (len(at), 1))
        dim = self.palette.ambient * np.float32(0.35) + self.palette.sun * np.float32(0.05)
        for body, part in points.bodies:
            first, end = np.searchsorted(at, (part.start, part.stop))
            if first == end:
                continue
            mine = at[first:end]
            view = points.view[mine]
            start = points.place[mine] - np.float32(0.03) * points.normal[mine] + np.float32(0.02) * view
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
            behind = self.surroundings.reflected(view[met]) * np.float32(SEEN_THROUGH)
            out[first + met] = surface.albedo * dim * (1 - through) + behind * through
        return out
