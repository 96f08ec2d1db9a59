"""The scene of a request: of the scenes a seed can stand for, the first in which what was asked for is well visible.

``worldgen sample``, ``worldgen scenes render`` of one prompt, ``worldgen generate`` and the Python API choose here.
Traffic is drawn at random, so a parked van may hide the pedestrian that was asked for.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from worldgen.core.camera import Camera
from worldgen.core.ego import EgoMotion
from worldgen.core.errors import InputError
from worldgen.core.labels import CLASSES, Labels
from worldgen.core.scenario import Scenario
from worldgen.core.scene import Scene
from worldgen.core.seeds import stable_hash
from worldgen.rendering.labelling import labels_of
from worldgen.simulation.actors import LABELS
from worldgen.simulation.events import EVENTS
from worldgen.simulation.simulate import simulate

MAX_CANDIDATES = 8
JUDGED_FRAMES = 4
"""Frames at which a candidate is judged, evenly spread over the clip without its first quarter."""
ENOUGH_FRAMES = 2
"""Judged frames in which everything requested must be well visible."""
VISIBLE_HEIGHT_SHARE = 0.09
"""Visible height of an object as a share of the picture's width above which it is well visible: 20 px of 224."""
EVENT_HEIGHT_SHARE = 0.045
"""The same for the actor of an event, which comes near only for a moment, often at the end of the clip."""
FOV_DEG, CAMERA_HEIGHT_M, PITCH_RAD = 70.0, 1.4, 0.03
"""Camera of a prompt or scenario whose request names none."""


def request_camera(width_px: int, height_px: int) -> Camera:
    """The camera of a prompt or scenario."""
    return Camera.from_fov(width_px, height_px, FOV_DEG, height_m=CAMERA_HEIGHT_M, pitch_rad=PITCH_RAD)


def request_scene(
    scenario: Scenario,
    seed: int,
    *,
    fps: float,
    num_frames: int,
    size_px: tuple[int, int],
    ego: EgoMotion | None = None,
) -> tuple[Scene, int]:
    """The scene of a scenario and a seed, and the number of its candidate. Equal arguments give equal scenes.

    size_px: width and height of the pictures. ego: motion to follow; None lets the scenario drive.

    Raises:
        InputError: numbers out of range, and an event that fits no scene of this seed.
    """
    camera = request_camera(*size_px)

    def make(number: int) -> Scene:
        return simulate(scenario, number, fps=fps, num_frames=num_frames, camera=camera, ego=ego)

    return best_candidate(scenario, seed, make=make)


def best_candidate(scenario: Scenario, seed: int, *, make: Callable[[int], Scene]) -> tuple[Scene, int]:
    """The chosen scene of ``scenario`` and the number of its candidate, 0 for the scene of ``seed`` itself.

    make: returns the scene of a seed. Requested agents and the main actors of events are judged; without any,
    candidate 0 is chosen. When no candidate has enough frames, the best one is chosen. Equal seeds give equal choices.

    Raises:
        InputError: what ``make`` raises for ``seed`` itself.
    """
    requested = {LABELS.get(request.kind, request.kind) for request in scenario.agents if request.count}
    wanted = sorted(name for name in requested if name in CLASSES)
    actors = {name: kind for name in scenario.events if (kind := _main_class(name)) is not None}
    best_score: tuple[int, float] = (-1, 0.0)
    best: tuple[Scene, int] | None = None
    for number in range(MAX_CANDIDATES):
        try:
            # "take" is part of the seed of every stored clip and stays.
            scene = make(seed if number == 0 else stable_hash("take", seed, number) % 2**31)
        except InputError:  # an event does not fit the road of every seed
            if number == 0:
                raise
            continue
        if not wanted and not actors:
            return scene, number
        score = _visibility(scene, wanted, actors)
        if score[0] >= ENOUGH_FRAMES:
            return scene, number
        if score > best_score:
            best_score, best = score, (scene, number)
    assert best is not None, MAX_CANDIDATES
    return best


def _main_class(event: str) -> str | None:
    """Class of the main actor of an event, None where it has no class."""
    kinds = EVENTS[event].needs_kinds
    return LABELS[kinds[0]] if kinds else None


def _visibility(scene: Scene, wanted: list[str], actors: dict[str, str]) -> tuple[int, float]:
    """Of the least visible thing asked for: judged frames that show it well, and its summed greatest heights in px.

    wanted: requested classes. actors: event -> class of its main actor.
    """
    frames = np.linspace(scene.num_frames // 4, scene.num_frames - 1, JUDGED_FRAMES).round().astype(int).tolist()
    labels = labels_of(scene, frames=frames, carried=True)  # seen is what the picture shows of a person
    width_px = scene.camera.width_px
    scores = [_shown(labels, _of_class(labels, name), VISIBLE_HEIGHT_SHARE * width_px) for name in wanted]
    for event in scene.events:
        if event.name in actors:
            rows = _of_class(labels, actors[event.name]) & np.isin(labels.track_id, event.track_ids)
            scores.append(_shown(labels, rows, EVENT_HEIGHT_SHARE * width_px))
    return min(scores, default=(0, 0.0))


def _of_class(labels: Labels, name: str) -> np.ndarray:
    return labels.class_id == CLASSES.index(name)


def _shown(labels: Labels, rows: np.ndarray, enough_px: float) -> tuple[int, float]:
    """Judged frames in which one of the rows ``(N,)`` bool is at least ``enough_px`` high, and summed heights in px."""
    height_px = (labels.box_px[:, 3] - labels.box_px[:, 1]) * labels.visible_fraction
    tallest = [
        float(height_px[rows & (labels.frame_index == number)].max(initial=0.0)) for number in range(JUDGED_FRAMES)
    ]
    return sum(px >= enough_px for px in tallest), sum(tallest)
