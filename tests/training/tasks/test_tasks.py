"""Both tasks from data set to saved model, at tiny size: they learn, resume bit for bit, and refuse what is wrong."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from tests.training.loop.test_trainer import StopAfter, curve, same_state
from worldgen.core.errors import InputError
from worldgen.models.native.adapters import load_adapter
from worldgen.models.native.codec import build_codec
from worldgen.models.native.loading import load_codec, load_pipeline
from worldgen.training.launch import Launch
from worldgen.training.loop.optimisation import TrainingError
from worldgen.training.loop.record import read_metrics
from worldgen.training.run import train
from worldgen.training.train_config import AdapterConfig, DataConfig, InitConfig, OptimConfig, TrainConfig


def latents_of(dataset: str) -> str:
    """A folder for latents that all tests of a data set share: caches are named by content, and encoding is slow."""
    return f"{dataset}-latents"


def config(task, output, dataset, **changes) -> TrainConfig:
    data = DataConfig(
        urls=(dataset,), width_px=32, height_px=32, num_frames=3, flip=0.5, strides=(1, 2), cache=latents_of(dataset)
    )
    values = dict(
        task=task, output=str(output), device="cpu", data=data, steps=4, batch=2, save_every=2, validate_every=0,
        optim=OptimConfig(lr=3e-3, warmup=1, ema_decay=0.9),
    )  # fmt: skip
    return TrainConfig(**{**values, **changes})


def run(config, stop=lambda: False):
    """Train; ``stop`` is asked only once preparations are over and steps are counted."""
    lines: list[str] = []
    metrics = Path(config.output) / "metrics.jsonl"
    launch = Launch("worldgen train", log=lines.append, stop=lambda: metrics.exists() and stop())
    outcome = train(config, launch=launch)
    return outcome, lines


def test_codec_learns_resumes_exactly_and_is_saved(tmp_path, dataset):
    whole = config("codec", tmp_path / "whole", dataset, steps=30, save_every=10, validate_every=15, sheet_every=30)
    run(whole)
    halves = dataclasses.replace(whole, output=str(tmp_path / "halves"))
    run(halves, StopAfter(13))
    run(halves)
    assert curve(tmp_path / "whole") == curve(tmp_path / "halves")
    assert same_state(tmp_path / "whole/checkpoints/step_00000030", tmp_path / "halves/checkpoints/step_00000030")
    _, first, last = read_metrics(tmp_path / "whole/metrics.jsonl", "val")
    assert last["psnr_db"] > first["psnr_db"]
    codec = load_codec(tmp_path / "whole/model")
    assert not torch.equal(codec.encoder.project.weight, build_codec("tiny").encoder.project.weight)  # fitted
    sheet = np.asarray(Image.open(tmp_path / "whole/sheets/step_00000030.png"))
    assert sheet.shape == (64, 64, 3)  # two held-out clips, each above what the codec makes of it


def test_world_trains_from_a_codec_and_resumes_exactly(tmp_path, dataset, codec_folder):
    changes = dict(init=InitConfig(codec=str(codec_folder)), validate_every=2, sheet_every=4)
    whole = config("world", tmp_path / "whole", dataset, **changes)
    _, lines = run(whole)
    assert "conditions honoured: context, text, ego" in lines
    halves = dataclasses.replace(whole, output=str(tmp_path / "halves"))
    run(halves, StopAfter(3))
    run(halves)
    assert curve(tmp_path / "whole") == curve(tmp_path / "halves")
    assert same_state(tmp_path / "whole/checkpoints/step_00000004", tmp_path / "halves/checkpoints/step_00000004")
    held_out = read_metrics(tmp_path / "whole/metrics.jsonl", "val")
    assert [r["step"] for r in held_out] == [0, 2, 4] and {"loss", "t0.1", "t0.9"} <= held_out[0].keys()
    pipeline = load_pipeline(tmp_path / "whole/model")
    assert pipeline.accepts == ("context", "text", "ego") and pipeline.size_px == (32, 32)
    average = load_file(tmp_path / "whole/checkpoints/step_00000004/average.safetensors")
    saved = pipeline.transformer.state_dict()
    assert all(
        torch.equal(t, saved[n.removeprefix("transformer.")])
        for n, t in average.items()
        if n.startswith("transformer.")
    )
    sheet = np.asarray(Image.open(tmp_path / "whole/sheets/step_00000004.png"))
    assert sheet.shape[0] > 4 * 160 and sheet.shape[1] > 3 * 160  # two clips and what the model makes of them


def test_text_pretraining_happens_once_and_is_kept_with_the_run(tmp_path, dataset, codec_folder):
    changes = dict(init=InitConfig(codec=str(codec_folder)), text_captions=64, train_text_encoder=False)
    first = config("world", tmp_path / "first", dataset, **changes)
    _, lines = run(first)
    assert sum(line.startswith("captions read right") for line in lines) == 1
    right = json.loads((tmp_path / "first/words.json").read_text())
    assert {"weather", "light"} <= right["read_right"].keys()
    (tmp_path / "second").mkdir()
    for name in ("words.json", "words.safetensors"):
        shutil.copy(tmp_path / "first" / name, tmp_path / "second" / name)
    _, lines = run(dataclasses.replace(first, output=str(tmp_path / "second")))
    assert not any(line.startswith("captions read right") for line in lines)
    assert same_state(tmp_path / "first/checkpoints/step_00000004", tmp_path / "second/checkpoints/step_00000004")
    kept = load_file(tmp_path / "second/words.safetensors")
    saved = load_pipeline(tmp_path / "second/model").text_encoder.state_dict()
    assert kept.keys() == saved.keys() and all(torch.equal(t, saved[name]) for name, t in kept.items())


def test_overfit_one_reaches_its_loss_on_the_world_model(tmp_path, dataset, codec_folder):
    optim = OptimConfig(lr=3e-3, warmup=5, ema_decay=0.9)
    wanted = config(
        "world", tmp_path, dataset, init=InitConfig(codec=str(codec_folder)), steps=120, save_every=200, optim=optim,
        overfit_one=True, overfit_fraction=0.8,
    )  # fmt: skip
    _, lines = run(wanted)
    assert any("the set-up learns" in line for line in lines)


def test_lora_changes_the_output_and_loads_on_its_base_alone(tmp_path, dataset, pipeline_folder):
    wanted = config(
        "world",
        tmp_path,
        dataset,
        init=InitConfig(pipeline=str(pipeline_folder)),
        adapter=AdapterConfig("lora", rank=2),
    )
    run(wanted, StopAfter(3))
    _, lines = run(wanted)
    assert any("adapter on and off differs" in line for line in lines)
    assert not (tmp_path / "model").exists()
    run(dataclasses.replace(wanted, output=str(tmp_path / "whole")))
    assert curve(tmp_path) == curve(tmp_path / "whole")
    assert same_state(tmp_path / "checkpoints/step_00000004", tmp_path / "whole/checkpoints/step_00000004")
    pipeline = load_pipeline(pipeline_folder)
    load_adapter(pipeline.transformer, tmp_path / "adapter")
    saved = load_file(tmp_path / "adapter/pytorch_lora_weights.safetensors")
    average = load_file(tmp_path / "checkpoints/step_00000004/average.safetensors")
    assert len(saved) == len(average) and all(".lora_" in name for name in average)
    name = "attention.0.spatial.to_q.lora_B"
    assert torch.equal(saved[f"{name}.weight"], average[f"transformer.{name}.default.weight"])


def test_an_adapter_off_the_path_is_an_error(tmp_path, dataset, pipeline_folder):
    adapter = AdapterConfig("lora", rank=2, targets=("picture_stem",))  # the clips have no layout
    wanted = config("world", tmp_path, dataset, init=InitConfig(pipeline=str(pipeline_folder)), adapter=adapter)
    with pytest.raises(TrainingError, match="does not depend on any trained weight"):
        run(wanted)


def test_an_adapter_without_effect_is_an_error(tmp_path, dataset, pipeline_folder):
    init, adapter = InitConfig(pipeline=str(pipeline_folder)), AdapterConfig("lora", rank=2)
    with pytest.raises(TrainingError, match="the adapter does not change the output"):
        run(config("world", tmp_path, dataset, init=init, adapter=adapter, optim=OptimConfig(lr=1e-20)))
    assert not (tmp_path / "adapter").exists()


def test_full_fine_tune_starts_where_the_pipeline_stood(tmp_path, dataset, pipeline_folder):
    init = InitConfig(pipeline=str(pipeline_folder))
    run(config("world", tmp_path, dataset, init=init, train_text_encoder=False))
    before, after = load_pipeline(pipeline_folder), load_pipeline(tmp_path / "model")
    assert not torch.equal(before.transformer.head.weight, after.transformer.head.weight)
    for name in ("text_encoder", "codec"):
        old, new = getattr(before, name).state_dict(), getattr(after, name).state_dict()
        assert all(torch.equal(old[key], new[key]) for key in old)
    starts = json.loads((tmp_path / "run.json").read_text())["starts"]
    assert starts[0]["frozen"] == sum(p.numel() for p in before.text_encoder.parameters())


def test_adapter_target_that_matches_nothing(tmp_path, dataset, pipeline_folder):
    adapter = AdapterConfig("lora", targets=("to_queries",))
    with pytest.raises(InputError, match=r"adapter target: received 'to_queries'; expected .*to_q"):
        run(config("world", tmp_path, dataset, init=InitConfig(pipeline=str(pipeline_folder)), adapter=adapter))


@pytest.mark.parametrize("component", ["transformer", "codec", "text_encoder"])
@pytest.mark.parametrize("fault", ["missing", "extra", "shape"])
def test_every_tensor_of_a_pipeline_is_accounted_for(tmp_path, pipeline_folder, component, fault):
    folder = tmp_path / "pipeline"
    shutil.copytree(pipeline_folder, folder)
    path = next((folder / component).glob("*.safetensors"))
    tensors = load_file(path)
    name = sorted(tensors)[0]
    if fault == "missing":
        del tensors[name]
    elif fault == "extra":
        tensors["stowaway"] = torch.zeros(1)
    else:
        tensors[name] = torch.zeros(3, 3, 3)
    save_file(tensors, path, {"format": "pt"})
    words = {"missing": f"1 missing .{name}", "extra": "1 extra .stowaway", "shape": f"1 of another shape .{name}"}
    with pytest.raises(InputError, match=f"weights of {component}.*{words[fault]}"):
        load_pipeline(folder)


def test_pickled_weights_are_refused_by_name(tmp_path, pipeline_folder):
    folder = tmp_path / "pipeline"
    shutil.copytree(pipeline_folder, folder)
    safe = next((folder / "transformer").glob("*.safetensors"))
    safe.rename(safe.with_suffix(".bin"))
    with pytest.raises(InputError, match=r"the pickle .*diffusion_pytorch_model\.bin"):
        load_pipeline(folder)
    with pytest.raises(InputError, match="pickles are refused"):
        load_pipeline(safe.with_suffix(".bin"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(data=DataConfig()), "data.urls"),
        (dict(init=InitConfig()), "init.codec"),
        (dict(init=InitConfig(codec="nowhere")), "weights folder"),
        (dict(size="huge"), "size: received 'huge'"),
        (dict(data_frames=50), "training clips"),
    ],
    ids=["no data", "no codec", "codec absent", "size", "windows longer than clips"],
)
def test_bad_requests_are_one_line(tmp_path, dataset, codec_folder, changes, message):
    changes = dict(changes)
    base = config("world", tmp_path, dataset, init=InitConfig(codec=str(codec_folder)))
    frames = changes.pop("data_frames", None)
    if frames:
        changes["data"] = dataclasses.replace(base.data, num_frames=frames)
    with pytest.raises(InputError, match=message) as caught:
        run(dataclasses.replace(base, **changes))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "checkpoints").exists()
