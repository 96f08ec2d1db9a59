"""The adversarial loss: who gets which gradient, and a network that learns the spread of what cannot be foretold."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from tests.models.build import conditions, noisy_weights
from worldgen.core.errors import InputError
from worldgen.models.native.losses.adversarial import RealAndGenerated, adversarial_loss
from worldgen.models.native.losses.critic import Critic, CriticConditions
from worldgen.models.native.losses.flow import Examples, world_loss
from worldgen.models.native.losses.loss_options import AdversarialOptions, FlowOptions
from worldgen.models.native.sizes import LATENT_CHANNELS, build_pipeline

BATCH, FRAMES, ROWS, COLUMNS = 2, 3, 4, 6
PLAIN = FlowOptions(
    known_frames=0,
    pure_noise=1.0,
    history_noise=0,
    drop_text=0,
    drop_ego=0,
    drop_layout=0,
    drop_history=0,
    object_weight=2.0,
)
OPTIONS = AdversarialOptions(weight=0.5, warmup=0, critic_width=8)


def examples(seed: int = 0, *, layout: bool = True) -> Examples:
    generator = torch.Generator().manual_seed(seed)
    latents = torch.randn(BATCH, LATENT_CHANNELS, FRAMES, ROWS, COLUMNS, generator=generator)
    reprojected = torch.cat([torch.randn(latents.shape, generator=generator), torch.ones_like(latents[:, :1])], 1)
    made = conditions(BATCH, FRAMES, rows=ROWS, columns=COLUMNS, seed=seed)
    return Examples(latents, reprojected, made if layout else made.without("layout"))


@pytest.fixture
def networks():
    pipeline = build_pipeline("tiny")
    noisy_weights(pipeline.transformer, 0.05)
    pipeline.transformer.read_noise()
    return pipeline.networks


def critic_for(transformer) -> Critic:
    torch.manual_seed(0)
    sizes = transformer.config
    return Critic(sizes.latent_channels, sizes.layout_channels, sizes.text_width, width=8)


def gradients(networks, critic, step: int = 5, options: AdversarialOptions = OPTIONS, **flow):
    transformer = networks.transformer
    loss, metrics = adversarial_loss(
        networks, critic, examples(), torch.Generator().manual_seed(3), options=options,
        flow=dataclasses.replace(PLAIN, **flow), step=step,
    )  # fmt: skip
    transformer.zero_grad()
    critic.zero_grad()
    loss.backward()
    take = lambda module: {k: p.grad.clone() for k, p in module.named_parameters() if p.grad is not None}  # noqa: E731
    return loss, metrics, take(transformer), take(critic)


def test_the_value_is_flow_loss_plus_critic_loss_and_the_pull_adds_only_a_gradient(networks):
    critic = critic_for(networks.transformer)
    loss, metrics, pulled, judged = gradients(networks, critic)
    _, _, alone, judged_alone = gradients(networks, critic, options=dataclasses.replace(OPTIONS, weight=0.0))
    assert float(loss.detach()) == pytest.approx(float(metrics["flow_mse"] + metrics["critic_loss"]), rel=1e-5)
    plain, _ = world_loss(networks, examples(), torch.Generator().manual_seed(3), options=PLAIN)
    torch.testing.assert_close(plain.detach(), metrics["flow_mse"])
    assert not torch.allclose(pulled["head.weight"], alone["head.weight"])
    # Nothing of the pull reaches the critic.
    for name, gradient in judged.items():
        torch.testing.assert_close(gradient, judged_alone[name])
    networks.transformer.zero_grad()
    plain.backward()
    # Nothing of the critic's loss reaches the network.
    torch.testing.assert_close(networks.transformer.head.weight.grad, alone["head.weight"])


def test_the_pull_has_the_asked_size_and_lowers_the_critics_doubt(networks):
    critic = critic_for(networks.transformer)
    generator = torch.Generator().manual_seed(0)
    real, painted = torch.randn(2, 5, LATENT_CHANNELS, ROWS, COLUMNS, generator=generator)
    painted.requires_grad_()
    width = networks.transformer.config.text_width
    match = RealAndGenerated(
        real,
        painted,
        CriticConditions(None, torch.zeros(5, dtype=torch.bool), torch.zeros(5, width)),
        torch.ones(5, 1, ROWS, COLUMNS),
        torch.ones(LATENT_CHANNELS, 1, 1),
    )
    (towards,) = torch.autograd.grad(match.pull(critic, strength=0.25), painted)
    with torch.no_grad():
        gaps = [critic(match.real, match.shown)[k] - critic(painted, match.shown)[k] for k in (0, 1)]
    unconvinced = sum(float(torch.sigmoid(gap).mean()) for gap in gaps) / 2
    assert float(towards.norm()) == pytest.approx(0.25 * unconvinced, rel=1e-4)
    doubt = lambda x: sum(-verdict.mean() for verdict in critic(x, match.shown))  # noqa: E731
    with torch.no_grad():
        assert float(doubt(painted - 0.5 * towards)) < float(doubt(painted))


def test_strength_waits_then_rises():
    options = AdversarialOptions(weight=0.8, warmup=10)
    assert [options.strength(step) for step in (0, 10, 15, 20, 500)] == [0, 0, 0.4, 0.8, 0.8]
    assert AdversarialOptions(weight=0.8, warmup=0).strength(1) == 0.8


def test_without_frames_from_pure_noise_only_the_flow_loss_is_left(networks):
    critic = critic_for(networks.transformer)
    loss, metrics, _, judged = gradients(networks, critic, pure_noise=0.0)
    assert float(loss.detach()) == pytest.approx(float(metrics["flow_mse"])) and float(metrics["critic_loss"]) == 0
    assert all(float(gradient.abs().max()) == 0 for gradient in judged.values())


def test_a_critic_needs_no_layout_and_reads_the_one_it_gets(networks):
    critic = critic_for(networks.transformer)
    generator = torch.Generator().manual_seed(0)
    frames = torch.randn(3, LATENT_CHANNELS, ROWS, COLUMNS, generator=generator)
    text = torch.zeros(3, networks.transformer.config.text_width)
    known = torch.ones(3, dtype=torch.bool)
    channels = networks.transformer.config.layout_channels
    layout = torch.rand(3, channels, 8 * ROWS, 8 * COLUMNS, generator=generator)
    fine, coarse = critic(frames, CriticConditions(layout, known, text))
    assert fine.shape == (3, 1, ROWS, COLUMNS) and coarse.shape == (3, 1, ROWS // 2, COLUMNS // 2)
    unknown = critic(frames, CriticConditions(layout, ~known, text))[0]
    torch.testing.assert_close(unknown, critic(frames, CriticConditions(None, ~known, text))[0])
    assert not torch.allclose(unknown, fine)
    assert not torch.allclose(critic(frames, CriticConditions(layout, known, text + 1))[0], fine)


def test_a_new_reader_of_noise_paints_as_before_and_then_differently():
    pipeline = build_pipeline("tiny")
    noisy_weights(pipeline.transformer, 0.05)
    transformer, batch = pipeline.transformer, examples()
    text = torch.zeros(BATCH, batch.conditions.text_ids.shape[1], transformer.config.text_width)
    t = torch.ones(BATCH, FRAMES)

    def corrected(seed: int) -> torch.Tensor:
        noise = torch.randn(batch.latents.shape, generator=torch.Generator().manual_seed(seed))
        return noise - transformer(noise, t, batch.reprojected, batch.conditions, text)

    with torch.no_grad():
        before = corrected(1)
        # From pure noise, a network that does not read it paints the same whatever the dice say.
        torch.testing.assert_close(corrected(2), before, atol=1e-4, rtol=1e-4)
        transformer.read_noise()
        torch.testing.assert_close(corrected(1), before)
        torch.nn.init.normal_(transformer.noise_stem.weight, std=0.1)
        assert not torch.allclose(corrected(2), corrected(1), atol=1e-2)


@pytest.mark.parametrize("changes", [{"weight": -1.0}, {"nudge": 0.0}, {"critic_width": 2}, {"warmup": -1}])
def test_impossible_options_are_refused(changes):
    with pytest.raises(InputError, match="adversarial"):
        AdversarialOptions(**changes)
