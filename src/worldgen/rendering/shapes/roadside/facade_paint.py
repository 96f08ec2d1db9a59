"""Façades painted per hit: windows with frames and blinds, shop fronts, doors, brick or plaster, and stains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

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
BRICKS_END_M = 1.4 * 0.05
"""Bricks have faded out where a pixel is this wide."""
_MASK = 2**31 - 1
_BRIGHT, _LOW, _DIM, _COOL = (LAMP_CODES[name] for name in ("window", "window_low", "window_dim", "window_cool"))
_ROOM_TONES = np.array([_LOW, _LOW, _DIM, _DIM, _COOL], np.int16)
"""Tones of lit rooms: most have curtains or one lamp."""
_SHELF_TONES = np.array([_BRIGHT, _LOW, _LOW, _DIM, _DIM, 0], np.int16)
"""Tones of goods in a lit shop."""
SHELF_M = (0.55, 0.42)
"""Width and height of what stands in a shop window."""


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


def draws(seed: np.ndarray, *numbers: np.ndarray) -> np.ndarray:
    """A float32 number in [0, 1) ``(M,)`` for each row of whole numbers: the same row always gives the same.

    seed: ``(M,)`` int64 from 0 to 2^20.
    """
    mixed = seed * 2654435761 & _MASK
    for factor, values in zip((73856093, 19349663, 83492791), numbers, strict=False):
        mixed ^= values.astype(np.int64) * factor
        mixed *= 1103515245
        mixed &= _MASK
    mixed >>= 7
    mixed &= 65535
    return mixed.astype(np.float32) / np.float32(65536)


def band(value: np.ndarray, low: np.ndarray | float, high: np.ndarray | float, soft: np.ndarray) -> np.ndarray:
    """Share ``(M,)`` of a pixel of width ``soft`` that lies between ``low`` and ``high``."""
    return _ramp(value - low, soft) * _ramp(high - value, soft)


def _ramp(distance: np.ndarray, soft: np.ndarray) -> np.ndarray:
    distance = distance / soft
    distance += 0.5
    return np.minimum(np.maximum(distance, 0, out=distance), 1, out=distance)


@dataclass(eq=False)
class _WallHits:
    """M hits on walls: their surface, which changes, and where they are.

    albedo ``(M, 3)``, gloss ``(M,)``, lamp ``(M,)``: as of :class:`Surface`. along, up: ``(M,)`` m from the corner of
    the wall and from its foot. side: ``(M,)`` number of the wall. width, soft: ``(M,)`` m, of the wall and of a pixel.
    which: ``(M,)`` number of the building.
    """

    albedo: np.ndarray
    gloss: np.ndarray
    lamp: np.ndarray
    along: np.ndarray
    up: np.ndarray
    side: np.ndarray
    width: np.ndarray
    soft: np.ndarray
    which: np.ndarray

    def part(self, rows: np.ndarray) -> _WallHits:
        """The hits numbered ``rows``, as copies."""
        return _WallHits(*(getattr(self, f.name).take(rows, 0) for f in fields(self)))

    def put(self, rows: np.ndarray, part: _WallHits) -> None:
        """Take the surface of a part back."""
        self.albedo[rows], self.gloss[rows], self.lamp[rows] = part.albedo, part.gloss, part.lamp

    def mix(self, share: np.ndarray, colour: np.ndarray, gloss: float) -> None:
        """Lay a colour ``(M or 1, 3)`` over the surface."""
        self.albedo += share[:, None] * (colour - self.albedo)
        self.gloss += share * (np.float32(gloss) - self.gloss)


class FacadeTable:
    """The façades of N buildings, whose hits are painted together."""

    def __init__(self, paints: Sequence[FacadePaint]):
        styles = [paint.style for paint in paints]

        def column(name: str, dtype: type = np.float32) -> np.ndarray:
            return np.array([getattr(style, name) for style in styles], dtype)

        self.half_m = np.array([paint.half_m for paint in paints], np.float32).reshape(-1, 2)
        self.bay_m, self.floor_m, self.sill_m = column("bay_m"), column("floor_m"), column("sill_m")
        self.window_m = column("window_m").reshape(-1, 2)
        self.frame, self.trim, self.ground = (column(name).reshape(-1, 3) for name in ("frame", "trim", "ground"))
        self.brick, self.shop = column("brick", bool), column("shop", bool)
        self.top_m, self.lit, self.base_m, self.seed = (
            column("top_m"),
            column("lit"),
            column("base_m"),
            column("seed", int),
        )
        # Within one tile, for large float32 numbers have gaps of half a metre.
        texels = ground_noise()[1][0].shape[0]
        self.stain_m, self.broad_m = (
            np.float32(step * self.seed % (texels * texel)) for step, texel in ((7.3, NOISE_TEXEL_M), (3.1, 0.6))
        )
        self.banded = self.shop | (self.top_m > 8)

    def paint(
        self, which: np.ndarray, surface: Surface, points_m: np.ndarray, normals: np.ndarray, *, code: np.ndarray,
        footprint_m: np.ndarray,
    ) -> None:  # fmt: skip
        """Change ``surface`` in place. which: ``(M,)`` numbers of the buildings; the rest as of ``SurfacePaint``."""
        roof = np.flatnonzero(code == ROOF_CODE)
        if len(roof):
            self._roof(surface, roof, which[roof], points_m.take(roof, 0), footprint_m[roof])
        walls = np.flatnonzero(code == WALL_CODE)
        if not len(walls):
            return
        place, normal, which = points_m.take(walls, 0), normals.take(walls, 0), which[walls]
        across = np.abs(normal[:, 0]) > np.abs(normal[:, 1])
        side = np.where(across, 2 + (normal[:, 0] > 0), normal[:, 1] > 0)
        half_x, half_y = self.half_m[which].T
        hits = _WallHits(
            surface.albedo.take(walls, 0), surface.gloss[walls], surface.lamp[walls],
            np.where(across, place[:, 1] + half_y, place[:, 0] + half_x), np.ascontiguousarray(place[:, 2]), side,
            np.where(across, 2 * half_y, 2 * half_x), np.maximum(footprint_m[walls], np.float32(0.004)), which,
        )  # fmt: skip
        self._wall(hits)
        self._windows(hits)
        shops = np.flatnonzero(self.shop[which] & (hits.up < GROUND_FLOOR_M))
        if len(shops):
            self._shops(hits, shops)
        surface.albedo[walls], surface.gloss[walls], surface.lamp[walls] = hits.albedo, hits.gloss, hits.lamp

    def _wall(self, hits: _WallHits) -> None:
        """Plaster or brick with stains, the ground floor, and bands below the first floor and the roof."""
        which, along, up, soft, tile = hits.which, hits.along, hits.up, hits.soft, ground_noise()[1][0]
        seed = self.seed[which]
        stain = sampled(tile, (along + self.stain_m[which]) / NOISE_TEXEL_M, up / (3.5 * NOISE_TEXEL_M))
        broad = sampled(tile, (along - self.broad_m[which]) / 0.6, up / 0.6)
        factor = 1.0 + 0.05 * stain + 0.07 * broad - 0.16 * np.exp(-np.maximum(up, 0) / 0.7)
        brick = np.flatnonzero(self.brick[which] & (soft < BRICKS_END_M))
        if len(brick):
            thin, high = soft[brick], up[brick] / BRICK_M[1]
            row = np.floor(high)
            joint = 1 - band(high - row, 0.14, 1.0, thin / BRICK_M[1])
            column = np.floor(along[brick] / BRICK_M[0] + 0.5 * (row % 2))
            fade = np.clip(1.4 - thin / 0.05, 0, 1)
            factor[brick] += fade * (0.16 * (draws(seed[brick], row, column) - 0.5) + 0.20 * joint)
        shop = self.shop[which]
        lower = band(up, -1.0, np.where(shop, np.float32(GROUND_FLOOR_M), np.float32(0.45)), soft)
        hits.mix(lower, self.ground[which], 0.0)
        hits.albedo *= np.clip(factor, 0.4, 1.4)[:, None]
        edge = band(up, GROUND_FLOOR_M - 0.12, GROUND_FLOOR_M + 0.14, soft) + band(up, self.top_m[which], 99.0, soft)
        edge *= self.banded[which]
        edged = np.flatnonzero(edge)
        part = hits.part(edged)
        part.mix(np.minimum(edge[edged], 1), self.trim[which[edged]], 0.0)
        hits.put(edged, part)

    def _windows(self, hits: _WallHits) -> None:
        """Windows in cells of bay times floor."""
        which, along, up = hits.which, hits.along, hits.up
        bay, base, floor_m = self.bay_m[which], self.base_m[which], self.floor_m[which]
        bays = np.maximum(np.floor((hits.width - 0.6) / bay), 1)
        margin = (hits.width - bays * bay) / 2
        column = np.floor((along - margin) / bay)
        floor = np.floor((up - base) / floor_m)
        top = base + (floor + 1) * floor_m
        exists = (column >= 0) & (column < bays) & (floor >= 0) & (top <= self.top_m[which] + 0.3)
        rows = np.flatnonzero(exists)
        if not len(rows):
            return
        cell = hits.part(rows)
        bay, base, floor_m, bays, margin, column, floor = (
            values[rows] for values in (bay, base, floor_m, bays, margin, column, floor)
        )
        which, soft = cell.which, cell.soft
        sill_m, (half, tall), trim, seed = (
            self.sill_m[which],
            self.window_m[which].T,
            self.trim[which],
            self.seed[which],
        )
        half = half / 2
        x = cell.along - margin - (column + 0.5) * bay
        z = cell.up - base - floor * floor_m - sill_m
        door = (floor == 0) & (column == bays // 2) & (cell.side < 2) & ~self.shop[which] & (base < 1.0)
        low = np.where(door, -sill_m, np.float32(0))
        random = draws(seed, column, floor, cell.side)
        wide = np.abs(x)
        outer = _ramp(half + 0.09 - wide, soft) * band(z, low - 0.07, tall + 0.09, soft)
        sill = _ramp(half + 0.16 - wide, soft) * band(z, -0.16, -0.06, soft) * ~door
        streak = _ramp(half - wide, soft + 0.25) * np.clip((z + 1.3) / 1.2, 0, 1) * ((z < -0.1) & ~door)
        cell.albedo *= (1 - 0.10 * streak * (0.4 + random))[:, None]
        cell.mix(sill, trim * np.float32(1.15), 0.0)
        cell.mix(outer, self.frame[which], 0.1)
        pane = _ramp(half - wide, soft) * band(z, low, tall, soft)
        pane *= 1 - band(wide, -1.0, 0.03, soft)
        pane *= 1 - band(z, 0.68 * tall, 0.68 * tall + 0.05, soft)
        blind = tall * np.clip(1.6 * draws(seed + 11, column, floor, cell.side) - 0.9, 0, 0.8)
        covered = (z > tall - blind) & (random < 0.75)
        colour = np.where(covered[:, None], CURTAIN, PANE * (0.6 + 1.2 * random[:, None]))
        colour = np.where(door[:, None], trim * np.float32(0.35), colour)
        cell.mix(pane, colour, 0.0)
        # The reveal shades the top of the pane.
        cell.albedo *= (1 - 0.55 * np.clip((z - tall + 0.22) / 0.2, 0, 1) * pane)[:, None]
        cell.gloss = np.maximum(cell.gloss, 1.2 * (pane * ~(covered | door)))
        lit = (pane > 0.5) & ~door & (draws(seed + 5, column, floor, cell.side) < self.lit[which])
        tone = draws(seed + 7, column, floor, cell.side)[lit]
        # Rooms are brightest below the ceiling; furniture and people hide the lower part.
        rooms = _ROOM_TONES[(tone * len(_ROOM_TONES)).astype(int)]
        cell.lamp[lit] = np.where((z[lit] < 0.4 * tall[lit]) & (rooms != _COOL), _DIM, rooms)
        hits.put(rows, cell)

    def _shops(self, hits: _WallHits, shops: np.ndarray) -> None:
        """Shop fronts on the ground floor: panes on a plinth, a sign above, a door in each."""
        front = 2 * self.bay_m[hits.which[shops]]
        number = np.floor(hits.along[shops] / front)
        whole = np.flatnonzero((number + 1) * front < hits.width[shops])
        if not len(whole):
            return
        rows, front, number = shops[whole], front[whole], number[whole]
        shop = hits.part(rows)
        which, up, soft, seed = shop.which, shop.up, shop.soft, self.seed[shop.which]
        x = shop.along - number * front
        random = draws(seed + 3, number, shop.side)
        inset = band(x, 0.25, front - 0.25, soft)
        tint = np.stack([draws(seed + k, number, shop.side) for k in (21, 22, 23)], 1)
        shop.mix(inset * band(up, 2.85, 3.35, soft), 0.05 + 0.30 * tint * (0.5 + 0.5 * random[:, None]), 0.1)
        shop.mix(inset * band(up, 0.35, 2.75, soft), self.frame[which] * np.float32(0.4), 0.1)
        bars = band(np.abs(x - 0.36 * front), -1, 0.05, soft) + band(np.abs(x - 0.60 * front), -1, 0.05, soft)
        pane = band(x, 0.33, front - 0.33, soft) * band(up, 0.45, 2.65, soft) * (1 - np.minimum(bars, 1))
        shop.mix(pane, PANE * np.float32(1.5), 1.2)
        lit = np.flatnonzero((pane > 0.5) & (random < 0.55))
        row, column = np.floor(up[lit] / SHELF_M[1]), np.floor(x[lit] / SHELF_M[0])
        goods = _SHELF_TONES[(draws(seed[lit] + 9, number[lit], row, column) * len(_SHELF_TONES)).astype(int)]
        ceiling = np.where(random[lit] < 0.3, np.int16(_COOL), np.int16(_BRIGHT))
        shop.lamp[lit] = np.where(up[lit] > 1.9, ceiling, goods)
        hits.put(rows, shop)

    def _roof(
        self, surface: Surface, rows: np.ndarray, which: np.ndarray, place: np.ndarray, footprint_m: np.ndarray
    ) -> None:
        """Rows of tiles, with moss and soot."""
        tile, seed = ground_noise()[1][0], self.seed[which]
        fade = np.clip(1.4 - footprint_m / 0.2, 0, 1)
        row = place[:, 2] / (0.6 * TILE_M)
        step = np.where(row - np.floor(row) < 0.3, np.float32(-0.25), np.float32(0.04))
        ridge = np.abs(place[:, 1]) > np.float32(0.6) * self.half_m[which, 1]
        column = np.floor(np.where(ridge, place[:, 0], place[:, 1]) / TILE_M)
        spots = 0.12 * (draws(seed, np.floor(row), column) - 0.5)
        broad = sampled(tile, place[:, 0] / 0.25 + (seed % tile.shape[1]).astype(np.float32), place[:, 1] / 0.25)
        surface.albedo[rows] *= np.clip(1 + fade * (step + spots) + 0.10 * broad, 0.4, 1.4)[:, None]


class FacadePaint:
    """Paints walls and roofs of one building; a ``SurfacePaint``. Many buildings: :class:`FacadeTable`."""

    def __init__(self, style: FacadeStyle, half_m: tuple[float, float]):
        self.style, self.half_m = style, half_m

    def __call__(
        self, surface: Surface, points_m: np.ndarray, normals: np.ndarray, code: np.ndarray, footprint_m: np.ndarray
    ) -> None:
        """See :class:`worldgen.rendering.shapes.solid.SurfacePaint`."""
        which = np.zeros(len(code), int)
        FacadeTable([self]).paint(which, surface, points_m, normals, code=code, footprint_m=footprint_m)
