"""Contracts of diffusers, peft and accelerate with the transformer, at tiny size on the CPU."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.models.build import conditions, noisy_weights, text_of
from worldgen.core.errors import InputError
from worldgen.models.native.adapters import attach_lora
from worldgen.models.native.blocks import PictureStem
from worldgen.models.native.codec import LATENT_CHANNELS
from worldgen.models.native.sizes import build_transformer
from worldgen.models.native.transformer import WorldTransformer

ROWS, COLUMNS, FRAMES = 4, 6, 3


def transformer() -> WorldTransformer:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return noisy_weights(build_transformer("tiny")).eval()


def arguments() -> tuple:
    generator = torch.Generator().manual_seed(0)
    latents = torch.randn(1, LATENT_CHANNELS, FRAMES, ROWS, COLUMNS, generator=generator)
    reprojected = torch.rand(1, LATENT_CHANNELS + 1, FRAMES, ROWS, COLUMNS, generator=generator)
    known = conditions(1, FRAMES, rows=ROWS, columns=COLUMNS)
    return latents, torch.full((1, FRAMES), 0.5), reprojected, known, text_of(known)


@torch.no_grad()
def test_frames_for_the_cache_go_through_forward():
    """Hooks that load or cast weights act on forward."""
    model, called = transformer(), []
    model.register_forward_hook(lambda *_: called.append(True))
    cache = model.new_cache()
    model.append_to_cache(*arguments(), cache=cache)
    assert called == [True] and cache.num_frames == FRAMES


@torch.no_grad()
def test_an_adapter_on_the_map_of_pictures_acts():
    model, given = transformer(), arguments()
    before = model(*given)
    assert attach_lora(model, ["picture_stem"], rank=2, alpha=2.0) == ["picture_stem"]
    torch.testing.assert_close(model(*given), before)
    for name, parameter in model.named_parameters():
        if ".lora_B." in name:
            nn.init.normal_(parameter, std=0.5)
    assert (model(*given) - before).abs().max() > 1e-3


def test_light_that_is_added_has_no_offset():
    stem, cells = PictureStem(5, 3), torch.rand(4, 5)
    assert torch.equal(stem(cells), nn.functional.linear(cells, stem.weight, stem.bias))
    assert torch.equal(stem(cells, offset=False), nn.functional.linear(cells, stem.weight))


@torch.no_grad()
def test_layerwise_casting_computes_in_float32_what_is_stored_in_bfloat16():
    model, given = transformer(), arguments()
    rounded = transformer()
    for module in rounded.modules():
        if isinstance(module, (nn.Linear, nn.Conv2d)):
            for parameter in module.parameters(recurse=False):
                parameter.copy_(parameter.to(torch.bfloat16))
    model.enable_layerwise_casting(
        storage_dtype=torch.bfloat16, compute_dtype=torch.float32, skip_modules_pattern=("norm",)
    )
    assert model.stem.weight.dtype == torch.bfloat16
    velocity = model(*given)
    assert velocity.dtype == torch.float32
    torch.testing.assert_close(velocity, rounded(*given), atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_weights_that_wait_elsewhere_give_the_same(tmp_path):
    from accelerate import cpu_offload, disk_offload

    given, expected = arguments(), transformer()(*arguments())
    waiting = cpu_offload(transformer(), execution_device=torch.device("cpu"))
    assert waiting.stem.weight.device.type == "meta" and torch.equal(waiting(*given), expected)
    cache = waiting.new_cache()
    waiting.append_to_cache(*given, cache=cache)
    assert cache.num_frames == FRAMES
    on_disk = disk_offload(transformer(), str(tmp_path), execution_device=torch.device("cpu"))
    assert torch.equal(on_disk(*given), expected)


def test_repeated_blocks_name_classes_of_the_network():
    kinds = {type(module).__name__ for module in transformer().modules()}
    assert set(WorldTransformer._repeated_blocks) <= kinds
    with pytest.raises(InputError):
        attach_lora(transformer(), ["no_such_layer"], rank=2, alpha=2.0)
