"""Detail of a known frame: put back where generated frames show the same, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from worldgen.core.camera import Camera
from worldgen.core.ego import EgoMotion
from worldgen.core.layout_channels import LAYOUT_CHANNELS
from worldgen.models.native.conditions import ClipConditions, batch_conditions
from worldgen.models.native.history.reprojection import at_frame
from worldgen.models.native.rollout.recorded_detail import RecordedDetail, blurred

HEIGHT, WIDTH, FRAMES, FPS = 64, 112, 5, 8.0
SPREAD_PX = 2.0


def conditions(speed_mps: float | None, layout: np.ndarray | None = None):
    ego = None if speed_mps is None else EgoMotion(np.full(FRAMES, speed_mps), np.zeros(FRAMES), FPS)
    camera = Camera.from_fov(WIDTH, HEIGHT, 70.0)
    return batch_conditions([ClipConditions(FRAMES, FPS, None, ego, camera, layout)], None)


def recorded() -> torch.Tensor:
    """A picture of blobs and noise; the noise is what a codec loses."""
    noise = torch.randn(1, 3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(4))
    return (0.8 * blurred(noise, 4.0) * 4.0 + 0.2 * noise).clamp(-1, 1)


def error(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one - other).square().mean().sqrt())


@pytest.mark.parametrize("speed_mps", [0.0, 6.0])
def test_what_is_only_moved_keeps_its_edges(speed_mps):
    given, known = recorded(), conditions(speed_mps)
    truth, visible, _ = at_frame(given, known, source=1, target=3, geometry=None)
    soft = blurred(truth, SPREAD_PX)
    made, weight = RecordedDetail(given, 1, None).over(soft[:, :, None], 3, known)
    assert made.shape == (1, 3, 1, HEIGHT, WIDTH) and weight.shape == (1, 1, 1, HEIGHT, WIDTH)
    sure = weight[:, :, 0] > 0.9
    assert sure.float().mean() > 0.5 and bool((visible[sure] == 1).all())
    shown = sure.expand(1, 3, HEIGHT, WIDTH)
    assert error(made[:, :, 0][shown], truth[shown]) < 0.5 * error(soft[shown], truth[shown])


def test_what_the_known_frame_does_not_show_stays():
    given, known = recorded(), conditions(0.0)
    other = -given[:, :, None] + 0.9 * torch.sign(-given[:, :, None])
    made, weight = RecordedDetail(given, 0, None).over(other.clamp(-1, 1), 1, known)
    far = (other[:, :, 0].clamp(-1, 1) - given).abs().mean(1, keepdim=True) > 1.5
    assert weight[:, :, 0][far].mean() < 0.1
    assert made.abs().max() <= 1


def test_unknown_motion_changes_nothing():
    given, known = recorded(), conditions(None)
    soft = blurred(given, SPREAD_PX)[:, :, None]
    made, weight = RecordedDetail(given, 0, None).over(soft, 1, known)
    assert torch.equal(made, soft) and not weight.any()


def test_clips_with_a_layout_keep_what_the_model_made():
    layout = np.zeros((FRAMES, len(LAYOUT_CHANNELS), HEIGHT, WIDTH), np.float16)
    given, known = recorded(), conditions(0.0, layout)
    soft = blurred(given, SPREAD_PX)[:, :, None]
    made, weight = RecordedDetail(given, 0, None).over(soft, 1, known)
    assert not weight.any() and torch.equal(made, soft)


def test_detail_fades_with_what_is_visible_and_low_frequencies_with_time():
    given, known = recorded(), conditions(0.0)
    brighter = (given * 0.5 + 0.2)[:, :, None]
    made = [RecordedDetail(given, 0, None).over(brighter, frame, known)[0] for frame in (1, 4)]
    near, far = (error(blurred(each[:, :, 0], 4.0), blurred(given, 4.0)) for each in made)
    assert near < far < error(blurred(brighter[:, :, 0], 4.0), blurred(given, 4.0))


def test_a_blur_keeps_the_mean_and_constants():
    assert torch.allclose(blurred(torch.full((1, 2, 9, 12), 0.3), 1.7), torch.tensor(0.3), atol=1e-6)
    point = torch.zeros(1, 1, 41, 41)
    point[..., 20, 20] = 1
    spread = blurred(point, 2.0)
    assert float(spread.sum()) == pytest.approx(1.0, abs=1e-5) and float(spread.max()) < 0.05
    assert torch.allclose(spread, spread.transpose(-1, -2))
