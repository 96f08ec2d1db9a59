"""The surfaces at what rays meet: position, normal, material and how much sky they see."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from worldgen.core.scene import Scene
from worldgen.rendering.drawing.texture import sampled
from worldgen.rendering.raycast.geometry.agent_bodies import AgentBody, interpolated
from worldgen.rendering.raycast.geometry.scene_rays import SKY, STATIC, SceneHits, SceneRays
from worldgen.rendering.raycast.ground_look import SNOW_COLOUR, ground_look
from worldgen.rendering.raycast.lamp_field import LampField
from worldgen.rendering.shapes.solid import Surface

CONTACT_REACH_M = 60.0
PERSON_SHADE, PERSON_SHADE_M = 0.55, 0.33
"""Depth and width of the contact shadow of a body without a baked one."""


@dataclass(eq=False)
class SurfacePoints:
    """M surface points; floats are float32.

    place, view, normal: ``(M, 3)`` world m, unit direction of sight, unit normal towards the viewer. distance: ``(M,)``
    m. albedo, emission: ``(M, 3)`` linear. gloss, glass: ``(M,)``, see
    :class:`worldgen.rendering.shapes.solid.Surface`. sky, ground: ``(M,)`` share of the hemisphere that is open sky,
    and open ground. mirror: ``(M,)`` reflectance of wet ground. on_ground, solid: ``(M,)`` bool; solid is false for
    the sky. foliage: ``(M,)`` bool.
    """

    place: np.ndarray
    view: np.ndarray
    normal: np.ndarray
    distance: np.ndarray
    albedo: np.ndarray
    emission: np.ndarray
    gloss: np.ndarray
    glass: np.ndarray
    sky: np.ndarray
    ground: np.ndarray
    mirror: np.ndarray
    on_ground: np.ndarray
    solid: np.ndarray
    foliage: np.ndarray


class SurfaceReader:
    """Reads the surfaces of a scene at what rays meet. pixel_angle: size of a pixel seen from the camera, rad."""

    def __init__(self, rays: SceneRays, lamps: LampField, pixel_angle: float):
        self.rays, self.lamps, self.pixel_angle = rays, lamps, np.float32(pixel_angle)
        self.scene: Scene = rays.scene

    def read(self, frame: int, origin: np.ndarray, directions: np.ndarray, hits: SceneHits) -> SurfacePoints:
        """The surfaces that rays from ``origin`` ``(1 or M, 3)`` along ``directions`` ``(M, 3)`` meet."""
        count = len(directions)
        length = np.linalg.norm(directions, axis=1).astype(np.float32)
        distance = hits.distance * length
        flat, empty = np.zeros((count, 3), np.float32), np.zeros(count, np.float32)
        points = SurfacePoints(
            place=(origin + directions * hits.distance[:, None]).astype(np.float32),
            view=(directions / length[:, None]).astype(np.float32), normal=flat.copy(), distance=distance,
            albedo=flat.copy(), emission=flat.copy(), gloss=empty.copy(), glass=empty.copy(), sky=empty.copy(),
            ground=empty.copy(), mirror=empty.copy(), on_ground=np.zeros(count, bool), solid=hits.owner != SKY,
            foliage=np.zeros(count, bool),
        )  # fmt: skip
        self._statics(frame, points, hits)
        for body in self.rays.bodies:
            rows = np.flatnonzero(hits.owner == body.index)
            if len(rows):
                self._agent(frame, points, hits, body, rows)
        away = np.einsum("mc,mc->m", points.normal, points.view) > 0
        points.normal[away] *= -1
        return points

    def _statics(self, frame: int, points: SurfacePoints, hits: SceneHits) -> None:
        world, air = self.rays.world, self.scene.atmosphere
        rows = np.flatnonzero(hits.owner == STATIC)
        triangle = hits.triangle[rows]
        owner = world.owner[triangle]
        points.normal[rows] = world.hit_normals(triangle, hits.u[rows], hits.v[rows])
        on = owner >= 0
        self._objects(points, rows[on], triangle[on], owner[on], frame)
        ground, face = rows[~on], world.detail[triangle[~on]]
        points.on_ground[ground] = True
        sight = np.maximum(-points.view[ground, 2], 0.01)
        footprint = points.distance[ground] * self.pixel_angle / sight
        look = ground_look(world, face, points.place[ground], footprint, wetness=air.wetness, snow_cover=air.snow_cover)
        points.albedo[ground], points.mirror[ground] = look.albedo, look.mirror
        points.sky[ground] = self._contact(frame, points.place[ground])

    def _objects(
        self, points: SurfacePoints, rows: np.ndarray, triangle: np.ndarray, owner: np.ndarray, frame: int
    ) -> None:
        if not len(rows):
            return
        world = self.rays.world
        surface = Surface(world.albedo[triangle], world.gloss[triangle], world.glass[triangle], world.lamp[triangle])
        points.foliage[rows] = world.foliage[triangle]
        order = np.argsort(owner, kind="stable")
        numbers, starts = np.unique(owner[order], return_index=True)
        for number, mine in zip(numbers, np.split(order, starts[1:]), strict=True):
            paint = world.objects[number].shape.paint
            if paint is not None:
                which = np.full(len(mine), number)
                own = world.to_own(which, points.place[rows[mine]])
                facing = world.to_own(which, points.normal[rows[mine]], directions=True)
                part = Surface(*(getattr(surface, n)[mine] for n in ("albedo", "gloss", "glass", "lamp")))
                footprint = points.distance[rows[mine]] * self.pixel_angle
                paint(part, own, facing, world.code[triangle[mine]], footprint)
                for name in ("albedo", "gloss", "glass", "lamp"):
                    getattr(surface, name)[mine] = getattr(part, name)
        up = points.normal[rows, 2]
        snow = self.scene.atmosphere.snow_cover
        if snow > 0:
            share = (np.clip((up - 0.3) * 2.5, 0, 1) * snow)[:, None]
            surface.albedo[:] += share * (SNOW_COLOUR - surface.albedo)
        points.albedo[rows], points.gloss[rows], points.glass[rows] = surface.albedo, surface.gloss, surface.glass
        points.emission[rows] = self.lamps.emission_table(frame, None)[surface.lamp]
        points.sky[rows], points.ground[rows] = 0.56 + 0.40 * up, np.clip(0.35 - 0.35 * up, 0, 1)
        leaves = rows[points.foliage[rows]]
        points.sky[leaves] = 0.45 + 0.30 * points.normal[leaves, 2]

    def _agent(self, frame: int, points: SurfacePoints, hits: SceneHits, body: AgentBody, rows: np.ndarray) -> None:
        triangle, u, v = hits.triangle[rows], hits.u[rows], hits.v[rows]
        facing = body.hit_normals(frame, triangle, u, v)
        facing /= np.maximum(np.linalg.norm(facing, axis=1, keepdims=True), 1e-9)
        # Paint is made for the solid as it was built, so a leaning body is read upright.
        if body.lean is None:
            own = body.to_own(frame, points.place[rows])
        else:
            solid = body.shape.solid
            own = interpolated(solid.vertices[frame if solid.moves else 0], solid.triangles[triangle], u, v)
        footprint = points.distance[rows] * self.pixel_angle
        surface = body.shape.surface(triangle, own, facing, footprint, body.colour)
        points.normal[rows] = body.normals_to_world(frame, facing)
        points.albedo[rows], points.gloss[rows], points.glass[rows] = surface.albedo, surface.gloss, surface.glass
        points.emission[rows] = self.lamps.emission_table(frame, body.agent)[surface.lamp]
        up = points.normal[rows, 2]
        if body.light is not None:
            corners = body.shape.solid.triangles[triangle]
            points.sky[rows] = interpolated(body.light.sky, corners, u, v)
            points.ground[rows] = interpolated(body.light.ground, corners, u, v)
        else:
            points.sky[rows], points.ground[rows] = 0.56 + 0.40 * up, np.clip(0.42 - 0.40 * up, 0, 1)
        snow = self.scene.atmosphere.snow_cover
        if snow > 0:
            share = (np.clip((up - 0.4) * 2.5, 0, 1) * 0.45 * snow)[:, None]
            points.albedo[rows] += share * (SNOW_COLOUR - points.albedo[rows])

    def _contact(self, frame: int, places: np.ndarray) -> np.ndarray:
        """Share of the sky that ground points see past the agents, ``(M,)`` float32."""
        seen = np.ones(len(places), np.float32)
        here = self.scene.ego_poses[frame, :2]
        for body in self.rays.bodies:
            foot = body.position(frame)
            if not body.agent.present[frame] or np.hypot(*(foot[:2] - here)) > CONTACT_REACH_M:
                continue
            if abs(float(foot[2]) - float(self.scene.ego_z_m[frame])) > 6.0 or body.agent.kind == "traffic_light":
                continue
            offset = places[:, :2] - foot[:2].astype(np.float32)
            near = np.flatnonzero(np.einsum("mc,mc->m", offset, offset) < (body.radius_m + 2.5) ** 2)
            if not len(near):
                continue
            if body.light is None:
                square = np.einsum("mc,mc->m", offset[near], offset[near]) / PERSON_SHADE_M**2
                seen[near] *= 1 - PERSON_SHADE * np.exp(-square)
                continue
            light = body.light
            own = body.to_own(frame, places[near])
            x, y = (own[:, 0] - light.origin[0]) / light.step[0], (own[:, 1] - light.origin[1]) / light.step[1]
            inside = (x >= 0) & (y >= 0) & (x <= light.contact.shape[1] - 1) & (y <= light.contact.shape[0] - 1)
            if inside.any():
                seen[near[inside]] *= sampled(light.contact, x[inside], y[inside])
        return seen
