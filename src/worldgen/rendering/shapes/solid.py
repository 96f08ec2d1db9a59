"""Solids: smooth triangle meshes that may move, and shapes: a solid with the paint of its surface."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

LAMP_NAMES = (
    "none", "head", "tail", "left", "right", "red", "amber", "green", "warm", "window", "beacon", "reverse",
    "window_low", "window_dim", "window_cool",
)  # fmt: skip
"""Lamps of surfaces; whether a lamp is on depends on the frame. Lit windows have four tones: what is in a room is lit
unevenly, and rooms have lamps of different colours."""
LAMP_CODES = {name: code for code, name in enumerate(LAMP_NAMES)}


@dataclass(frozen=True)
class Finish:
    """How a surface looks.

    colour: linear albedo. gloss: strength of its reflections; 0 matt, 1 lacquer or glass (Fresnel with 4 % head-on),
    up to 3 polished metal. lamp: one of ``LAMP_NAMES``. glass: whether one looks through it. foliage: whether it is a
    mass of leaves, which scatters light and has a ragged edge. carried: part of a thing that a person carries, which
    is not the person. machine: part of the bicycle or motorcycle under a rider. code: number for the shape's own
    paint, 0 for none (see :class:`Shape`).
    """

    colour: tuple[float, float, float]
    gloss: float = 0.0
    lamp: str = "none"
    glass: bool = False
    foliage: bool = False
    carried: bool = False
    machine: bool = False
    code: int = 0

    def but(self, **changes: object) -> Finish:
        """The same finish with some fields changed."""
        return replace(self, **changes)  # type: ignore[arg-type]


@dataclass(frozen=True, eq=False)
class Solid:
    """Triangles of one object in its own axes: x forward, y left, z up, foot at the origin; metres.

    vertices: ``(T or 1, V, 3)`` float32. normals: ``(T or 1, V, 3)`` float32 unit vertex normals, outward. triangles:
    ``(N, 3)`` int32 vertex numbers, counter-clockwise seen from outside. finishes: F finishes. finish: ``(N,)`` int32
    index into them for each triangle.
    """

    vertices: np.ndarray
    normals: np.ndarray
    triangles: np.ndarray
    finishes: tuple[Finish, ...]
    finish: np.ndarray

    @property
    def moves(self) -> bool:
        """Whether its vertices change from frame to frame."""
        return self.vertices.shape[0] > 1


@dataclass(frozen=True, eq=False)
class Surface:
    """The surface at M points: albedo ``(M, 3)`` linear, gloss ``(M,)``, glass ``(M,)`` share that one looks through,
    lamp ``(M,)`` int codes of ``LAMP_CODES``; floats are float32."""

    albedo: np.ndarray
    gloss: np.ndarray
    glass: np.ndarray
    lamp: np.ndarray


class SurfacePaint(Protocol):
    """Paints the surface of a shape in more detail than its triangles have: window panels, lamps, plates."""

    def __call__(
        self, surface: Surface, points_m: np.ndarray, normals: np.ndarray, code: np.ndarray, footprint_m: np.ndarray
    ) -> None:
        """Change ``surface`` in place.

        points_m, normals: ``(M, 3)`` float32 in the axes of the solid. code: ``(M,)`` codes of the finishes.
        footprint_m: ``(M,)`` size of a pixel at the point in metres, over which edges are softened.
        """
        ...


@dataclass(frozen=True, eq=False)
class Shape:
    """A solid, the paint of its surface, and which colour the instance chooses.

    size_m: length, width, height of the solid as built; instances scale it to their own size. paint: None if the
    finishes say all. Finishes whose ``code`` is in ``body_codes`` take the colour of the instance instead of their own.
    """

    solid: Solid
    size_m: tuple[float, float, float]
    paint: SurfacePaint | None = None
    body_codes: tuple[int, ...] = ()
    tables: dict[str, np.ndarray] = field(init=False)

    def __post_init__(self) -> None:
        finishes = self.solid.finishes
        tables = {
            "albedo": np.array([f.colour for f in finishes], np.float32).reshape(-1, 3),
            "gloss": np.array([f.gloss for f in finishes], np.float32),
            "glass": np.array([f.glass for f in finishes], np.float32),
            "lamp": np.array([LAMP_CODES[f.lamp] for f in finishes], np.int16),
            "code": np.array([f.code for f in finishes], np.int16),
            "foliage": np.array([f.foliage for f in finishes], bool),
        }
        object.__setattr__(self, "tables", tables)

    def surface(
        self,
        triangle: np.ndarray,
        points_m: np.ndarray,
        normals: np.ndarray,
        footprint_m: np.ndarray,
        colour: np.ndarray | None = None,
    ) -> Surface:
        """The surface at M hits. triangle: ``(M,)`` numbers. points_m, normals: ``(M, 3)`` in the axes of the solid.

        footprint_m: ``(M,)`` size of a pixel there. colour: ``(3,)`` linear, of the instance.
        """
        finish = self.solid.finish[triangle]
        code = self.tables["code"][finish]
        surface = Surface(
            self.tables["albedo"][finish],
            self.tables["gloss"][finish],
            self.tables["glass"][finish],
            self.tables["lamp"][finish],
        )
        if colour is not None and self.body_codes:
            surface.albedo[np.isin(code, self.body_codes)] = colour
        if self.paint is not None:
            self.paint(surface, points_m, normals, code, footprint_m)
        return surface
