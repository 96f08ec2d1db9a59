"""Adapters: identity at the start, a round trip on disk, and refusals."""

from __future__ import annotations

import json

import pytest
import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from diffusers.loaders import PeftAdapterMixin
from safetensors.torch import load_file, save_file
from torch import nn

from worldgen.core.errors import InputError
from worldgen.models.native.adapters import (
    WEIGHTS_NAME,
    adapters_off,
    attach_lora,
    base_hash,
    load_adapter,
    save_adapter,
)


class Tiny(ModelMixin, ConfigMixin, PeftAdapterMixin):
    @register_to_config
    def __init__(self, width: int = 6):
        super().__init__()
        self.to_q = nn.Linear(width, width)
        self.inner = nn.ModuleDict({"to_q": nn.Linear(width, width), "conv": nn.Conv2d(width, width, 1)})

    def forward(self, x):
        y = self.inner["to_q"](torch.relu(self.to_q(x)))
        return self.inner["conv"](y[..., None, None])[..., 0, 0]


def tiny(seed=0) -> Tiny:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Tiny()


def trained(model: Tiny) -> Tiny:
    names = attach_lora(model, ["to_q", "inner.conv"], rank=2, alpha=4.0)
    assert names == ["inner.conv", "inner.to_q", "to_q"]
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, p in model.named_parameters():
            assert p.requires_grad == (".lora_" in name)
            if ".lora_B." in name:
                p.copy_(torch.randn(p.shape, generator=generator))
    return model


X = torch.linspace(-1, 1, 18).reshape(3, 6)


def test_a_fresh_adapter_changes_nothing():
    model = tiny()
    before = model(X)
    attach_lora(model, ["to_q"], rank=2, alpha=2.0)
    assert torch.equal(model(X), before)


def test_round_trip_is_exact_and_off_means_off(tmp_path):
    model = trained(tiny())
    save_adapter(model, tmp_path, notes={"steps": 3})
    again = tiny()
    load_adapter(again, tmp_path)
    assert torch.equal(again(X), model(X))
    with adapters_off(again):
        assert torch.equal(again(X), tiny()(X))
    assert torch.equal(again(X), model(X))
    assert json.loads((tmp_path / "adapter.json").read_text())["steps"] == 3


def test_scale_zero_is_the_base_and_scale_is_used(tmp_path):
    save_adapter(trained(tiny()), tmp_path)
    none = tiny()
    load_adapter(none, tmp_path, scale=0.0)
    assert torch.allclose(none(X), tiny()(X), atol=1e-6)
    half = tiny()
    load_adapter(half, tmp_path, scale=0.5)
    assert not torch.allclose(half(X), tiny()(X), atol=1e-2)


def test_base_hash_ignores_adapters_and_sees_weights():
    model = tiny()
    plain = base_hash(model)
    assert base_hash(trained(model)) == plain != base_hash(tiny(1))


def test_target_that_matches_nothing_is_refused_with_near_names():
    with pytest.raises(InputError, match=r"adapter target: received 'to_k'; expected .*to_q"):
        attach_lora(tiny(), ["to_q", "to_k"], rank=2, alpha=2.0)


def test_adapter_of_other_weights_is_refused_unless_allowed(tmp_path):
    save_adapter(trained(tiny()), tmp_path)
    with pytest.raises(InputError, match="trained on weights"):
        load_adapter(tiny(1), tmp_path)
    load_adapter(tiny(1), tmp_path, any_base=True)


@pytest.mark.parametrize("fault", ["stray", "half", "shape", "empty"])
def test_tensors_without_a_place_are_refused(tmp_path, fault):
    save_adapter(trained(tiny()), tmp_path)
    path = tmp_path / WEIGHTS_NAME
    tensors = load_file(path)
    if fault == "stray":
        tensors["nowhere.lora_A.weight"] = torch.zeros(2, 6)
    elif fault == "half":
        del tensors["to_q.lora_B.weight"]
    elif fault == "shape":
        tensors["to_q.lora_A.weight"] = torch.zeros(2, 5)
    else:
        tensors = {}
    save_file(tensors, path)
    with pytest.raises(InputError, match=r"adapter .*expected pairs that fit"):
        load_adapter(tiny(), tmp_path)


def test_a_pickle_and_a_cut_file_are_refused(tmp_path):
    (tmp_path / "pytorch_lora_weights.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(InputError, match=r"the pickle pytorch_lora_weights\.bin"):
        load_adapter(tiny(), tmp_path)
    save_adapter(trained(tiny()), tmp_path)
    path = tmp_path / WEIGHTS_NAME
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(InputError, match="a whole adapter"):
        load_adapter(tiny(), tmp_path)
