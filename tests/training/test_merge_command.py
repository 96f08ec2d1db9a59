"""``worldgen train merge`` for adapters of the native model, and what it refuses."""

from __future__ import annotations

import json

import pytest
import torch

from worldgen.cli.main import main
from worldgen.models.native.adapters import attach_lora, load_adapter, save_adapter
from worldgen.models.native.loading import load_pipeline
from worldgen.models.native.transformer import WorldTransformer


@pytest.fixture
def adapter(pipeline_folder, tmp_path):
    """A LoRA with random updates."""
    transformer = load_pipeline(pipeline_folder).transformer
    attach_lora(transformer, ["to_q", "head"], rank=2, alpha=2.0)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in transformer.named_parameters():
            if ".lora_B." in name:
                parameter.copy_(torch.randn(parameter.shape, generator=generator))
    folder = tmp_path / "adapter"
    folder.mkdir()
    save_adapter(transformer, folder, notes={"base": str(pipeline_folder)})
    return folder


def effective(transformer: WorldTransformer) -> dict[str, torch.Tensor]:
    transformer.fuse_lora()
    transformer.unload_lora()
    return transformer.state_dict()


def test_the_merged_model_has_the_weights_of_base_and_adapter_together(adapter, pipeline_folder, tmp_path, capsys):
    out = tmp_path / "merged"
    assert main(["train", "merge", "--adapter", str(adapter), "--out", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"model": str(out), "adapter": None}
    merged, base = load_pipeline(out).transformer, load_pipeline(pipeline_folder).transformer
    plain = base.state_dict()["head.weight"].clone()
    load_adapter(base, adapter)
    together = effective(base)
    assert merged.state_dict().keys() == together.keys()
    assert all(torch.equal(tensor, together[name]) for name, tensor in merged.state_dict().items())
    assert not torch.equal(merged.head.weight, plain)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["merge", "--out", "x"], "--adapter: received nothing"),
        (["merge", "--adapter", "ADAPTER", "--out", "ADAPTER"], "a name that is free"),
        (["merge", "steps=3", "--adapter", "ADAPTER", "--out", "x"], "--adapter, --out and --model only"),
        (["--adapter", "ADAPTER", "steps=3"], "none without merge"),
        (["merge", "--adapter", "nowhere", "--out", "x"], "nowhere"),
    ],
)
def test_what_cannot_be_merged_is_refused_in_one_line(adapter, words, message, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    code = main(["train", *(str(adapter) if word == "ADAPTER" else word for word in words)])
    said = capsys.readouterr().err.strip()
    assert code == 2 and message in said and len(said.splitlines()) == 1
