"""Procedural textures of walls, foliage, ground and clouds, from fixed seeds, with mipmaps."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np

from worldgen.core.seeds import numpy_rng

TILE_PX = 256
METRES_PER_TEXEL = 0.05
"""A wall tile is 12.8 m square: four floors of 3.2 m, four windows of 3.2 m."""
LEVELS = 6
NONE, FOLIAGE, BRICK, ROOF, SHOP, FIRST_FACADE = 0, 1, 2, 3, 4, 5
NUM_FACADES = 10
NUM_TEXTURES = FIRST_FACADE + NUM_FACADES

FINE_METRES_PER_TEXEL, COARSE_METRES_PER_TEXEL = 0.04, 0.35
_ROW = 1024


def fractal_noise(
    size_px: int, rng: np.random.Generator, *, octaves: tuple[int, ...] = (4, 8, 16, 32, 64, 128), gain: float = 0.65
) -> np.ndarray:
    """Tileable fractal noise ``(size_px, size_px)`` float32, mean 0, standard deviation 1.

    octaves: cells across the tile.
    """
    total = np.zeros((size_px, size_px), np.float32)
    weight = 1.0
    for cells in octaves:
        if cells > size_px:
            break
        grid = rng.standard_normal((cells, cells)).astype(np.float32)
        # The grid is padded by wrapping, so the enlarged grid tiles without a seam.
        grid = np.pad(grid, 2, mode="wrap")
        scale = size_px // cells
        big = cv2.resize(grid, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        edge = 2 * scale
        total += weight * big[edge : edge + size_px, edge : edge + size_px]
        weight *= gain
    return (total - total.mean()) / total.std()


@cache
def ground_noise() -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
    """Fine (asphalt grain) and coarse (patches, wear) tiles, ``(512, 512)`` float32, each at three blur levels."""
    rng = numpy_rng("ground noise")
    fine = fractal_noise(512, rng, octaves=(16, 32, 64, 128, 256, 512), gain=0.9)
    coarse = fractal_noise(512, rng, octaves=(8, 16, 32, 64, 128), gain=0.75)
    return tuple(tuple(_smoothed(tile, k) for k in (0, 2, 6)) for tile in (fine, coarse))  # type: ignore[return-value]


def _smoothed(tile: np.ndarray, sigma: float) -> np.ndarray:
    if sigma == 0:
        return tile
    wrapped = np.pad(tile, 32, mode="wrap")
    return np.ascontiguousarray(cv2.GaussianBlur(wrapped, (0, 0), sigma)[32:-32, 32:-32])


def sampled(tile: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Values ``(M,)`` of a tile that repeats, at places in texels ``(M,)``, with linear interpolation."""
    count = len(x)
    if not count:
        return np.zeros(0, np.float32)
    rows = -(-count // _ROW)
    spread = lambda values: np.resize(values.astype(np.float32), rows * _ROW).reshape(rows, _ROW)  # noqa: E731
    return cv2.remap(tile, spread(x), spread(y), cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP).ravel()[:count]


@cache
def cloud_noise() -> np.ndarray:
    """A tile of cloud noise, ``(512, 512)`` float32, mean 0, standard deviation 1."""
    return fractal_noise(512, numpy_rng("clouds"), octaves=(4, 8, 16, 32, 64, 128, 256), gain=0.6)


@cache
def wall_atlas() -> tuple[np.ndarray, ...]:
    """Mipmap levels, each ``(NUM_TEXTURES, side, side, 5)`` float32, the side halved from level to level.

    Channels: factors on the albedo (3), lit window (0 to 1), glass (0 to 1).
    """
    full = np.zeros((NUM_TEXTURES, TILE_PX, TILE_PX, 5), np.float32)
    full[..., :3] = 1.0
    rng = numpy_rng("wall atlas")
    full[FOLIAGE, ..., :3] = np.clip(
        1.0 + 0.42 * fractal_noise(TILE_PX, rng, octaves=(16, 32, 64, 128), gain=0.9), 0.25, 2.0
    )[..., None]
    full[BRICK, ..., :3] = _bricks(rng)[..., None]
    full[ROOF, ..., :3] = _tiles(rng)[..., None]
    full[SHOP] = _shops(rng)
    for k in range(NUM_FACADES):
        full[FIRST_FACADE + k] = _facade(rng, k)
    levels = [full]
    for _ in range(LEVELS - 1):
        last = levels[-1]
        n, side = last.shape[0], last.shape[1] // 2
        levels.append(last.reshape(n, side, 2, side, 2, 5).mean((2, 4)))
    return tuple(np.ascontiguousarray(level) for level in levels)


def _bricks(rng: np.random.Generator) -> np.ndarray:
    tile = 1.0 + 0.06 * fractal_noise(TILE_PX, rng)
    tile[::4] *= 0.86
    return tile


def _tiles(rng: np.random.Generator) -> np.ndarray:
    tile = 1.0 + 0.12 * fractal_noise(TILE_PX, rng, octaves=(32, 64, 128), gain=0.8)
    tile[::6] *= 0.7
    return tile


def _shops(rng: np.random.Generator) -> np.ndarray:
    """Shop fronts: large panes with a coloured band above."""
    tile = np.ones((TILE_PX, TILE_PX, 5), np.float32)
    tile[..., 3:] = 0.0
    for k in range(4):
        x0, x1 = k * 64 + 4, k * 64 + 60
        tile[6:50, x0:x1, :3] = 0.16
        tile[6:50, x0:x1, 3] = 1.0 if rng.random() < 0.6 else 0.12
        tile[6:50, x0:x1, 4] = 1.0
        tile[6:50, x0 + 26 : x0 + 29, :3] = 0.6
        tile[54:68, x0 - 2 : x1 + 2, :3] = rng.uniform(0.15, 1.3, 3)
        tile[54:68, x0 - 2 : x1 + 2, 3] = 0.35 if rng.random() < 0.5 else 0.0
        tile[0:6, x0:x1, :3] = 0.5
    return tile


def _facade(rng: np.random.Generator, kind: int) -> np.ndarray:
    """Four floors of windows with frames, sills and blinds; their number and shape vary with ``kind``."""
    tile = np.ones((TILE_PX, TILE_PX, 5), np.float32)
    tile[..., 3:] = 0.0
    tile[..., :3] *= (1.0 + 0.05 * fractal_noise(TILE_PX, rng))[..., None]
    if kind % 3 == 0:
        tile[::4, :, :3] *= 0.9
    columns = (4, 4, 8, 2)[kind % 4]
    pitch = TILE_PX // columns
    width = int(pitch * (0.46, 0.58, 0.60, 0.86)[kind % 4])
    tall = int(64 * (0.56, 0.50, 0.62, 0.52)[kind % 4])
    for row in range(4):
        tile[row * 64 : row * 64 + 3, :, :3] *= 0.82 if kind % 2 else 1.1
        for column in range(columns):
            y0, x0 = row * 64 + (64 - tall) // 2, column * pitch + (pitch - width) // 2
            tile[y0 - 2 : y0 + tall + 2, x0 - 2 : x0 + width + 2, :3] = 1.35 if kind % 3 else 0.45
            pane = tile[y0 : y0 + tall, x0 : x0 + width]
            pane[..., :3] = 0.12 + 0.08 * rng.random()
            pane[..., 4] = 1.0
            lit = rng.random() < 0.34
            pane[..., 3] = rng.uniform(0.45, 1.0) if lit else 0.0
            if rng.random() < 0.5:  # blinds
                drop = int(tall * rng.uniform(0.2, 0.7))
                pane[tall - drop :, :, :3] = 0.55
                pane[tall - drop :, :, 3] *= 0.5
                pane[tall - drop :, :, 4] = 0.2
            pane[:, width // 2 : width // 2 + 1, :3] = 0.8
            tile[y0 - 4 : y0 - 2, x0 - 3 : x0 + width + 3, :3] = 0.7
    return tile
