"""Flow matching against closed forms."""

from __future__ import annotations

import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler

from tests.models.build import conditions, noisy_weights
from worldgen.models.interface import SamplerOptions
from worldgen.models.native.codec import LATENT_CHANNELS
from worldgen.models.native.losses.flow import VALIDATION_TIMES, Examples, validation_losses, world_loss  # fmt: skip
from worldgen.models.native.losses.loss_options import FlowOptions
from worldgen.models.native.rollout.rollout import shifted_sigmas
from worldgen.models.native.sizes import build_pipeline


def examples(latents: torch.Tensor, c) -> Examples:
    """Examples that have no past."""
    batch, channels, *rest = latents.shape
    return Examples(latents, torch.zeros(batch, channels + 1, *rest), c)


def test_scheduler_step_is_the_flow_euler_step():
    """One step x_s = x_t + (s - t) v, so with the exact velocity of one point it lands on the straight path."""
    scheduler = FlowMatchEulerDiscreteScheduler()
    scheduler.set_timesteps(sigmas=shifted_sigmas(SamplerOptions(steps=5, shift=3.0)))
    data, noise = torch.randn(2, 3), torch.randn(2, 3)
    x = noise.clone()
    for i, timestep in enumerate(scheduler.timesteps):
        t = scheduler.sigmas[i]
        torch.testing.assert_close(x, (1 - t) * data + t * noise)
        x = scheduler.step(noise - data, timestep, x, return_dict=False)[0]
    torch.testing.assert_close(x, data, atol=1e-5, rtol=1e-5)


def test_sampling_a_gaussian_with_its_exact_velocity_gives_the_gaussian():
    """Data N(mu, s^2): E[noise - x0 | x_t] is linear in x_t, and the flow carries N(0, 1) to N(mu, s^2)."""
    mu, s = 1.5, 0.3
    options = SamplerOptions(steps=200, shift=1.0)
    scheduler = FlowMatchEulerDiscreteScheduler()
    scheduler.set_timesteps(sigmas=shifted_sigmas(options))
    x = torch.randn(20_000, generator=torch.Generator().manual_seed(0))
    for i, timestep in enumerate(scheduler.timesteps):
        t = scheduler.sigmas[i]
        variance = (1 - t) ** 2 * s**2 + t**2
        velocity = -mu + (t - (1 - t) * s**2) / variance * (x - (1 - t) * mu)
        x = scheduler.step(velocity, timestep, x, return_dict=False)[0]
    assert x.mean().item() == pytest.approx(mu, abs=0.02)
    assert x.std().item() == pytest.approx(s, abs=0.02)


def test_shift_keeps_the_ends_and_raises_the_middle():
    plain, shifted = (shifted_sigmas(SamplerOptions(steps=4, shift=s)) for s in (1.0, 3.0))
    assert plain == pytest.approx([1.0, 0.75, 0.5, 0.25])
    assert shifted[0] == 1.0 and all(a > b for a, b in zip(shifted[1:], plain[1:], strict=True))


def test_loss_counts_unknown_frames_only_and_repeats_with_its_generator():
    pipeline = build_pipeline("tiny")
    latents = torch.randn(2, LATENT_CHANNELS, 4, 4, 6, generator=torch.Generator().manual_seed(3))
    c = conditions(2, 4, rows=4, columns=6)
    losses = []
    for _ in range(2):
        loss, metrics = world_loss(
            pipeline.networks,
            examples(latents, c),
            torch.Generator().manual_seed(5),
            options=FlowOptions(),
        )
        losses.append(loss.item())
        assert 0 <= metrics["known_share"] < 1
    assert losses[0] == losses[1]


def test_a_network_that_corrects_nothing_has_loss_one():
    """When data spread around the past as the network was told, its best linear guess leaves exactly one unit."""
    pipeline = build_pipeline("tiny")
    generator = torch.Generator().manual_seed(0)
    reprojected = torch.randn(64, LATENT_CHANNELS + 1, 4, 4, 4, generator=generator)
    reprojected[:, -1] = 1.0
    std = pipeline.transformer.change_spread[None, :, None, None, None]
    latents = reprojected[:, :-1] + std * torch.randn(reprojected[:, :-1].shape, generator=generator)
    c = conditions(64, 4, rows=4, columns=4)
    options = FlowOptions(drop_history=0.0, history_noise=0.0)
    loss, _ = world_loss(pipeline.networks, Examples(latents, reprojected, c), generator, options=options)
    assert loss.item() == pytest.approx(1.0, abs=0.03)


def test_training_follows_the_ego_motion_and_not_a_shuffled_one():
    """Frames whose content is their speed: after a few steps the right motion explains them, another clip's does
    not."""
    pipeline = build_pipeline("tiny")
    options = FlowOptions(known_frames=0.0, drop_text=0.0, drop_ego=0.0, drop_layout=1.0, drop_history=1.0)
    parameters = [*pipeline.transformer.parameters(), *pipeline.text_encoder.parameters()]
    optimiser = torch.optim.AdamW(parameters, 3e-3)
    generator = torch.Generator().manual_seed(0)

    def batch(seed):
        c = conditions(8, 2, rows=2, columns=2, seed=seed).without("layout")
        return (c.ego[..., 0] / 5 - 1)[:, None, :, None, None].expand(8, LATENT_CHANNELS, 2, 2, 2).contiguous(), c

    for step in range(120):
        latents, c = batch(step)
        loss, _ = world_loss(pipeline.networks, examples(latents, c), generator, options=options)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    latents, right = batch(999)
    _, wrong = batch(998)

    def at(c):
        return validation_losses(pipeline.networks, examples(latents, c), torch.Generator().manual_seed(1))[0.9]

    assert at(right) < 0.6 * at(wrong)


def test_pure_noise_says_nothing_of_the_clean_frames():
    """With every clip at t = 1 a network without past errs by what it cannot know: the variance of the data."""
    pipeline = build_pipeline("tiny")
    latents = 2.0 * torch.randn(16, LATENT_CHANNELS, 2, 4, 4, generator=torch.Generator().manual_seed(0))
    c = conditions(16, 2, rows=4, columns=4)
    options = FlowOptions(known_frames=0.0, pure_noise=1.0)
    loss, _ = world_loss(
        pipeline.networks,
        examples(latents, c),
        torch.Generator().manual_seed(0),
        options=options,
    )
    assert loss.item() == pytest.approx(4.0, rel=0.05)


def test_validation_reports_every_level():
    pipeline = build_pipeline("tiny")
    noisy_weights(pipeline.transformer, 0.02)
    losses = validation_losses(
        pipeline.networks,
        examples(torch.randn(1, LATENT_CHANNELS, 2, 4, 4), conditions(1, 2, rows=4, columns=4)),
        torch.Generator().manual_seed(0),
    )  # fmt: skip
    assert tuple(losses) == VALIDATION_TIMES and all(value > 0 for value in losses.values())
