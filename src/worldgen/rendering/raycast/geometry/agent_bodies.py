"""Agents as bodies that rays can meet: a shape, its place in every frame, and what it is made of."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from worldgen.core.scene import Agent, Scene
from worldgen.rendering.drawing.lamps import MOTOR_KINDS
from worldgen.rendering.raycast.geometry.agent_shapes import CREATURES, WALKERS, agent_colour, agent_shape
from worldgen.rendering.raycast.geometry.baked_light import BakedLight, bake
from worldgen.rendering.raycast.geometry.ray_mesh import FirstHits, RayMesh
from worldgen.rendering.shapes.solid import Shape

BUILT_TO_SIZE = (*WALKERS, *CREATURES, "bicycle")
"""Shapes that are built in the size of the agent: limbs keep their length."""
BOX_CORNERS = np.array([[(k >> axis) & 1 for axis in range(3)] for k in range(8)], bool)
"""For the 8 corners of a box whether x, y and z are the higher ones."""


@dataclass(frozen=True, eq=False)
class RigidParts:
    """What the instances of one rigid shape share: its triangles for rays and its baked light."""

    mesh: RayMesh
    light: BakedLight


@lru_cache(maxsize=96)
def rigid_parts(shape: Shape) -> RigidParts:
    """The shared parts of a shape that does not move in itself."""
    mesh = RayMesh(shape.solid.vertices[0], shape.solid.triangles)
    return RigidParts(mesh, bake(shape.solid, mesh))


class AgentBody:
    """One agent of a scene.

    Points of the world map to the axes of its solid by the inverse of: scale, lean (people), yaw, shift.
    """

    def __init__(self, scene: Scene, index: int):
        agent: Agent = scene.agents[index]
        self.agent, self.index = agent, index
        self.shape = agent_shape(agent, rain=scene.atmosphere.rain_mmph > 0)
        self.colour = agent_colour(agent)
        solid = self.shape.solid
        self.scale = np.asarray(agent.size_m, np.float32) / np.asarray(self.shape.size_m, np.float32)
        if agent.variant in BUILT_TO_SIZE:
            self.scale = np.ones(3, np.float32)
        self.rigid = None if solid.moves else rigid_parts(self.shape)
        self.light: BakedLight | None = None if self.rigid is None else self.rigid.light
        if solid.moves and agent.kind in MOTOR_KINDS:  # a car with a door that opens
            self.light = bake(solid, RayMesh(solid.vertices[0], solid.triangles))
        low, high = solid.vertices.min((0, 1)) * self.scale, solid.vertices.max((0, 1)) * self.scale
        self.low, self.high = low, high
        reach = np.array([max(-low[0], high[0]), max(-low[1], high[1])])
        self.radius_m = float(np.hypot(np.hypot(*reach), high[2]))
        self.lean = agent.lean_rad if agent.lean_rad is not None and np.any(agent.lean_rad) else None
        self.body_triangles = np.array([not f.carried for f in solid.finishes])[solid.finish]
        self._built: tuple[int, RayMesh] | None = None

    def posed_vertices(self, frame: int) -> tuple[np.ndarray, np.ndarray]:
        """Vertices and normals ``(V, 3)`` of the solid in one frame, in its own axes, leaning included."""
        solid = self.shape.solid
        row = frame if solid.moves else 0
        vertices, normals = solid.vertices[row], solid.normals[row]
        if self.lean is None or not self.lean[frame]:
            return vertices, normals
        c, s = np.float32(np.cos(self.lean[frame])), np.float32(np.sin(self.lean[frame]))
        turn = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]], np.float32)
        leaning = vertices @ turn.T
        leaning[:, 2] -= min(float(leaning[:, 2].min()), 0.0)
        return leaning, normals @ turn.T

    def mesh(self, frame: int) -> RayMesh:
        """The triangles of the solid for rays, in its own axes."""
        if self.rigid is not None:
            return self.rigid.mesh
        if self._built is None or self._built[0] != frame:
            self._built = (frame, RayMesh(self.posed_vertices(frame)[0], self.shape.solid.triangles))
        return self._built[1]

    def position(self, frame: int) -> np.ndarray:
        """The foot of the body, ``(3,)`` float64 world m."""
        return self.agent.poses[frame, :3]

    def rotation(self, frame: int) -> np.ndarray:
        """World from own axes, ``(3, 3)`` float32, without the scale."""
        yaw = self.agent.poses[frame, 3]
        c, s = np.cos(yaw), np.sin(yaw)
        return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]], np.float32)

    def to_own(self, frame: int, points: np.ndarray) -> np.ndarray:
        """World points ``(M, 3)`` in the axes of the solid, float32."""
        return ((points - self.position(frame).astype(np.float32)) @ self.rotation(frame)) / self.scale

    def directions_to_own(self, frame: int, directions: np.ndarray) -> np.ndarray:
        """World directions ``(M, 3)`` in the axes of the solid; distances along them keep their values."""
        return (directions @ self.rotation(frame)) / self.scale

    def normals_to_world(self, frame: int, normals: np.ndarray) -> np.ndarray:
        """Normals ``(M, 3)`` of the solid as unit vectors of the world."""
        world = (normals / self.scale) @ self.rotation(frame).T
        return unit(world)

    def first_hit(self, frame: int, origins: np.ndarray, directions: np.ndarray) -> FirstHits:
        """What world rays meet of this body. Origins that are one point may be ``(1, 3)``."""
        own = np.broadcast_to(self.to_own(frame, origins), directions.shape)
        return self.mesh(frame).first_hit(own, self.directions_to_own(frame, directions))

    def blocked(self, frame: int, points: np.ndarray, directions: np.ndarray, reach: np.ndarray | None) -> np.ndarray:
        """Whether this body blocks world rays, ``(M,)`` bool."""
        return self.mesh(frame).blocked(self.to_own(frame, points), self.directions_to_own(frame, directions), reach)

    def hit_normals(self, frame: int, triangle: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Smooth normals ``(M, 3)`` at hits, in the axes of the solid."""
        normals = self.posed_vertices(frame)[1]
        return interpolated(normals, self.shape.solid.triangles[triangle], u, v)

    def corners(self, frame: int) -> np.ndarray:
        """The 8 corners of its bounding box in the world, ``(8, 3)`` float64."""
        low, high = self.low, self.high
        if self.lean is not None and self.lean[frame]:
            low, high = low.copy(), high.copy()
            length = high[0] - low[0]
            low[0], high[0] = low[0] - high[2], high[0] + high[2]
            high[2] += abs(np.sin(self.lean[frame])) * length
        local = np.where(BOX_CORNERS, high, low)
        return local @ self.rotation(frame).T + self.position(frame)


def interpolated(values: np.ndarray, corners: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Vertex values ``(V, ...)`` at barycentric places in triangles ``corners`` ``(M, 3)``."""
    shape = (-1,) + (1,) * (values.ndim - 1)
    u, v = u.reshape(shape), v.reshape(shape)
    first, second, third = (values.take(corners[:, k], 0) for k in range(3))
    return first + u * (second - first) + v * (third - first)


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors ``(M, 3)`` at length 1."""
    return vectors / np.maximum(lengths(vectors), np.float32(1e-9))[:, None]


def lengths(vectors: np.ndarray) -> np.ndarray:
    """Lengths ``(M,)`` of vectors ``(M, 3)``."""
    return np.sqrt(dots(vectors, vectors))


def dots(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Dot products ``(M,)`` of vectors ``(M, 3)``."""
    out = a[:, 0] * b[:, 0]
    out += a[:, 1] * b[:, 1]
    out += a[:, 2] * b[:, 2]
    return out
