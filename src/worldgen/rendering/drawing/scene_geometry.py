"""The scene geometry as arrays of faces: ground, static objects, and agents over all frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from worldgen.core.labels import LAYOUT_CLASSES
from worldgen.core.scene import Agent, Scene
from worldgen.core.seeds import numpy_rng
from worldgen.rendering.drawing.ground import SEM, SEMANTICS, ground_faces
from worldgen.rendering.meshes import people, props
from worldgen.rendering.meshes.animals import animal
from worldgen.rendering.meshes.mesh import Mesh, padded
from worldgen.rendering.meshes.static_objects import static_mesh
from worldgen.rendering.meshes.vehicles import add_door, vehicle

STATIC_SEMANTICS = {"building": "building", "tree": "vegetation", "bush": "vegetation", "hedge": "vegetation"}


@dataclass(frozen=True, eq=False)
class Faces:
    """F polygons with V vertices over T frames; T is 1 for geometry that does not move.

    vertices: ``(T, V, 3)`` float32 world m. corners: ``(F, MAX_CORNERS)`` int32 vertex numbers, the last repeated.
    counts: ``(F,)`` corners of each face. normals: ``(T, F, 3)`` float32. colour: ``(F, 3)`` linear albedo. layer,
    detail, lamp, texture, two_sided, gloss, carried: ``(F,)``, see :class:`worldgen.rendering.meshes.mesh.Paint`.
    grain, snow, mirror: ``(F,)``, see :class:`worldgen.rendering.drawing.ground.GroundFaces`. semantic, track: ``(F,)``
    class code and track id (0: none). part, group: ``(F,)`` numbers of the convex part and of the object. part_centre:
    ``(T, P, 3)``, group_centre: ``(T, G, 3)`` world m. group_radius: ``(G,)`` m. group_width: ``(G,)`` m, the second
    largest side. agent: ``(G,)`` index into ``scene.agents``, or -1. texture_axes: ``(F, 4)`` direction x y of the wall
    texture, offset along it (m), height of its foot (m).
    """

    vertices: np.ndarray
    corners: np.ndarray
    counts: np.ndarray
    normals: np.ndarray
    colour: np.ndarray
    layer: np.ndarray
    detail: np.ndarray
    lamp: np.ndarray
    texture: np.ndarray
    two_sided: np.ndarray
    gloss: np.ndarray
    grain: np.ndarray
    snow: np.ndarray
    mirror: np.ndarray
    semantic: np.ndarray
    track: np.ndarray
    carried: np.ndarray
    part: np.ndarray
    group: np.ndarray
    part_centre: np.ndarray
    group_centre: np.ndarray
    group_radius: np.ndarray
    group_width: np.ndarray
    agent: np.ndarray
    texture_axes: np.ndarray


def face_normals(vertices: np.ndarray, corners: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Unit normals ``(T, F, 3)`` float32 from four spread corners; three could be collinear on slivers.

    vertices: ``(T, V, 3)``. corners: ``(F, MAX_CORNERS)``. counts: ``(F,)``.
    """
    spread = [np.zeros_like(counts), counts // 4, counts // 2, (3 * counts) // 4]
    a, b, c, d = (vertices[:, np.take_along_axis(corners, k[:, None], 1)[:, 0]] for k in spread)
    # The normal of a quad is the cross product of its diagonals. Triangles are replaced below.
    quad = np.cross(c - a, d - b)
    flat = counts == 3
    quad[:, flat] = np.cross(
        vertices[:, corners[flat, 1]] - vertices[:, corners[flat, 0]],
        vertices[:, corners[flat, 2]] - vertices[:, corners[flat, 0]],
    )
    return (quad / np.maximum(np.linalg.norm(quad, axis=-1, keepdims=True), 1e-9)).astype(np.float32)


def placed(mesh: Mesh, poses: np.ndarray, *, lean_rad: np.ndarray | None = None) -> np.ndarray:
    """World vertices ``(T, V, 3)`` of a mesh at poses ``(T, 4)`` x y z yaw.

    lean_rad: ``(T,)`` forward tilt about its foot.
    """
    local = mesh.vertices
    if lean_rad is not None and np.any(lean_rad):
        c, s = np.cos(lean_rad)[:, None], np.sin(lean_rad)[:, None]
        x, y, z = local[..., 0], local[..., 1], local[..., 2]
        local = np.stack(
            np.broadcast_arrays(c * x + s * z, y + 0 * c, np.maximum(c * z - s * x, 0.02 * (z > 0.05)) + 0.10 * s), -1
        )
    c, s = np.cos(poses[:, 3])[:, None], np.sin(poses[:, 3])[:, None]
    x, y, z = local[..., 0], local[..., 1], local[..., 2]
    return np.stack([c * x - s * y + poses[:, 0:1], s * x + c * y + poses[:, 1:2], z + poses[:, 2:3]], -1)


def agent_mesh(agent: Agent, *, rain: bool) -> Mesh:
    """The mesh of an agent over all frames. rain: pedestrians may carry an umbrella."""
    rng = numpy_rng("agent", agent.variant, agent.style)
    size, phase = agent.size_m, np.asarray(agent.gait_phase, float)
    if agent.kind == "bicycle":
        return people.bicycle(size, rng)
    outfit = people.Outfit(rain=rain, dark=not agent.reflective, vest="worker" in agent.role)
    walker = lambda: people.pedestrian(size, phase, np.abs(agent.speed_mps), rng, outfit=outfit)  # noqa: E731
    animal_mesh = lambda: animal(agent.variant, size, phase, rng)  # noqa: E731
    builders = {
        "adult": walker, "elder": walker, "child": walker, "deer": animal_mesh, "dog": animal_mesh,
        "bicycle": lambda: people.cyclist(size, phase, rng, outfit=outfit),
        "motorbike": lambda: people.motorbike(size, rng), "cone": lambda: props.cone(size, rng),
        "cargo_box": lambda: props.cargo_box(size, rng), "tyre": lambda: props.tyre(size, rng),
        "signal": lambda: props.signal(size),
    }  # fmt: skip
    if agent.variant in builders:
        return builders[agent.variant]()
    return add_door(vehicle(agent.variant, size, rng), agent)


def agent_semantic(agent: Agent) -> int:
    """Code of an agent in the semantic raster; classes without a layout channel are ``object``."""
    if agent.label in LAYOUT_CLASSES:
        return len(SEMANTICS) + LAYOUT_CLASSES.index(agent.label)
    return SEM["object"]


def _joined(pieces: list[tuple[Mesh, np.ndarray, int, int, int]], frames: int) -> Faces:
    """The faces of placed meshes.

    pieces: (mesh, world vertices, semantic code, track id, agent index) of each object.
    """
    vertices = np.concatenate([np.broadcast_to(v, (frames, *v.shape[1:])) for _, v, *_ in pieces], 1).astype(np.float32)
    first_vertex = np.cumsum([0] + [v.shape[1] for _, v, *_ in pieces])
    sizes = [len(mesh.counts) for mesh, *_ in pieces]
    corners = np.concatenate(
        [padded(mesh.flat, mesh.counts) + first for (mesh, *_), first in zip(pieces, first_vertex, strict=False)]
    )
    counts = np.concatenate([mesh.counts for mesh, *_ in pieces])
    group = np.repeat(np.arange(len(pieces)), sizes)
    parts = [mesh.part - mesh.part.min() for mesh, *_ in pieces]
    first_part = np.cumsum([0] + [int(p.max()) + 1 for p in parts])
    part = np.concatenate([p + first for p, first in zip(parts, first_part, strict=False)])
    normals = face_normals(vertices, corners, counts)
    column = {
        name: np.concatenate([getattr(mesh, name) for mesh, *_ in pieces])
        for name in ("colour", "layer", "detail", "lamp", "texture", "two_sided", "gloss", "carried")
    }
    centre = vertices[:, corners].mean(2)
    weights = np.bincount(part, minlength=first_part[-1]).clip(1)
    part_centre = np.stack(
        [
            np.add.reduceat(centre[t][np.argsort(part, kind="stable")], np.concatenate([[0], np.cumsum(weights)[:-1]]))
            for t in range(frames)
        ]
    )
    low = np.stack([v.min(1) for _, v, *_ in pieces], 1)
    high = np.stack([v.max(1) for _, v, *_ in pieces], 1)
    low, high = np.broadcast_to(low, (frames, *low.shape[1:])), np.broadcast_to(high, (frames, *high.shape[1:]))
    per_face = lambda values, dtype: np.repeat(np.array(values, dtype), sizes)  # noqa: E731
    return Faces(
        vertices=vertices, corners=corners, counts=counts, normals=normals, **column,
        grain=np.zeros(len(counts), np.float32), snow=np.ones(len(counts), np.float32),
        mirror=np.zeros(len(counts), np.float32), semantic=per_face([p[2] for p in pieces], np.uint8),
        track=per_face([p[3] for p in pieces], np.int32), part=part, group=group,
        part_centre=(part_centre / weights[:, None]).astype(np.float32),
        group_centre=((low + high) / 2).astype(np.float32),
        group_radius=(np.linalg.norm(high - low, axis=-1).max(0) / 2).astype(np.float32),
        group_width=np.sort((high - low).max(0), -1)[:, 1].astype(np.float32), agent=np.array([p[4] for p in pieces]),
        texture_axes=_texture_axes(vertices[0], corners, normals[0]),
    )  # fmt: skip


def _texture_axes(vertices: np.ndarray, corners: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """Wall texture axes ``(F, 4)``: a horizontal direction x y along the face, the offset along it, the foot (m)."""
    direction = np.stack([-normals[:, 1], normals[:, 0]], 1)
    length = np.linalg.norm(direction, axis=1, keepdims=True)
    direction = np.where(length > 0.2, direction / np.maximum(length, 1e-9), [[1.0, 0.0]])
    origin = vertices[corners[:, 0]]
    along = (vertices[corners][:, :, :2] * direction[:, None]).sum(-1).min(1)
    foot = np.minimum(vertices[corners][:, :, 2].min(1), origin[:, 2])
    return np.concatenate([direction, -along[:, None], foot[:, None]], 1).astype(np.float32)


def agent_faces(scene: Scene) -> Faces | None:
    """Faces of all agents over all frames, or None without agents."""
    rain = scene.atmosphere.rain_mmph > 0
    pieces = []
    for index, agent in enumerate(scene.agents):
        mesh = agent_mesh(agent, rain=rain)
        vertices = placed(mesh, np.asarray(agent.poses, float), lean_rad=agent.lean_rad)
        pieces.append((mesh, vertices, agent_semantic(agent), agent.track_id, index))
    return _joined(pieces, scene.num_frames) if pieces else None


def static_faces(scene: Scene) -> Faces | None:
    """Faces of all static objects, or None without any."""
    pieces = []
    for static in scene.statics:
        mesh = static_mesh(static.kind, static.size_m, static.style)
        pose = np.array([[*static.position_m, static.yaw_rad]], float)
        pieces.append((mesh, placed(mesh, pose), SEM[STATIC_SEMANTICS.get(static.kind, "structure")], 0, -1))
    return _joined(pieces, 1) if pieces else None


def road_faces(scene: Scene) -> Faces:
    """Faces of the ground in drawing order by ``layer``; may be empty."""
    ground = ground_faces(scene.road)
    counts = np.array([len(c) for c in ground.corners], np.int32)
    number = len(counts)
    vertices = np.concatenate([np.zeros((0, 3)), *ground.corners])[None].astype(np.float32)
    corners = padded(np.arange(vertices.shape[1]), counts)
    zeros = np.zeros(number, np.int32)
    return Faces(
        vertices=vertices, corners=corners, counts=counts, normals=face_normals(vertices, corners, counts),
        colour=np.array(ground.colour, np.float32).reshape(-1, 3), layer=np.arange(number), detail=zeros, lamp=zeros,
        texture=zeros, two_sided=zeros.astype(bool), gloss=zeros.astype(np.float32),
        grain=np.array(ground.grain, np.float32), snow=np.array(ground.snow, np.float32),
        mirror=np.array(ground.mirror, np.float32), semantic=np.array(ground.semantic, np.uint8), track=zeros,
        carried=zeros.astype(bool),
        part=zeros, group=zeros, part_centre=np.zeros((1, 1, 3), np.float32),
        group_centre=np.zeros((1, 1, 3), np.float32), group_radius=np.array([1e6], np.float32),
        group_width=np.array([1e6], np.float32), agent=np.array([-1]), texture_axes=np.zeros((number, 4), np.float32),
    )  # fmt: skip
