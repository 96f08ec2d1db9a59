"""The seg control: objects and large regions in distinct random colours that stay the same over time."""

from __future__ import annotations

import numpy as np

from worldgen.core.seeds import numpy_rng
from worldgen.rendering.drawing.ground import SEM, SEMANTICS
from worldgen.rendering.render import Rendering

REGIONS = {
    "drivable": "road", "lane_marks": "road", "crossing": "road", "sidewalk": "sidewalk", "terrain": "terrain",
    "building": "building", "vegetation": "vegetation", "structure": "structure",
}  # fmt: skip
"""Semantic code -> region. Painted marks belong to the road, as in segmentations by masks; the sky stays black."""
LEVELS = (15, 75, 135, 195, 255)
"""Values of a colour channel: neighbours differ by more than video compression moves a colour."""


def distinct_colours(count: int, *, seed: int) -> np.ndarray:
    """``(count, 3)`` uint8 random colours, all different and none near black.

    The first 124 are on a grid of ``LEVELS``; more than that lie between.
    """
    grid = np.stack(np.meshgrid(LEVELS, LEVELS, LEVELS, indexing="ij"), -1).reshape(-1, 3)[1:]
    rng = numpy_rng("seg colours", seed)
    colours = grid[rng.permutation(len(grid))]
    shift = 1
    while len(colours) < count:  # a shifted colour is new: the levels lie 60 apart
        assert shift <= LEVELS[0], count
        colours = np.concatenate([colours, colours[: len(grid)] - np.array([0, 0, shift])])
        shift += 1
    return colours[:count].astype(np.uint8)


def seg_control(rendering: Rendering, track_ids: list[int], *, seed: int = 0) -> np.ndarray:
    """Instances and regions of a rendering as colours, ``(T, H, W, 3)`` uint8.

    Each track has one colour, what a person carries another, each region one. Pixels of a colour are exactly the pixels
    of its id. track_ids: all of the scene, in order, so that a colour does not depend on which frames are drawn. seed:
    of the colours.
    """
    regions = sorted(set(REGIONS.values()))
    order = sorted(track_ids)
    colours = distinct_colours(len(regions) + 2 * len(order), seed=seed)
    background: np.ndarray = np.zeros((256, 3), np.uint8)
    for name, region in REGIONS.items():
        background[SEM[name]] = colours[regions.index(region)]
    background[SEM["sky"]] = 0
    assert int(rendering.semantic.max(initial=0)) < 256 and len(SEMANTICS) < 256
    out = background[rendering.semantic]
    ids, place = np.unique(rendering.instance, return_inverse=True)
    table: np.ndarray = np.zeros((len(ids), 3), np.uint8)
    for row, track in enumerate(ids.tolist()):
        if track:
            rank = order.index(abs(track))
            table[row] = colours[len(regions) + 2 * rank + (track < 0)]
    on_objects = rendering.instance != 0
    out[on_objects] = table[place.reshape(rendering.instance.shape)[on_objects]]
    return out
