"""Windows for training instruments: looks, sizes, neighbouring frames, and how the trainings read them."""

from __future__ import annotations

import numpy as np
import pytest
from pipelines.instrument_training import drawn_windows
from pipelines.instrument_training.attributes_training import Windows
from pipelines.instrument_training.drawn_windows import LOOKS, scenarios, window_sample
from pipelines.instrument_training.motion_training import MotionTraining, Pairs
from pipelines.instrument_training.rendered_samples import at_size, in_windows, window_middles
from pipelines.instrument_training.verifier_training import Scenes

from worldgen.core.scenario import Scenario
from worldgen.simulation.simulate import simulate

SEED = 5


@pytest.fixture(scope="module")
def sample():
    return window_sample(Scenario("clear", "day", "urban"), SEED, windows=2, looks="sketch", split="test")


def test_frames_of_a_window_follow_one_another(sample):
    assert in_windows(sample) and sample.split == "test" and len(sample.clip) == 6
    assert list(window_middles(sample)) == [1, 4]
    scene = simulate(sample.scenario, SEED, fps=8.0, num_frames=25, camera=sample.camera)
    for start in (0, 3):
        rows = sample.ego.to_array()[start : start + 3]
        places = [
            k for k in range(23) if np.allclose(scene.ego.to_array()[k : k + 3], rows, atol=1e-5)
        ]  # fmt: skip
        assert places, "a window is three rows of the scene's motion"


def test_the_trainings_read_windows_and_not_across_them(sample):
    scenes, windows = Scenes.of([sample], every=4), Windows.of([sample], per_clip=4)
    assert [frame for _, frame in scenes.place] == [1, 4]
    assert np.array_equal(scenes.before[1], sample.clip.frames[3])
    assert len(windows.frames) == 2 and np.array_equal(windows.frames[1], sample.clip.frames[3:6])
    pairs = Pairs.of([sample], MotionTraining(degrade=0.0))
    assert len(pairs.motion) == 4  # two in each window, none across
    wanted = sample.ego.speed_mps[[1, 2, 4, 5]] / 10
    assert pairs.motion[:, 0] == pytest.approx(wanted, abs=1e-5)


def test_frames_labels_and_camera_are_resized_together(sample):
    large = at_size(sample, 448, 256)
    assert large.clip.frames.shape == (6, 256, 448, 3) and large.camera.width_px == 448
    assert large.labels.box_px == pytest.approx(2 * sample.labels.box_px)
    back = at_size(large, 224, 128)
    assert back.labels.box_px == pytest.approx(sample.labels.box_px)
    assert at_size(sample, 224, 128) is sample


def test_every_source_and_look_is_drawn():
    assert sum(share for _, share in LOOKS) == pytest.approx(1)
    assert sum(share for *_, share in drawn_windows.SOURCES) == pytest.approx(1)
    drawn = scenarios(60, 3)
    assert len(drawn) == 60 and [s.key for s in drawn] == [s.key for s in scenarios(60, 3)]
    assert sum(bool(s.events) for s in drawn) >= 24 and sum(bool(s.agents) for s in drawn) >= 12
