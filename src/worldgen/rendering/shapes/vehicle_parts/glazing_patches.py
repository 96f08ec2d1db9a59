"""Windows as patches: windscreen, rear window and side windows, placed by the lines of the body."""

from __future__ import annotations

import numpy as np

from worldgen.rendering.shapes.solid import Finish
from worldgen.rendering.shapes.vehicle_parts.body_loft import LoftedBody
from worldgen.rendering.shapes.vehicle_parts.surface_patches import SurfacePatch, polygon_patch
from worldgen.rendering.shapes.vehicle_parts.vehicle_finishes import BLACK, GLASS, PRIVACY
from worldgen.rendering.shapes.vehicle_parts.vehicle_profiles import Glazing

PILLAR_M = 0.055
"""Width of the sheet metal between the windscreen and the edge of the roof; slimmer pillars look like a convertible."""
ROOF_RAIL_M = 0.085
"""Height of the sheet metal above the side windows."""
SILL_M = 0.035
"""Height of the side windows' lower edge above the belt line."""
SEAL_M = 0.022
"""Width of the black seal around glass."""
PILLAR_HALF_M = 0.042
"""Half the width of the black pillars between side windows."""


def window_patches(body: LoftedBody, glazing: Glazing) -> list[SurfacePatch]:
    """The patches of all windows of a body."""
    made = [*_slanted(body, glazing.windscreen, "front", PILLAR_M)]
    if glazing.rear_window is not None:
        made += _slanted(body, glazing.rear_window, "rear", PILLAR_M + 0.02, dark=glazing.dark_behind > -9)
    if glazing.rear_pane:
        corners = np.array(glazing.rear_pane)
        corners = np.concatenate([corners, corners * [-1, 1]])
        made += [polygon_patch("rear", _grown(corners, SEAL_M), BLACK, round_m=0.05, facing=0.2)]
        made += [polygon_patch("rear", corners, _glass(glazing.dark_behind > -9), round_m=0.05, facing=0.25)]
    return made + _side_windows(body, glazing)


def _glass(dark: bool) -> Finish:
    """Tinted glass is too dark to see through."""
    return PRIVACY if dark else GLASS


def _grown(corners: np.ndarray, by_m: float) -> np.ndarray:
    """A polygon that is larger by a margin on all sides of its box."""
    low, high = corners.min(0), corners.max(0)
    middle, half = (low + high) / 2, (high - low) / 2
    return middle + (corners - middle) * (1 + by_m / half)


def _slanted(
    body: LoftedBody, span: tuple[float, float], view: str, pillar_m: float, *, dark: bool = False
) -> list[SurfacePatch]:
    """Windscreen or rear window: the roof line between two x, as wide as the roof less the pillars."""
    x = np.linspace(*span, 7)
    half = np.minimum(body.at("roof_half_width", x), 0.94 * body.at("half_width", x).max()) - pillar_m
    half = np.maximum(half, 0.9 * half.max())  # sections shrink towards an upright tail, panes do not
    height = body.at("top", x) - 0.02
    corners = np.concatenate([np.stack([half, height], 1), np.stack([-half, height], 1)])
    reach = (span[0] - 0.3, span[1] + 0.3)
    return [
        polygon_patch(view, _grown(corners, SEAL_M), BLACK, round_m=0.04, facing=0.17, span=reach),
        polygon_patch(view, corners, _glass(dark), round_m=0.05, facing=0.2, span=reach),
    ]


def _side_windows(body: LoftedBody, glazing: Glazing) -> list[SurfacePatch]:
    """One black band for seals and pillars, and the panes on it."""
    rear_low, rear_high = glazing.rear_edge
    cuts = sorted(p for p in glazing.pillars if p > rear_low)
    panes: list[tuple[float | None, float]] = []
    start: float | None = None
    for pillar in [*cuts, None]:
        end = glazing.side_front if pillar is None else pillar - PILLAR_HALF_M
        panes.append((start, end))
        start = None if pillar is None else pillar + PILLAR_HALF_M
    made = []
    for grow in (SEAL_M, 0.0):
        for low_x, high_x in panes if grow == 0 else [(None, glazing.side_front)]:
            edge = (rear_low - grow, rear_high - grow) if low_x is None else (low_x, low_x)
            if high_x < glazing.glazed_from:
                continue
            corners = _pane(body, edge, high_x + grow, grow)
            if corners is None:
                continue
            dark = glazing.dark_behind > -9 and high_x <= glazing.dark_behind + 0.2
            finish = BLACK if grow else _glass(dark)
            made.append(polygon_patch("side", corners, finish, round_m=0.03, facing=0.5 if grow else 0.55))
    return made


def _pane(body: LoftedBody, rear: tuple[float, float], front: float, grow: float) -> np.ndarray | None:
    """Corners (x, z) of a pane between a rear edge (x below, x above) and x ``front``, along belt and roof."""
    low_x, high_x = np.linspace(rear[0], front, 9), np.linspace(rear[1], front, 9)
    low, high = body.at("belt", low_x) + SILL_M - grow, body.at("top", high_x) - ROOF_RAIL_M + grow
    above = high > body.at("belt", high_x) + SILL_M - grow
    if not above.any():
        return None
    return np.concatenate([np.stack([low_x, low], 1), np.stack([high_x, high], 1)[above]])
