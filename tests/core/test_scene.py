from __future__ import annotations

import numpy as np
import pytest

from worldgen.core.camera import Camera
from worldgen.core.ego import EgoMotion, planar_poses
from worldgen.core.errors import InputError
from worldgen.core.scenario import Scenario
from worldgen.core.scene import Agent, Atmosphere, Road, Scene

FRAMES = 5
NOON = Atmosphere(0.0, 1.0, 0.2, 0.0, 0.0, 0.0, 0.0, 20_000.0, False, False, 1.0)
ROAD = Road("urban", np.array([[0.0, 0, 0], [100.0, 0, 0]]), 3.5, ((0.0, 1),), (), ())


def _agent(track_id, frames=FRAMES):
    zeros = np.zeros(frames)
    return Agent(
        track_id, "car", "car", "sedan", (4.5, 1.8, 1.5), np.zeros((frames, 4)), zeros, np.ones(frames, bool), zeros,
        np.zeros(frames, bool), np.zeros(frames, int), zeros,
    )  # fmt: skip


def _scene(**changes):
    ego = EgoMotion(np.full(FRAMES, 8.0), np.zeros(FRAMES), 10.0)
    values = {
        "scenario": Scenario(), "seed": 1, "fps": 10.0, "camera": Camera.from_fov(64, 48), "ego": ego,
        "ego_poses": planar_poses(ego), "ego_z_m": np.zeros(FRAMES), "road": ROAD, "statics": (),
        "agents": (_agent(1), _agent(7)), "atmosphere": NOON,
    }  # fmt: skip
    return Scene(**{**values, **changes})


def test_a_whole_scene_counts_its_frames():
    assert _scene().num_frames == FRAMES


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"agents": (_agent(1), _agent(1))}, "track ids"),
        ({"agents": (_agent(0),)}, "track ids"),
        ({"agents": (_agent(3, FRAMES + 1),)}, "poses of track 3"),
        ({"ego_poses": np.zeros((FRAMES + 1, 3))}, "ego poses"),
        ({"ego_z_m": np.zeros(FRAMES - 1)}, "ego poses"),
    ],
)
def test_parts_that_disagree_are_refused(changes, named):
    with pytest.raises(InputError, match=named):
        _scene(**changes)
