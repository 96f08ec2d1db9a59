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
from worldgen.core.labels import Labels
from worldgen.core.scenario import Scenario
from worldgen.core.scene import Scene
from worldgen.core.seeds import stable_hash
from worldgen.generation.sample.subjects import OrderedSubject, ordered_subjects
from worldgen.rendering.labelling import labels_of
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

    return best_candidate(seed, make=make)


def best_candidate(seed: int, *, make: Callable[[int], Scene]) -> tuple[Scene, int]:
    """The chosen scene of ``seed`` and the number of its candidate, 0 for the scene of ``seed`` itself.

    make: returns the scene of a seed. Requested agents and the main actors of events are judged; without any,
    candidate 0 is chosen. When no candidate has enough frames, the best one is chosen. Equal seeds give equal choices.

    Raises:
        InputError: what ``make`` raises for ``seed`` itself.
    """
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
        subjects = ordered_subjects(scene)
        if not subjects:
            return scene, number
        score = _visibility(scene, subjects)
        if score[0] >= ENOUGH_FRAMES:
            return scene, number
        if score > best_score:
            best_score, best = score, (scene, number)
    assert best is not None, MAX_CANDIDATES
    return best


def _visibility(scene: Scene, subjects: tuple[OrderedSubject, ...]) -> tuple[int, float]:
    """Of the least visible subject: judged frames that show it well, and its summed greatest heights in px."""
    frames = np.linspace(scene.num_frames // 4, scene.num_frames - 1, JUDGED_FRAMES).round().astype(int).tolist()
    labels = labels_of(scene, frames=frames, carried=True)  # seen is what the picture shows of a person
    shares = (VISIBLE_HEIGHT_SHARE if subject.track_ids is None else EVENT_HEIGHT_SHARE for subject in subjects)
    px = [share * scene.camera.width_px for share in shares]
    return min(_shown(labels, subject.rows(labels), enough) for subject, enough in zip(subjects, px, strict=True))


def _shown(labels: Labels, rows: np.ndarray, enough_px: float) -> tuple[int, float]:
    """Judged frames in which one of the rows ``(N,)`` bool is at least ``enough_px`` high, and summed heights in px."""
    height_px = (labels.box_px[:, 3] - labels.box_px[:, 1]) * labels.visible_fraction
    tallest = [
        float(height_px[rows & (labels.frame_index == number)].max(initial=0.0)) for number in range(JUDGED_FRAMES)
    ]
    return sum(px >= enough_px for px in tallest), sum(tallest)
