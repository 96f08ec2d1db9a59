"""Contracts of diffusers, peft and accelerate with the transformer, at tiny size on the CPU."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
import torch
from diffusers.utils.outputs import BaseOutput
from torch import nn

from tests.models.build import conditions, noisy_weights, text_of
from worldgen.models.native.adapters import attach_lora
from worldgen.models.native.blocks import PictureStem
from worldgen.models.native.codec import LATENT_CHANNELS, build_codec
from worldgen.models.native.sizes import build_pipeline, build_transformer
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


@torch.no_grad()
@pytest.mark.slow
def test_repeated_blocks_compile_whole_and_compute_the_same():
    """fullgraph: a break inside a block is an error. The backend "eager" runs what was captured, to the bit."""
    model, given = transformer(), arguments()
    expected, cache = model(*given), model.new_cache()
    model.append_to_cache(*given, cache=cache)
    continued = model(*given, cache=cache)
    model.compile_repeated_blocks(backend="eager", fullgraph=True)
    kinds = {type(module).__name__ for module in model.modules() if module._compiled_call_impl is not None}
    assert kinds == set(WorldTransformer._repeated_blocks)
    cache = model.new_cache()
    model.append_to_cache(*given, cache=cache)
    assert torch.equal(model(*given), expected) and torch.equal(model(*given, cache=cache), continued)


@torch.no_grad()
@pytest.mark.slow
def test_the_exported_network_computes_the_same():
    model, given = transformer(), arguments()
    exported = torch.export.export(model, given)
    assert torch.equal(exported.module()(*given), model(*given))


def test_conditions_are_known_to_pytrees():
    known = arguments()[3]
    leaves, spec = torch.utils._pytree.tree_flatten(known)
    again = torch.utils._pytree.tree_unflatten(leaves, spec)
    assert all(getattr(again, field.name) is getattr(known, field.name) for field in fields(known))
    assert len(leaves) == len(fields(known))


def test_gradient_checkpointing_gives_the_same_gradients():
    plain, saving, given = transformer(), transformer(), arguments()
    ran = []
    saving.enable_gradient_checkpointing()
    for block in (*saving.attention, *saving.detail_in):
        block.register_forward_pre_hook(lambda *_: ran.append(1))
    for model in (plain, saving):
        model.train()
        model(*given).square().mean().backward()
    assert len(ran) == 2 * len((*saving.attention, *saving.detail_in)), "each block runs again backwards"
    found = dict(saving.named_parameters())
    for name, parameter in plain.named_parameters():
        assert parameter.grad is not None and torch.equal(found[name].grad, parameter.grad), name


def test_gradient_checkpointing_leaves_a_cache_as_it_is():
    plain, saving, given = transformer(), transformer(), arguments()
    saving.enable_gradient_checkpointing()
    gradients = []
    for model in (plain, saving):
        cache = model.train().new_cache()
        model.append_to_cache(*given, cache=cache)
        model(*given, cache=cache).square().mean().backward()
        assert cache.num_frames == FRAMES and cache._pairs[0][0].shape[2] == FRAMES
        gradients.append(model.stem.weight.grad)
    assert torch.equal(*gradients)


@torch.no_grad()
def test_a_network_in_bfloat16_computes_in_it():
    model, given = transformer(), arguments()
    expected = model(*given)
    given = [each.to(torch.bfloat16) if isinstance(each, torch.Tensor) else each for each in given]
    found = model.to(torch.bfloat16)(*given)
    assert found.dtype == torch.bfloat16
    # Eight bits of mantissa, rounded anew in each of some 20 layers.
    assert (found.float() - expected).abs().max() < 20 * 2**-8 * expected.abs().max()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_pipeline_in_half_precision_makes_about_the_same_clip(dtype):
    from tests.models.native.test_pipeline import FAST, request

    pipe = build_pipeline("tiny", words=["a pedestrian at night"])
    noisy_weights(pipe.transformer, 0.02)
    plain = pipe([request()], FAST)[0].frames.astype(float)
    found = pipe.to(dtype)([request()], FAST)[0].frames
    assert {pipe.transformer.dtype, pipe.codec.dtype, pipe.text_encoder.dtype} == {dtype}
    assert np.abs(found - plain).mean() < 4  # of 255


def test_saved_networks_keep_the_memory_layout_of_fresh_ones(tmp_path):
    for network in (transformer(), build_codec("tiny")):
        network.save_pretrained(tmp_path / type(network).__name__)
        loaded = type(network).from_pretrained(tmp_path / type(network).__name__)
        images = [name for name, p in network.named_parameters() if p.ndim == 4]
        assert images
        for name in images:
            fresh, read = network.get_parameter(name), loaded.get_parameter(name)
            assert torch.equal(read, fresh) and read.is_contiguous(memory_format=torch.channels_last), name
            assert read.stride() == fresh.stride(), name


def test_the_pipeline_returns_an_output_of_diffusers():
    from tests.models.native.test_pipeline import FAST, request

    pipe, requests = build_pipeline("tiny"), [request(1), request(2)]
    clips = pipe(requests, FAST)
    output = pipe(requests, FAST, return_dict=True)
    assert isinstance(output, BaseOutput) and output.fps == clips[0].fps
    assert output["frames"] is output.frames is output[0]
    assert np.array_equal(output.frames, np.stack([clip.frames for clip in clips]))
    leaves, spec = torch.utils._pytree.tree_flatten(output)
    assert torch.utils._pytree.tree_unflatten(leaves, spec).frames is output.frames
