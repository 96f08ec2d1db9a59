"""Lofts: smooth surfaces through rings along a path that may move: limbs, torsos, tubes and rods."""

from __future__ import annotations

import numpy as np

from worldgen.rendering.shapes.solid import Finish
from worldgen.rendering.shapes.solid_builder import SolidBuilder, cross, superellipse

END_RINGS = ((0.0, 1.0), (0.62, 0.78))
"""Rings that round an end: scale of the cross section, share of the roundness by which it lies outside."""
FLAT = 0.15
"""Ends that are less round than this have the middle alone."""


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors ``(..., 3)`` at length 1; zero vectors stay zero."""
    return vectors / np.maximum(np.sqrt(np.square(vectors).sum(-1, keepdims=True)), 1e-12)


def moving(points: np.ndarray | tuple[float, ...] | list) -> np.ndarray:
    """Points ``(K, 3)`` as ``(1, K, 3)``; points ``(T, K, 3)`` as they are; float64."""
    points = np.asarray(points, float)
    return points[None] if points.ndim == 2 else points


def folds(rng: np.random.Generator, rings: int, sides: int, depth: float) -> np.ndarray:
    """Factors ``(rings, sides)`` on the radii of a ring that make cloth uneven by ``depth``."""
    noise = rng.normal(0.0, 1.0, (rings, sides))
    noise = 0.5 * noise + 0.25 * (np.roll(noise, 1, 1) + np.roll(noise, -1, 1))
    return 1.0 + depth * np.clip(noise, -1.6, 1.6)


def loft(
    builder: SolidBuilder, centres: np.ndarray, axes: tuple[np.ndarray, np.ndarray], radii: np.ndarray, finish: Finish,
    *, sides: int = 12, power: float = 2.0, uneven: np.ndarray | None = None,
    ends: tuple[float | None, float | None] = (0.5, 0.5),
) -> None:  # fmt: skip
    """A closed surface through K rings.

    centres: ``(T or 1, K, 3)`` m. axes: the two directions in which a ring extends, unit, broadcast to
    ``(T, K, 3)``; their cross product is the direction of growing K. radii: ``(K, 2)`` or ``(T, K, 2)`` half extents
    along the axes (m). power: 2 is an ellipse, more is squarer. uneven: ``(K, sides)`` factors on the radii. ends:
    roundness of the first and last end as a share of the mean radius there; 0 is flat, None leaves it open.
    """
    centres = moving(centres)
    radii = np.asarray(radii, float)
    radii = radii[None] if radii.ndim == 2 else radii
    frames, rings = np.broadcast_shapes(centres.shape[:2], radii.shape[:2], axes[0].shape[:2])
    first, second = (np.broadcast_to(axis, (*np.broadcast_shapes(axis.shape, (1, rings, 3)),)) for axis in axes)
    centres, radii = np.broadcast_to(centres, (frames, rings, 3)), np.broadcast_to(radii, (frames, rings, 2))
    angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    a, b = superellipse(np.cos(angle), power), superellipse(np.sin(angle), power)
    factor = np.ones((rings, sides)) if uneven is None else uneven
    across = (radii[..., 0, None] * a * factor)[..., None] * first[:, :, None]
    across = across + (radii[..., 1, None] * b * factor)[..., None] * second[:, :, None]
    rows = [centres[:, :, None] + across]
    for at, beside, roundness in ((0, 1, ends[0]), (-1, -2, ends[1])):
        if roundness is None:
            continue
        out = unit(centres[:, at] - centres[:, beside]) * radii[:, at].mean(-1, keepdims=True) * roundness
        shrunk = END_RINGS if roundness > FLAT else END_RINGS[:1]
        extra = np.stack([centres[:, at, None] + s * across[:, at] + (o * out)[:, None] for s, o in shrunk], 1)
        rows = [extra, *rows] if at == 0 else [*rows, extra[:, ::-1]]
    builder.grid(np.concatenate(rows, 1), finish, closed=True, flip=True)


def tube(
    builder: SolidBuilder, path: np.ndarray, radii: np.ndarray, finish: Finish, *, left: np.ndarray, sides: int = 10,
    uneven: np.ndarray | None = None, ends: tuple[float | None, float | None] = (0.5, 0.5), power: float = 2.0,
) -> None:  # fmt: skip
    """A loft along a path ``(T or 1, K, 3)`` whose rings stand across it.

    radii: ``(K,)``, or ``(K, 2)`` in the plane of the bend and along ``left``. left: direction ``(3,)`` or ``(T, 3)``
    that is the path's left; the path must not run along it.
    """
    path = moving(path)
    radii = np.asarray(radii, float)
    radii = np.stack([radii, radii], -1) if radii.ndim == 1 else radii
    steps = unit(np.diff(path, axis=1))
    along = unit(np.concatenate([steps[:, :1], steps[:, 1:] + steps[:, :-1], steps[:, -1:]], 1))
    side = np.atleast_2d(np.asarray(left, float))[:, None]
    side = unit(side - (side * along).sum(-1, keepdims=True) * along)
    loft(builder, path, (cross(side, along), side), radii, finish, sides=sides, uneven=uneven, ends=ends, power=power)


def rod(
    builder: SolidBuilder, start: np.ndarray | tuple, end: np.ndarray | tuple, radius: float | tuple[float, float],
    finish: Finish, *, sides: int = 5, ends: float | None = None,
) -> None:  # fmt: skip
    """A thin straight bar between two points, each ``(3,)`` or ``(T, 3)``; open ends unless ``ends`` rounds them."""
    first, last = np.broadcast_arrays(np.atleast_2d(np.asarray(start, float)), np.atleast_2d(np.asarray(end, float)))
    along = np.abs(unit(last - first).mean(0))
    left = np.array([0.0, 1.0, 0.0]) if along[1] < 0.8 else np.array([1.0, 0.0, 0.0])
    a, b = radius if isinstance(radius, tuple) else (radius, radius)
    tube(builder, np.stack([first, last], 1), np.array([a, b]), finish, left=left, sides=sides, ends=(ends, ends))


def two_bones(
    root: np.ndarray, target: np.ndarray, lengths: tuple[float, float], pole: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Middle and end joint ``(T, 3)`` of two bones from ``root`` that reach for ``target``, each ``(T, 3)``.

    pole: ``(3,)`` or ``(T, 3)`` direction to which the middle joint bends. A target out of reach is approached as far
    as the bones allow; they keep their lengths (m). Source: the law of cosines.
    """
    upper, lower = lengths
    away = target - root
    distance = np.linalg.norm(away, axis=-1, keepdims=True)
    along = away / np.maximum(distance, 1e-9)
    reach = np.clip(distance, abs(upper - lower) + 1e-4, (upper + lower) * 0.9995)
    bend = np.broadcast_to(pole, along.shape)
    bend = unit(bend - (bend * along).sum(-1, keepdims=True) * along)
    share = (upper**2 - lower**2 + reach**2) / (2 * reach)
    middle = root + along * share + bend * np.sqrt(np.maximum(upper**2 - share**2, 0.0))
    return middle, root + along * reach
