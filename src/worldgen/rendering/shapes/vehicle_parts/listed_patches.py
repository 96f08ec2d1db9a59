"""Patches that are listed one by one in the profiles: windows, lamps and stripes of cabs and buses."""

from __future__ import annotations

from worldgen.rendering.shapes.vehicle_parts.surface_patches import SurfacePatch, polygon_patch
from worldgen.rendering.shapes.vehicle_parts.vehicle_finishes import FINISHES
from worldgen.rendering.shapes.vehicle_parts.vehicle_profiles import ListedPatch


def listed_patches(listed: tuple[ListedPatch, ...]) -> list[SurfacePatch]:
    """The patches of a list; each is repeated ``count`` times at steps of ``step_m`` along u."""
    made = []
    for patch in listed:
        for number in range(patch.count):
            corners = [(u + number * patch.step_m, v) for u, v in patch.corners]
            made.append(
                polygon_patch(
                    patch.view,
                    corners,
                    FINISHES[patch.finish],
                    round_m=patch.round_m,
                    side=patch.side,
                    facing=patch.facing,
                    span=patch.span,
                    opacity=patch.opacity,
                )
            )
    return made
