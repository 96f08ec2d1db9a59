from __future__ import annotations

import numpy as np
import pytest

from worldgen.core.camera import Camera
from worldgen.core.clip import Clip
from worldgen.core.ego import EgoMotion
from worldgen.core.errors import InputError
from worldgen.core.labels import Labels
from worldgen.core.samples import Conditions, Sample

CLIP = Clip(np.zeros((6, 32, 48, 3), np.uint8), 10.0)


def _ego(rows, fps=10.0):
    return EgoMotion(np.ones(rows), np.zeros(rows), fps)


def test_a_whole_sample_is_accepted():
    sample = Sample(
        "a-1_B", CLIP, ego=_ego(6), camera=Camera.from_fov(48, 32), labels=Labels.empty(6, 48, 32), split="val"
    )
    assert sample.clip is CLIP


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"key": ""}, "key"),
        ({"key": "../x"}, "key"),
        ({"key": "a.b"}, "key"),  # a dot would end the key in a WebDataset member name
        ({"key": "é"}, "key"),
        ({"split": "dev"}, "split"),
        ({"ego": _ego(5)}, "ego motion"),
        ({"ego": _ego(6, 12.0)}, "ego motion"),
        ({"camera": Camera.from_fov(32, 48)}, "camera size"),
        ({"labels": Labels.empty(5, 48, 32)}, "labels"),
        ({"labels": Labels.empty(6, 96, 64)}, "labels"),
    ],
)
def test_parts_that_disagree_are_refused(values, named):
    with pytest.raises(InputError, match=named):
        Sample(**{"key": "a", "clip": CLIP, **values})


def test_conditions_name_what_is_given():
    assert Conditions(8, 10.0).given == ()
    layout = np.zeros((8, 3, 4, 6), np.float32)
    everything = Conditions(8, 10.0, text="rain", context=CLIP, ego=_ego(8), layout=layout)
    assert everything.given == ("context", "text", "ego", "layout")
    assert Conditions(8, 10.0, text="").given == ("text",)  # an empty prompt is still a prompt


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"num_frames": 0}, "number of frames"),
        ({"num_frames": 6, "context": CLIP}, "context frames"),
        ({"ego": _ego(7)}, "one per frame"),
        ({"layout": np.zeros((8, 4, 6), np.float32)}, "layout"),
        ({"layout": np.zeros((7, 3, 4, 6), np.float32)}, "layout"),
    ],
)
def test_conditions_that_disagree_are_refused(values, named):
    with pytest.raises(InputError, match=named):
        Conditions(**{"num_frames": 8, "fps": 10.0, **values})
