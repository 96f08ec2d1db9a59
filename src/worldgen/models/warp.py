"""The past frame moved by the known ego motion: physics the network need not learn.

Every latent cell of the new frame is a ray. It meets the ground plane, a far wall, or the depth a layout gives; that
point is moved into the older frame and looked up there. Moving objects are left for the network to correct.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

FAR_WALL_M = 60.0
"""Depth of everything the ground plane does not explain; past it, a metre of motion moves less than a latent cell."""

NEAR_M = 0.1


def cumulative_poses(ego: torch.Tensor, fps: torch.Tensor) -> torch.Tensor:
    """Planar poses ``(B, F, 3)`` x_m, y_m, yaw_rad of ego rows ``(B, F, 2)``; ``core.ego.planar_poses`` in torch."""
    speed, rate = ego.unbind(-1)
    dt_s = 1.0 / fps[:, None]
    turn = rate[:, 1:] * dt_s
    zero = torch.zeros_like(speed[:, :1])
    yaw = torch.cat([zero, turn.cumsum(1)], 1)
    chord_m = speed[:, 1:] * dt_s * torch.sinc(turn / (2 * torch.pi))
    heading = yaw[:, :-1] + turn / 2
    x = torch.cat([zero, (chord_m * heading.cos()).cumsum(1)], 1)
    y = torch.cat([zero, (chord_m * heading.sin()).cumsum(1)], 1)
    return torch.stack([x, y, yaw], -1)


def relative_poses(poses: torch.Tensor, source: torch.Tensor) -> torch.Tensor:
    """Pose of each frame in the ego frame of its source frame. poses ``(B, F, 3)``, source ``(F,)`` int64 -> ``(B, F, 3)``."""
    origin = poses[:, source]
    delta = poses - origin
    cos, sin = origin[..., 2].cos(), origin[..., 2].sin()
    x = cos * delta[..., 0] + sin * delta[..., 1]
    y = -sin * delta[..., 0] + cos * delta[..., 1]
    return torch.stack([x, y, delta[..., 2]], -1)


def warp_past(
    past: torch.Tensor, motion: torch.Tensor, camera: torch.Tensor, inverse_depth: torch.Tensor | None = None
) -> torch.Tensor:
    """Look up an older frame where each cell of the new frame was.

    past ``(N, C, h, w)``; motion ``(N, 3)`` pose of the new frame in the older one (x_m, y_m, yaw_rad); camera
    ``(N, 6)`` as in ``conditions.camera_features``; inverse_depth ``(N, 1, h, w)`` in 1/m, or None for ground and wall.
    Returns ``(N, C + 1, h, w)``: moved values and a last channel that is 1 where the older frame saw the point.
    """
    count, _, height, width = past.shape
    fx, fy, cx, cy, camera_m, pitch = (v[:, None, None] for v in camera.float().unbind(1))
    u = (torch.arange(width, device=past.device) + 0.5)[None, None, :] / width
    v = (torch.arange(height, device=past.device) + 0.5)[None, :, None] / height
    ray_right = ((u - cx) / fx).expand(count, height, width)
    ray_down = ((v - cy) / fy).expand(count, height, width)
    cos_p, sin_p = pitch.cos(), pitch.sin()
    # Unit-depth ray in the ego frame (x forward, y left, z up), see core.camera.Camera.camera_from_ego.
    ray_x, ray_y, ray_z = cos_p - sin_p * ray_down, -ray_right, -sin_p - cos_p * ray_down
    ground_depth = torch.where(ray_z < -1e-4, camera_m / (-ray_z).clamp_min(1e-4), torch.full_like(ray_z, FAR_WALL_M))
    depth = ground_depth.clamp(NEAR_M, FAR_WALL_M)
    if inverse_depth is not None:
        depth = 1.0 / inverse_depth[:, 0].float().clamp(1.0 / FAR_WALL_M, 1.0 / NEAR_M)
    x, y, z = depth * ray_x, depth * ray_y, camera_m + depth * ray_z
    dx, dy, yaw = (m[:, None, None] for m in motion.float().unbind(1))
    old_x = dx + yaw.cos() * x - yaw.sin() * y
    old_y = dy + yaw.sin() * x + yaw.cos() * y
    z = z - camera_m
    forward = cos_p * old_x - sin_p * z
    right, down = -old_y, -sin_p * old_x - cos_p * z
    safe = forward.clamp_min(NEAR_M)
    grid = torch.stack([2 * (cx + fx * right / safe) - 1, 2 * (cy + fy * down / safe) - 1], -1)  # (N, h, w, 2)
    moved = F.grid_sample(past.float(), grid, mode="bilinear", padding_mode="border", align_corners=False)
    seen = ((grid.abs() <= 1).all(-1) & (forward > NEAR_M)).to(past.dtype)[:, None]
    return torch.cat([moved.to(past.dtype) * seen, seen], 1)
