"""The look of the ground at points: grain, patches, worn paint, wet and snow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from worldgen.rendering.drawing.ground import SEM
from worldgen.rendering.drawing.texture import COARSE_METRES_PER_TEXEL, FINE_METRES_PER_TEXEL, ground_noise, sampled
from worldgen.rendering.raycast.geometry.static_world import StaticWorld

SNOW_COLOUR = np.array([0.80, 0.83, 0.88], np.float32)
LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)
"""Weights of linear red, green and blue. Source: ITU-R BT.709."""
DRY_GRASS = np.array([1.15, 1.0, 0.62], np.float32)
"""Colour of dry grass at luminance 1."""
PALE_GRASS = np.array([1.30, 1.34, 0.80], np.float32)
"""Colour of a mown verge relative to the luminance of the table's grass."""
GREY_GRASS = 0.6
"""How far verges go from the table's green to a pale one, as cameras see them."""
WET_DARKENING = 0.42
GRIT_METRES_PER_TEXEL = 0.011
GRAIN_BELOW_M = 0.045
"""Stones of the asphalt show where a pixel covers less than this of the ground."""
WORN_SHARE = 0.55
"""How much of the paint the most worn places have lost."""


@dataclass(frozen=True, eq=False)
class GroundLook:
    """Albedo ``(M, 3)``, reflectance when wet ``(M,)`` and share of lying snow ``(M,)``; float32."""

    albedo: np.ndarray
    mirror: np.ndarray
    snow: np.ndarray


def ground_look(
    world: StaticWorld, face: np.ndarray, points: np.ndarray, footprint_m: np.ndarray, *, wetness: float,
    snow_cover: float,
) -> GroundLook:  # fmt: skip
    """The look of the ground at ``points`` ``(M, 3)`` world m of ground faces ``(M,)``.

    footprint_m: ``(M,)`` length of a pixel along the ground; texture finer than it is faded out. wetness, snow_cover:
    0 to 1.
    """
    tables = world.ground
    fine_tile, coarse_tile = ground_noise()[0][1], ground_noise()[1][0]
    x, y = points[:, 0], points[:, 1]
    fine = sampled(fine_tile, x / FINE_METRES_PER_TEXEL, y / FINE_METRES_PER_TEXEL)
    coarse = sampled(coarse_tile, x / COARSE_METRES_PER_TEXEL, y / COARSE_METRES_PER_TEXEL)
    broad = sampled(coarse_tile, y / 1.7 + 31.0, x / 1.7)
    fine *= 0.65 * np.clip(1.4 - footprint_m / 0.15, 0, 1)
    near = np.flatnonzero(footprint_m < GRAIN_BELOW_M)
    grit = sampled(ground_noise()[0][0], x[near] / GRIT_METRES_PER_TEXEL, y[near] / GRIT_METRES_PER_TEXEL)
    fine[near] += grit * np.clip(1.5 - footprint_m[near] / (GRAIN_BELOW_M / 1.5), 0, 1.0)
    coarse *= np.clip(1.5 - footprint_m / 8.0, 0, 1)
    albedo, grain, semantic = tables.albedo[face], tables.grain[face], tables.semantic[face]
    # Verges are greyer than the table's green, with dry patches.
    verge = semantic == SEM["terrain"]
    dry = np.clip(0.50 + 0.26 * broad + 0.24 * coarse, 0, 1)[:, None] * verge[:, None]
    albedo += dry * (DRY_GRASS * (albedo @ LUMINANCE)[:, None] - albedo)
    pale = (GREY_GRASS * verge)[:, None]
    albedo += pale * (PALE_GRASS * (albedo @ LUMINANCE)[:, None] - albedo)
    paved = (semantic == SEM["drivable"]) | (semantic == SEM["sidewalk"])
    albedo = albedo * np.maximum(1.0 + grain * (fine + 0.22 * coarse + 0.20 * broad), 0.25)[:, None]
    # Cracks follow the zero line of a smooth noise; mended patches are where another one is high.
    crack = np.clip(1.0 - np.abs(coarse + 0.15 * fine) / 0.05, 0, 1) * np.clip(1.2 - footprint_m / 0.12, 0, 1)
    mend = np.clip((broad - 1.35) * 6.0, 0, 1)
    albedo *= (1.0 - paved * (0.25 * crack * (broad > 0.6) + 0.12 * mend))[:, None]
    painted = (semantic == SEM["lane_marks"]) | (semantic == SEM["crossing"])
    worn = np.clip(0.35 + 0.45 * coarse + 0.35 * fine + 0.25 * broad, 0, 1) * WORN_SHARE * painted
    albedo += worn[:, None] * (0.085 - albedo)
    mirror = tables.mirror[face] * np.clip(1.0 + 0.25 * coarse + 0.30 * broad, 0.25, 1.5)
    albedo *= (1 - WET_DARKENING * wetness * np.clip(mirror, 0, 1))[:, None]
    snow = np.zeros(len(face), np.float32)
    if snow_cover > 0:
        cover = 1.7 * snow_cover * tables.snow[face] + 0.22 * coarse + 0.08 * fine - 0.5
        snow = np.clip(cover * 2.2, 0, 1).astype(np.float32)
        albedo += snow[:, None] * (SNOW_COLOUR * (1 + 0.05 * coarse[:, None]) - albedo)
        mirror = mirror * (1 - snow)
    return GroundLook(albedo.astype(np.float32), mirror.astype(np.float32), snow)
