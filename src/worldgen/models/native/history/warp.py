"""Reprojection of an earlier frame into a new view by ego motion, depth and object motion.

Every pixel of the new frame is a ray. It meets the surface that a layout gives or, without one, a flat ground and a
far wall. That point is moved back to the earlier frame, by the ego motion and by its own, and looked up there.
Pictures are reprojected, not latents, because latents of a codec do not shift with the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from worldgen.core.layout_channels import DEPTH_SCALE_M, INVERSE_DEPTH_CHANNEL, MOTION_CHANNELS, MOTION_RANGE_MPS
from worldgen.models.native.conditions import ConditionBatch
from worldgen.models.native.history.fill import fill_hidden
from worldgen.models.native.history.object_coverage import cover

FAR_WALL_M = 60.0
"""Assumed depth of everything above the ground plane. Beyond it, a metre of motion moves a point by less than a
latent cell."""

SKY_M = 1000.0
NEAR_M = 0.1
SAME_DEPTH = 0.25
"""Points whose depths differ by more than this share belong to different surfaces."""

SHARE_OF_NONE = 0.3
"""Pixels with object coverage below this share count as background; above 1 - share, as object."""

BORDER_PX = 2


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
    """Pose ``(B, F, 3)`` of each frame in the ego frame of its source frame; poses ``(B, F, 3)``, source ``(F,)``
    int64."""
    origin = poses[:, source]
    delta = poses - origin
    cos, sin = origin[..., 2].cos(), origin[..., 2].sin()
    x = cos * delta[..., 0] + sin * delta[..., 1]
    y = -sin * delta[..., 0] + cos * delta[..., 1]
    return torch.stack([x, y, delta[..., 2]], -1)


def pose_between(conditions: ConditionBatch, source: int, target: int) -> torch.Tensor:
    """Pose ``(B, 3)`` of the camera at frame ``target`` in the ego frame of frame ``source``, in either order.

    It is 0 where the ego motion is unknown.
    """
    first = min(source, target)
    between = conditions.frames(first, max(source, target) + 1)
    poses = cumulative_poses(between.ego.float(), between.fps.float())
    origin = torch.full((poses.shape[1],), source - first, device=poses.device)
    return relative_poses(poses, origin)[:, target - first] * between.ego_known[:, None]


@dataclass(frozen=True, eq=False)
class Surfaces:
    """Geometry of N pictures at one frame.

    inverse_depth ``(N, 1, H, W)`` in 1/m, 0 for the sky. velocity_mps ``(N, 2, H, W)`` of each pixel's surface over
    the ground, forward and left of the ego. objects ``(N, 1, H, W)``: coverage by labelled objects, 0 to 1. known
    ``(N,)`` bool: where False, a ground plane and a far wall are assumed.
    """

    inverse_depth: torch.Tensor
    velocity_mps: torch.Tensor
    objects: torch.Tensor
    known: torch.Tensor

    @classmethod
    def of_layout(cls, layout: torch.Tensor, known: torch.Tensor, size: Sequence[int]) -> Surfaces:
        """From layout maps ``(N, K, hl, wl)`` at picture size (H, W), by the nearest cell, because depths must not
        be averaged."""
        chosen = layout[:, [INVERSE_DEPTH_CHANNEL, *MOTION_CHANNELS]].float()
        chosen = torch.cat([chosen, cover(layout)], 1)
        maps = F.interpolate(chosen, size=list(size), mode="nearest")
        # value = scale / (scale + depth), so 1 / depth = value / (scale (1 - value)).
        value = maps[:, :1].clamp(0.0, 0.99)
        velocity = (maps[:, 1:3] - 0.5) * (2 * MOTION_RANGE_MPS)
        return cls(value / (DEPTH_SCALE_M * (1.0 - value)), velocity, maps[:, 3:], known)

    @classmethod
    def still(cls, inverse_depth: torch.Tensor, known: torch.Tensor) -> Surfaces:
        """Of a world without labelled objects in which nothing moves by itself; arguments as in the class."""
        nothing = torch.zeros_like(inverse_depth)
        return cls(inverse_depth, nothing.expand(-1, 2, -1, -1), nothing, known)

    def where(self, rows: torch.Tensor, others: Surfaces) -> Surfaces:
        """These surfaces for the pictures ``rows`` ``(N,)`` bool, ``others`` for the rest."""
        chosen = (
            torch.where(rows.view(-1, *[1] * (mine.ndim - 1)), mine, theirs)
            for mine, theirs in zip(self._maps, others._maps, strict=True)
        )
        return Surfaces(*chosen)

    @property
    def _maps(self) -> tuple[torch.Tensor, ...]:
        return self.inverse_depth, self.velocity_mps, self.objects, self.known


def move_pictures(
    pictures: torch.Tensor, motion: torch.Tensor, camera: torch.Tensor, dt_s: torch.Tensor,
    surfaces: tuple[Surfaces, Surfaces] | None = None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:  # fmt: skip
    """Earlier pictures as the camera sees them now.

    Args:
        pictures: ``(N, C, H, W)``.
        motion: ``(N, 3)``, pose of the camera now in the earlier ego frame (x_m, y_m, yaw_rad).
        camera: ``(N, 6)`` as in ``conditions.camera_features``.
        dt_s: ``(N,)``, time between the frames.
        surfaces: of the earlier frame and of now; None where they are unknown.

    Returns:
        The reprojected pictures, and two maps ``(N, 1, H, W)``: visible, 1 where the earlier picture shows the same
        point of the world and, where depth is known, nothing hid it; and 1 where the point was inside the earlier
        picture.
    """
    height, width = pictures.shape[-2:]
    rays = camera_rays(camera, height, width)
    depth = assumed_depth(rays, camera)
    then = None
    point_motion = torch.zeros(1, 2, 1, 1, device=pictures.device)
    if surfaces is not None:
        then, now = surfaces
        depth = _depth(now, depth)
        point_motion = now.velocity_mps * (dt_s * now.known)[:, None, None, None]
    grid, forward = earlier_places(rays, depth, point_motion, motion=motion, camera=camera)
    # Cubic, because a rollout does this hundreds of times and linear interpolation blurs a little each time.
    moved = F.grid_sample(pictures.float(), grid, mode="bicubic", padding_mode="border", align_corners=False)
    inside = (grid.abs() <= 1).all(-1) & (forward > NEAR_M)
    visible = inside
    if then is not None:
        # The border of an object mixes into the pixels beside it, so its silhouette is grown on each side.
        grown = F.max_pool2d(then.objects, 2 * BORDER_PX + 1, stride=1, padding=BORDER_PX)
        maps = torch.cat([then.inverse_depth, then.objects, grown], 1)
        earlier_inverse, covered, around = F.grid_sample(
            maps, grid, mode="nearest", padding_mode="border", align_corners=False
        ).unbind(1)
        # The depth of the point in the earlier view against the depth that was visible there. All far surfaces count
        # as one.
        expected = 1.0 / forward.clamp(NEAR_M, SKY_M)
        floor = 1.0 / FAR_WALL_M
        ratio = (earlier_inverse + floor) / (expected + floor)
        same = (ratio - 1.0).abs() < SAME_DEPTH
        # The ground under a car is as far away as the car. Depth alone would copy the car to where it drove off, and
        # would copy the wall to the man who steps out in front of it.
        left_behind = (now.objects[:, 0] < SHARE_OF_NONE) & (around > SHARE_OF_NONE)
        new = (now.objects[:, 0] > 1 - SHARE_OF_NONE) & (covered < SHARE_OF_NONE)
        same &= ~(left_behind | new)
        visible = inside & (same | ~then.known[:, None, None])
    dtype = pictures.dtype
    return moved.to(dtype), visible[:, None].to(dtype), inside[:, None].to(dtype)


def filled(pictures: torch.Tensor, visible: torch.Tensor, camera: torch.Tensor, now: Surfaces | None) -> torch.Tensor:
    """Reprojected pictures ``(N, C, H, W)`` with pixels that are not ``visible`` ``(N, 1, H, W)`` filled from the
    same depth around them."""
    depth = assumed_depth(camera_rays(camera, *pictures.shape[-2:]), camera)
    objects = None
    if now is not None:
        depth = _depth(now, depth)
        objects = (now.objects > SHARE_OF_NONE) & now.known[:, None, None, None]
    return fill_hidden(pictures.float(), visible.float(), depth, objects).to(pictures.dtype)


def _depth(now: Surfaces, assumed: torch.Tensor) -> torch.Tensor:
    """Depth in m ``(N, H, W)`` from the layout, or the assumed one where there is none."""
    given = 1.0 / now.inverse_depth[:, 0].clamp(1.0 / SKY_M, 1.0 / NEAR_M)
    return torch.where(now.known[:, None, None], given, assumed)


def camera_rays(camera: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Unit-depth ray of each pixel in the ego frame (x forward, y left, z up), ``(3, N, H, W)``.

    See ``core.camera.Camera.camera_from_ego``.
    """
    fx, fy, cx, cy, _, pitch = (v[:, None, None] for v in camera.float().unbind(1))
    u = (torch.arange(width, device=camera.device) + 0.5)[None, None, :] / width
    v = (torch.arange(height, device=camera.device) + 0.5)[None, :, None] / height
    right = ((u - cx) / fx).expand(-1, height, width)
    down = ((v - cy) / fy).expand(-1, height, width)
    return torch.stack([pitch.cos() - pitch.sin() * down, -right, -pitch.sin() - pitch.cos() * down])


def assumed_depth(rays: torch.Tensor, camera: torch.Tensor) -> torch.Tensor:
    """Depth in m ``(N, H, W)`` of a flat ground and, where that is further away, of a wall at ``FAR_WALL_M``."""
    below = (-rays[2]).clamp_min(1e-4)
    ground = torch.where(
        rays[2] < -1e-4, camera[:, 4].float()[:, None, None] / below, torch.full_like(below, FAR_WALL_M)
    )
    return ground.clamp(NEAR_M, FAR_WALL_M)


def earlier_places(
    rays: torch.Tensor, depth: torch.Tensor, point_motion: torch.Tensor, *, motion: torch.Tensor, camera: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Where the points visible now were in the earlier picture, ``(N, H, W, 2)`` in [-1, 1], and their depth there
    in m."""
    fx, fy, cx, cy, _, pitch = (v[:, None, None] for v in camera.float().unbind(1))
    x = depth * rays[0] - point_motion[:, 0]
    y = depth * rays[1] - point_motion[:, 1]
    z = depth * rays[2]
    dx, dy, yaw = (m[:, None, None] for m in motion.float().unbind(1))
    old_x = dx + yaw.cos() * x - yaw.sin() * y
    old_y = dy + yaw.sin() * x + yaw.cos() * y
    forward = pitch.cos() * old_x - pitch.sin() * z
    right, down = -old_y, -pitch.sin() * old_x - pitch.cos() * z
    safe = forward.clamp_min(NEAR_M)
    return torch.stack([2 * (cx + fx * right / safe) - 1, 2 * (cy + fy * down / safe) - 1], -1), forward
