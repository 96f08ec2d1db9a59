"""Histories of rollouts before training: they equal those of a rollout, are generated once, and go on after a stop."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from tests.training.conftest import made_sample
from tests.training.data.test_latent_cache import rendered_set  # noqa: F401 - a fixture
from tests.training.loop.test_trainer import StopAfter, curve, same_state
from tests.training.tasks.test_tasks import config, latents_of, run
from worldgen.core.errors import InputError
from worldgen.data.dataset.index import build_index
from worldgen.data.dataset.shards import ShardWriter
from worldgen.models.native.codec import decode_images
from worldgen.models.native.conditions import ClipConditions, batch_conditions
from worldgen.models.native.history.reprojection import reproject
from worldgen.models.native.loading import load_pipeline
from worldgen.models.native.losses.loss_options import FlowOptions
from worldgen.models.native.rollout.generated_history import CONTEXT_FRAMES
from worldgen.training.data.clips import Clips
from worldgen.training.data.latent_cache import LatentCache
from worldgen.training.data.latent_encoding import cached_latents
from worldgen.training.data.rollout_history import RolloutHistory, rollout_histories
from worldgen.training.launch import Launch, PreparationContext
from worldgen.training.train_config import DataConfig, InitConfig

WHOLE = slice(0, 4)


@pytest.fixture
def roll(tmp_path, pipeline_folder):
    """Encodes a data set and rolls its clips out; returns histories, cache, pipeline and the lines of the log."""
    accelerator = Accelerator(cpu=True)

    def run_it(url: str, *, from_noise: float = 0.0, stop=lambda: False, shift: float = 0.0):
        lines: list[str] = []
        launch = Launch(log=lines.append, stop=stop)
        context = PreparationContext(accelerator, launch=launch)
        pipeline = load_pipeline(pipeline_folder)
        with torch.no_grad():
            pipeline.transformer.head.weight.add_(shift)
        clips = Clips(DataConfig(urls=(url,), width_px=32, height_px=32))
        encoding = PreparationContext(accelerator, launch=dataclasses.replace(launch, stop=lambda: False))
        cache = cached_latents(tmp_path / "cache", clips, clips.training(), codec=pipeline.codec, context=encoding)
        numbers = list(range(len(cache)))
        rollout_history = rollout_histories(
            tmp_path / "rolled", cache, numbers, pipeline, from_noise=from_noise, batch=2, context=context
        )
        return rollout_history, cache, pipeline, lines

    yield run_it
    AcceleratorState._reset_state(reset_partial_state=True)


def histories(rollout_history: RolloutHistory, cache: LatentCache) -> np.ndarray:
    return np.concatenate([rollout_history.reprojected(i, slice(0, r.num_frames)) for i, r in enumerate(cache.records)])


def test_given_frames_keep_their_history_and_the_next_one_follows_from_them(roll, rendered_set):  # noqa: F811
    rollout_history, cache, pipeline, _ = roll(rendered_set)
    assert cache.has_layout == [True, False]
    for number, given in ((0, 1), (1, CONTEXT_FRAMES)):
        generated, degraded = rollout_history.reprojected(number, WHOLE), cache.reprojected(number, WHOLE)
        assert np.array_equal(generated[:given], degraded[:given])
        assert not np.allclose(generated[given + 1 :], degraded[given + 1 :], atol=1e-2)
    record, layout = cache.records[0], cache.layout(0, WHOLE)
    conditions = batch_conditions([ClipConditions(4, record.fps, None, record.ego, record.camera, layout)], None)
    first = torch.from_numpy(cache.latents(0, slice(0, 1)))
    with torch.no_grad():
        picture = decode_images(pipeline.codec, first).clamp(-1, 1)
        expected = reproject(pipeline.codec, picture, conditions, source=0, target=1)[0]
    assert np.allclose(rollout_history.reprojected(0, slice(1, 2))[0], expected[0], atol=2e-3)


def test_a_clip_that_begins_from_noise_has_no_history_in_its_first_frame(roll, rendered_set):  # noqa: F811
    rollout_history, *_ = roll(rendered_set, from_noise=1.0)
    first = rollout_history.reprojected(0, WHOLE)
    assert not first[0].any() and first[1].any()
    assert rollout_history.reprojected(1, WHOLE)[CONTEXT_FRAMES - 1].any()  # without a layout, it is continued


def test_clips_that_end_with_what_is_given_keep_their_histories(roll, tmp_path):
    with ShardWriter(str(tmp_path / "short"), "shard-0") as writer:
        for number, frames in ((1, CONTEXT_FRAMES), (2, CONTEXT_FRAMES + 1)):
            writer.write(made_sample(number, frames=frames))
    build_index(str(tmp_path / "short"))
    rollout_history, cache, _, lines = roll(str(tmp_path / "short"))
    assert any("continues 1 clips" in line for line in lines)
    assert np.array_equal(
        rollout_history.reprojected(0, slice(0, CONTEXT_FRAMES)), cache.reprojected(0, slice(0, CONTEXT_FRAMES))
    )


def test_what_is_there_is_not_made_again_unless_the_network_is_another(roll, dataset):
    rollout_history, cache, _, lines = roll(dataset)
    first = histories(rollout_history, cache)
    assert any("continues 6 clips" in line for line in lines)
    assert not any("continues" in line for line in roll(dataset)[-1])
    other, _, _, lines = roll(dataset, shift=0.1)
    assert any("continues 6 clips" in line for line in lines)
    assert not np.array_equal(histories(other, cache), first)
    assert np.array_equal(histories(rollout_history, cache), first)  # nothing of the first network's is overwritten


def test_stopped_in_the_middle_it_goes_on_and_ends_the_same(roll, dataset):
    rollout_history, cache, *_ = roll(dataset)
    whole = histories(rollout_history, cache)
    (rollout_history.path.parent / "rolled.json").unlink()
    asked = iter([False, True])
    with pytest.raises(KeyboardInterrupt):
        roll(dataset, stop=lambda: next(asked))
    journal = rollout_history.path.parent / "part0.jsonl"
    journal.write_bytes(journal.read_bytes()[:-3])  # kill -9 in the middle of a line
    again, _, _, lines = roll(dataset)
    left = sum(line.startswith("the network continues 6") for line in lines)
    assert not left and any("continues" in line for line in lines)
    assert np.array_equal(histories(again, cache), whole)


def test_training_on_rollouts_resumes_exactly_and_learns_from_other_histories(tmp_path, dataset, pipeline_folder):
    data = DataConfig(urls=(dataset,), width_px=32, height_px=32, num_frames=3, cache=latents_of(dataset))
    changes = dict(data=data, init=InitConfig(pipeline=str(pipeline_folder)))
    whole = config("world", tmp_path / "whole", dataset, flow=FlowOptions(rollout_history=0.7), **changes)
    run(whole)
    halves = dataclasses.replace(whole, output=str(tmp_path / "halves"))
    run(halves, StopAfter(3))
    run(halves)
    assert curve(tmp_path / "whole") == curve(tmp_path / "halves")
    last = "checkpoints/step_00000004"
    assert same_state(tmp_path / "whole" / last, tmp_path / "halves" / last)
    run(config("world", tmp_path / "plain", dataset, **changes))
    assert curve(tmp_path / "plain") != curve(tmp_path / "whole")


def test_what_rollouts_cannot_be_made_for_is_refused(dataset):
    with pytest.raises(InputError, match=r"init\.pipeline.*flow\.rollout_history"):
        config("world", "runs/x", dataset, flow=FlowOptions(rollout_history=0.5))
    with pytest.raises(InputError, match=r"strides"):
        config("world", "runs/x", dataset, flow=FlowOptions(rollout_history=0.5), init=InitConfig(pipeline="runs/y"))
