"""A fine-tune on clips without ego motion says so, once."""

from __future__ import annotations

import numpy as np

from worldgen.core.ego import EgoMotion
from worldgen.training.data.windows import ClipRecord
from worldgen.training.tasks.trainable_pipeline import motion_lines


def test_clips_without_any_motion_are_named_and_one_with_motion_is_enough():
    still = [ClipRecord(f"c{i}", "", 8.0, 5) for i in range(3)]
    assert motion_lines(still) == [
        "none of the 3 clips has ego motion: the model learns their look, but not to follow motion; "
        "worldgen ingest reads it from logs beside the clips"
    ]
    moving = ClipRecord("m", "", 8.0, 5, ego=EgoMotion(np.ones(5), np.zeros(5), 8.0))
    assert motion_lines([*still, moving]) == []
