"""Adapters of fine-tuned models: sampled with, loaded by diffusers, merged, and refused where they do not belong."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.models.backbones import tiny_families
from worldgen.core.clip import Clip
from worldgen.core.ego import EgoMotion
from worldgen.core.errors import InputError
from worldgen.core.samples import Conditions
from worldgen.generation.sample.model_loading import load_world_model
from worldgen.models.backbones.options import BackboneConfig
from worldgen.models.backbones.registry import load_backbone
from worldgen.models.backbones.tuned.ego_injector import EgoInjector, EgoInjectorSizes
from worldgen.models.backbones.tuned.merging import EGO_FOLDER, merge_tuned
from worldgen.models.backbones.tuned.tuned_adapter import (
    EGO_FILE,
    LORA_FILE,
    RECORD,
    TunedRecord,
    is_tuned_adapter,
    read_tuned_record,
    write_tuned_record,
)
from worldgen.models.interface import sampler_options

CONFIG = BackboneConfig(overlap_frames=1, chunk_frames=5)
SIZES = EgoInjectorSizes(width=24, frames_per_latent=4, hidden=16)


@pytest.fixture(scope="module")
def adapter(vace_folder, tmp_path_factory) -> Path:
    """A LoRA with random updates on two layers, and an ego injector with random weights."""
    from diffusers import WanVACEPipeline

    folder = tmp_path_factory.mktemp("tuned")
    generator = torch.Generator().manual_seed(4)
    layers = {}
    for name in ("blocks.0.attn1.to_q", "blocks.1.ffn.net.2"):
        wide, out = (32, 24) if "ffn" in name else (24, 24)
        layers[f"{name}.lora_A.weight"] = torch.randn(2, wide, generator=generator)
        layers[f"{name}.lora_B.weight"] = torch.randn(out, 2, generator=generator)
    WanVACEPipeline.save_lora_weights(folder, transformer_lora_layers=layers)
    torch.manual_seed(5)
    injector = EgoInjector(SIZES)
    torch.nn.init.normal_(injector.shift.weight, std=0.3)
    save_file(injector.state_dict(), folder / EGO_FILE)
    base = load_backbone(str(vace_folder), CONFIG, torch.device("cpu"))
    record = TunedRecord(
        "wan_vace", str(vace_folder), base.weights_hash, ego=SIZES, fps=8.0, num_frames=5, size_px=(32, 32)
    )
    write_tuned_record(folder, record)
    return folder


def motion(speed: float) -> EgoMotion:
    return EgoMotion(np.full(5, speed), np.zeros(5), 8.0)


def sampled(model, ego: EgoMotion | None) -> np.ndarray:
    known = Clip(np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3), np.uint8), 8.0)
    request = Conditions(5, 8.0, text="a car at night", context=known, ego=ego)
    return model([request], sampler_options(model.promise, steps=2, chunk=5))[0].frames.astype(int)


def loaded(folder: Path, adapter: Path):
    return load_world_model(str(folder), adapter=str(adapter), device="cpu", backbone=CONFIG).model


def test_ego_motion_becomes_a_condition_that_changes_the_clip(vace_folder, adapter):
    model = loaded(vace_folder, adapter)
    assert "ego" in model.promise.conditions and "ego" in model.accepts
    slow, same, fast = (sampled(model, motion(v)) for v in (3, 3, 18))
    np.testing.assert_array_equal(slow, same)
    assert np.abs(slow - fast).mean() > 0.1
    base = load_backbone(str(vace_folder), CONFIG, torch.device("cpu"))
    assert np.abs(sampled(model, None) - sampled(base, None)).mean() > 0.1, "the LoRA acts without ego motion"
    assert model.weights_hash != base.weights_hash


def test_diffusers_loads_the_lora(vace_folder, adapter):
    from diffusers import WanVACEPipeline

    pipeline = WanVACEPipeline.from_pretrained(vace_folder)
    pipeline.load_lora_weights(adapter, weight_name=LORA_FILE)
    names = {name for name, _ in pipeline.transformer.named_parameters() if ".lora_B." in name}
    assert len(names) == 2


def test_merged_weights_sample_the_same_and_ego_motion_stays_an_adapter(vace_folder, adapter, tmp_path):
    rest = merge_tuned(adapter, tmp_path / "merged")
    assert rest == tmp_path / "merged" / EGO_FOLDER and not (rest / LORA_FILE).exists()
    one, other = loaded(vace_folder, adapter), loaded(tmp_path / "merged", rest)
    np.testing.assert_array_equal(sampled(one, motion(6)), sampled(other, motion(6)))
    with pytest.raises(InputError, match="a name that is free"):
        merge_tuned(adapter, tmp_path / "merged")
    with pytest.raises(InputError, match=r"base of adapter.*other weights"):
        loaded(vace_folder, rest)


def changed(adapter: Path, folder: Path) -> Path:
    shutil.copytree(adapter, folder)
    assert is_tuned_adapter(folder)
    return folder


def test_the_adapter_of_another_base_is_refused(adapter, tmp_path):
    other = tiny_families.save_wan_vace(tmp_path / "Other-VACE", seed=1)
    with pytest.raises(InputError, match=r"base of adapter .* other weights; expected .* on which it was trained"):
        loaded(other, adapter)
    with pytest.raises(InputError, match="under adapter"):
        merge_tuned(adapter, tmp_path / "merged", model=str(other))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("missing tensor", r"tensors of .*: received 3; expected the 4 that were written"),
        ("missing file", r"no ego.safetensors; expected the 4 tensors"),
        ("other content", "other content"),
        ("zero", "an adapter whose update is zero"),
        ("family", "family of adapter .*wan_i2v.*; expected an adapter of the family wan_vace"),
        ("version", "version 9 of kind"),
    ],
)
def test_what_is_not_whole_is_refused_before_the_model_is_read(vace_folder, adapter, tmp_path, change, message):
    folder = changed(adapter, tmp_path / "changed")
    record = read_tuned_record(folder)
    tensors = load_file(folder / LORA_FILE)
    if change == "missing tensor":
        tensors.popitem()
        save_file(tensors, folder / LORA_FILE)
    elif change == "missing file":
        (folder / EGO_FILE).unlink()
    elif change == "other content":
        save_file({name: tensor + 1 for name, tensor in tensors.items()}, folder / LORA_FILE)
    elif change == "zero":
        for file in (LORA_FILE, EGO_FILE):
            save_file({n: torch.zeros_like(t) for n, t in load_file(folder / file).items()}, folder / file)
        write_tuned_record(folder, record)
    elif change == "family":
        write_tuned_record(folder, dataclasses.replace(record, family="wan_i2v"))
    else:
        values = json.loads((folder / RECORD).read_text())
        (folder / RECORD).write_text(json.dumps(values | {"adapter_version": 9}))
    with pytest.raises(InputError, match=message):
        loaded(vace_folder, folder)


def test_tensors_that_fit_no_layer_are_refused(vace_folder, adapter, tmp_path):
    folder = changed(adapter, tmp_path / "changed")
    record = read_tuned_record(folder)
    tensors = load_file(folder / LORA_FILE)
    tensors["transformer.blocks.7.attn1.to_q.lora_A.weight"] = torch.ones(2, 24)
    tensors["transformer.blocks.7.attn1.to_q.lora_B.weight"] = torch.ones(24, 2)
    save_file(tensors, folder / LORA_FILE)
    write_tuned_record(folder, record)
    with pytest.raises(InputError, match=r"adapter|LoRA"):
        loaded(vace_folder, folder)
