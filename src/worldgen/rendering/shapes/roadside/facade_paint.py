"""Façades painted per hit: windows with frames and blinds, shop fronts, doors, brick or plaster, and stains."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from worldgen.rendering.drawing.texture import ground_noise, sampled
from worldgen.rendering.shapes.solid import LAMP_CODES, Surface

WALL_CODE, ROOF_CODE = 1, 2
PANE = np.array([0.022, 0.025, 0.028], np.float32)
CURTAIN = np.array([0.30, 0.29, 0.27], np.float32)
GROUND_FLOOR_M = 3.7
BRICK_M = (0.24, 0.075)
TILE_M = 0.30
NOISE_TEXEL_M = 0.11


@dataclass(frozen=True)
class FacadeStyle:
    """What a façade looks like.

    bay_m, floor_m: width and height of a window's cell. window_m: width and height of a window. sill_m: height of its
    sill above the floor. frame, trim, ground: linear colours of frames, bands and ground floor. brick: whether the wall
    is brick. shop: whether the ground floor has shop fronts; else it has windows as the others and a door. top_m: the
    windows end below this. lit: share of windows that are lit at night. base_m: height where the first floor begins.
    seed: of blinds and lit windows.
    """

    bay_m: float
    floor_m: float
    window_m: tuple[float, float]
    sill_m: float
    frame: tuple[float, float, float]
    trim: tuple[float, float, float]
    ground: tuple[float, float, float]
    brick: bool
    shop: bool
    top_m: float
    lit: float
    base_m: float
    seed: int


def draws(seed: int, *numbers: np.ndarray) -> np.ndarray:
    """A number in [0, 1) ``(M,)`` for each row of whole numbers: the same row always gives the same."""
    mixed = np.full(len(numbers[0]), seed * 2654435761 % 2**31, np.int64)
    for factor, values in zip((73856093, 19349663, 83492791), numbers, strict=False):
        mixed = (mixed ^ (values.astype(np.int64) * factor)) * 1103515245 % 2**31
    return (mixed >> 7) % 65536 / np.float32(65536)


def band(value: np.ndarray, low: np.ndarray | float, high: np.ndarray | float, soft: np.ndarray) -> np.ndarray:
    """Share ``(M,)`` of a pixel of width ``soft`` that lies between ``low`` and ``high``."""
    return np.clip((value - low) / soft + 0.5, 0, 1) * np.clip((high - value) / soft + 0.5, 0, 1)


def _mix(surface: Surface, rows: np.ndarray, share: np.ndarray, colour: np.ndarray | tuple, gloss: float) -> None:
    part = share[:, None]
    surface.albedo[rows] += part * (np.asarray(colour, np.float32) - surface.albedo[rows])
    surface.gloss[rows] += share * (np.float32(gloss) - surface.gloss[rows])


class FacadePaint:
    """Paints walls and roofs of one building; a ``SurfacePaint``."""

    def __init__(self, style: FacadeStyle, half_m: tuple[float, float]):
        self.style, self.half_m = style, half_m

    def __call__(
        self, surface: Surface, points_m: np.ndarray, normals: np.ndarray, code: np.ndarray, footprint_m: np.ndarray
    ) -> None:
        """See :class:`worldgen.rendering.shapes.solid.SurfacePaint`."""
        roof = np.flatnonzero(code == ROOF_CODE)
        if len(roof):
            self._roof(surface, roof, points_m[roof], footprint_m[roof])
        walls = np.flatnonzero(code == WALL_CODE)
        if not len(walls):
            return
        place, normal = points_m[walls], normals[walls]
        across = np.abs(normal[:, 0]) > np.abs(normal[:, 1])
        side = np.where(across, 2 + (normal[:, 0] > 0), normal[:, 1] > 0).astype(np.int64)
        along = np.where(across, place[:, 1] + self.half_m[1], place[:, 0] + self.half_m[0])
        width = np.where(across, 2 * self.half_m[1], 2 * self.half_m[0])
        soft = np.maximum(footprint_m[walls], 0.004)
        self._wall(surface, walls, along, place[:, 2], soft)
        self._windows(surface, walls, (along, place[:, 2], side, width), soft)
        if self.style.shop:
            self._shops(surface, walls, (along, place[:, 2], side, width), soft)

    def _wall(self, surface: Surface, rows: np.ndarray, along: np.ndarray, up: np.ndarray, soft: np.ndarray) -> None:
        style, tile = self.style, ground_noise()[1][0]
        stain = sampled(tile, (along + 7.3 * style.seed) / NOISE_TEXEL_M, up / (3.5 * NOISE_TEXEL_M))
        broad = sampled(tile, (along - 3.1 * style.seed) / 0.6, up / 0.6)
        factor = 1.0 + 0.05 * stain + 0.07 * broad - 0.16 * np.exp(-np.maximum(up, 0) / 0.7)
        if style.brick:
            fade = np.clip(1.4 - soft / 0.05, 0, 1)
            row = np.floor(up / BRICK_M[1])
            joint = 1 - band(up / BRICK_M[1] - row, 0.14, 1.0, soft / BRICK_M[1])
            column = np.floor(along / BRICK_M[0] + 0.5 * (row % 2))
            factor += fade * (0.16 * (draws(style.seed, row, column) - 0.5) + 0.20 * joint)
        lower = band(up, -1.0, GROUND_FLOOR_M if style.shop else 0.45, soft)
        _mix(surface, rows, lower, style.ground, 0.0)
        surface.albedo[rows] *= np.clip(factor, 0.4, 1.4)[:, None]
        if style.shop or style.top_m > 8:
            edge = band(up, GROUND_FLOOR_M - 0.12, GROUND_FLOOR_M + 0.14, soft) + band(up, style.top_m, 99.0, soft)
            _mix(surface, rows, np.minimum(edge, 1), style.trim, 0.0)

    def _windows(self, surface: Surface, rows: np.ndarray, at: tuple[np.ndarray, ...], soft: np.ndarray) -> None:
        """Windows in cells of bay times floor."""
        style = self.style
        along, up, side, width = at
        bays = np.maximum(np.floor((width - 0.6) / style.bay_m), 1)
        margin = (width - bays * style.bay_m) / 2
        column = np.floor((along - margin) / style.bay_m)
        floor = np.floor((up - style.base_m) / style.floor_m)
        x = along - margin - (column + 0.5) * style.bay_m
        z = up - style.base_m - floor * style.floor_m - style.sill_m
        half, tall = style.window_m[0] / 2, style.window_m[1]
        top = style.base_m + (floor + 1) * style.floor_m
        exists = (column >= 0) & (column < bays) & (floor >= 0) & (top <= style.top_m + 0.3)
        door = exists & (floor == 0) & (column == bays // 2) & (side < 2) & (not style.shop) & (style.base_m < 1.0)
        low = np.where(door, -style.sill_m, 0.0)
        random = draws(style.seed, column, floor, side)
        outer = band(x, -half - 0.09, half + 0.09, soft) * band(z, low - 0.07, tall + 0.09, soft) * exists
        sill = band(x, -half - 0.16, half + 0.16, soft) * band(z, -0.16, -0.06, soft) * (exists & ~door)
        streak = band(x, -half, half, soft + 0.25) * np.clip((z + 1.3) / 1.2, 0, 1) * (z < -0.1) * (exists & ~door)
        surface.albedo[rows] *= (1 - 0.10 * streak * (0.4 + random))[:, None]
        _mix(surface, rows, sill, np.asarray(style.trim, np.float32) * 1.15, 0.0)
        _mix(surface, rows, outer, style.frame, 0.1)
        inner = band(x, -half, half, soft) * band(z, low, tall, soft) * exists
        pane = inner * (1 - band(np.abs(x), -1.0, 0.03, soft)) * (1 - band(z, 0.68 * tall, 0.68 * tall + 0.05, soft))
        blind = tall * np.clip(1.6 * draws(style.seed + 11, column, floor, side) - 0.9, 0, 0.8)
        covered = (z > tall - blind) & (random < 0.75)
        colour = np.where(covered[:, None], CURTAIN, PANE * (0.6 + 1.2 * random[:, None]))
        colour = np.where(door[:, None], np.asarray(style.trim, np.float32) * 0.35, colour)
        # The reveal shades the top of the pane and one side.
        shade = 1 - 0.55 * np.clip((z - tall + 0.22) / 0.2, 0, 1) * pane
        _mix(surface, rows, pane, colour, 0.0)
        surface.albedo[rows] *= shade[:, None]
        glassy = pane * ~covered * ~door
        surface.gloss[rows] = np.maximum(surface.gloss[rows], 1.2 * glassy)
        lit = (pane > 0.5) & ~door & (draws(style.seed + 5, column, floor, side) < style.lit)
        surface.lamp[rows[lit]] = LAMP_CODES["window"]

    def _shops(self, surface: Surface, rows: np.ndarray, at: tuple[np.ndarray, ...], soft: np.ndarray) -> None:
        """Shop fronts on the ground floor: panes on a plinth, a sign above, a door in each."""
        style = self.style
        along, up, side, width = at
        front = 2 * style.bay_m
        number = np.floor(along / front)
        x = along - number * front
        exists = ((number + 1) * front < width) & (up < GROUND_FLOOR_M)
        random = draws(style.seed + 3, number, side)
        sign = band(x, 0.25, front - 0.25, soft) * band(up, 2.85, 3.35, soft) * exists
        tint = np.stack([draws(style.seed + k, number, side) for k in (21, 22, 23)], 1)
        _mix(surface, rows, sign, 0.05 + 0.30 * tint * (0.5 + 0.5 * random[:, None]), 0.1)
        frame = band(x, 0.25, front - 0.25, soft) * band(up, 0.35, 2.75, soft) * exists
        _mix(surface, rows, frame, np.asarray(style.frame, np.float32) * 0.4, 0.1)
        bars = np.minimum(
            band(np.abs(x - 0.36 * front), -1, 0.05, soft) + band(np.abs(x - 0.60 * front), -1, 0.05, soft), 1
        )
        pane = band(x, 0.33, front - 0.33, soft) * band(up, 0.45, 2.65, soft) * exists * (1 - np.minimum(bars, 1))
        _mix(surface, rows, pane, PANE * 1.5, 1.2)
        lit = (pane > 0.5) & (random < 0.55)
        surface.lamp[rows[lit]] = LAMP_CODES["window"]

    def _roof(self, surface: Surface, rows: np.ndarray, place: np.ndarray, footprint_m: np.ndarray) -> None:
        """Rows of tiles, with moss and soot."""
        tile = ground_noise()[1][0]
        fade = np.clip(1.4 - footprint_m / 0.2, 0, 1)
        row = place[:, 2] / (0.6 * TILE_M)
        step = np.where(row - np.floor(row) < 0.3, -0.25, 0.04)
        column = np.floor(np.where(np.abs(place[:, 1]) > 0.6 * self.half_m[1], place[:, 0], place[:, 1]) / TILE_M)
        spots = 0.12 * (draws(self.style.seed, np.floor(row), column) - 0.5)
        broad = sampled(tile, place[:, 0] / 0.25 + self.style.seed, place[:, 1] / 0.25)
        surface.albedo[rows] *= np.clip(1 + fade * (step + spots) + 0.10 * broad, 0.4, 1.4)[:, None]
