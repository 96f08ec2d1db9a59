"""Low-poly meshes: convex parts made of flat convex faces with surface attributes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

Colour = tuple[float, float, float]
"""Linear RGB."""
Size = tuple[float, float, float]
"""Length, width and height in metres."""

MAX_CORNERS = 12
LAMPS = ("none", "head", "tail", "left", "right", "red", "amber", "green", "warm", "window", "beacon", "reverse")
LAMP = {name: code for code, name in enumerate(LAMPS)}
"""Lamp codes of emissive faces; whether a lamp is on depends on the frame."""


def srgb(code: str) -> Colour:
    """Linear RGB of a web colour ``"#rrggbb"`` (gamma 2.2, close to IEC 61966-2-1)."""
    red, green, blue = ((int(code[i : i + 2], 16) / 255) ** 2.2 for i in (1, 3, 5))
    return red, green, blue


def scaled(colour: Colour, factor: float) -> Colour:
    """The colour with every channel multiplied by ``factor``."""
    return factor * colour[0], factor * colour[1], factor * colour[2]


def jittered(colour: Colour, rng: np.random.Generator, low: float, high: float) -> Colour:
    """The colour with every channel multiplied by a random factor of its own, uniform in [low, high)."""
    red, green, blue = (rng.uniform(low, high) * channel for channel in colour)
    return red, green, blue


@dataclass(frozen=True)
class Paint:
    """The surface attributes of a face and its place in the drawing order.

    colour: linear albedo. layer: within a part, higher layers are drawn later (decals over their base). detail: level
    of detail; 0 is always drawn, 1 not on small objects, 2 only on large ones, -1 only on small ones, instead of the
    rest. lamp: one of ``LAMPS``. texture: index of a wall texture, 0 for none. two_sided: visible from both sides.
    gloss: share of the sky reflected, 0 to 1. carried: part of a thing that a person carries, which is not the person.
    """

    colour: Colour
    layer: int = 0
    detail: int = 0
    lamp: str = "none"
    texture: int = 0
    two_sided: bool = False
    gloss: float = 0.0
    carried: bool = False

    def but(self, colour: Colour | None = None, *, layer: int | None = None, detail: int | None = None) -> Paint:
        """The same paint with another colour, layer or detail."""
        return replace(
            self, colour=colour or self.colour, layer=self.layer if layer is None else layer,
            detail=self.detail if detail is None else detail,
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Mesh:
    """Polygons of one object in its own axes (x forward, y left, z up, foot at the origin).

    vertices: ``(T or 1, V, 3)`` float64 m. flat: ``(sum of counts,)`` int32 vertex numbers of all faces, one after the
    other, counter-clockwise seen from outside. counts: ``(F,)`` int32 corners of each face. colour: ``(F, 3)`` float32.
    layer, detail, lamp, texture, two_sided, gloss, carried: ``(F,)``, see :class:`Paint`. part: ``(F,)`` number of the
    convex part.
    """

    vertices: np.ndarray
    flat: np.ndarray
    counts: np.ndarray
    colour: np.ndarray
    layer: np.ndarray
    detail: np.ndarray
    lamp: np.ndarray
    texture: np.ndarray
    two_sided: np.ndarray
    part: np.ndarray
    gloss: np.ndarray
    carried: np.ndarray


@dataclass
class MeshBuilder:
    """Collects the parts of a mesh. Each part is convex, so back faces can be culled and parts sorted by distance."""

    vertices: list[np.ndarray] = field(default_factory=list)
    faces: list[list[int]] = field(default_factory=list)
    paints: list[tuple[Paint, int, np.ndarray]] = field(default_factory=list)
    num_vertices: int = 0
    num_parts: int = 0

    def part(self) -> MeshBuilder:
        """Begin a new part; faces added next belong to it. Returns the builder."""
        self.num_parts += 1
        return self

    def add(
        self, vertices: np.ndarray, faces: Sequence[Sequence[int]], paint: Paint, *, inside: np.ndarray | None = None
    ) -> None:
        """Add faces over ``vertices`` ``(V, 3)`` or ``(T, V, 3)`` m, facing away from ``inside`` (default: mean)."""
        block = np.asarray(vertices, float)
        block = block[None] if block.ndim == 2 else block
        centre = block[0].mean(0) if inside is None else np.asarray(inside, float)
        for face in faces:
            self.faces.append([number + self.num_vertices for number in face])
        self.paints += [(paint, self.num_parts, centre)] * len(faces)
        self.vertices.append(block)
        self.num_vertices += block.shape[1]

    def box(self, centre: Sequence[float], size: Sequence[float], paint: Paint, *, taper: float = 1.0) -> None:
        """A box around ``centre``; ``taper`` scales length and width of its top."""
        half = np.array(size) / 2
        signs = np.array([(x, y, z) for z in (-1, 1) for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1))], float)
        signs[4:, :2] *= taper
        self.add(np.array(centre) + signs * half, BOX_FACES, paint)

    def loft(self, stations: Sequence[Sequence[float]], paint: Paint, *, tumble: float = 1.0) -> None:
        """A hull through rectangles across x.

        stations: rows x, z low, z high, half width; ``tumble`` scales the top width.
        """
        rows = np.asarray(stations, float)
        rings = [
            [(x, -w, lo), (x, w, lo), (x, w * tumble, hi), (x, -w * tumble, hi)] for x, lo, hi, w in rows
        ]  # fmt: skip
        vertices = np.array(rings).reshape(-1, 3)
        faces: list[Sequence[int]] = [(0, 1, 2, 3)]
        for i in range(len(rows) - 1):
            a, b = 4 * i, 4 * i + 4
            faces += [
                (a, a + 1, b + 1, b),
                (a + 1, a + 2, b + 2, b + 1),
                (a + 2, a + 3, b + 3, b + 2),
                (a + 3, a, b, b + 3),
            ]
        last = 4 * len(rows) - 4
        faces.append((last, last + 1, last + 2, last + 3))
        # Faces of a hull that is not convex face away from the middle of their own slice.
        for k, face in enumerate(faces):
            near = 0 if k == 0 else len(rows) - 1 if k == len(faces) - 1 else (k - 1) // 4
            span = vertices[4 * max(near - (k == len(faces) - 1), 0) : 4 * min(near + 2, len(rows))]
            self.add(vertices[list(face)], [range(len(face))], paint, inside=span.mean(0))

    def disc(
        self, centre: Sequence[float], radius: float, axis: str, paint: Paint, *, sides: int = 10, facing: float = 1.0
    ) -> None:
        """A flat regular polygon normal to ``axis`` ("x", "y" or "z"), visible from the side ``facing`` (1 or -1)."""
        turn = np.arange(sides) * 2 * np.pi / sides + np.pi / sides
        a, b = np.cos(turn) * radius, np.sin(turn) * radius
        zero = np.zeros(sides)
        offsets = {"x": (zero, a, b), "y": (a, zero, b), "z": (a, b, zero)}[axis]
        middle = np.array(centre, float)
        direction = np.array([axis == "x", axis == "y", axis == "z"], float) * facing
        self.add(middle + np.stack(offsets, 1), [range(sides)], paint, inside=middle - direction)

    def quad(
        self, corners: Sequence[Sequence[float]], paint: Paint, *, inside: Sequence[float] = (0.0, 0.0, 0.7)
    ) -> None:
        """A flat face through ``corners``, facing away from ``inside``."""
        self.add(np.array(corners, float), [range(len(corners))], paint, inside=np.array(inside))

    def tube(
        self, foot: Sequence[float], height: float, radii: tuple[float, float], paint: Paint, *, sides: int = 6
    ) -> None:
        """An upright round post, closed above. radii: at foot and top (m)."""
        turn = np.arange(sides) * 2 * np.pi / sides
        ring = np.stack([np.cos(turn), np.sin(turn), np.zeros(sides)], 1)
        low, high = np.array(foot) + ring * radii[0], np.array(foot) + ring * radii[1] + (0, 0, height)
        faces: list[Sequence[int]] = [(i, (i + 1) % sides, sides + (i + 1) % sides, sides + i) for i in range(sides)]
        self.add(np.concatenate([low, high]), [*faces, range(sides, 2 * sides)], paint)

    def limb(self, start: np.ndarray, end: np.ndarray, widths: tuple[float, float, float], paint: Paint) -> None:
        """A four-sided limb that may move. start, end: ``(T, 3)`` m. widths: at start, at end, and across y (m)."""
        start, end = np.atleast_2d(start), np.atleast_2d(end)
        along = end - start
        along = along / np.maximum(np.linalg.norm(along, axis=-1, keepdims=True), 1e-6)
        across = np.array([0.0, 1.0, 0.0])
        normal = np.cross(along, across)
        normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-6)
        across = np.cross(normal, along)
        rings = []
        for point, width in ((start, widths[0]), (end, widths[1])):
            side = widths[2] * width / max(widths[0], 1e-6)
            for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
                rings.append(point + a * normal * width / 2 + b * across * side / 2)
        self.add(np.stack(rings, -2), BOX_FACES, paint)

    def ball(self, centre: np.ndarray, radii: Sequence[float], paint: Paint, *, sides: int = 6, bands: int = 3) -> None:
        """A faceted ellipsoid that may move. centre: ``(3,)`` or ``(T, 3)`` m. radii: along x, y, z (m)."""
        centre = np.atleast_2d(np.asarray(centre, float))
        tilt = np.linspace(-np.pi / 2, np.pi / 2, bands + 1)
        turn = np.arange(sides) * 2 * np.pi / sides
        grid = np.stack(
            [
                np.cos(tilt)[:, None] * np.cos(turn),
                np.cos(tilt)[:, None] * np.sin(turn),
                np.repeat(np.sin(tilt)[:, None], sides, 1),
            ],
            -1,
        ).reshape(-1, 3)
        faces = [
            (r * sides + i, r * sides + (i + 1) % sides, (r + 1) * sides + (i + 1) % sides, (r + 1) * sides + i)
            for r in range(bands)
            for i in range(sides)
        ]
        self.add(centre[:, None] + grid * np.array(radii), faces, paint)

    def build(self) -> Mesh:
        """The finished mesh; its number of frames is that of the parts that move, else 1."""
        frames = max(block.shape[0] for block in self.vertices)
        vertices = np.concatenate([np.broadcast_to(b, (frames, *b.shape[1:])) for b in self.vertices], 1)
        paints = [paint for paint, _, _ in self.paints]
        counts = np.array([len(face) for face in self.faces], np.int32)
        flat = np.array([number for face in self.faces for number in face], np.int32)
        return Mesh(
            vertices=vertices,
            flat=self._outward(vertices[0], flat, counts),
            counts=counts,
            colour=np.array([p.colour for p in paints], np.float32),
            layer=np.array([p.layer for p in paints], np.int16),
            detail=np.array([p.detail for p in paints], np.int8),
            lamp=np.array([LAMP[p.lamp] for p in paints], np.int16),
            texture=np.array([p.texture for p in paints], np.int16),
            two_sided=np.array([p.two_sided for p in paints], bool),
            part=np.array([part for _, part, _ in self.paints], np.int32),
            gloss=np.array([p.gloss for p in paints], np.float32),
            carried=np.array([p.carried for p in paints], bool),
        )

    def _outward(self, vertices: np.ndarray, flat: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """Vertex numbers with every face counter-clockwise as seen from outside its part."""
        corners = vertices[padded(flat, counts)]
        # Newell's sum gives the normal of any planar polygon, also with repeated corners.
        normal = np.cross(corners, np.roll(corners, -1, 1)).sum(1)
        centres = np.array([centre for _, _, centre in self.paints])
        middle = np.add.reduceat(vertices[flat], np.concatenate([[0], np.cumsum(counts)[:-1]])) / counts[:, None]
        inward = np.einsum("fc,fc->f", normal, middle - centres) < 0
        starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
        place = np.arange(len(flat)) - np.repeat(starts, counts)
        mirrored = np.repeat(starts + counts - 1, counts) - place
        return np.where(np.repeat(inward, counts), flat[mirrored], flat)


def padded(flat: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Ragged vertex numbers as ``(F, MAX_CORNERS)`` int32, each row padded with its last number."""
    if counts.max(initial=0) > MAX_CORNERS:
        raise AssertionError(f"a face has {counts.max()} corners, at most {MAX_CORNERS} fit")
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    column = np.minimum(np.arange(MAX_CORNERS), counts[:, None] - 1)
    return flat[starts[:, None] + column].astype(np.int32)


BOX_FACES = ((0, 1, 2, 3), (4, 5, 6, 7), (0, 1, 5, 4), (1, 2, 6, 5), (2, 3, 7, 6), (3, 0, 4, 7))
