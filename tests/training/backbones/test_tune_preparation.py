"""What a fine-tune reads and refuses before its first step."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from tests.instruments.tiny_depth import save_depth_model
from tests.training.backbones.fleets import FRAMES, SIDE_PX, road_sample, tune_config, write_roads
from worldgen.core.errors import InputError
from worldgen.core.labels import Labels
from worldgen.data.dataset.index import build_index
from worldgen.data.dataset.shards import ShardWriter
from worldgen.instruments.depth_reader import load_depth_reader
from worldgen.training.backbones.ego_sensitivity import bootstrap_interval
from worldgen.training.backbones.trainable import Given
from worldgen.training.backbones.tune_memory import check_tune_memory
from worldgen.training.backbones.tune_options import TuneOptions
from worldgen.training.backbones.window_controls import available_controls
from worldgen.training.backbones.window_plan import planned_windows
from worldgen.training.run import refuse_sharding
from worldgen.training.train_config import AdapterConfig, DataConfig, InitConfig, TrainConfig

SIZE = (SIDE_PX, SIDE_PX)


def test_windows_follow_one_another_and_splits_stay_apart(tmp_path):
    config = tune_config(tmp_path / "run", tmp_path, write_roads(tmp_path / "data", training=3, held_out=2))
    two = dataclasses.replace(config, data=dataclasses.replace(config.data, num_frames=2))
    plan = planned_windows(two, lambda line: None)
    assert [window.start for window in plan.training] == [0, 2] * 3 and plan.fps == 8.0
    assert not {w.place for w in plan.training} & {w.place for w in plan.held_out}
    one = planned_windows(dataclasses.replace(two, tune=TuneOptions(windows=1)), lambda line: None)
    assert [window.start for window in one.training] == [0] * 3


def test_clips_of_several_rates_are_refused(tmp_path):
    with ShardWriter(str(tmp_path / "data"), "shard-0") as writer:
        for number, fps in enumerate((8.0, 8.0, 10.0)):
            writer.write(road_sample(number, fps=fps))
    build_index(str(tmp_path / "data"))
    with pytest.raises(InputError, match="received 2 at 8, 1 at 10; expected one rate"):
        planned_windows(tune_config(tmp_path / "run", tmp_path, str(tmp_path / "data")), lambda line: None)


def test_clips_give_the_controls_that_they_have_and_no_others():
    sample = road_sample(1)
    made, missing = available_controls(sample, ["edge", "boxes", "depth", "seg"], SIZE, stored={})
    assert list(made) == ["edge"] and made["edge"].shape == sample.clip.frames.shape
    assert missing == {
        "boxes": "labels", "depth": "a model that estimates depth", "seg": "a scene, which recorded clips do not have"
    }  # fmt: skip
    labelled = dataclasses.replace(sample, labels=Labels.empty(FRAMES, *SIZE), camera=None)
    made, missing = available_controls(labelled, ["boxes:flat", "boxes"], SIZE, stored={})
    assert list(made) == ["boxes:flat"] and missing == {"boxes": "a camera"}


def test_a_depth_model_of_transformers_gives_depth_of_recorded_clips(tmp_path):
    sample = road_sample(1)
    depth = load_depth_reader(save_depth_model(tmp_path / "depth"))
    made, missing = available_controls(sample, ["depth", "seg"], SIZE, stored={}, depth=depth)
    assert made["depth"].shape == sample.clip.frames.shape and made["depth"].std() > 0 and list(missing) == ["seg"]
    with pytest.raises(InputError, match=r"tune\.depth_model: .*unless depth is one of tune\.controls"):
        TuneOptions(depth_model="depth")


@pytest.mark.parametrize("kind", ["FSDP", "DEEPSPEED", "MEGATRON_LM"])
def test_sharded_weights_are_refused_by_name(kind):
    with pytest.raises(InputError, match=f"received {kind}, which shards the weights; expected processes with a whole"):
        refuse_sharding({f"ACCELERATE_USE_{kind}": "true"})
    refuse_sharding({f"ACCELERATE_USE_{kind}": "false"})


def test_controls_that_a_shard_holds_come_first_and_are_framed():
    sample = road_sample(2)
    stored = np.full(sample.clip.frames.shape, 77, np.uint8)
    made, _ = available_controls(sample, ["depth"], (16, 16), stored={"depth": stored})
    assert made["depth"].shape == (FRAMES, 16, 16, 3) and (made["depth"] == 77).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(adapter=AdapterConfig()), "adapter.kind: received 'none'; expected lora"),
        (dict(init=InitConfig()), "init.pipeline"),
        (dict(data=DataConfig(flip=0.5)), "data.flip: received 0.5; expected 0.0 when task=backbone"),
        (dict(data=DataConfig(strides=(1, 2))), "data.strides"),
    ],
)
def test_values_that_a_fine_tune_would_ignore_are_refused(changes, message):
    plain = dict(task="backbone", init=InitConfig(pipeline="model"), adapter=AdapterConfig("lora"))
    with pytest.raises(InputError, match=message):
        TrainConfig(**{**plain, **changes})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (dict(part="control"), "tune.controls.*at least one control"), (dict(text_dropout=1.0), "tune.text_dropout"),
        (dict(known_frames=()), "tune.known_frames"), (dict(known_frames=(1, 1)), "tune.known_frames"),
        (dict(ego_lr_scale=0), "tune.ego_lr_scale"),
    ],
)  # fmt: skip
def test_options_out_of_range_are_refused(values, message):
    with pytest.raises(InputError, match=message):
        TuneOptions(**values)


def test_too_little_memory_is_refused_with_what_helps(tmp_path):
    import torch

    promise = SimpleNamespace(frames=SimpleNamespace(step=4), size_multiple_px=16)
    backbone = SimpleNamespace(promise=promise, counts={"transformer": 10**9, "vae": 10**8}, device=torch.device("cpu"))
    trainable = SimpleNamespace(backbone=backbone, token_px=16, width=1536, hidden=8960, blocks=45)
    config = TrainConfig(
        task="backbone", init=InitConfig(pipeline="model"), adapter=AdapterConfig("lora"), batch=2,
        data=DataConfig(width_px=832, height_px=480, num_frames=49),
        tune=TuneOptions(device_memory_gb=8, gradient_checkpointing=False, dtype="bfloat16"),
    )  # fmt: skip
    expected = r"received 8.0 GB free on cpu; expected \d+.\d GB; tune.gradient_checkpointing=true, or batch=1"
    with pytest.raises(InputError, match=expected):
        check_tune_memory(config, trainable)
    enough = dataclasses.replace(config, batch=1, tune=TuneOptions(device_memory_gb=24, dtype="bfloat16"))
    assert "GB of activations" in check_tune_memory(enough, trainable)


def test_the_interval_of_a_mean_covers_it_and_excludes_what_is_far():
    values = np.random.default_rng(0).normal(1.0, 0.5, 40)
    low, high = bootstrap_interval(values)
    assert 0 < low < values.mean() < high and bootstrap_interval(values) == (low, high)
    assert bootstrap_interval(values - values.mean())[0] < 0 < bootstrap_interval(values - values.mean())[1]


def test_the_names_of_what_is_told_do_not_collide():
    names = [Given(known, control).name for known in (0, 1, 11) for control in ("", "edge", "edge:low")]
    assert not any(one != two and two.startswith(one) for one in names for two in names)
