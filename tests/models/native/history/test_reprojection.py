"""The past a network is given: moved, encoded, worn, and made from its own frames."""

from __future__ import annotations

import torch

from tests.models.build import conditions, noisy_weights
from worldgen.core.layout_channels import MOTION_CHANNELS
from worldgen.models.native.codec import encode_images
from worldgen.models.native.history.object_coverage import object_coverage
from worldgen.models.native.history.reprojection import degraded_histories, reproject
from worldgen.models.native.losses.flow import Examples
from worldgen.models.native.rollout.generated_history import with_generated_history
from worldgen.models.native.rollout.noise import seeded_noise
from worldgen.models.native.rollout.rollout import (
    KEYFRAME_CONFIDENCE,
    KEYFRAME_INTERVAL,
    OBJECT_CONFIDENCE,
    Rollout,
    SamplerOptions,
)
from worldgen.models.native.sizes import build_pipeline
from worldgen.models.native.text import text_states

ROWS, COLUMNS = 4, 6


def pictures(count: int) -> torch.Tensor:
    return torch.rand(count, 3, 8 * ROWS, 8 * COLUMNS, generator=torch.Generator().manual_seed(3)) * 2 - 1


@torch.no_grad()
def test_a_picture_that_does_not_move_is_its_own_past():
    codec = build_pipeline("tiny").codec
    c = conditions(2, 3, rows=ROWS, columns=COLUMNS).without("ego").without("layout")
    shown = pictures(2)
    reprojected, moved, seen = reproject(codec, shown, c, source=1, target=2)
    torch.testing.assert_close(moved, shown, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(reprojected[:, :-1], encode_images(codec, shown), atol=1e-3, rtol=1e-3)
    assert bool((reprojected[:, -1] == 1).all()) and bool((seen == 1).all())


@torch.no_grad()
def test_fresh_pasts_are_the_real_pictures_moved_and_worn_ones_are_not():
    codec = noisy_weights(build_pipeline("tiny").codec, 0.02)
    c = conditions(1, 4, rows=ROWS, columns=COLUMNS)
    shown = pictures(4)
    fresh = degraded_histories(codec, shown, c, stride=1, fresh=lambda: True, stain=lambda x: x)
    assert torch.equal(fresh[0], torch.zeros_like(fresh[0]))
    for target in (1, 2, 3):
        direct = reproject(codec, shown[target - 1][None], c, source=target - 1, target=target)[0][0]
        torch.testing.assert_close(fresh[target], direct, atol=1e-5, rtol=1e-4)
    worn = degraded_histories(codec, shown, c, stride=1, fresh=lambda: False, stain=lambda x: x * 0.9)
    torch.testing.assert_close(worn[1], fresh[1], atol=1e-5, rtol=1e-4)  # nothing is worn before the second step
    assert not torch.allclose(worn[3], fresh[3], atol=1e-2)


@torch.no_grad()
def test_at_stride_two_the_past_is_two_frames_back():
    codec = build_pipeline("tiny").codec
    c = conditions(1, 5, rows=ROWS, columns=COLUMNS).without("ego")
    shown = pictures(5)
    rows = degraded_histories(codec, shown, c, stride=2, fresh=lambda: True, stain=lambda x: x)
    assert not rows[:2].any()
    torch.testing.assert_close(rows[4, :-1], encode_images(codec, shown[2:3])[0], atol=1e-3, rtol=1e-3)


def test_own_past_replaces_the_past_of_chosen_clips_only_and_leaves_no_gradient():
    pipeline = build_pipeline("tiny")
    noisy_weights(pipeline.transformer, 0.02)
    networks = pipeline.networks
    channels = pipeline.transformer.config.latent_channels
    latents = torch.randn(6, channels, 3, ROWS, COLUMNS, generator=torch.Generator().manual_seed(0))
    reprojected = torch.cat([latents, torch.ones(6, 1, 3, ROWS, COLUMNS)], 1)
    given = Examples(latents, reprojected, conditions(6, 3, rows=ROWS, columns=COLUMNS))
    assert with_generated_history(networks, given, torch.Generator().manual_seed(1), share=0.0) is given
    drawn = torch.rand(6, generator=torch.Generator().manual_seed(1)) < 0.5
    made = with_generated_history(networks, given, torch.Generator().manual_seed(1), share=0.5)
    changed = (made.reprojected != given.reprojected).flatten(1).any(1)
    assert torch.equal(changed, drawn) and 0 < int(drawn.sum()) < 6
    assert torch.equal(made.reprojected[:, :, 0], given.reprojected[:, :, 0]) and not made.reprojected.requires_grad


@torch.no_grad()
def test_own_pasts_are_those_of_a_rollout_that_continues_the_first_frame():
    """With a fresh network, which paints the past it is given whatever it remembers; key picture and held colours included."""
    pipeline = build_pipeline("tiny")
    networks = pipeline.networks
    shape = (pipeline.transformer.config.latent_channels, ROWS, COLUMNS)
    latents = encode_images(pipeline.codec, pictures(4))[None].transpose(1, 2)
    c = conditions(1, 4, rows=ROWS, columns=COLUMNS)
    given = Examples(latents, torch.zeros(1, shape[0] + 1, 4, ROWS, COLUMNS), c)
    made = with_generated_history(networks, given, torch.Generator().manual_seed(0), share=1.0)
    rollout = Rollout(pipeline.networks, c, pipeline.networks.text_of(c), noise=seeded_noise([0]), options=SamplerOptions())
    rollout.feed(latents[:, :, :1])
    for frame in range(1, 4):
        expected = rollout.reproject_next(1, shape)[:, :, 0]
        torch.testing.assert_close(made.reprojected[:, :, frame], expected, atol=2e-3, rtol=1e-3)
        rollout.generate(1, shape)


@torch.no_grad()
def test_own_pasts_from_noise_are_those_of_a_rollout_without_any_past():
    pipeline = build_pipeline("tiny")
    networks = pipeline.networks
    shape = (pipeline.transformer.config.latent_channels, ROWS, COLUMNS)
    latents = torch.randn(2, shape[0], 4, ROWS, COLUMNS, generator=torch.Generator().manual_seed(3))
    c = conditions(2, 4, rows=ROWS, columns=COLUMNS)
    c.layout_known[1] = False
    given = Examples(latents, torch.ones(2, shape[0] + 1, 4, ROWS, COLUMNS), c)
    made = with_generated_history(networks, given, torch.Generator().manual_seed(0), share=1.0, from_noise=1.0)
    assert not made.reprojected[0, :, 0].any()
    assert torch.equal(made.reprojected[1, :, 0], given.reprojected[1, :, 0])  # without a layout nothing says what to invent
    text = text_states(pipeline.text_encoder, c)
    rollout = Rollout(pipeline.networks, c.frames(0, 4), text, noise=seeded_noise([0, 1]), options=SamplerOptions())
    rollout.generate(1, shape)
    for frame in range(1, 4):
        # A fresh network paints what it is given whatever the noise: grey, then the same again.
        expected = rollout.reproject_next(1, shape)[:1, :, 0]
        torch.testing.assert_close(made.reprojected[:1, :, frame], expected, atol=2e-3, rtol=1e-3)
        rollout.generate(1, shape)


@torch.no_grad()
def test_a_rollout_believes_its_past_but_for_the_things_that_a_layout_shows():
    pipeline = build_pipeline("tiny")
    c = conditions(2, 3, rows=ROWS, columns=COLUMNS)
    c.layout_known[1] = False
    rollout = Rollout(pipeline.networks, c, pipeline.networks.text_of(c), noise=seeded_noise([0, 1]), options=SamplerOptions())
    reprojected = torch.rand(2, pipeline.transformer.config.latent_channels + 1, 1, ROWS, COLUMNS)
    rollout.keyframe = (pictures(2), 0)
    trusted = rollout.with_confidence(reprojected)
    assert torch.equal(trusted[:, :-1], reprojected[:, :-1])
    things = object_coverage(c.frames(0, 1), (ROWS, COLUMNS))[0, 0]
    assert 0 < float(things.max()) <= 1
    torch.testing.assert_close(trusted[0, -1], (1 - (1 - OBJECT_CONFIDENCE) * things) * reprojected[0, -1])
    assert torch.equal(trusted[1, -1], reprojected[1, -1])
    rollout.keyframe = (pictures(2), -KEYFRAME_INTERVAL)  # so old that the next picture takes its place
    trusted = rollout.with_confidence(reprojected)
    assert torch.equal(trusted[0, -1], KEYFRAME_CONFIDENCE * reprojected[0, -1]) and torch.equal(trusted[1, -1], reprojected[1, -1])


@torch.no_grad()
def test_an_older_key_picture_is_preferred_where_the_motion_is_known():
    codec = build_pipeline("tiny").codec
    c = conditions(3, 6, rows=ROWS, columns=COLUMNS)
    c.ego.zero_()
    c.layout.zero_()
    c.layout[:, MOTION_CHANNELS] = 0.5  # nothing moves, and everything is sky
    c.layout_known[1] = False
    c.ego_known[2] = False
    last, key = pictures(6).split(3)
    _, moved, seen = reproject(codec, last, c, source=3, target=4, keyframe=(key, 0))
    inside = (slice(None), slice(1, -1), slice(1, -1))
    torch.testing.assert_close(moved[0], key[0], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(moved[1][inside], key[1][inside], atol=1e-4, rtol=1e-4)  # no layout: nothing is hidden
    torch.testing.assert_close(moved[2], last[2], atol=1e-4, rtol=1e-4)
    assert bool((seen == 1).all())
    # A key that is not older than the last picture has nothing to add.
    torch.testing.assert_close(
        reproject(codec, last, c, source=3, target=4, keyframe=(key, 3))[1], last, atol=1e-4, rtol=1e-4
    )
