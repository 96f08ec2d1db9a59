"""Histories that training generates are those that sampling shows the network, with noisy weights: a fresh head
hides differences."""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np
import pytest
import torch

from tests.models.build import conditions, noisy_weights
from worldgen.core.camera import Camera
from worldgen.core.clip import Clip
from worldgen.core.ego import EgoMotion
from worldgen.core.layout_channels import LAYOUT_CHANNELS
from worldgen.core.samples import Conditions
from worldgen.models.interface import SamplerOptions
from worldgen.models.native.codec import decode_video, encode_video
from worldgen.models.native.conditions import ConditionBatch
from worldgen.models.native.history.reprojection import reproject
from worldgen.models.native.losses.flow import Examples
from worldgen.models.native.pixels import video_from_clips
from worldgen.models.native.rollout.generated_history import CONTEXT_FRAMES, generated_history, with_generated_history
from worldgen.models.native.rollout.noise import drawn_noise, seeded_noise
from worldgen.models.native.rollout.rollout import Rollout
from worldgen.models.native.sizes import build_pipeline

ROWS, COLUMNS, FRAMES, SEED = 4, 6, 5, 7


@pytest.fixture(scope="module")
def pipeline():
    made = build_pipeline("tiny", words=["a car"])
    noisy_weights(made.transformer, 0.05)
    noisy_weights(made.codec, 0.02)
    return made


def recorded(frames: int) -> Clip:
    rng = np.random.default_rng(3)
    return Clip(rng.integers(0, 256, (frames, 8 * ROWS, 8 * COLUMNS, 3), np.uint8), 8.0)


def request(*, layout: bool, context: int) -> Conditions:
    maps = np.random.default_rng(5).random((FRAMES, len(LAYOUT_CHANNELS), 8 * ROWS, 8 * COLUMNS)).astype(np.float16)
    ego = EgoMotion(np.linspace(4, 6, FRAMES), np.full(FRAMES, 0.1), 8.0)
    return Conditions(
        FRAMES, 8.0, text="a car", context=recorded(context) if context else None, ego=ego,
        layout=maps if layout else None, seed=SEED, camera=Camera.from_fov(8 * COLUMNS, 8 * ROWS, 70.0),
    )  # fmt: skip


@contextmanager
def inputs_of(transformer):
    """Everything the network is shown: noisy latents, times, reprojected frames and how many frames its cache holds."""
    shown: list[tuple[torch.Tensor, ...]] = []

    def look(module, given, named):
        shown.append((*(tensor.clone() for tensor in given[:3]), torch.tensor(named["cache"].num_frames)))

    hook = transformer.register_forward_pre_hook(look, with_kwargs=True)
    try:
        yield shown
    finally:
        hook.remove()


@torch.no_grad()
@pytest.mark.parametrize(("layout", "context"), [(True, 1), (True, 0), (False, CONTEXT_FRAMES)])
def test_every_step_of_a_generated_history_is_shown_what_sampling_shows(pipeline, layout, context):
    """Cache, confidence, keyframe, held colours and, without a layout, geometry: every input of every step is equal."""
    wanted = request(layout=layout, context=context)
    known = pipeline.conditions_of([wanted])
    with inputs_of(pipeline.transformer) as sampled:
        pipeline([wanted])
    given = encode_video(pipeline.codec, video_from_clips([recorded(max(1, context))]))
    latents = torch.zeros(*given.shape[:2], FRAMES, ROWS, COLUMNS)
    latents[:, :, : given.shape[2]] = given
    reprojected = torch.zeros(1, latents.shape[1] + 1, FRAMES, ROWS, COLUMNS)
    for frame in range(1, context):
        last = decode_video(pipeline.codec, given).clamp(-1, 1)[:, :, frame - 1]
        reprojected[:, :, frame] = reproject(pipeline.codec, last, known, source=frame - 1, target=frame)[0]
    with inputs_of(pipeline.transformer) as trained:
        generated_history(
            pipeline.networks, Examples(latents, reprojected, known), seeded_noise([SEED]), context=max(1, context),
            invented=torch.tensor([context == 0]),
        )  # fmt: skip
    assert len(trained) == len(sampled) - 2  # neither predicted nor cached: no later frame depends on the last one
    for ours, theirs in zip(trained, sampled, strict=False):
        for one, other in zip(ours, theirs, strict=True):
            torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def windows(batch: int, c: ConditionBatch, channels: int) -> Examples:
    latents = torch.randn(batch, channels, FRAMES, ROWS, COLUMNS, generator=torch.Generator().manual_seed(0))
    return Examples(latents, torch.cat([latents, torch.ones(batch, 1, FRAMES, ROWS, COLUMNS)], 1), c)


def test_chosen_clips_only_change_and_no_gradient_flows(pipeline):
    given = windows(6, conditions(6, FRAMES, rows=ROWS, columns=COLUMNS), pipeline.transformer.config.latent_channels)
    networks = pipeline.networks
    assert with_generated_history(networks, given, torch.Generator().manual_seed(1), share=0.0) is given
    drawn = torch.rand(6, generator=torch.Generator().manual_seed(1)) < 0.5
    made = with_generated_history(networks, given, torch.Generator().manual_seed(1), share=0.5)
    changed = (made.reprojected != given.reprojected).flatten(1).any(1)
    assert torch.equal(changed, drawn) and 0 < int(drawn.sum()) < 6
    assert torch.equal(made.reprojected[:, :, 0], given.reprojected[:, :, 0]) and not made.reprojected.requires_grad


@torch.no_grad()
def test_clips_without_a_layout_keep_two_recorded_frames_and_never_begin_from_noise(pipeline):
    c = conditions(3, FRAMES, rows=ROWS, columns=COLUMNS)
    c.layout_known[1] = False
    given = windows(3, c, pipeline.transformer.config.latent_channels)
    made = with_generated_history(
        pipeline.networks, given, torch.Generator().manual_seed(0), share=1.0, from_noise=1.0
    ).reprojected  # fmt: skip
    assert not made[0, :, 0].any() and not made[2, :, 0].any()
    assert torch.equal(made[1, :, :CONTEXT_FRAMES], given.reprojected[1, :, :CONTEXT_FRAMES])
    assert not torch.equal(made[1, :, CONTEXT_FRAMES], given.reprojected[1, :, CONTEXT_FRAMES])


@torch.no_grad()
def test_the_history_is_that_of_a_rollout_with_the_same_noise(pipeline):
    """Frame by frame: what :attr:`Rollout.reprojected` holds while the rollout goes on."""
    channels = pipeline.transformer.config.latent_channels
    c = conditions(2, FRAMES, rows=ROWS, columns=COLUMNS)
    given = windows(2, c, channels)
    made = with_generated_history(pipeline.networks, given, torch.Generator().manual_seed(4), share=1.0)
    generator = torch.Generator().manual_seed(4)
    torch.rand(2, generator=generator), torch.rand(2, generator=generator)  # which clips, and which from noise
    noise = drawn_noise(generator, 2)
    rollout = Rollout(pipeline.networks, c, pipeline.networks.text_of(c), noise=noise, options=SamplerOptions())
    rollout.feed(given.latents[:, :, :1], given.reprojected[:, :, :1])
    for frame in range(1, FRAMES):
        rollout.generate(1, (channels, ROWS, COLUMNS))
        torch.testing.assert_close(made.reprojected[:, :, frame], rollout.reprojected[:, :, 0], atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_clips_that_begin_from_noise_are_those_that_were_chosen(pipeline):
    """In a mixed batch each clip has the history it would have alone."""
    channels = pipeline.transformer.config.latent_channels
    given = windows(3, conditions(3, FRAMES, rows=ROWS, columns=COLUMNS), channels)
    invented = torch.tensor([True, False, True])
    seeds = [4, 5, 6]
    together = generated_history(pipeline.networks, given, seeded_noise(seeds), context=1, invented=invented)
    for i, seed in enumerate(seeds):
        row = torch.arange(3) == i
        alone = generated_history(
            pipeline.networks, given.where(row), seeded_noise([seed]), context=1, invented=invented[row]
        )  # fmt: skip
        torch.testing.assert_close(together[row], alone, atol=1e-4, rtol=1e-4)
    assert [bool(together[i, :, 0].any()) for i in range(3)] == [False, True, False]


@torch.no_grad()
def test_rollouts_of_one_model_do_not_share_their_scheduler(pipeline):
    """Two rollouts that take turns, as those of two threads do, give what each gives alone."""
    channels = pipeline.transformer.config.latent_channels
    c = conditions(1, FRAMES, rows=ROWS, columns=COLUMNS)
    begin = lambda seed, steps: Rollout(  # noqa: E731
        pipeline.networks, c, pipeline.networks.text_of(c), noise=seeded_noise([seed]),
        options=SamplerOptions(steps=steps),
    )  # fmt: skip
    alone = begin(1, 3)
    expected = alone.generate(1, (channels, ROWS, COLUMNS))
    one, other = begin(1, 3), begin(2, 2)
    hook = pipeline.transformer.register_forward_pre_hook(
        lambda module, inputs: other.scheduler.set_timesteps(sigmas=[1.0, 0.5], device="cpu")
    )
    try:
        assert torch.equal(one.generate(1, (channels, ROWS, COLUMNS)), expected)
    finally:
        hook.remove()
    assert one.scheduler is not other.scheduler is not pipeline.scheduler
