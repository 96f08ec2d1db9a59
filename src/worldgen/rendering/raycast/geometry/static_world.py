"""What does not move in a scene, as one set of triangles: the ground in layers, and the static objects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from worldgen.core.scene import Road, Scene, Static
from worldgen.rendering.drawing.ground import SEM, SURFACES, ground_faces
from worldgen.rendering.raycast.geometry.agent_bodies import unit
from worldgen.rendering.raycast.geometry.ray_mesh import RayMesh
from worldgen.rendering.raycast.geometry.static_shapes import static_shape
from worldgen.rendering.shapes.roadside.facade_paint import FacadePaint, FacadeTable
from worldgen.rendering.shapes.solid import Shape

STATIC_SEMANTICS = {"building": "building", "tree": "vegetation", "bush": "vegetation", "hedge": "vegetation"}
LAYER_M = 0.0003
"""Paint lies this much higher than what it is painted on, so that rays meet the upper layer first."""
TERRAIN_REACH_M = 1500.0
TERRAIN_DEPTH_M = 0.03
TOWN_ROADS = ("urban", "intersection", "construction")


@dataclass(frozen=True, eq=False)
class GroundTables:
    """Looks of the ground by face, F faces; floats are float32.

    albedo: ``(F, 3)`` linear. grain, snow, mirror: ``(F,)``, see
    :class:`worldgen.rendering.drawing.ground.GroundFaces`. semantic: ``(F,)`` uint8 codes of ``SEMANTICS``. look:
    ``(F,)`` int32, equal for faces that look the same.
    """

    albedo: np.ndarray
    grain: np.ndarray
    snow: np.ndarray
    mirror: np.ndarray
    semantic: np.ndarray
    look: np.ndarray


@dataclass(frozen=True, eq=False)
class StaticObject:
    """A placed static object: its shape, kind, foot (world m), heading (rad) and scale."""

    shape: Shape
    kind: str
    foot_m: np.ndarray
    yaw_rad: float
    scale: np.ndarray


class StaticWorld:
    """The ground and the static objects of a scene for rays, in world axes.

    Attributes:
        mesh: all triangles.
        vertices, normals: ``(V, 3)`` float32 world.
        triangles: ``(N, 3)`` int32.
        corner_normals: ``(N, 3, 3)`` float32 normals at the three corners of the triangles.
        owner: ``(N,)`` int32 number of the static object of a triangle, -1 for the ground.
        detail: ``(N,)`` int32: on objects the triangle number of the shape, on the ground the number of its face.
        semantic: ``(N,)`` uint8 codes of ``SEMANTICS``.
        facades: paints the buildings. facade: ``(objects,)`` row of an object there, -1 for what is no building.
        facet: ``(N,)`` int32 from 0 to 63, differs between the sides of an object.
        albedo ``(N, 3)``, gloss, glass, lamp, code, foliage ``(N,)``: finishes of the triangles; zeros on the ground.
    """

    def __init__(self, scene: Scene):
        self.scene = scene
        self.ground, ground_triangles, ground_vertices, faces = _ground(scene)
        self.objects = [
            StaticObject(
                shape := static_shape(s.kind, s.size_m, s.style), s.kind, np.asarray(s.position_m, float), s.yaw_rad,
                _scale(s, shape.size_m),
            )
            for s in scene.statics
        ]  # fmt: skip
        up = np.zeros_like(ground_vertices)
        up[:, 2] = 1.0
        vertices, normals, triangles = [ground_vertices], [up], [ground_triangles]
        owner, detail = [np.full(len(faces), -1)], [faces]
        semantic = [self.ground.semantic[faces]]
        total = len(ground_vertices)
        for number, thing in enumerate(self.objects):
            solid = thing.shape.solid
            c, s = np.cos(thing.yaw_rad), np.sin(thing.yaw_rad)
            turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
            vertices.append((solid.vertices[0] * thing.scale) @ turn.T + thing.foot_m)
            facing = (solid.normals[0] / thing.scale) @ turn.T
            normals.append(facing / np.maximum(np.linalg.norm(facing, axis=1, keepdims=True), 1e-9))
            triangles.append(solid.triangles + total)
            total += solid.vertices.shape[1]
            owner.append(np.full(len(solid.triangles), number))
            detail.append(np.arange(len(solid.triangles)))
            code = SEM[STATIC_SEMANTICS.get(thing.kind, "structure")]
            semantic.append(np.full(len(solid.triangles), code))
        self.vertices = np.concatenate(vertices).astype(np.float32)
        self.normals = np.concatenate(normals).astype(np.float32)
        self.triangles = np.concatenate(triangles).astype(np.int32)
        self.owner, self.detail = np.concatenate(owner).astype(np.int32), np.concatenate(detail).astype(np.int32)
        self.semantic = np.concatenate(semantic).astype(np.uint8)
        self._join_finishes(len(faces))
        self.corner_normals = self.normals[self.triangles]
        self.facet = _facets(self.vertices, self.triangles)
        self.mesh = RayMesh(self.vertices, self.triangles)
        self._prepare_objects()

    def _prepare_objects(self) -> None:
        """Tables of the placement and the façades of the objects, so that many hits are read at once."""
        count = len(self.objects)
        self.feet = np.array([o.foot_m for o in self.objects], np.float32).reshape(count, 3)
        yaw = np.array([o.yaw_rad for o in self.objects], np.float32)
        self.cosine, self.sine = np.cos(yaw), np.sin(yaw)
        self.scales = np.array([o.scale for o in self.objects], np.float32).reshape(count, 3)
        paints = [o.shape.paint for o in self.objects]
        buildings = [number for number, paint in enumerate(paints) if isinstance(paint, FacadePaint)]
        self.facades = FacadeTable([paint for paint in paints if isinstance(paint, FacadePaint)])
        self.facade = np.full(count, -1)
        self.facade[buildings] = np.arange(len(buildings))

    def _join_finishes(self, ground: int) -> None:
        """One table of finishes over all triangles. ground: number of triangles of the ground, which come first."""
        blocks = [(thing.shape.tables, thing.shape.solid.finish) for thing in self.objects]

        def joined(name: str, first: np.ndarray) -> np.ndarray:
            return np.concatenate([first, *(tables[name][finish] for tables, finish in blocks)])

        self.albedo = joined("albedo", np.zeros((ground, 3), np.float32))
        self.gloss, self.glass = (joined(name, np.zeros(ground, np.float32)) for name in ("gloss", "glass"))
        self.lamp, self.code = (joined(name, np.zeros(ground, np.int16)) for name in ("lamp", "code"))
        self.foliage = joined("foliage", np.zeros(ground, bool))

    def to_own(self, objects: np.ndarray | int, vectors: np.ndarray, *, directions: bool = False) -> np.ndarray:
        """World points or directions ``(M, 3)`` in the axes of the objects ``(M,)``, or of one object."""
        offset = vectors if directions else vectors - self.feet[objects]
        c, s = self.cosine[objects], self.sine[objects]
        own = np.stack([c * offset[:, 0] + s * offset[:, 1], c * offset[:, 1] - s * offset[:, 0], offset[:, 2]], 1)
        return own if directions else own / self.scales[objects]

    def hit_normals(self, triangle: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Smooth normals ``(M, 3)`` float32 in the world."""
        first, second, third = self.corner_normals.take(triangle, 0).transpose(1, 0, 2)
        return unit(first + u[:, None] * (second - first) + v[:, None] * (third - first))


def _scale(static: Static, built_m: tuple[float, float, float]) -> np.ndarray:
    """Scale ``(3,)`` from a shape as built to a static object; trees keep a round crown that suits their height."""
    length, width, height = static.size_m
    if static.kind in ("tree", "bush"):
        length = width = max(length, width, 0.45 * height if static.kind == "tree" else 0.0)
    return np.array([length, width, height]) / np.asarray(built_m, float)


def _ground(scene: Scene) -> tuple[GroundTables, np.ndarray, np.ndarray, np.ndarray]:
    """Tables of the ground, triangles, vertices (world m) and the face of each triangle; face 0 is the terrain."""
    faces = ground_faces(scene.road)
    plain = SURFACES["sidewalk" if scene.scenario.road in TOWN_ROADS else "grass"]
    tables = GroundTables(
        np.array([plain[0], *faces.colour], np.float32), np.array([plain[1], *faces.grain], np.float32),
        np.array([1.0, *faces.snow], np.float32), np.array([0.2, *faces.mirror], np.float32),
        np.array([SEM["terrain"], *faces.semantic], np.uint8),
        np.unique(np.array([(*plain[0], -1), *((*c, m) for c, m in zip(faces.colour, faces.semantic, strict=True))]),
                  axis=0, return_inverse=True)[1].reshape(-1).astype(np.int32),
    )  # fmt: skip
    middle = scene.ego_poses[:, :2].mean(0)
    signs = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)], float)
    terrain = np.concatenate([middle + signs * TERRAIN_REACH_M, np.full((4, 1), -TERRAIN_DEPTH_M)], 1)
    vertices, triangles, numbers, total = [terrain], [np.array([(0, 1, 2), (0, 2, 3)])], [0, 0], 4
    layer, look = 0, None
    for number, corners in enumerate(faces.corners, 1):
        this = (faces.colour[number - 1], faces.semantic[number - 1])
        if this != look:  # pieces of one strip do not overlap, so they share a layer
            layer, look = layer + 1, this
        raised = np.asarray(corners, float).copy()
        raised[:, 2] += LAYER_M * layer
        count = len(raised)
        fan = np.stack([np.zeros(count - 2, int), np.arange(1, count - 1), np.arange(2, count)], 1)
        vertices.append(raised)
        triangles.append(fan + total)
        numbers += [number] * (count - 2)
        total += count
    return tables, np.concatenate(triangles), np.concatenate(vertices), np.array(numbers)


def _facets(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """A number from 0 to 63 for the direction that each triangle faces, ``(N,)`` int32: four steps along each axis."""
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    normal = np.cross(b - a, c - a)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    steps = np.clip(np.floor((normal + 1) * 1.999), 0, 3).astype(np.int32)
    return steps @ np.array([16, 4, 1], np.int32)


def road_slopes(road: Road) -> bool:
    """Whether the surface of the road is not flat."""
    heights = [p.points_m[:, 2] for p in road.patches]
    return bool(heights) and float(np.ptp(np.concatenate(heights))) > 0.05
