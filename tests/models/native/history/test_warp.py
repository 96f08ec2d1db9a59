"""The warp by ego motion agrees with the camera's own geometry."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from worldgen.core.camera import Camera
from worldgen.core.ego import EgoMotion, planar_poses, se3_from_planar
from worldgen.core.layout_channels import (
    DEPTH_SCALE_M,
    INVERSE_DEPTH_CHANNEL,
    LAYOUT_CHANNELS,
    MOTION_CHANNELS,
    MOTION_RANGE_MPS,
)
from worldgen.core.manoeuvres import MANOEUVRES, manoeuvre_motion
from worldgen.models.native.conditions import camera_features
from worldgen.models.native.history.warp import (
    BORDER_PX,
    FAR_WALL_M,
    Surfaces,
    cumulative_poses,
    move_pictures,
    relative_poses,
)

ROWS, COLUMNS = 32, 56
STEP_S = torch.tensor([0.125])
CAR = LAYOUT_CHANNELS.index("car")


def layout(depth_m: np.ndarray, velocity: tuple[float, float] = (0.0, 0.0)) -> torch.Tensor:
    """Layout ``(1, K, H, W)`` of a depth map whose every point moves alike."""
    maps = torch.zeros(1, len(LAYOUT_CHANNELS), *depth_m.shape)
    maps[0, INVERSE_DEPTH_CHANNEL] = torch.from_numpy(DEPTH_SCALE_M / (DEPTH_SCALE_M + depth_m))
    for channel, v in zip(MOTION_CHANNELS, velocity, strict=True):
        maps[:, channel] = 0.5 + v / (2 * MOTION_RANGE_MPS)
    return maps


def surfaces(depth_m: np.ndarray, velocity: tuple[float, float] = (0.0, 0.0)) -> Surfaces:
    return Surfaces.of_layout(layout(depth_m, velocity), torch.ones(1, dtype=torch.bool), depth_m.shape)


def features(camera: Camera) -> torch.Tensor:
    return torch.from_numpy(camera_features(camera))[None]


@pytest.mark.parametrize("name", MANOEUVRES)
def test_torch_poses_equal_core_poses(name):
    ego = manoeuvre_motion(name, 20, 8.0)
    ours = cumulative_poses(torch.from_numpy(ego.to_array())[None], torch.tensor([8.0]))[0]
    np.testing.assert_allclose(ours.numpy(), planar_poses(ego), atol=2e-4)


def test_relative_poses_compose_to_the_whole():
    ego = manoeuvre_motion("turn_left", 12, 8.0)
    poses = torch.from_numpy(planar_poses(ego))[None]
    step = relative_poses(poses, torch.arange(12).sub(1).clamp_min(0))[0].numpy()
    transforms = se3_from_planar(step)
    whole = np.eye(4)
    for transform in transforms:
        whole = whole @ transform
    np.testing.assert_allclose(whole, se3_from_planar(planar_poses(ego))[-1], atol=1e-9)


def test_no_motion_is_the_identity():
    reprojected = torch.randn(2, 3, ROWS, COLUMNS)
    camera = features(Camera.from_fov(224, 128, 65.0)).repeat(2, 1)
    out, seen, _ = move_pictures(reprojected, torch.zeros(2, 3), camera, STEP_S.repeat(2))
    torch.testing.assert_close(out, reprojected, atol=1e-4, rtol=1e-4)
    assert bool((seen == 1).all())


@pytest.mark.parametrize("motion", [(1.5, 0.0, 0.0), (1.0, 0.1, 0.08), (0.0, 0.0, -0.1)])
def test_ground_points_are_found_where_the_camera_saw_them(motion):
    camera = Camera.from_fov(448, 256, 60.0, height_m=1.5, pitch_rad=0.05)
    # The old frame holds its own pixel coordinates, so looking it up tells where each new cell came from.
    grid = camera.resized(COLUMNS, ROWS)
    u, v = np.meshgrid(np.arange(COLUMNS) + 0.5, np.arange(ROWS) + 0.5)
    reprojected = torch.from_numpy(np.stack([u, v]))[None].float()
    moved, seen, _ = move_pictures(reprojected, torch.tensor([motion], dtype=torch.float32), features(camera), STEP_S)
    out = torch.cat([moved, seen], 1)[0].numpy()
    rays = grid.rays()
    depth = np.where(rays[..., 2] < -1e-4, grid.height_m / np.maximum(-rays[..., 2], 1e-4), np.inf)
    ground = depth < FAR_WALL_M
    points = np.array([0, 0, grid.height_m]) + np.where(ground, depth, 1.0)[..., None] * rays
    old_points = points @ se3_from_planar(np.array([motion]))[0, :3, :3].T + [motion[0], motion[1], 0]
    expected, old_depth = grid.project(old_points)
    # Cubic interpolation (its parameter is -0.75) is a few hundredths of a cell off a ramp, where all 4 x 4
    # neighbours are inside.
    inside = (expected > 1.5).all(-1) & (expected[..., 0] < COLUMNS - 1.5) & (expected[..., 1] < ROWS - 1.5)
    checked = ground & inside & (old_depth > 0.2)
    assert checked.sum() > 200
    np.testing.assert_allclose(out[:2][:, checked].T, expected[checked], atol=0.05)
    assert (out[2][checked] == 1).all()


def test_turning_left_moves_the_far_picture_right():
    reprojected = torch.zeros(1, 1, ROWS, COLUMNS)
    reprojected[..., : ROWS // 4, COLUMNS // 2] = 1.0
    camera = features(Camera.from_fov(224, 128, 70.0))
    out, *_ = move_pictures(reprojected, torch.tensor([[0.0, 0.0, 0.1]]), camera, STEP_S)
    column = out[0, 0, 2].argmax().item()
    assert column > COLUMNS // 2 + 1


def test_given_depth_overrides_the_ground_plane():
    reprojected = torch.randn(1, 2, ROWS, COLUMNS, generator=torch.Generator().manual_seed(0))
    camera = features(Camera.from_fov(224, 128, 70.0))
    motion = torch.tensor([[2.0, 0.0, 0.0]])
    plain, *_ = move_pictures(reprojected, motion, camera, STEP_S)
    near, far = (
        move_pictures(reprojected, motion, camera, STEP_S, (surfaces(depth), surfaces(depth)))[0]
        for depth in (np.full((ROWS, COLUMNS), 5.0), np.full((ROWS, COLUMNS), FAR_WALL_M))
    )
    assert not torch.allclose(near, plain) and not torch.allclose(near, far)
    torch.testing.assert_close(far[:, :, : ROWS // 4], plain[:, :, : ROWS // 4], atol=1e-4, rtol=1e-3)


def test_a_thing_that_keeps_pace_with_the_camera_stays_where_it_was():
    """The lead car drives as fast as the ego: its picture does not change, though the ego moved."""
    reprojected = torch.randn(1, 3, ROWS, COLUMNS, generator=torch.Generator().manual_seed(0))
    wall = np.full((ROWS, COLUMNS), 12.0)
    camera = features(Camera.from_fov(224, 128, 70.0))
    motion = torch.tensor([[16.0 * 0.125, 0.0, 0.0]])
    moved, seen, _ = move_pictures(reprojected, motion, camera, STEP_S, (surfaces(wall), surfaces(wall, (16.0, 0.0))))
    torch.testing.assert_close(moved, reprojected, atol=2e-3, rtol=2e-3)
    assert bool((seen == 1).all())


def test_what_stood_behind_something_was_not_seen():
    """A car covers the road in the old picture and is gone in the new one: that road was never seen."""
    then = np.full((ROWS, COLUMNS), 30.0)
    then[10:20, 20:30] = 8.0
    now = np.full((ROWS, COLUMNS), 30.0)
    camera = features(Camera.from_fov(224, 128, 70.0))
    _, seen, _ = move_pictures(
        torch.zeros(1, 3, ROWS, COLUMNS), torch.zeros(1, 3), camera, STEP_S, (surfaces(then), surfaces(now))
    )
    expected = np.ones((ROWS, COLUMNS), bool)
    expected[10:20, 20:30] = False
    assert np.array_equal(seen[0, 0].numpy() == 1, expected)


def test_ego_motion_is_the_motion_that_arrives():
    """Row i moves frame i-1 to frame i: only the rows after the source may count."""
    ego = EgoMotion(np.array([50.0, 8.0, 8.0]), np.zeros(3), 8.0)
    poses = cumulative_poses(torch.from_numpy(ego.to_array())[None], torch.tensor([8.0]))
    motion = relative_poses(poses, torch.tensor([0, 0, 1]))[0, :, 0]
    np.testing.assert_allclose(motion.numpy(), [0.0, 1.0, 1.0], atol=1e-6)


def test_a_car_that_drives_off_does_not_stay_on_the_ground_it_stood_on():
    """Car and ground at one depth, so that only the silhouettes tell: where it was, where it is, and where nothing
    changed."""
    flat = np.full((ROWS, COLUMNS), 12.0)
    then, now = layout(flat), layout(flat)
    then[:, CAR, 12:20, 10:20] = 1.0
    now[:, CAR, 12:20, 30:40] = 1.0
    known = torch.tensor([True])
    geometry = tuple(Surfaces.of_layout(maps, known, (ROWS, COLUMNS)) for maps in (then, now))
    camera = features(Camera.from_fov(224, 128, 70.0))
    _, seen, _ = move_pictures(torch.zeros(1, 3, ROWS, COLUMNS), torch.zeros(1, 3), camera, STEP_S, geometry)
    hidden = np.zeros((ROWS, COLUMNS), bool)
    hidden[12 - BORDER_PX : 20 + BORDER_PX, 10 - BORDER_PX : 20 + BORDER_PX] = (
        True  # the ground it covered, and its border
    )
    hidden[12:20, 30:40] = True  # the car itself, which the old picture does not show here
    assert np.array_equal(seen[0, 0].numpy() == 0, hidden)
