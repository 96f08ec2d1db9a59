"""Scene candidates: of the scenes a seed can stand for, the first in which the requested objects are well visible.

Traffic is drawn at random, so a parked van may hide the pedestrian that was asked for.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from worldgen.core.labels import CLASSES
from worldgen.core.scenario import Scenario
from worldgen.core.scene import Scene
from worldgen.core.seeds import stable_hash
from worldgen.rendering.labelling import labels_of
from worldgen.simulation.actors import LABELS

MAX_CANDIDATES = 8
JUDGED_FRAMES = 4
"""Frames at which a candidate is judged, evenly spread over the clip without its first quarter."""
ENOUGH_FRAMES = 2
"""Judged frames in which every requested class must be well visible."""
VISIBLE_HEIGHT_SHARE = 0.09
"""Visible height of an object as a share of the picture's width above which it is well visible: 20 px of 224."""


def best_candidate(scenario: Scenario, seed: int, *, make: Callable[[int], Scene]) -> tuple[Scene, int]:
    """The chosen scene of ``scenario`` and the number of its candidate, 0 for the scene of ``seed`` itself.

    make: returns the scene of a seed. Only requested agents are judged; without any, candidate 0 is chosen. When no
    candidate has enough frames, the best one is chosen. Equal seeds give equal choices.
    """
    requested = {LABELS.get(request.kind, request.kind) for request in scenario.agents if request.count}
    wanted = {name for name in requested if name in CLASSES}
    best_score: tuple[int, float] = (-1, 0.0)
    best: tuple[Scene, int] | None = None
    for number in range(MAX_CANDIDATES):
        # "take" is part of the seed of every stored clip and stays.
        scene = make(seed if number == 0 else stable_hash("take", seed, number) % 2**31)
        if not wanted:
            return scene, number
        score = _visibility(scene, wanted)
        if score[0] >= ENOUGH_FRAMES:
            return scene, number
        if score > best_score:
            best_score, best = score, (scene, number)
    assert best is not None, MAX_CANDIDATES
    return best


def _visibility(scene: Scene, wanted: set[str]) -> tuple[int, float]:
    """Of the least visible wanted class: judged frames that show it well, and its summed greatest heights in px."""
    frames = np.linspace(scene.num_frames // 4, scene.num_frames - 1, JUDGED_FRAMES).round().astype(int).tolist()
    labels = labels_of(scene, frames=frames)
    height_px = (labels.box_px[:, 3] - labels.box_px[:, 1]) * labels.visible_fraction
    enough_px = VISIBLE_HEIGHT_SHARE * scene.camera.width_px
    by_class = []
    for name in wanted:
        of_class = labels.class_id == CLASSES.index(name)
        tallest = [
            float(height_px[of_class & (labels.frame_index == number)].max(initial=0.0))
            for number in range(JUDGED_FRAMES)
        ]
        by_class.append((sum(px >= enough_px for px in tallest), sum(tallest)))
    return min(by_class)
