"""Cases: what is known about a clip, whether it was made, drawn or stored."""

from __future__ import annotations

import numpy as np
import pytest

from worldgen.core.errors import InputError
from worldgen.core.samples import Sample
from worldgen.data.dataset.index import build_index
from worldgen.data.dataset.shards import ShardWriter
from worldgen.evaluation.measures.cases import generated_cases, stored_cases
from worldgen.evaluation.measures.trials import held_out, rendered
from worldgen.rendering.labelling import labels_of


@pytest.fixture(scope="module")
def trial():
    return held_out(1, frames=17)[0]


@pytest.fixture(scope="module")
def clip(trial):
    return rendered([trial])[0]


def test_context_frames_do_not_count_and_the_scene_has_the_truth(trial, clip):
    (case,) = generated_cases([trial], [clip], start="sketch")
    assert case.first == 2 and case.shows
    (free,) = generated_cases([trial], [clip], start="noise")
    assert free.first == 0
    truth = case.truth([3, 8, 15])
    assert truth.present.shape[0] == 3


def test_a_stored_clip_tells_the_same_truth(trial, clip, tmp_path):
    scene = trial.scene
    sample = Sample("a", clip, ego=scene.ego, camera=scene.camera, labels=labels_of(scene), scenario=trial.scenario)
    bare = Sample("b", clip, provenance={"drawn_frames": 2})
    with ShardWriter(str(tmp_path), "part") as writer:
        writer.write(sample)
        writer.write(bare)
    build_index(str(tmp_path))
    known, unknown = stored_cases(str(tmp_path))
    (made,) = generated_cases([trial], [clip], start="noise")
    frames = [1, 8, 15]
    assert np.array_equal(known.truth(frames).present, made.truth(frames).present)
    assert known.ego is not None and not unknown.shows and unknown.ego is None
    assert (known.first, unknown.first) == (0, 2)
    assert [case.key for case in stored_cases(str(tmp_path), 1)] == ["a"]
    with pytest.raises(InputError, match="no clips in split val"):
        list(stored_cases(str(tmp_path), split="val"))
