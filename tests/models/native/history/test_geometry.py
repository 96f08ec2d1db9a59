"""Geometry of clips without a layout: known depths are found, carried and used, and nothing else is touched."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests.models.build import conditions
from worldgen.models.interface import SamplerOptions
from worldgen.models.native.conditions import ConditionBatch
from worldgen.models.native.history.geometry import ClipGeometry, carried, inverse_depth_by_flow
from worldgen.models.native.history.reprojection import degraded_histories, reproject
from worldgen.models.native.history.warp import Surfaces, assumed_depth, camera_rays, move_pictures, pose_between
from worldgen.models.native.rollout.noise import seeded_noise
from worldgen.models.native.rollout.rollout import KEYFRAME_INTERVAL, Rollout
from worldgen.models.native.sizes import build_pipeline

ROWS, COLUMNS = 8, 12
HEIGHT, WIDTH = 8 * ROWS, 8 * COLUMNS
WALL_M = 12.0


def driving(batch: int, frames: int, speed_mps: float = 8.0) -> ConditionBatch:
    c = conditions(batch, frames, rows=ROWS, columns=COLUMNS).without("layout")
    c.ego.copy_(torch.tensor([speed_mps, 0.0]))
    return c


def texture(batch: int, seed: int = 0) -> torch.Tensor:
    coarse = torch.rand(batch, 3, HEIGHT // 4, WIDTH // 4, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    return F.interpolate(coarse, size=(HEIGHT, WIDTH), mode="bicubic").clamp(-1, 1)


def wall_ahead(c: ConditionBatch, frames: int) -> torch.Tensor:
    """A drive ``(B, 3, F, H, W)`` towards a textured wall that is ``WALL_M`` away in the last frame."""
    last = frames - 1
    now, flat = texture(len(c)), torch.ones(len(c), 1, HEIGHT, WIDTH)
    known = torch.ones(len(c), dtype=torch.bool)
    shown = []
    for frame in range(frames):
        motion = pose_between(c, last, frame)  # the last picture looked up from further away
        there = Surfaces.still(flat / (WALL_M - float(motion[0, 0])), known)
        shown.append(move_pictures(now, motion, c.camera, torch.zeros(len(c)), (there, there))[0])
    return torch.stack(shown, 2)


def middle(x: torch.Tensor) -> torch.Tensor:
    return x[..., HEIGHT // 4 : -HEIGHT // 4, WIDTH // 4 : -WIDTH // 4]


def assumed(c: ConditionBatch) -> torch.Tensor:
    return 1.0 / assumed_depth(camera_rays(c.camera, HEIGHT, WIDTH), c.camera)[:, None]


def test_a_wall_is_found_where_it_stands():
    c = driving(1, 4)
    geometry = ClipGeometry.of(wall_ahead(c, 4), c, 3)
    sides = torch.cat(
        [geometry.inverse_depth[..., WIDTH // 8 : WIDTH // 3], geometry.inverse_depth[..., -WIDTH // 3 : -WIDTH // 8]],
        -1,
    )
    assert 1 / float(sides.median()) == pytest.approx(WALL_M, rel=0.15)
    # Taken for the far wall it would be five times as far away.
    assert float(middle(assumed(c)).min()) < 0.5 / WALL_M


def test_where_pictures_say_nothing_what_was_assumed_stays():
    c = driving(2, 3)
    grey = torch.zeros(2, 3, 3, HEIGHT, WIDTH)
    found = ClipGeometry.of(grey, c, 2).inverse_depth
    torch.testing.assert_close(middle(found), middle(assumed(c)), rtol=0.35, atol=0.004)
    # A geometry of before is what is assumed next.
    wall = ClipGeometry(torch.full((2, 1, HEIGHT, WIDTH), 1 / WALL_M), 1)
    found = ClipGeometry.of(grey, c, 2, before=wall).inverse_depth
    assert 1 / float(middle(found).median()) == pytest.approx(WALL_M - 1.0, rel=0.1)


def test_a_clip_does_not_depend_on_those_beside_it():
    c = driving(2, 3)
    video = torch.stack([texture(2, seed) for seed in range(3)], 2)
    older = [(video[:, :, 1], pose_between(c, 1, 2))]
    both = inverse_depth_by_flow(video[:, :, 2], older, c.camera, assumed(c))
    alone = inverse_depth_by_flow(video[1:, :, 2], [(older[0][0][1:], older[0][1][1:])], c.camera[1:], assumed(c)[1:])
    torch.testing.assert_close(both[1:], alone)


@pytest.mark.parametrize("metres", [0.0, 3.0, -3.0])
def test_a_wall_comes_nearer_by_what_is_driven(metres):
    c = driving(1, 2)
    wall = torch.full((1, 1, HEIGHT, WIDTH), 1 / WALL_M)
    there, known = carried(wall, torch.tensor([[-metres, 0.0, 0.0]]), c.camera)
    assert bool((middle(known) == 1).all())
    torch.testing.assert_close(middle(there), torch.full_like(middle(there), 1 / (WALL_M - metres)), rtol=1e-3, atol=0)


def test_what_was_out_of_sight_is_not_known():
    c = driving(1, 2)
    wall = torch.full((1, 1, HEIGHT, WIDTH), 1 / WALL_M)
    there, known = carried(wall, torch.tensor([[0.0, 0.0, -0.5]]), c.camera)  # half a radian to the left
    unknown = known == 0
    assert 0.2 < float(unknown.float().mean()) < 0.8
    torch.testing.assert_close(there[unknown], assumed(c)[unknown])


@torch.no_grad()
def test_pasts_with_the_geometry_are_nearer_and_clips_with_a_layout_keep_theirs():
    codec = build_pipeline("tiny").codec
    c = driving(2, 5)
    c.layout[0].copy_(conditions(1, 5, rows=ROWS, columns=COLUMNS).layout[0])
    c.layout_known[0] = True
    video = wall_ahead(c, 5)
    geometry = ClipGeometry.of(video[:, :, :3], c, 2)
    plain = reproject(codec, video[:, :, 2], c, source=2, target=4)
    better = reproject(codec, video[:, :, 2], c, source=2, target=4, geometry=geometry)
    for ours, theirs in zip(better, plain, strict=True):
        assert torch.equal(ours[0], theirs[0])
    error = [float((middle(moved[1]) - middle(video[1, :, 4])).square().mean()) for _, moved, _ in (plain, better)]
    assert error[1] < 0.7 * error[0]
    # Networks are told of all that was in the picture, as when they learned.
    assert bool((better[0][1, -1] >= plain[0][1, -1] - 1e-6).all())


@torch.no_grad()
def test_training_pasts_use_it_where_there_is_no_layout():
    codec = build_pipeline("tiny").codec
    c = driving(1, 4)
    shown = wall_ahead(c, 4)[0].transpose(0, 1)
    ours = degraded_histories(codec, shown, c, stride=1, fresh=lambda: True, discolour=lambda x: x)
    plain = reproject(codec, shown[2][None], c, source=2, target=3)[0][0]
    geometry = ClipGeometry.of(shown[None, :3].transpose(1, 2), c, 2)
    expected = reproject(codec, shown[2][None], c, source=2, target=3, geometry=geometry)[0][0]
    torch.testing.assert_close(ours[3], expected)
    assert not torch.allclose(ours[3], plain, atol=1e-2)


@torch.no_grad()
def test_rollouts_look_around_when_they_may_and_again_with_every_key():
    pipeline = build_pipeline("tiny")
    frames = KEYFRAME_INTERVAL + 6
    c = driving(1, frames)
    latents = torch.randn(
        1, pipeline.codec.config.latent_channels, 3, ROWS, COLUMNS, generator=torch.Generator().manual_seed(1)
    )

    def rollout(known: ConditionBatch, given: int) -> Rollout:
        made = Rollout(
            pipeline.networks,
            known,
            pipeline.networks.text_of(known),
            noise=seeded_noise([0]),
            options=SamplerOptions(),
        )
        made.feed(latents[:, :, :given])
        return made

    going = rollout(c, 3)
    assert going.geometry is not None and going.geometry.frame == 2
    while going.position < frames:
        going.generate(1, (latents.shape[1], ROWS, COLUMNS))
    assert going.geometry.frame == 2 + KEYFRAME_INTERVAL and len(going.geometry._carried) <= 2
    assert rollout(c, 1).geometry is None  # one picture shows no depth
    assert rollout(c.without("ego"), 3).geometry is None
    assert rollout(conditions(1, frames, rows=ROWS, columns=COLUMNS), 3).geometry is None


def test_small_pictures_are_looked_at_too():
    c = driving(1, 2)
    small = torch.from_numpy(np.random.default_rng(0).uniform(-1, 1, (1, 3, 2, 16, 24)).astype(np.float32))
    assert ClipGeometry.of(small, c, 1).inverse_depth.shape == (1, 1, 16, 24)
