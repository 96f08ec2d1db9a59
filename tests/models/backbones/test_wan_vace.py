"""Wan VACE with diffusers' own classes at tiny size: what a request changes, what comes back, and what is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from worldgen.core.camera import Camera
from worldgen.core.clip import Clip
from worldgen.core.ego import EgoMotion
from worldgen.core.errors import InputError
from worldgen.core.samples import Conditions
from worldgen.models.backbones.backbone import ChunkInputs
from worldgen.models.backbones.chunk_plan import ChunkSpan
from worldgen.models.backbones.options import BackboneConfig
from worldgen.models.backbones.registry import load_backbone
from worldgen.models.backbones.wan_vace import WanVace, conditioning, shifted
from worldgen.models.interface import SamplerOptions, sampler_options

WIDTH, HEIGHT = 48, 32
CPU = torch.device("cpu")


def noise(frames: int, seed: int = 0, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (frames, height, width, 3), np.uint8)


def request(frames: int = 9, *, context: int = 0, **changes) -> Conditions:
    known = Clip(noise(context, 5), 16.0) if context else None
    camera = Camera.from_fov(WIDTH, HEIGHT, 70.0)
    return Conditions(frames, 16.0, **{"text": "a car at night in rain", "context": known, "camera": camera, **changes})


def sampled(model, asked: Conditions, **options) -> np.ndarray:
    return model([asked], sampler_options(model.promise, **{"steps": 2, **options}))[0].frames


def change(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(int) - other.astype(int)).mean())


@pytest.fixture(scope="module")
def plain(vace) -> np.ndarray:
    return sampled(vace, request())


def test_a_clip_has_the_asked_shape_and_equal_seeds_give_equal_clips(vace, plain):
    assert plain.shape == (9, HEIGHT, WIDTH, 3) and plain.dtype == np.uint8 and plain.std() > 1
    np.testing.assert_array_equal(sampled(vace, request()), plain)
    assert change(sampled(vace, request(seed=1)), plain) > 0.5


def test_a_request_does_not_depend_on_the_others_of_its_call(vace, plain):
    one, other = vace([request(seed=1), request()], sampler_options(vace.promise, steps=2))
    np.testing.assert_array_equal(other.frames, plain)
    assert change(one.frames, plain) > 0.5


@pytest.mark.parametrize("name", ["depth", "seg", "edge", "blur", "sketch", "boxes"])
def test_each_control_changes_the_clip(vace, plain, name):
    controlled = sampled(vace, request(controls={name: noise(9)}))
    other = sampled(vace, request(controls={name: noise(9, 1)}))
    assert change(controlled, plain) > 0.01 and change(controlled, other) > 0.01  # random weights: a small change


def test_words_negative_words_reference_and_strength_change_the_clip(vace, plain):
    control = {"depth": noise(9)}
    controlled = sampled(vace, request(controls=control))
    assert change(sampled(vace, request(text="a clear dark road")), plain) > 0
    assert change(sampled(vace, request(negative_text="a clear dark road")), plain) > 0
    assert change(sampled(vace, request(reference=noise(1)[0])), plain) > 0.1
    assert change(sampled(vace, request(controls=control), guidance={"control": 0.3}), controlled) > 0.1
    assert change(sampled(vace, request(), shift=9.0), plain) > 0.1


@pytest.mark.parametrize("context", [1, 5])
def test_known_frames_come_back_bit_for_bit_though_the_network_makes_them_anew(vace, context):
    asked = request(context=context, controls={"depth": noise(9)})
    parts = list(vace.stream([asked], sampler_options(vace.promise, steps=2)))
    assert [len(part[0]) for part in parts] == [context, 9 - context]
    np.testing.assert_array_equal(parts[0][0].frames, asked.context.frames)
    inputs = vace.prepare([asked], sampler_options(vace.promise, steps=2))
    known, generator = asked.context.frames, torch.Generator().manual_seed(0)
    chunk = ChunkInputs(
        inputs.spans[0], (WIDTH, HEIGHT), 16.0, known, asked.controls, None, inputs.words[0], None, generator,
        inputs.options,
    )  # fmt: skip
    made = vace.make_chunk(chunk)
    assert change(made[:context], asked.context.frames) > 5  # why they are put back


def test_other_known_frames_make_other_new_ones(vace):
    same, other = request(context=5), request(context=5)
    other = dataclasses.replace(other, context=Clip(noise(5, 9), 16.0))
    assert change(sampled(vace, same)[5:], sampled(vace, other)[5:]) > 0.1


def test_a_long_clip_is_made_in_chunks_that_see_the_end_of_the_one_before(vace):
    asked = request(17, controls={"depth": noise(17)})
    options = sampler_options(vace.promise, steps=2, chunk=9)
    seen = []

    def watched(chunk):
        made = WanVace.make_chunk(vace, chunk)
        seen.append((chunk, made))
        return made

    vace.make_chunk = watched
    try:
        clip = vace([asked], options)[0].frames
    finally:
        del vace.make_chunk
    assert len(clip) == 17 and vace.seams(asked, options) == (9, 13)
    assert [(c.span.start, c.span.stop, c.span.known) for c, _ in seen] == [(0, 9, 0), (4, 13, 5), (8, 17, 5)]
    for chunk, made in seen:
        np.testing.assert_array_equal(chunk.known, clip[chunk.span.start : chunk.span.first_new])
        np.testing.assert_array_equal(
            chunk.controls["depth"], asked.controls["depth"][chunk.span.start : chunk.span.stop]
        )
        np.testing.assert_array_equal(made[chunk.span.known :], clip[chunk.span.first_new : chunk.span.stop])
    assert min(change(one, other) for one, other in zip(clip[1:], clip, strict=False)) > 0  # no repeated frame


def test_colours_are_held_against_the_chunk_before(vace_folder):
    config = BackboneConfig(colour_hold=1.0)
    held, free = (load_backbone(str(vace_folder), c, CPU) for c in (config, BackboneConfig()))
    asked = request(13)
    one, other = (sampled(model, asked, chunk=9) for model in (held, free))
    np.testing.assert_array_equal(one[:9], other[:9])
    assert change(one[9:], other[9:]) > 0.5


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"frames": 18}, r"number of frames: received 18; expected 4k\+1 from 5 \(as in 17 or 21\)"),
        ({"context": 3, "frames": 9}, r"context frames: received 3"),
        ({"ego": EgoMotion(np.ones(9), np.zeros(9), 16.0)}, "does not honour: received 'ego'.*native"),
        ({"layout": np.zeros((9, 2, 4, 4), np.float16)}, "does not honour: received 'layout'.*native"),
        ({"controls": {"wsm": noise(9)}}, "controls this model does not honour: received 'wsm'"),
        ({"controls": {"depth": noise(9), "edge": noise(9)}}, "at most 1"),
        ({"camera": Camera.from_fov(40, 32, 70.0)}, "frame size: received 40x32; expected multiples of 16"),
        ({"text": None}, "prompt"),
        ({"text": "rain " * 600}, "601 tokens; expected at most 512"),
    ],
)
def test_what_the_family_cannot_do_is_one_clear_line(vace, changes, line):
    with pytest.raises(InputError, match=line):
        list(vace.stream([request(**{"frames": 9, **changes})]))


def test_chunks_and_guidance_that_do_not_fit_are_refused(vace):
    for options, line in (
        ({"chunk": 8}, r"frames per chunk: received 8; expected 4k\+1"),
        ({"chunk": 5}, "overlap of chunks in frames: received 5; expected fewer"),
        ({"guidance": {"layout": 2.0}}, "layout"),
    ):
        with pytest.raises(InputError, match=line):
            vace.prepare([request(13)], sampler_options(vace.promise, steps=1, **options))


def test_a_control_lies_on_the_grid_of_the_clip_in_the_network_too(vace):
    """The pipeline keeps a video of another size on its own grid in silence; ours reach it at exactly its size."""
    seen = {}

    def encoded(video, *rest, real=vace.pipeline.prepare_video_latents):
        seen["shape"] = tuple(video.shape)
        return real(video, *rest)

    vace.pipeline.prepare_video_latents = encoded
    try:
        sampled(vace, request(controls={"depth": noise(9)}), steps=1)
    finally:
        del vace.pipeline.prepare_video_latents
    assert seen["shape"] == (1, 3, 9, HEIGHT, WIDTH)


def test_masks_say_which_frames_are_known():
    control = noise(5)
    chunk = ChunkInputs(
        ChunkSpan(0, 5, 1), (WIDTH, HEIGHT), 16.0, noise(1, 3), {"depth": control}, None, {}, None,
        torch.Generator(), SamplerOptions(),
    )  # fmt: skip
    (video,), (mask,) = conditioning(chunk)
    np.testing.assert_allclose(video[0], noise(1, 3)[0] / 255, atol=1e-6)
    np.testing.assert_allclose(video[1:], control[1:] / 255, atol=1e-6)
    assert mask[0].max() == 0 and mask[1:].min() == 1
    (grey,), _ = conditioning(dataclasses.replace(chunk, controls={}))
    assert (grey[1:] == 0.5).all()
    assert conditioning(dataclasses.replace(chunk, controls={}, known=noise(0))) == (None, None)


def test_the_form_with_two_transformers_uses_both(two_vace_folder):
    model = load_backbone(str(two_vace_folder), BackboneConfig(), CPU)
    assert {"transformer", "transformer_2"} <= set(model.counts)
    calls = {"transformer": 0, "transformer_2": 0}
    for name in tuple(calls):
        getattr(model.pipeline, name).register_forward_pre_hook(
            lambda module, inputs, name=name: calls.update({name: calls[name] + 1})
        )
    sampled(model, request(controls={"depth": noise(9)}), steps=4)
    assert min(calls.values()) > 0 and sum(calls.values()) == 8  # with guidance, two evaluations a step


def test_the_shift_of_the_noise_schedule_is_set_and_one_without_a_shift_is_refused(vace):
    from diffusers import DDIMScheduler, FlowMatchEulerDiscreteScheduler

    assert shifted(vace.pipeline.scheduler, 7.0).config.flow_shift == 7.0
    assert shifted(FlowMatchEulerDiscreteScheduler(shift=3.0), 5.0).config.shift == 5.0
    with pytest.raises(InputError, match="DDIMScheduler has no shift"):
        shifted(DDIMScheduler(), 5.0)


def test_values_that_are_not_finite_are_a_fault_of_the_clip(vace):
    real = vace.pipeline.vae.decoder.conv_out.bias.data.clone()
    vace.pipeline.vae.decoder.conv_out.bias.data.fill_(float("nan"))
    try:
        with pytest.raises(FloatingPointError, match="not finite"):
            sampled(vace, request(5), steps=1)
    finally:
        vace.pipeline.vae.decoder.conv_out.bias.data.copy_(real)
