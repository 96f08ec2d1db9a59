"""The surfaces at what rays meet: position, normal, material and how much sky they see."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import compress

import numpy as np

from worldgen.core.scene import Scene
from worldgen.rendering.drawing.texture import sampled
from worldgen.rendering.raycast.geometry.agent_bodies import AgentBody, dots, interpolated, lengths, unit
from worldgen.rendering.raycast.geometry.outline_cells import points_in_boxes
from worldgen.rendering.raycast.geometry.scene_rays import STATIC, SceneHits, SceneRays
from worldgen.rendering.raycast.ground_look import SNOW_COLOUR, ground_look
from worldgen.rendering.raycast.lamp_field import LampField
from worldgen.rendering.shapes.solid import Surface

CONTACT_REACH_M = 60.0
PERSON_SHADE, PERSON_SHADE_M = 0.55, 0.33
"""Depth and width of the contact shadow of a body without a baked one."""


@dataclass(eq=False)
class SurfacePoints:
    """K surface points, in this order: the ground, static objects, agents; floats are float32.

    rows: ``(K,)`` numbers of the rays that met them; rays into the sky are not among them. num_ground: so many are on
    the ground. bodies: agents and the points on them. place, view, normal: ``(K, 3)`` world m, unit direction of sight,
    unit normal towards the viewer. distance: ``(K,)`` m. albedo: ``(K, 3)`` linear. gloss, glass: ``(K,)``, see
    :class:`worldgen.rendering.shapes.solid.Surface`. sky, ground: ``(K,)`` share of the hemisphere that is open sky,
    and open ground. mirror: ``(num_ground,)`` reflectance of wet ground. foliage: ``(K,)`` bool. lit: ``(L,)`` numbers
    of the points that emit light. emission: ``(L, 3)`` their linear radiance.
    """

    rows: np.ndarray
    num_ground: int
    bodies: tuple[tuple[AgentBody, slice], ...]
    place: np.ndarray
    view: np.ndarray
    normal: np.ndarray
    distance: np.ndarray
    albedo: np.ndarray
    gloss: np.ndarray
    glass: np.ndarray
    sky: np.ndarray
    ground: np.ndarray
    mirror: np.ndarray
    foliage: np.ndarray
    lit: np.ndarray
    emission: np.ndarray


class SurfaceReader:
    """Reads the surfaces of a scene at what rays meet. pixel_angle: size of a pixel seen from the camera, rad."""

    def __init__(self, rays: SceneRays, lamps: LampField, pixel_angle: float):
        self.rays, self.lamps, self.pixel_angle = rays, lamps, np.float32(pixel_angle)
        self.scene: Scene = rays.scene

    def read(self, frame: int, origin: np.ndarray, directions: np.ndarray, hits: SceneHits) -> SurfacePoints:
        """The surfaces that rays from ``origin`` ``(1 or M, 3)`` along ``directions`` ``(M, 3)`` meet."""
        world = self.rays.world
        still = np.flatnonzero(hits.owner == STATIC)
        thing = world.owner.take(hits.triangle.take(still))
        on_objects = thing >= 0
        objects, thing = _sorted(still[on_objects], thing[on_objects])
        agents = np.flatnonzero(hits.owner >= 0)
        agents, owner = _sorted(agents, hits.owner.take(agents))
        rows = np.concatenate([still[~on_objects], objects, agents])
        num_ground, num_still, count = len(still) - len(objects), len(still), len(rows)
        starts = num_still + np.searchsorted(owner, np.arange(len(self.rays.bodies) + 1))
        parts = [slice(*pair) for pair in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True)]
        met = [part.start < part.stop for part in parts]
        bodies = tuple(compress(zip(self.rays.bodies, parts, strict=True), met))
        way, reach = directions.take(rows, 0), hits.distance.take(rows)
        length = lengths(way)
        start = np.asarray(origin, np.float32)
        place = way * reach[:, None]
        place += start if len(start) == 1 else start.take(rows, 0)
        way /= length[:, None]
        zeros = np.zeros((4, count), np.float32)
        points = SurfacePoints(
            rows, num_ground, bodies, place=place, view=way, normal=np.empty((count, 3), np.float32),
            distance=reach * length, albedo=np.empty((count, 3), np.float32), gloss=zeros[0], glass=zeros[1],
            sky=zeros[2], ground=zeros[3], mirror=np.zeros(0, np.float32), foliage=np.zeros(count, bool),
            lit=rows[:0], emission=np.zeros((0, 3), np.float32),
        )  # fmt: skip
        lamp = np.zeros(count, np.int16)
        places = hits.triangle.take(rows), hits.u.take(rows), hits.v.take(rows)
        self._ground(frame, points, places[0][:num_ground])
        hit = [values[num_ground:num_still] for values in places]
        lamp[num_ground:num_still] = self._objects(points, thing, *hit)
        for body, part in bodies:
            lamp[part] = self._agent(frame, points, (body, part), [values[part] for values in places])
        away = num_ground + np.flatnonzero(dots(points.normal[num_ground:], way[num_ground:]) > 0)
        points.normal[away] *= -1
        self._add_emission(frame, points, lamp, num_still)
        return points

    def _add_emission(self, frame: int, points: SurfacePoints, lamp: np.ndarray, num_still: int) -> None:
        lit = np.flatnonzero(lamp)
        if not len(lit):
            return
        emission = self.lamps.emission_table(frame, None)[lamp[lit]]
        for body, part in points.bodies:
            own = slice(*np.searchsorted(lit, (part.start, part.stop)))
            if own.start < own.stop:
                emission[own] = self.lamps.emission_table(frame, body.agent)[lamp[lit[own]]]
        bright = np.flatnonzero(emission.any(1))
        points.lit, points.emission = lit[bright], emission[bright]

    def _ground(self, frame: int, points: SurfacePoints, triangle: np.ndarray) -> None:
        air, part = self.scene.atmosphere, slice(0, points.num_ground)
        up = points.view[part, 2]
        points.normal[part, :2] = 0
        points.normal[part, 2] = np.where(up > 0, np.float32(-1), np.float32(1))
        footprint = points.distance[part] * self.pixel_angle / np.maximum(-up, np.float32(0.01))
        world, place = self.rays.world, points.place[part]
        look = ground_look(
            world, world.detail.take(triangle), place, footprint, wetness=air.wetness, snow_cover=air.snow_cover
        )
        points.albedo[part], points.mirror = look.albedo, look.mirror
        points.sky[part] = self._contact(frame, place)

    def _objects(
        self, points: SurfacePoints, thing: np.ndarray, triangle: np.ndarray, u: np.ndarray, v: np.ndarray
    ) -> np.ndarray:
        """Read the points on static objects numbered ``thing`` ``(M,)``, ascending; returns their lamps ``(M,)``."""
        if not len(thing):
            return np.zeros(0, np.int16)
        world = self.rays.world
        part = slice(points.num_ground, points.num_ground + len(thing))
        normal = world.hit_normals(triangle, u, v)
        tables = (world.albedo, world.gloss, world.glass, world.lamp)
        surface = Surface(*(table.take(triangle, 0) for table in tables))
        place, footprint = points.place[part], points.distance[part] * self.pixel_angle
        code = world.code.take(triangle)
        facade = world.facade.take(thing)
        first = np.flatnonzero(np.diff(thing, prepend=-1))
        for start, end in zip(first.tolist(), [*first[1:].tolist(), len(thing)], strict=True):
            number, mine = int(thing[start]), slice(start, end)
            paint = world.objects[number].shape.paint
            if paint is not None and facade[start] < 0:
                own, facing = world.to_own(number, place[mine]), world.to_own(number, normal[mine], directions=True)
                finish = Surface(surface.albedo[mine], surface.gloss[mine], surface.glass[mine], surface.lamp[mine])
                paint(finish, own, facing, code[mine], footprint[mine])
        walls = np.flatnonzero((facade >= 0) & (code > 0))
        if len(walls):
            which, own = thing[walls], world.to_own(thing[walls], place.take(walls, 0))
            facing = world.to_own(which, normal.take(walls, 0), directions=True)
            tables = (surface.albedo, surface.gloss, surface.glass, surface.lamp)
            finish = Surface(*(values.take(walls, 0) for values in tables))
            world.facades.paint(facade[walls], finish, own, facing, code=code[walls], footprint_m=footprint[walls])
            surface.albedo[walls], surface.gloss[walls], surface.lamp[walls] = finish.albedo, finish.gloss, finish.lamp
        up = normal[:, 2]
        snow = self.scene.atmosphere.snow_cover
        if snow > 0:
            share = (np.clip((up - 0.3) * 2.5, 0, 1) * np.float32(snow))[:, None]
            surface.albedo[:] += share * (SNOW_COLOUR - surface.albedo)
        points.normal[part], points.albedo[part] = normal, surface.albedo
        points.gloss[part], points.glass[part] = surface.gloss, surface.glass
        leaves = world.foliage.take(triangle)
        points.foliage[part] = leaves
        points.sky[part] = np.where(leaves, 0.45 + 0.30 * up, 0.56 + 0.40 * up)
        points.ground[part] = np.clip(0.35 - 0.35 * up, 0, 1)
        return surface.lamp

    def _agent(
        self, frame: int, points: SurfacePoints, whose: tuple[AgentBody, slice], hit: list[np.ndarray]
    ) -> np.ndarray:
        """Read the points on one agent; returns their lamps ``(M,)``. hit: triangle, u and v of each."""
        (body, part), (triangle, u, v) = whose, hit
        facing = unit(body.hit_normals(frame, triangle, u, v))
        # Paint is made for the solid as it was built, so a leaning body is read upright.
        if body.lean is None:
            own = body.to_own(frame, points.place[part])
        else:
            solid = body.shape.solid
            own = interpolated(solid.vertices[frame if solid.moves else 0], solid.triangles.take(triangle, 0), u, v)
        surface = body.shape.surface(triangle, own, facing, points.distance[part] * self.pixel_angle, body.colour)
        normal = body.normals_to_world(frame, facing)
        points.normal[part], points.albedo[part] = normal, surface.albedo
        points.gloss[part], points.glass[part] = surface.gloss, surface.glass
        up = normal[:, 2]
        if body.light is not None:
            corners = body.shape.solid.triangles.take(triangle, 0)
            points.sky[part] = interpolated(body.light.sky, corners, u, v)
            points.ground[part] = interpolated(body.light.ground, corners, u, v)
        else:
            points.sky[part], points.ground[part] = 0.56 + 0.40 * up, np.clip(0.42 - 0.40 * up, 0, 1)
        snow = self.scene.atmosphere.snow_cover
        if snow > 0:
            share = (np.clip((up - 0.4) * 2.5, 0, 1) * np.float32(0.45 * snow))[:, None]
            points.albedo[part] += share * (SNOW_COLOUR - points.albedo[part])
        return surface.lamp

    def _contact(self, frame: int, places: np.ndarray) -> np.ndarray:
        """Share of the sky that ground points see past the agents, ``(M,)`` float32."""
        seen = np.ones(len(places), np.float32)
        here = self.scene.ego_poses[frame, :2]
        near: list[AgentBody] = []
        boxes = []
        for body in self.rays.bodies_at(frame)[0]:
            foot = body.position(frame)
            if np.hypot(*(foot[:2] - here)) > CONTACT_REACH_M or body.agent.kind == "traffic_light":
                continue
            if abs(float(foot[2]) - float(self.scene.ego_z_m[frame])) <= 6.0:
                near.append(body)
                boxes.append(_shaded_ground(body, frame))
        if not near:
            return seen
        x, y = np.ascontiguousarray(places[:, 0]), np.ascontiguousarray(places[:, 1])
        for number, rows in points_in_boxes(x, y, np.array(boxes)):
            body = near[number]
            if body.light is None:
                east, north = body.position(frame)[:2].astype(np.float32)
                dx, dy = x[rows] - east, y[rows] - north
                seen[rows] *= 1 - PERSON_SHADE * np.exp(-(dx * dx + dy * dy) / np.float32(PERSON_SHADE_M**2))
                continue
            light = body.light
            own = body.to_own(frame, places.take(rows, 0))
            column, row = ((own[:, k] - np.float32(light.origin[k])) / np.float32(light.step[k]) for k in range(2))
            last_row, last_column = light.contact.shape[0] - 1, light.contact.shape[1] - 1
            inside = (column >= 0) & (row >= 0) & (column <= last_column) & (row <= last_row)
            if inside.any():
                seen[rows[inside]] *= sampled(light.contact, column[inside], row[inside])
        return seen


def _sorted(rows: np.ndarray, number: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and their numbers ``(M,)`` in the order of the numbers; equal ones keep their order."""
    small = number.astype(np.int16) if number.max(initial=0) < 2**15 else number  # NumPy sorts short ones in one pass
    order = np.argsort(small, kind="stable")
    return rows[order], number[order]


def _shaded_ground(body: AgentBody, frame: int) -> tuple[float, float, float, float]:
    """The box x from and to, y from and to (world m) in which a body darkens the ground."""
    x, y = body.position(frame)[:2]
    if body.light is None:
        reach = 4.3 * PERSON_SHADE_M  # there the shade is below the precision of float32
        return x - reach, x + reach, y - reach, y + reach
    light = body.light
    rows, columns = light.contact.shape
    (x0, y0), (dx, dy) = light.origin, light.step
    ends = np.array([(a, b) for a in (x0, x0 + dx * (columns - 1)) for b in (y0, y0 + dy * (rows - 1))])
    world = (ends * body.scale[:2]) @ body.rotation(frame)[:2, :2].T
    (left, low), (right, high) = world.min(0) - 0.01, world.max(0) + 0.01
    return x + left, x + right, y + low, y + high
