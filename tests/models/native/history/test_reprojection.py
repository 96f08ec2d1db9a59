"""Reprojected frames: from recorded frames, from degraded histories, with confidence and with a keyframe."""

from __future__ import annotations

import torch

from tests.models.build import conditions, noisy_weights
from worldgen.core.layout_channels import MOTION_CHANNELS
from worldgen.models.interface import SamplerOptions
from worldgen.models.native.codec import encode_images
from worldgen.models.native.history.object_coverage import object_coverage
from worldgen.models.native.history.reprojection import degraded_histories, reproject
from worldgen.models.native.rollout.noise import seeded_noise
from worldgen.models.native.rollout.rollout import KEYFRAME_CONFIDENCE, KEYFRAME_INTERVAL, OBJECT_CONFIDENCE, Rollout
from worldgen.models.native.sizes import build_pipeline

ROWS, COLUMNS = 4, 6


def pictures(count: int) -> torch.Tensor:
    return torch.rand(count, 3, 8 * ROWS, 8 * COLUMNS, generator=torch.Generator().manual_seed(3)) * 2 - 1


@torch.no_grad()
def test_without_motion_the_reprojected_frame_is_the_frame():
    codec = build_pipeline("tiny").codec
    c = conditions(2, 3, rows=ROWS, columns=COLUMNS).without("ego").without("layout")
    shown = pictures(2)
    reprojected, moved, seen = reproject(codec, shown, c, source=1, target=2)
    torch.testing.assert_close(moved, shown, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(reprojected[:, :-1], encode_images(codec, shown), atol=1e-3, rtol=1e-3)
    assert bool((reprojected[:, -1] == 1).all()) and bool((seen == 1).all())


@torch.no_grad()
def test_histories_without_degradation_are_the_reprojected_recorded_frames():
    codec = noisy_weights(build_pipeline("tiny").codec, 0.02)
    c = conditions(1, 4, rows=ROWS, columns=COLUMNS)
    shown = pictures(4)
    fresh = degraded_histories(codec, shown, c, stride=1, fresh=lambda: True, discolour=lambda x: x)
    assert torch.equal(fresh[0], torch.zeros_like(fresh[0]))
    for target in (1, 2, 3):
        direct = reproject(codec, shown[target - 1][None], c, source=target - 1, target=target)[0][0]
        torch.testing.assert_close(fresh[target], direct, atol=1e-5, rtol=1e-4)
    degraded = degraded_histories(codec, shown, c, stride=1, fresh=lambda: False, discolour=lambda x: x * 0.9)
    torch.testing.assert_close(
        degraded[1], fresh[1], atol=1e-5, rtol=1e-4
    )  # the first reprojection is still that of a recorded frame
    assert not torch.allclose(degraded[3], fresh[3], atol=1e-2)


@torch.no_grad()
def test_at_stride_two_the_reprojected_frame_is_two_frames_back():
    codec = build_pipeline("tiny").codec
    c = conditions(1, 5, rows=ROWS, columns=COLUMNS).without("ego")
    shown = pictures(5)
    rows = degraded_histories(codec, shown, c, stride=2, fresh=lambda: True, discolour=lambda x: x)
    assert not rows[:2].any()
    torch.testing.assert_close(rows[4, :-1], encode_images(codec, shown[2:3])[0], atol=1e-3, rtol=1e-3)


@torch.no_grad()
def test_confidence_is_lower_on_objects_and_in_the_next_keyframe():
    pipeline = build_pipeline("tiny")
    c = conditions(2, 3, rows=ROWS, columns=COLUMNS)
    c.layout_known[1] = False
    rollout = Rollout(
        pipeline.networks, c, pipeline.networks.text_of(c), noise=seeded_noise([0, 1]), options=SamplerOptions()
    )
    reprojected = torch.rand(2, pipeline.transformer.config.latent_channels + 1, 1, ROWS, COLUMNS)
    rollout.keyframe = (pictures(2), 0)
    lowered = rollout.with_confidence(reprojected)
    assert torch.equal(lowered[:, :-1], reprojected[:, :-1])
    objects = object_coverage(c.frames(0, 1), (ROWS, COLUMNS))[0, 0]
    assert 0 < float(objects.max()) <= 1
    torch.testing.assert_close(lowered[0, -1], (1 - (1 - OBJECT_CONFIDENCE) * objects) * reprojected[0, -1])
    assert torch.equal(lowered[1, -1], reprojected[1, -1])
    rollout.keyframe = (pictures(2), -KEYFRAME_INTERVAL)  # so old that the next frame becomes the keyframe
    lowered = rollout.with_confidence(reprojected)
    assert torch.equal(lowered[0, -1], KEYFRAME_CONFIDENCE * reprojected[0, -1]) and torch.equal(
        lowered[1, -1], reprojected[1, -1]
    )


@torch.no_grad()
def test_the_keyframe_is_preferred_where_the_motion_is_known():
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
    # A keyframe that is not older than the last frame has nothing to add.
    torch.testing.assert_close(
        reproject(codec, last, c, source=3, target=4, keyframe=(key, 3))[1], last, atol=1e-4, rtol=1e-4
    )
