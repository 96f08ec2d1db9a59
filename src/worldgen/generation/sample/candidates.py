"""Takes: of several scenes that one seed can stand for, the first in which what was asked for is seen well.

Traffic is drawn by chance, and chance parks a van in front of the pedestrian somebody asked for. A director shoots again.
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

TAKES = 8
LOOKS = 4
"""Frames at which a take is judged, evenly spread over the clip but for its first quarter."""
ENOUGH_LOOKS = 2
SEEN_SHARE = 0.09
"""Height of what is visible of a thing, as a share of the picture's width, from which a newcomer knows it: 20 px of 224."""


def best_candidate(scenario: Scenario, seed: int, *, make: Callable[[int], Scene]) -> tuple[Scene, int]:
    """A scene of ``scenario`` and the number of its take, 0 for the scene of ``seed`` itself.

    make: the scene of a seed. Only the agents asked for count; without any, the first take is taken. Equal seeds give equal
    takes.
    """
    wanted = {LABELS.get(request.kind, request.kind) for request in scenario.agents if request.count} & set(CLASSES)
    best: tuple[tuple, Scene, int] | None = None
    for take in range(TAKES):
        scene = make(seed if take == 0 else stable_hash("take", seed, take) % 2**31)
        if not wanted:
            return scene, take
        looks, height_px = _seen(scene, wanted)
        if looks >= ENOUGH_LOOKS:
            return scene, take
        if best is None or (looks, height_px) > best[0]:
            best = ((looks, height_px), scene, take)
    return best[1], best[2]


def _seen(scene: Scene, wanted: set[str]) -> tuple[int, float]:
    """At how many looks each wanted class is seen well, and the summed heights (px) of the best seen: of the worst class."""
    frames = np.linspace(scene.num_frames // 4, scene.num_frames - 1, LOOKS).round().astype(int).tolist()
    labels = labels_of(scene, frames=frames)
    height_px = (labels.box_px[:, 3] - labels.box_px[:, 1]) * labels.visible_fraction
    enough_px = SEEN_SHARE * scene.camera.width_px
    worst = []
    for name in wanted:
        of_class = labels.class_id == CLASSES.index(name)
        tallest = [
            float(height_px[of_class & (labels.frame_index == look)].max(initial=0.0)) for look in range(LOOKS)
        ]
        worst.append((sum(px >= enough_px for px in tallest), sum(tallest)))
    return min(worst)
