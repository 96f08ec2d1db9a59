"""Grain: measured where the original is known, put back as strong, and otherwise nothing changes."""

from __future__ import annotations

import pytest
import torch

from worldgen.models.native.rollout.grain import BINS, Grain

SHAPE = (2, 3, 2, 64, 96)


def smooth() -> torch.Tensor:
    """Brightness from black at the left to white at the right, the same in every frame."""
    return torch.linspace(-0.98, 0.98, SHAPE[-1]).expand(SHAPE).clone()


def grained(video: torch.Tensor, strength: torch.Tensor) -> torch.Tensor:
    return video + strength * torch.randn(video.shape, generator=torch.Generator().manual_seed(3))


def test_grain_comes_back_as_strong_as_it_was_at_every_brightness():
    video = smooth()
    strength = 0.02 + 0.06 * (video + 1) / 2  # three times as strong in white as in black
    strength[1] /= 2
    grain = Grain.of(grained(video, strength), video)
    added = grain.over(video, [5, 6], 2) - video
    for clip in range(2):
        for at in (slice(0, 12), slice(40, 56), slice(84, 96)):
            expected = strength[clip, ..., at].mean().item()
            assert added[clip, ..., at].std().item() == pytest.approx(expected, rel=0.12)


def test_edges_that_the_codec_missed_are_no_grain():
    video = smooth()
    given = video.clone()
    given[..., ::10, :] += 0.8  # a tenth of all rows
    assert Grain.of(given, video).levels.max() < 1e-3


def test_nothing_is_added_where_nothing_was_lost():
    video = smooth()
    assert torch.equal(Grain.of(video, video).over(video, [5, 6], 0), video)


def test_a_brightness_that_was_not_given_has_the_grain_of_the_nearest():
    dark = torch.full(SHAPE, -0.9)
    grain = Grain.of(grained(dark, torch.tensor(0.05)), dark)
    assert torch.allclose(grain.levels, grain.levels[:, :1].expand(2, BINS)) and grain.levels[0, 0] > 0.04
    few = torch.zeros(1, 3, 1, 4, 4)
    assert not Grain.of(few + 0.1, few).levels.any()  # too little to tell


def test_it_depends_on_seed_and_frame_and_not_on_chunk_or_batch():
    video = smooth()
    grain = Grain.of(grained(video, torch.tensor(0.05)), video)
    both = grain.over(video, [5, 6], 2)
    second = grain.over(video[:, :, 1:], [5, 6], 3)
    assert torch.equal(both[:, :, 1:], second)
    alone = Grain(grain.levels[1:]).over(video[1:], [6], 2)
    assert torch.equal(both[1:], alone)
    assert not torch.equal(both[:, :, 0], both[:, :, 1]) and not torch.equal(both[0], both[1])
