"""The scene of a request: of the scenes a seed can stand for, the first in which what was asked for is noticed.

``worldgen sample``, ``worldgen scenes render`` of one prompt, ``worldgen generate`` and the Python API choose here.
Traffic is drawn at random, so a parked van may hide the pedestrian that was asked for, or a dark wall swallow it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

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

MAX_CANDIDATES = 12
JUDGED_FRAMES = 6
"""Frames at which a candidate is judged, evenly spread from the first half second to the end of the clip."""
ENOUGH_FRAMES, ENOUGH_EVENT_FRAMES = 4, 2
"""Judged frames in which everything requested must be well visible, and the actor of an event, which comes near only
for a moment, often at the end of the clip."""
SIZE_SHARE, EVENT_SIZE_SHARE, FIRST_SIZE_SHARE = 0.06, 0.028, 0.038
"""Size of an object, the square root of its visible pixels, as a share of the picture's width: from the first share on
it is well visible (a person 22 px high in a picture 224 px wide), the actor of an event from the second on. What is
requested has at least the third in the first judged frame."""
ENOUGH_CONTRAST = 18.0
"""Grey levels of 255 by which an object must differ from what is around it."""
MAX_MEASURED = 3
"""Candidates of which contrast is measured at most, for frames are drawn for it."""
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
    candidate 0 is chosen. Chosen is the first candidate in which the least visible of them is large enough in enough
    frames and stands out from what is around it; of too few such candidates the one with the highest contrast; without
    any the one with most frames. Equal seeds give equal choices.

    Raises:
        InputError: what ``make`` raises for ``seed`` itself.
    """
    largest: tuple[CandidateView, Scene, int] | None = None
    clearest: tuple[float, Scene, int] | None = None
    measured = 0
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
        view = _view(scene, subjects)
        if largest is None or view.score > largest[0].score:
            largest = view, scene, number
        if not view.enough:
            continue
        contrast = view.contrast(scene)
        if contrast >= ENOUGH_CONTRAST:
            return scene, number
        if clearest is None or contrast > clearest[0]:
            clearest = contrast, scene, number
        measured += 1
        if measured == MAX_MEASURED:
            break
    assert largest is not None, MAX_CANDIDATES
    return clearest[1:] if clearest else largest[1:]


@dataclass(frozen=True)
class CandidateView:
    """How the least visible subject of a candidate is seen.

    enough: large enough in enough frames. score: judged frames that show it well, and its summed sizes in px. shown:
    numbers of these frames with the track that is largest in each, of every subject.
    """

    enough: bool
    score: tuple[int, float]
    shown: tuple[tuple[tuple[int, int], ...], ...]

    def contrast(self, scene: Scene) -> float:
        """Contrast of the subject that stands out least, in grey levels: the mean of its first and its middle frame."""
        from worldgen.generation.sample.contrast import SubjectContrast

        measure = SubjectContrast(scene).measure
        return min(float(np.mean([measure(*shown[at]) for at in sorted({0, len(shown) // 2})])) for shown in self.shown)


def _view(scene: Scene, subjects: tuple[OrderedSubject, ...]) -> CandidateView:
    first = min(round(0.5 * scene.fps), (scene.num_frames - 1) // 4)
    frames = np.linspace(first, scene.num_frames - 1, JUDGED_FRAMES).round().astype(int).tolist()
    labels = labels_of(scene, frames=frames)
    views = [_subject_view(labels, subject, frames, scene.camera.width_px) for subject in subjects]
    least = min(views, key=lambda view: view.score)
    return CandidateView(all(view.enough for view in views), least.score, tuple(view.shown[0] for view in views))


def _subject_view(labels: Labels, subject: OrderedSubject, frames: list[int], width_px: int) -> CandidateView:
    """How one subject is seen: of its tracks the largest in each frame counts."""
    rows = subject.rows(labels)
    box = labels.box_px
    size_px = np.sqrt((box[:, 2] - box[:, 0]) * (box[:, 3] - box[:, 1]) * labels.visible_fraction)
    sizes, shown = [], []
    event = subject.track_ids is not None
    for number, frame in enumerate(frames):
        mine = np.flatnonzero(rows & (labels.frame_index == number))
        largest = mine[size_px[mine].argmax()] if len(mine) else -1
        sizes.append(float(size_px[largest]) if len(mine) else 0.0)
        if sizes[-1] >= (EVENT_SIZE_SHARE if event else SIZE_SHARE) * width_px:
            shown.append((frame, int(labels.track_id[largest])))
    enough = len(shown) >= (ENOUGH_EVENT_FRAMES if event else ENOUGH_FRAMES)
    if not event:
        enough &= sizes[0] >= FIRST_SIZE_SHARE * width_px
    return CandidateView(enough, (len(shown), sum(sizes)), (tuple(shown),))
