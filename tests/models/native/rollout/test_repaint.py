"""Restyling rollouts: they begin at the source, end at a free clip, and belong to seed and source alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.models.build import noisy_weights
from tests.models.native.test_pipeline import FPS, FRAMES, request, some_clip
from worldgen.core.errors import InputError
from worldgen.models.interface import SamplerOptions
from worldgen.models.native.codec import decode_video, encode_video
from worldgen.models.native.pixels import clips_from_video, video_from_clips
from worldgen.models.native.rollout.noise import seeded_noise
from worldgen.models.native.rollout.repaint import restyle_clips
from worldgen.models.native.rollout.rollout import PartialNoise, Rollout, shifted_sigmas
from worldgen.models.native.sizes import build_pipeline

FAST = SamplerOptions(steps=2)


@pytest.fixture(scope="module")
def pipeline():
    pipe = build_pipeline("tiny", words=["a pedestrian at night in heavy rain"])
    noisy_weights(pipe.transformer, 0.05)
    return pipe


def difference(one, two) -> float:
    return float(np.abs(one.frames.astype(float) - two.frames.astype(float)).mean())


def test_no_noise_gives_the_clip_as_the_codec_shows_it(pipeline):
    source = some_clip(FRAMES)
    (out,) = restyle_clips(pipeline, [source], [request()], strength=1e-6, options=FAST)
    with torch.no_grad():
        shown = clips_from_video(
            decode_video(pipeline.codec, encode_video(pipeline.codec, video_from_clips([source]))), FPS
        )[0]
    assert difference(out, shown) < 0.02


def test_more_strength_is_further_from_the_source(pipeline):
    source = some_clip(FRAMES)
    clips = [restyle_clips(pipeline, [source], [request()], strength=s, options=FAST)[0] for s in (1e-6, 0.2, 0.9)]
    assert difference(clips[0], clips[1]) < difference(clips[0], clips[2])


def test_full_strength_is_a_free_clip(pipeline):
    (out,) = restyle_clips(pipeline, [some_clip(FRAMES)], [request(3)], strength=1.0, options=FAST)
    (free,) = pipeline([request(3)], FAST)
    assert np.array_equal(out.frames, free.frames)


def test_a_clip_does_not_depend_on_its_batch(pipeline):
    sources = [some_clip(FRAMES, seed) for seed in (1, 2)]
    both = restyle_clips(pipeline, sources, [request(5), request(6)], strength=0.5, options=FAST)
    alone = restyle_clips(pipeline, sources[1:], [request(6)], strength=0.5, options=FAST)
    assert difference(both[1], alone[0]) < 0.05


def test_context_stands_for_the_first_frames(pipeline):
    context = some_clip(2, seed=9)
    wanted = request(context=context)
    (out,) = restyle_clips(pipeline, [some_clip(FRAMES)], [wanted], strength=0.5, options=FAST)
    (free,) = pipeline([wanted], FAST)
    assert len(out) == FRAMES and np.array_equal(out.frames[:2], free.frames[:2])


@torch.no_grad()
def test_a_run_that_begins_at_part_noise_takes_the_scaled_levels(pipeline):
    """The first evaluation is at ``level`` times the first sigma, of the source under as much noise."""
    seen = []
    hook = pipeline.transformer.register_forward_pre_hook(
        lambda module, given: seen.append((given[0].clone(), given[1].clone()))
    )
    conditions = pipeline.conditions_of([request()])
    source = encode_video(pipeline.codec, video_from_clips([some_clip(FRAMES)]))
    noise = seeded_noise([0])
    rollout = Rollout(
        pipeline.networks, conditions, pipeline.networks.text_of(conditions), noise=noise, options=FAST,
        start=PartialNoise(source, 0.5),
    )  # fmt: skip
    rollout.generate(1, (source.shape[1], *source.shape[3:]))
    hook.remove()
    levels = [float(t[0, 0]) for _, t in seen if t.any()]  # the frame is cached at t = 0 afterwards
    np.testing.assert_allclose(levels, [0.5 * sigma for sigma in shifted_sigmas(FAST)], rtol=1e-6)
    first = noise(0, 1, (source.shape[1], *source.shape[3:]))
    torch.testing.assert_close(seen[0][0], 0.5 * source[:, :, :1] + 0.5 * first)


@pytest.mark.parametrize("strength", [0.0, -0.1, 1.1])
def test_strengths_outside_are_refused(pipeline, strength):
    with pytest.raises(InputError, match="strength"):
        restyle_clips(pipeline, [some_clip(FRAMES)], [request()], strength=strength)


def test_clips_must_fit_their_requests(pipeline):
    with pytest.raises(InputError, match="clip to restyle"):
        restyle_clips(pipeline, [some_clip(FRAMES - 1)], [request()], strength=0.5)
    with pytest.raises(InputError, match="one per clip"):
        restyle_clips(pipeline, [some_clip(FRAMES)] * 2, [request()], strength=0.5)
