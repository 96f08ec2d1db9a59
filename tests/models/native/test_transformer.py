"""The world transformer: causal in time, the cache changes nothing, a fresh model ignores nothing by accident."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from tests.models.build import conditions, noisy_weights, text_of
from worldgen.core.layout_channels import BASE_CHANNELS, FALLING_CHANNEL, GLOW_CHANNELS
from worldgen.models.native.blocks import LayoutStem, cells_of
from worldgen.models.native.codec import LATENT_CHANNELS, encode_images
from worldgen.models.native.history.layout_pictures import PICTURES
from worldgen.models.native.sizes import build_pipeline, build_transformer
from worldgen.models.native.transformer import WorldTransformer

ROWS, COLUMNS, FRAMES = 4, 6, 5


@pytest.fixture(scope="module")
def transformer() -> WorldTransformer:
    return noisy_weights(build_transformer("tiny")).eval()


def inputs(batch: int = 2, frames: int = FRAMES, *, seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    latents = torch.randn(batch, LATENT_CHANNELS, frames, ROWS, COLUMNS, generator=generator)
    reprojected = torch.randn(batch, LATENT_CHANNELS + 1, frames, ROWS, COLUMNS, generator=generator)
    reprojected[:, -1] = torch.rand(reprojected[:, -1].shape, generator=generator)  # the share that was seen
    t = torch.rand(batch, frames, generator=generator)
    return latents, t, reprojected


@torch.no_grad()
def test_fresh_model_predicts_that_the_moved_past_stays():
    fresh = build_transformer("tiny")
    latents, _, reprojected = inputs()
    c = conditions(2, FRAMES, rows=ROWS, columns=COLUMNS)
    velocity = fresh(latents, torch.ones(2, FRAMES), reprojected, c, text_of(c))
    torch.testing.assert_close(latents - velocity, reprojected[:, :-1], atol=1e-5, rtol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("time", [0.0, 0.1, 0.5, 0.9])
def test_fresh_model_is_the_best_linear_guess(time):
    """Data N(past, s^2) where it was seen: regressing x0 on x_t and the past gives the network's own coefficients."""
    fresh = build_transformer("tiny")
    generator = torch.Generator().manual_seed(0)
    reprojected = torch.randn(64, LATENT_CHANNELS + 1, 1, ROWS, COLUMNS, generator=generator)
    reprojected[:, -1] = 1.0
    s = fresh.change_spread[None, :, None, None, None]
    clean = reprojected[:, :-1] + s * torch.randn(reprojected[:, :-1].shape, generator=generator)
    noisy = (1 - time) * clean + time * torch.randn(clean.shape, generator=generator)
    c = conditions(64, 1, rows=ROWS, columns=COLUMNS)
    velocity = fresh(noisy, torch.full((64, 1), time), reprojected, c, text_of(c))
    guess = noisy - time * velocity
    error = (guess - clean).pow(2).mean().item()
    expected = (s**2 * time**2 / (s**2 * (1 - time) ** 2 + time**2)).mean().item()
    assert error == pytest.approx(expected, rel=0.03, abs=1e-6)
    assert torch.isfinite(velocity).all()


@torch.no_grad()
def test_changing_a_frame_leaves_earlier_frames_alone(transformer):
    latents, t, reprojected = inputs()
    c = conditions(2, FRAMES, rows=ROWS, columns=COLUMNS)
    before = transformer(latents, t, reprojected, c, text_of(c))
    changed = latents.clone()
    changed[:, :, 3] += 1.0
    after = transformer(changed, t, reprojected, c, text_of(c))
    assert torch.equal(before[:, :, :3], after[:, :, :3])
    assert (before[:, :, 4] - after[:, :, 4]).abs().max() > 1e-4, "later frames must see the change"


@torch.no_grad()
@pytest.mark.parametrize("split", [1, 2, 4])
def test_cache_gives_what_one_pass_gives(transformer, split):
    latents, t, reprojected = inputs()
    c = conditions(2, FRAMES, rows=ROWS, columns=COLUMNS)
    whole = transformer(latents, t, reprojected, c, text_of(c))
    cache = transformer.new_cache()
    parts = []
    for a, b in ((0, split), (split, FRAMES)):
        part = (latents[:, :, a:b], t[:, a:b], reprojected[:, :, a:b], c.frames(a, b), text_of(c))
        parts.append(transformer(*part, cache=cache))
        transformer.append_to_cache(*part, cache=cache)
    torch.testing.assert_close(torch.cat(parts, 2), whole, atol=2e-5, rtol=1e-4)
    assert cache.num_frames == FRAMES


@torch.no_grad()
def test_looking_without_keeping_does_not_change_the_cache(transformer):
    latents, t, reprojected = inputs(1)
    c = conditions(1, FRAMES, rows=ROWS, columns=COLUMNS)
    cache = transformer.new_cache()
    first = (latents[:, :, :2], t[:, :2], reprojected[:, :, :2], c.frames(0, 2), text_of(c))
    transformer.append_to_cache(*first, cache=cache)
    size = cache.nbytes
    rest = (latents[:, :, 2:], t[:, 2:], reprojected[:, :, 2:], c.frames(2, FRAMES), text_of(c))
    once = transformer(*rest, cache=cache)
    twice = transformer(*rest, cache=cache)
    assert torch.equal(once, twice) and cache.nbytes == size and cache.num_frames == 2


@torch.no_grad()
def test_cache_memory_is_bounded_by_its_window(transformer):
    latents, t, reprojected = inputs(1)
    c = conditions(1, FRAMES, rows=ROWS, columns=COLUMNS)
    cache = transformer.new_cache(window=3)
    sizes = []
    for _ in range(6):
        transformer.append_to_cache(latents, t, reprojected, c, text_of(c), cache=cache)
        sizes.append(cache.nbytes)
    assert len(set(sizes)) == 1 and cache.num_frames == 6 * FRAMES


@torch.no_grad()
@pytest.mark.parametrize("name", ["text", "ego", "layout"])
def test_every_condition_matters_and_dropping_it_equals_never_giving_it(transformer, name):
    latents, t, reprojected = inputs()
    c = conditions(2, FRAMES, rows=ROWS, columns=COLUMNS)
    text = text_of(c)
    full = transformer(latents, t, reprojected, c, text)
    dropped = transformer(latents, t, reprojected, c.without(name), text)
    assert (full - dropped).abs().max() > 1e-4
    other = conditions(2, FRAMES, rows=ROWS, columns=COLUMNS, seed=9)
    never = transformer(
        latents, t, reprojected, _with(c, other, name).without(name), text if name != "text" else text + 1
    )
    torch.testing.assert_close(dropped, never, atol=1e-6, rtol=0)


def _with(c, other, name):
    from dataclasses import replace

    if name == "ego":
        return replace(c, ego=other.ego)
    return replace(c, layout=other.layout) if name == "layout" else c


@torch.no_grad()
def test_lengths_and_sizes_may_vary(transformer):
    for frames, rows, columns in ((1, 2, 2), (3, 8, 4)):
        c = conditions(1, frames, rows=rows, columns=columns)
        z = torch.zeros(1, LATENT_CHANNELS, frames, rows, columns)
        reprojected = torch.zeros(1, LATENT_CHANNELS + 1, frames, rows, columns)
        assert transformer(z, torch.ones(1, frames), reprojected, c, text_of(c)).shape == z.shape


def test_gradient_checkpointing_gives_equal_gradients():
    latents, t, reprojected = inputs()
    c = conditions(2, FRAMES, rows=ROWS, columns=COLUMNS)
    gradients = []
    for checkpointing in (False, True):
        torch.manual_seed(0)
        model = noisy_weights(build_transformer("tiny"))
        if checkpointing:
            model.enable_gradient_checkpointing()
        model(latents, t, reprojected, c, text_of(c)).square().mean().backward()
        gradients.append({name: p.grad for name, p in model.named_parameters() if p.grad is not None})
    assert gradients[0].keys() == gradients[1].keys() and len(gradients[0]) > 50
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient, msg=name)


@torch.no_grad()
def test_the_layout_is_read_as_cosine_coefficients_of_its_cells():
    """Weights of the slowest cosine alone read nothing but the mean of each latent cell."""
    stem = LayoutStem(3, 5)
    stem.weight[..., 1:] = 0.0
    layout = torch.rand(2, 3, 4, 16, 24, generator=torch.Generator().manual_seed(0))
    means = F.avg_pool3d(layout, (1, 8, 8)).permute(0, 2, 3, 4, 1).flatten(0, 1)  # (B*F, h, w, K)
    torch.testing.assert_close(stem(cells_of(layout)), means @ stem.weight[..., 0].T, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(stem.waves @ stem.waves.T * 64, torch.eye(64), atol=1e-5, rtol=0)


@torch.no_grad()
def test_base_colours_become_the_latents_of_their_picture():
    transformer = build_transformer("tiny")
    codec = build_pipeline("tiny").codec
    channels = transformer.config.latent_channels
    transformer.fit((0.3,) * channels, (1.0,) * channels, codec)
    c = conditions(1, 2, rows=ROWS, columns=COLUMNS)
    base, glow, falling, *_ = transformer.encode_layout(c, torch.zeros(1, channels, 2, ROWS, COLUMNS)).pictures
    picture = 2 * c.layout[0, BASE_CHANNELS].movedim(1, 0) - 1  # (F, 3, H, W) in [-1, 1]
    torch.testing.assert_close(base[0].movedim(1, 0), encode_images(codec, picture), atol=1e-4, rtol=1e-4)
    for drawn, added in ((GLOW_CHANNELS, glow), ((FALLING_CHANNEL,) * 3, falling)):
        # What they add: the latents of a grey picture with them, less those of the grey picture.
        brighter = 2 * c.layout[0, drawn].movedim(1, 0)
        difference = encode_images(codec, brighter) - encode_images(codec, torch.zeros_like(brighter))
        torch.testing.assert_close(added[0].movedim(1, 0), difference, atol=1e-4, rtol=1e-4)
    unknown = transformer.encode_layout(c.without("layout"), torch.zeros(1, channels, 2, ROWS, COLUMNS)).pictures
    assert not any(picture.any() for picture in unknown)


@torch.no_grad()
def test_light_times_colour_and_what_it_replaces():
    """With a head that drops all of the guess and lets every picture through, the clean frame is their sum."""
    transformer = noisy_weights(build_transformer("tiny"))
    channels = transformer.config.latent_channels
    transformer.fit((1.0,) * channels, (1.0,) * channels, build_pipeline("tiny").codec)
    transformer.head.weight.zero_()
    transformer.head.bias.copy_(torch.cat([torch.zeros(channels), torch.ones((1 + PICTURES) * channels)]))
    latents, _, reprojected = inputs(1)
    c = conditions(1, FRAMES, rows=ROWS, columns=COLUMNS)
    t = torch.ones(1, FRAMES)
    clean = latents - transformer(latents, t, reprojected, c, text_of(c))
    torch.testing.assert_close(clean, sum(transformer.encode_layout(c, latents).pictures), atol=1e-4, rtol=1e-4)
