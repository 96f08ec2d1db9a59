"""Contrast of an object: bright or dark against the ring around it, halves apart, and of drawn scenes."""

from __future__ import annotations

import numpy as np
import pytest

from worldgen.core.camera import Camera
from worldgen.core.labels import CLASSES
from worldgen.generation.sample.contrast import SubjectContrast, contrast
from worldgen.prompts import parse
from worldgen.rendering.drawn_clips import draw_scene
from worldgen.simulation.simulate import simulate


def picture(upper: int, lower: int, ground: int) -> tuple[np.ndarray, np.ndarray]:
    """An upright object of two grey halves in front of a grey ground, and its mask."""
    frame, mine = np.full((40, 60, 3), ground, np.uint8), np.zeros((40, 60), bool)
    frame[10:20, 30:36], frame[20:30, 30:36] = upper, lower
    mine[10:30, 30:36] = True
    return frame, mine


@pytest.mark.parametrize(
    ("upper", "lower", "ground", "expected"),
    [(80, 80, 80, 0.0), (120, 120, 80, 40.0), (40, 40, 80, 40.0), (120, 40, 80, 40.0), (80, 120, 80, 20.0)],
)
def test_contrast_is_the_mean_difference_of_the_halves_from_what_is_beside_them(upper, lower, ground, expected):
    assert contrast(*picture(upper, lower, ground)) == pytest.approx(expected, abs=0.01)


def test_what_is_far_away_from_the_object_does_not_count_and_specks_have_no_contrast():
    frame, mine = picture(120, 120, 80)
    frame[:, :15] = 255
    assert contrast(frame, mine) == pytest.approx(40.0, abs=0.01)
    speck = np.zeros_like(mine)
    speck[10:12, 30:33] = True
    assert contrast(frame, speck) == 0.0


def test_a_track_of_a_scene_is_measured_on_a_small_drawn_frame():
    scene = simulate(
        parse("pedestrian ahead on a sunny day").scenario, 4, num_frames=9, camera=Camera.from_fov(448, 256, 70.0)
    )
    _, labels = draw_scene(scene, frames=[4], size=(224, 128))
    seen = labels.where((labels.class_id == CLASSES.index("pedestrian")) & (labels.visible_fraction > 0.9))
    track = int(seen.track_id[(seen.box_px[:, 3] - seen.box_px[:, 1]).argmax()])
    subject = SubjectContrast(scene)
    assert subject.measure(4, track) > 3.0 and subject.measure(4, track) == subject.measure(4, track)
    assert subject.measure(4, 10_000) == 0.0
