"""Fine-tunes of tiny pretrained models of the real classes: what is learnt, and what stops and processes change."""

from __future__ import annotations

import dataclasses
import json
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from safetensors.torch import load_file

from tests.training.backbones.fleets import SIDE_PX, save_vace, tune_config, write_roads
from tests.training.loop.test_processes import TWO, finish, start, wait_for_steps
from tests.training.loop.test_trainer import curve, same_state
from worldgen.core.errors import InputError
from worldgen.models.backbones.tuned.tuned_adapter import LORA_FILE, read_tuned_record
from worldgen.models.native.loading import quiet_libraries
from worldgen.training.backbones.backbone_task import build_backbone_task, prepare_backbone
from worldgen.training.backbones.ego_sensitivity import ego_sensitivity
from worldgen.training.launch import Launch, PreparationContext
from worldgen.training.loop.optimisation import TrainingError
from worldgen.training.loop.record import read_metrics
from worldgen.training.run import train
from worldgen.training.train_config import AdapterConfig, OptimConfig


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    quiet_libraries()
    return save_vace(tmp_path_factory.mktemp("base") / "Tiny-VACE")


@pytest.fixture(scope="module")
def roads(tmp_path_factory) -> str:
    return write_roads(tmp_path_factory.mktemp("roads"), training=2, held_out=2)


@pytest.fixture(scope="module")
def task(base, roads, tmp_path_factory):
    """A task before its first step: adapters and ego injector are fresh."""
    config = tune_config(
        tmp_path_factory.mktemp("task") / "run", base, roads, tune={"ego": True, "controls": ("edge",)}
    )
    context = PreparationContext(Accelerator(cpu=True))
    return build_backbone_task(config, prepare_backbone(config, context), context)


def test_a_fresh_adapter_is_the_base_to_the_bit(task):
    fresh, pretrained = task.adapter_outputs()
    assert torch.equal(fresh, pretrained) and float(fresh.abs().max()) > 0
    names = [name for name, p in task.module.named_parameters() if p.requires_grad]
    assert {name.split(".")[0] for name in names} == {"network", "injector"}
    assert all(".lora_" in name for name in names if name.startswith("network.")), "the base is frozen"


def test_the_loss_has_the_conventions_of_the_sampler(task):
    """At each noise level the sample that the scheduler reaches with the true velocity is the clean one."""
    batch = task.items.collate([task.items.item(0, task.items.fixed_given(0))])
    noise = torch.randn(batch.latents.shape, generator=torch.Generator().manual_seed(0))
    scheduler = task.prepared.trainable.pipeline.scheduler
    scheduler.set_timesteps(4)
    latents = noise
    for time in scheduler.timesteps:
        latents = scheduler.step(noise - batch.latents, time, latents, return_dict=False)[0]
    torch.testing.assert_close(latents, batch.latents, atol=2e-2, rtol=0)
    uniform = torch.linspace(0, 1, 5)
    levels = task.prepared.trainable.level(uniform)
    assert float(levels[0]) == 0 and float(levels[-1]) == 1 and float(levels[2]) == pytest.approx(0.75)  # shift 3


def test_what_is_told_is_what_the_pipeline_tells(task):
    """Latents of the known frame stand in the first half of the conditioning, the control in the second."""
    given = task.items.fixed_given(0)
    assert given.control == "edge" and given.known == 1
    plain = task.items.item(0, dataclasses.replace(given, control="")).given["conditioning"]
    edges = task.items.item(0, given).given["conditioning"]
    channels = task.prepared.trainable.pipeline.vae.config.z_dim
    assert torch.equal(plain[:channels], edges[:channels]) and not torch.equal(plain[channels:], edges[channels:])
    assert torch.equal(plain[2 * channels :], edges[2 * channels :]), "the mask tells frames apart, not controls"


def test_sensitivity_is_zero_before_training_and_not_for_a_network_that_is_driven(task):
    fresh = ego_sensitivity(task.module, task.items, task.prepared.cache.held_out, torch.device("cpu"))
    assert fresh.gain == 0 and fresh.output_change == 0 and not fresh.is_used
    lines: list[str] = []
    assert "ego motion is not used" in task.judge(lines.append) and "gain 0" in lines[0]
    before = task.module.injector.shift.weight.detach().clone()
    torch.nn.init.normal_(task.module.injector.shift.weight, std=0.3)
    driven = ego_sensitivity(task.module, task.items, task.prepared.cache.held_out, torch.device("cpu"))
    assert driven.output_change > 0.01
    with torch.no_grad():
        task.module.injector.shift.weight.copy_(before)


def test_the_control_branch_alone_is_trained_when_asked(base, roads, tmp_path):
    tune = {"part": "control", "controls": ("edge",)}
    config = tune_config(tmp_path / "run", base, roads, tune=tune)
    context = PreparationContext(Accelerator(cpu=True))
    made = build_backbone_task(config, prepare_backbone(config, context), context)
    names = [name for name, p in made.module.named_parameters() if p.requires_grad]
    assert names and all(name.startswith("network.vace_blocks.") for name in names)


@pytest.mark.parametrize(
    ("tune", "message"),
    [
        ({"known_frames": (2,)}, "tune.known_frames: received 2; expected 4k"),
        ({"controls": ("wsm",)}, "tune.controls: received 'wsm'; expected of depth"),
    ],
)
def test_what_the_model_does_not_honour_is_refused_before_encoding(base, roads, tmp_path, tune, message):
    config = tune_config(tmp_path / "run", base, roads, tune=tune)
    with pytest.raises(InputError, match=message):
        prepare_backbone(config, PreparationContext(Accelerator(cpu=True)))


def test_labels_without_a_camera_give_no_boxes_and_a_control_run_says_why(base, roads, tmp_path):
    config = tune_config(tmp_path / "run", base, roads, tune={"part": "control", "controls": ("boxes",)})
    expected = "none of 4 windows with a control; expected clips that give one: boxes, which needs labels"
    with pytest.raises(InputError, match=expected):
        prepare_backbone(config, PreparationContext(Accelerator(cpu=True)))


def long_config(output: Path, base: Path, data: str, **changes):
    """A run of some hundred steps. The codec of the tiny model has random weights and keeps little of a picture, so
    that it cannot show whether ego motion is learnt: ``require_ego`` is off."""
    values = dict(
        steps=250, batch=4, save_every=1000, adapter=AdapterConfig("lora", rank=8, alpha=8.0), validate_every=125,
        validate_clips=12, optim=OptimConfig(lr=5e-3, warmup=5, ema_decay=0.95, weight_decay=0.0),
        tune={"ego": True, "require_ego": False, "ego_dropout": 0.05, "text_dropout": 0.05},
    )  # fmt: skip
    return tune_config(output, base, data, **{**values, **changes})


@pytest.mark.slow
def test_a_long_run_lowers_the_loss_and_its_adapter_samples(base, tmp_path):
    from worldgen.generation.sample.model_loading import load_world_model

    data = write_roads(tmp_path / "data", training=24, held_out=16)
    lines: list[str] = []
    train(long_config(tmp_path / "run", base, data, sheet_every=250), launch=Launch(log=lines.append))
    values = read_metrics(tmp_path / "run/metrics.jsonl", "val")
    assert values[0]["step"] == 0 and values[-1]["loss"] < 0.8 * values[0]["loss"]
    finished = json.loads((tmp_path / "run/run.json").read_text())["finished"]
    found = finished["ego_sensitivity"]
    assert found["windows"] == 16 and found["output_change"] > 1e-3
    assert found["gain_low"] <= found["gain"] <= found["gain_high"]
    assert any(line.startswith("held out") for line in lines), "a table against the base ends the run"
    assert (tmp_path / "run/sheets/step_00000250.png").is_file()
    model = load_world_model(str(base), adapter=str(tmp_path / "run/adapter"), device="cpu").model
    assert "ego" in model.accepts
    record = read_tuned_record(tmp_path / "run/adapter")
    assert record.fps == 8.0 and record.camera is not None and record.base_weights != model.weights_hash


@pytest.mark.slow
def test_a_run_without_use_of_ego_motion_fails_and_can_be_kept(base, tmp_path):
    data = write_roads(tmp_path / "data", training=4, held_out=4)
    config = tune_config(tmp_path / "run", base, data, tune={"ego": True, "ego_lr_scale": 1e-6})
    with pytest.raises(TrainingError, match=r"ego motion is not used.*tune\.require_ego=false"):
        train(config, launch=Launch())
    kept = dataclasses.replace(config, tune=dataclasses.replace(config.tune, require_ego=False))
    train(kept, launch=Launch())
    assert (tmp_path / "run/adapter" / LORA_FILE).is_file()


def short_config(output: Path, base: Path, data: str, **changes):
    tune = {"ego": True, "require_ego": False, "controls": ("edge",), "gradient_checkpointing": True}
    return tune_config(output, base, data, **{"steps": 8, "save_every": 2, "tune": tune, **changes})


@pytest.mark.slow
def test_a_run_that_is_killed_goes_on_to_equal_adapters(base, roads, tmp_path):
    train(short_config(tmp_path / "whole", base, roads), launch=Launch())
    process = start(short_config(tmp_path / "killed", base, roads))
    wait_for_steps(process, tmp_path / "killed", 3)
    process.send_signal(signal.SIGKILL)
    code, said = finish(process)
    assert code == -signal.SIGKILL, said
    train(short_config(tmp_path / "killed", base, roads), launch=Launch())
    assert curve(tmp_path / "whole") == curve(tmp_path / "killed")
    last = "checkpoints/step_00000008"
    assert same_state(tmp_path / "whole" / last, tmp_path / "killed" / last)
    for file in (LORA_FILE, "ego.safetensors"):
        one, other = (load_file(tmp_path / run / "adapter" / file) for run in ("whole", "killed"))
        assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.slow
def test_two_processes_tune_as_one_does(base, roads, tmp_path):
    code, said = finish(start(short_config(tmp_path / "two", base, roads, batch=1, validate_every=4), *TWO))
    assert code == 0, said
    train(short_config(tmp_path / "one", base, roads, batch=1, accumulate=2), launch=Launch())
    one, two = curve(tmp_path / "one"), curve(tmp_path / "two")
    assert len(two) == 8
    np.testing.assert_allclose(np.array(one, float), np.array(two, float), rtol=1e-3)


def _i2v(folder: Path) -> Path:
    from tests.models.backbones.continuing.tiny_continuing import save_wan_i2v

    return save_wan_i2v(folder, form="5B")


def _ltx2(folder: Path) -> Path:
    from tests.models.backbones.continuing.tiny_continuing import save_ltx2

    return save_ltx2(folder)


def _cosmos3(folder: Path) -> Path:
    from tests.models.backbones.cosmos.tiny_cosmos import save_cosmos3

    return save_cosmos3(folder)


class _Lenient:
    """A guardrail that lets everything pass."""

    def check_text_safety(self, prompt: str) -> bool:
        return True

    def check_video_safety(self, frames: np.ndarray) -> np.ndarray:
        return frames

    def to(self, device):
        return self


@pytest.mark.slow
@pytest.mark.parametrize(
    ("save", "frames", "ego"), [(_i2v, 5, True), (_ltx2, 9, True), (_cosmos3, 5, True)], ids=["i2v", "ltx2", "cosmos3"]
)
def test_other_families_learn_and_load(save, frames, ego, tmp_path, monkeypatch):
    from worldgen.generation.sample.model_loading import load_world_model
    from worldgen.models.backbones.cosmos import cosmos3

    monkeypatch.setattr(cosmos3, "required_guardrail", lambda family: _Lenient())
    quiet_libraries()
    base = save(tmp_path / "base")
    data = write_roads(tmp_path / "data", training=4, held_out=2, frames=frames, fps=10.0 if save is _cosmos3 else 8.0)
    config = tune_config(
        tmp_path / "run", base, data, steps=40, validate_every=40, save_every=100, sheet_every=40,
        tune={"ego": ego, "require_ego": False, "text_dropout": 0.0},
        optim=OptimConfig(lr=5e-3, warmup=2, ema_decay=0.9, weight_decay=0.0),
    )  # fmt: skip
    side = 64 if frames == 9 else SIDE_PX  # LTX-2's decoder needs two latent cells a side
    data_config = dataclasses.replace(config.data, num_frames=frames, width_px=side, height_px=side)
    config = dataclasses.replace(config, data=data_config)
    train(config, launch=Launch())
    first, last = read_metrics(tmp_path / "run/metrics.jsonl", "val")
    assert last["loss"] < first["loss"]
    found = json.loads((tmp_path / "run/run.json").read_text())["finished"]["ego_sensitivity"]
    assert found["windows"] == 2 and found["output_change"] > 1e-6
    model = load_world_model(str(base), adapter=str(tmp_path / "run/adapter"), device="cpu").model
    assert "ego" in model.accepts or not ego


def test_actions_of_cosmos3_reach_its_network_and_other_rates_are_refused(tmp_path, monkeypatch):
    """A window with actions gives another prediction than one without, and a fresh adapter is the base to the bit."""
    from worldgen.models.backbones.cosmos import cosmos3

    monkeypatch.setattr(cosmos3, "required_guardrail", lambda family: _Lenient())
    quiet_libraries()
    base = _cosmos3(tmp_path / "base")
    data = write_roads(tmp_path / "data", training=2, held_out=2, fps=10.0)
    config = tune_config(tmp_path / "run", base, data, tune={"ego": True})
    context = PreparationContext(Accelerator(cpu=True))
    made = build_backbone_task(config, prepare_backbone(config, context), context)
    fresh, pretrained = made.adapter_outputs()
    assert torch.equal(fresh, pretrained) and float(fresh.abs().max()) > 0
    given = made.items.fixed_given(1)
    batches = [made.items.collate([made.items.item(1, given, ego=ego)]) for ego in (True, False)]
    assert batches[0].ego.shape == (1, 4, 10) and float(batches[0].ego[0, 0, 2]) > 0, "forward is the third number"
    noise = torch.randn(batches[0].latents.shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        driven, still = (made.module.judged(batch, torch.full((1,), 0.5), noise)[1] for batch in batches)
    assert not torch.equal(driven, still)
    slow = write_roads(tmp_path / "slow", training=2, held_out=1, fps=8.0)
    with pytest.raises(InputError, match="expected 10, the rate of Cosmos 3's driving actions"):
        prepare_backbone(dataclasses.replace(config, data=dataclasses.replace(config.data, urls=(slow,))), context)
    two = dataclasses.replace(config, tune=dataclasses.replace(config.tune, known_frames=(1, 5)))
    with pytest.raises(InputError, match=r"1 with tune\.ego: cosmos3 drives on from one picture"):
        prepare_backbone(two, context)


def test_dora_is_fresh_the_base_and_learns_magnitudes(base, roads, tmp_path):
    config = tune_config(tmp_path / "run", base, roads, adapter=AdapterConfig("dora", rank=4, alpha=4.0))
    context = PreparationContext(Accelerator(cpu=True))
    made = build_backbone_task(config, prepare_backbone(config, context), context)
    fresh, pretrained = made.adapter_outputs()
    torch.testing.assert_close(fresh, pretrained, atol=1e-5, rtol=1e-5)  # its weights are normalised and scaled back
    assert any("lora_magnitude" in name for name, p in made.module.named_parameters() if p.requires_grad)


@pytest.mark.slow
def test_a_dora_adapter_loads_where_it_was_trained(base, roads, tmp_path):
    from worldgen.generation.sample.model_loading import load_world_model

    train(tune_config(tmp_path / "run", base, roads, adapter=AdapterConfig("dora", rank=4, alpha=4.0)), launch=Launch())
    plain = load_world_model(str(base), device="cpu").model
    model = load_world_model(str(base), adapter=str(tmp_path / "run/adapter"), device="cpu").model
    one, other = (m.pipeline.transformer.state_dict()["blocks.0.attn1.to_q.weight"] for m in (plain, model))
    assert not torch.equal(one, other)
