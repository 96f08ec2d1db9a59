"""Shards of drawn clips are the same from one process and from two, and a shard that is there is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from worldgen.core.errors import InputError
from worldgen.core.scenario import Scenario
from worldgen.generation.rendered.drawn_scenes import ClipShape, make_sample
from worldgen.generation.rendered.rendered_shards import render_jobs, rendered_shards

SHAPE = ClipShape(frames=3, fps=8.0, width_px=64, height_px=32)


@pytest.mark.slow
def test_one_process_and_two_write_the_same_bytes(tmp_path) -> None:
    scenarios = [Scenario(weather=weather) for weather in ("clear", "fog", "snow")]
    for name, workers in (("one", 1), ("two", 2)):
        jobs = render_jobs(scenarios, str(tmp_path / name), SHAPE, seed=5, shard_size=2)
        found = sorted(rendered_shards(jobs, workers), key=lambda shard: shard.name)
        assert [(shard.rendered, shard.kept, shard.skipped) for shard in found] == [(2, 0, ()), (1, 0, ())]
    for path in Path(tmp_path / "one").glob("*.tar"):
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()
    assert [shard.kept for shard in rendered_shards(jobs, 1)] == [2, 1]


def test_a_clip_too_short_for_its_event_is_skipped_with_its_reason(tmp_path) -> None:
    scenario = Scenario(events=("jaywalker",))
    with pytest.raises(InputError, match="length of a clip with events"):
        make_sample(scenario, 0, SHAPE)
    jobs = render_jobs([scenario, Scenario()], str(tmp_path), SHAPE, seed=0, shard_size=2)
    [shard] = rendered_shards(jobs, 1)
    assert shard.rendered == 1 and "seed 0: length of a clip with events" in shard.skipped[0]
