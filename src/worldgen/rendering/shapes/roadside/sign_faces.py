"""Faces of traffic signs: small pictures drawn once, and the paint that puts them on plates at any size."""

from __future__ import annotations

import cv2
import numpy as np

from worldgen.rendering.shapes.solid import Surface
from worldgen.rendering.shapes.tints import Tint, linear

FACE_CODE = 1
PICTURE_PX = 96
"""Side of the picture of a small sign."""
WHITE, BLACK = linear("#d2d1cb"), linear("#1d1e20")
RED, BLUE, GREEN, YELLOW, ORANGE = (linear(c) for c in ("#a8332f", "#2f5684", "#2f6148", "#c6a63c", "#c06a2c"))


class PlatePaint:
    """Paints pictures on flat plates that face along x.

    Each plate has a picture ``(h, w, 3)`` linear, its row 0 on top, the middle (y, z) and the half extents (m) over
    which it is spread, and the direction that it faces: 1 is +x, -1 is -x. Its finish has the code of its place from
    ``FACE_CODE`` on. Small pictures are averaged over the footprint of a pixel by a pyramid (L. Williams 1983).
    """

    def __init__(
        self, plates: list[tuple[np.ndarray, tuple[float, float], tuple[float, float], int]], dirt: float = 0.0
    ) -> None:
        self.places = [(middle, half, facing) for _, middle, half, facing in plates]
        self.pyramids = [_pyramid(picture.astype(np.float32)) for picture, *_ in plates]
        self.dirt = dirt

    def __call__(
        self, surface: Surface, points_m: np.ndarray, normals: np.ndarray, code: np.ndarray, footprint_m: np.ndarray
    ) -> None:
        """Paint in place; see :class:`worldgen.rendering.shapes.solid.SurfacePaint`."""
        for number, (middle, half, facing) in enumerate(self.places):
            rows = np.flatnonzero(code == FACE_CODE + number)
            if not len(rows):
                continue
            right = facing * (points_m[rows, 1] - middle[0]) / half[0]
            down = (middle[1] - points_m[rows, 2]) / half[1]
            pyramid = self.pyramids[number]
            texel = 2 * half[0] / pyramid[0].shape[1]
            level = np.clip(np.round(np.log2(np.maximum(footprint_m[rows] / texel, 1e-6))), 0, len(pyramid) - 1)
            for k, picture in enumerate(pyramid):
                mine = np.flatnonzero(level == k)
                if len(mine):
                    surface.albedo[rows[mine]] = _sampled(picture, right[mine], down[mine])
            if self.dirt:
                streak = 1 - self.dirt * (0.5 + 0.5 * np.sin(23.0 * points_m[rows, 1] + 3.0 * points_m[rows, 2]))
                surface.albedo[rows] *= streak[:, None].astype(np.float32)


def _pyramid(picture: np.ndarray) -> list[np.ndarray]:
    levels = [picture]
    while min(levels[-1].shape[:2]) > 1:
        high, wide = levels[-1].shape[:2]
        levels.append(cv2.resize(levels[-1], (max(wide // 2, 1), max(high // 2, 1)), interpolation=cv2.INTER_AREA))
    return levels


def _sampled(picture: np.ndarray, right: np.ndarray, down: np.ndarray) -> np.ndarray:
    """The picture at places from -1 to 1, bilinear: ``(M, 3)``."""
    high, wide = picture.shape[:2]
    u, v = ((right + 1) / 2 * wide - 0.5).clip(0, wide - 1), ((down + 1) / 2 * high - 0.5).clip(0, high - 1)
    left, top = np.minimum(u.astype(int), max(wide - 2, 0)), np.minimum(v.astype(int), max(high - 2, 0))
    a, b = (u - left)[:, None], (v - top)[:, None]
    next_left, next_top = np.minimum(left + 1, wide - 1), np.minimum(top + 1, high - 1)
    return (
        picture[top, left] * (1 - a) * (1 - b) + picture[top, next_left] * a * (1 - b)
        + picture[next_top, left] * (1 - a) * b + picture[next_top, next_left] * a * b
    )  # fmt: skip


def _canvas(colour: Tint, wide: int = PICTURE_PX, high: int = PICTURE_PX) -> np.ndarray:
    return np.tile(np.array(colour, np.float32), (high, wide, 1))


def _polygon(picture: np.ndarray, corners: np.ndarray, colour: Tint) -> None:
    """Fill a polygon with corners ``(n, 2)`` from -1 to 1, right and down, with soft edges."""
    high, wide = picture.shape[:2]
    mask = np.zeros((high, wide), np.uint8)
    points = ((np.asarray(corners, float) + 1) / 2 * [wide, high] * 16).round().astype(np.int32)
    cv2.fillPoly(mask, [points], 255, cv2.LINE_AA, 4)
    share = (mask / np.float32(255))[..., None]
    picture[:] = picture * (1 - share) + np.array(colour, np.float32) * share


def _disc(picture: np.ndarray, radius: float, colour: Tint, middle: tuple[float, float] = (0.0, 0.0)) -> None:
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    _polygon(picture, np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1) + middle, colour)


def _text(
    picture: np.ndarray, words: str, colour: Tint, *, top: float, bottom: float, left: float, right: float
) -> None:
    """Draw words into a rectangle given from -1 to 1."""
    high, wide = picture.shape[:2]
    size, _ = cv2.getTextSize(words, cv2.FONT_HERSHEY_DUPLEX, 4.0, 10)
    mask = np.zeros((size[1] + 24, size[0] + 12), np.uint8)
    cv2.putText(mask, words, (6, size[1] + 10), cv2.FONT_HERSHEY_DUPLEX, 4.0, 255, 10, cv2.LINE_AA)
    x0, x1 = (round((v + 1) / 2 * wide) for v in (left, right))
    y0, y1 = (round((v + 1) / 2 * high) for v in (top, bottom))
    share = cv2.resize(mask, (max(x1 - x0, 1), max(y1 - y0, 1)), interpolation=cv2.INTER_AREA)[..., None] / np.float32(
        255
    )
    picture[y0:y1, x0:x1] = picture[y0:y1, x0:x1] * (1 - share) + np.array(colour, np.float32) * share


def speed_limit(limit: str) -> np.ndarray:
    """A red ring around a number."""
    picture = _canvas(RED)
    _disc(picture, 0.78, WHITE)
    _text(picture, limit, BLACK, top=-0.40, bottom=0.40, left=-0.58, right=0.58)
    return picture


def no_parking() -> np.ndarray:
    """Blue with a red ring and bar."""
    picture = _canvas(RED)
    _disc(picture, 0.78, BLUE)
    _polygon(picture, np.array([(-0.68, -0.50), (-0.50, -0.68), (0.68, 0.50), (0.50, 0.68)]), RED)
    return picture


def warning() -> np.ndarray:
    """The face of a triangle that points upwards, with a mark for a bend."""
    picture = _canvas(RED)
    _polygon(picture, np.array([(0.0, -0.66), (0.74, 0.66), (-0.74, 0.66)]), WHITE)
    bend = np.array([(-0.07, 0.52), (-0.07, 0.12), (0.12, -0.12), (0.22, -0.02), (0.09, 0.18), (0.09, 0.52)])
    _polygon(picture, bend, BLACK)
    return picture


def give_way() -> np.ndarray:
    """The face of a triangle that points downwards."""
    picture = _canvas(RED)
    _polygon(picture, np.array([(0.0, 0.62), (0.70, -0.66), (-0.70, -0.66)]), WHITE)
    return picture


def stop() -> np.ndarray:
    """A red octagon."""
    picture = _canvas(WHITE)
    angle = (np.arange(8) + 0.5) * np.pi / 4
    _polygon(picture, 0.99 * np.stack([np.cos(angle), np.sin(angle)], 1), RED)
    _text(picture, "STOP", WHITE, top=-0.26, bottom=0.26, left=-0.72, right=0.72)
    return picture


def parking() -> np.ndarray:
    """A blue square with a P."""
    picture = _canvas(WHITE)
    _polygon(picture, 0.93 * np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]), BLUE)
    _text(picture, "P", WHITE, top=-0.66, bottom=0.66, left=-0.42, right=0.42)
    return picture


def priority() -> np.ndarray:
    """A yellow diamond in white."""
    picture = _canvas(WHITE)
    _polygon(picture, 0.70 * np.array([(0, -1), (1, 0), (0, 1), (-1, 0)]), YELLOW)
    return picture


def works() -> np.ndarray:
    """An orange diamond with a person at work."""
    picture = _canvas(BLACK)
    _polygon(picture, 0.92 * np.array([(0, -1), (1, 0), (0, 1), (-1, 0)]), ORANGE)
    _disc(picture, 0.09, BLACK, (-0.02, -0.38))
    _polygon(picture, np.array([(-0.12, -0.26), (0.08, -0.28), (0.12, 0.06), (0.30, 0.40), (0.18, 0.42), (-0.02, 0.12),
                                (-0.20, 0.42), (-0.32, 0.40), (-0.12, 0.02)]), BLACK)  # fmt: skip
    _polygon(picture, np.array([(0.06, -0.22), (0.36, 0.06), (0.30, 0.13), (0.02, -0.10)]), BLACK)
    return picture


def arrow_board() -> np.ndarray:
    """An orange board with black arrows that point to the right."""
    picture = _canvas(ORANGE, 2 * PICTURE_PX, PICTURE_PX)
    for x in (-0.75, -0.15, 0.45):
        _polygon(
            picture,
            np.array([(x, -0.75), (x + 0.18, -0.75), (x + 0.42, 0), (x + 0.18, 0.75), (x, 0.75), (x + 0.24, 0)]),
            BLACK,
        )
    return picture


def board(rng: np.random.Generator) -> np.ndarray:
    """A wide board that names directions, blue or green, with lines of words and an arrow."""
    picture = _canvas(WHITE, 256, 140)
    ground = BLUE if rng.random() < 0.5 else GREEN
    _polygon(picture, np.array([(-0.98, -0.965), (0.98, -0.965), (0.98, 0.965), (-0.98, 0.965)]), ground)
    letters = "ABDEHKLMNORSTUVWZ"
    for k, top in enumerate((-0.74, -0.16, 0.42)):
        count = int(rng.integers(5, 10))
        words = "".join(
            letters[int(i)] + ("" if j % 4 else " ") for j, i in enumerate(rng.integers(0, len(letters), count))
        )
        _text(
            picture, words.strip(), WHITE, top=top, bottom=top + 0.36, left=-0.84, right=-0.84 + 0.125 * count + 0.1 * k
        )
    _polygon(
        picture,
        np.array(
            [(0.62, 0.72), (0.62, -0.05), (0.50, -0.05), (0.68, -0.48), (0.86, -0.05), (0.74, -0.05), (0.74, 0.72)]
        ),
        WHITE,
    )
    return picture
