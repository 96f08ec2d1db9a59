"""A run is continued as itself only, also when fields of its config have been renamed since it began."""

from __future__ import annotations

import pytest

from worldgen.core.errors import InputError
from worldgen.training.loop.identity import compare_identity, config_facts
from worldgen.training.train_config import TrainConfig


def test_a_run_from_before_the_renames_is_the_same_run_under_its_new_names(tmp_path):
    now = config_facts(TrainConfig(), items_per_step=8)
    before = {**now, "config": {**now["config"], "flow": dict(now["config"]["flow"])}}
    flow = before["config"]["flow"]
    for old, new in (
        ("own_past", "generated_history"),
        ("drop_past", "drop_history"),
        ("thing_weight", "object_weight"),
    ):
        flow[old] = flow.pop(new)
    compare_identity(before, now, tmp_path)
    flow["drop_past"] = 0.5
    with pytest.raises(InputError, match=r"flow\.drop_history 0\.15; expected flow\.drop_history 0\.5"):
        compare_identity(before, now, tmp_path)
