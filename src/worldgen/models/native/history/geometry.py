"""Depth of a real clip, which has no layout, from its own frames.

With flat ground and a far wall as geometry, a street's walls, trees and cars smear within a second. Two frames and
the ego motion between them give their depth: dense optical flow tells where each pixel came from, and of many depths
the one is chosen under which the known motion would move the pixel so (plane sweep: Collins 1996, "A space-sweep
approach to true multi-image matching"; flow: Kroeger et al. 2016, arXiv:1603.03590, as in OpenCV). Where the assumed
geometry explains the frames as well (bare asphalt, sky), it stays, because flow over a uniform surface is a guess. A
surface that moves by itself gets the depth that explains its motion, so it continues to move.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from worldgen.models.native.conditions import ConditionBatch
from worldgen.models.native.history.warp import (
    FAR_WALL_M,
    NEAR_M,
    SKY_M,
    Surfaces,
    assumed_depth,
    camera_rays,
    earlier_places,
    pose_between,
)
from worldgen.models.native.pixels import clips_from_video

BACK = (1, 3)
"""Earlier frames that are compared, as frames back. The nearest one tells most; an older one separates far surfaces."""

NEAREST_M = 2.5
DEPTHS = 48
"""Number of depths tried, from the sky to ``NEAREST_M``, evenly in the square root of their inverses."""

DOUBT = 0.3
"""Cost of an inverse depth that differs from the assumed one by its own size, in squared pixels of flow."""

MOST_PX2 = 16.0
"""Squared pixels from which on a larger error costs no more: the flow is wrong there, or the depth is impossible."""

EXPLAINED = 32.0
"""Error in grey levels of the frame reprojected with the assumed geometry at which the confidence in the flow is
one half."""

WINDOW_PX = 5
"""Side of the window over which the costs of depths are averaged."""

SMOOTHINGS = 3
"""Passes of the median filter over a depth map."""

WORTH_FILLING = 0.4
"""Share of known places around a hole from which on it is closed, because approaching surfaces are torn into dots."""

NONE = -1.0


@dataclass(eq=False)
class ClipGeometry:
    """Inverse depth in 1/m ``(N, 1, H, W)`` of each clip at one frame, carried to other frames on request."""

    inverse_depth: torch.Tensor
    frame: int
    _carried: dict[int, tuple[torch.Tensor, torch.Tensor]] = field(default_factory=dict, repr=False)

    @classmethod
    def of(
        cls, pictures: torch.Tensor, conditions: ConditionBatch, frame: int, before: ClipGeometry | None = None
    ) -> ClipGeometry:
        """From ``pictures`` ``(N, 3, F, H, W)`` in [-1, 1], F at least 2, the last of which is frame ``frame``.

        before: geometry of an earlier frame, which is assumed where the pictures tell little.
        """
        height, width = pictures.shape[-2:]
        assumed = 1.0 / assumed_depth(camera_rays(conditions.camera, height, width), conditions.camera)[:, None]
        if before is not None:
            there, known = before._at(conditions, frame)
            assumed = torch.where(known > 0, there, assumed)
        back = [b for b in BACK if b < pictures.shape[2]]
        older = [(pictures[:, :, -1 - b], pose_between(conditions, frame - b, frame)) for b in back]
        return cls(inverse_depth_by_flow(pictures[:, :, -1], older, conditions.camera, assumed), frame)

    def at(self, conditions: ConditionBatch, frame: int, rows: torch.Tensor) -> tuple[Surfaces, torch.Tensor]:
        """Surfaces at a frame, of the clips ``rows`` ``(N,)`` bool, and where they are known, ``(N, 1, H, W)`` of
        0 and 1."""
        inverse, known = self._at(conditions, frame)
        return Surfaces.still(inverse, rows), known

    def _at(self, conditions: ConditionBatch, frame: int) -> tuple[torch.Tensor, torch.Tensor]:
        if frame == self.frame:
            return self.inverse_depth, torch.ones_like(self.inverse_depth)
        if frame not in self._carried:
            for old in sorted(self._carried)[:-1]:  # a rollout needs the current frame and the one before
                del self._carried[old]
            motion = pose_between(conditions, frame, self.frame)
            self._carried[frame] = carried(self.inverse_depth, motion, conditions.camera)
        return self._carried[frame]


def inverse_depth_by_flow(
    picture: torch.Tensor,
    older: Sequence[tuple[torch.Tensor, torch.Tensor]],
    camera: torch.Tensor,
    assumed: torch.Tensor,
) -> torch.Tensor:
    """Inverse depth in 1/m ``(N, 1, H, W)`` of ``picture`` ``(N, 3, H, W)`` in [-1, 1].

    older: earlier pictures, each with the pose ``(N, 3)`` (x_m, y_m, yaw_rad) of the camera now in its ego frame.
    camera ``(N, 6)`` as in ``conditions.camera_features``; assumed ``(N, 1, H, W)``: prior inverse depths.
    """
    height, width = picture.shape[-2:]
    rays = camera_rays(camera, height, width)
    none = torch.zeros(1, 2, 1, 1, device=picture.device)
    observed = []
    for pictures, motion in older:
        grid, _ = earlier_places(rays, 1.0 / assumed[:, 0], none, motion=motion, camera=camera)
        expected = F.grid_sample(pictures.float(), grid, padding_mode="border", align_corners=False)
        observed.append((*_flows(picture, pictures, expected), motion))
    pixels = torch.stack(torch.meshgrid(torch.arange(width) + 0.5, torch.arange(height) + 0.5, indexing="xy"), -1).to(
        picture.device
    )
    half = torch.tensor([width, height], device=picture.device) / 2
    tried = torch.linspace(SKY_M**-0.5, NEAREST_M**-0.5, DEPTHS, device=picture.device).square()
    floor = 1.0 / FAR_WALL_M
    costs = []
    for inverse in tried:
        cost = DOUBT * ((inverse - assumed) / (assumed + floor)).square().clamp(max=MOST_PX2)[:, 0]
        depth = (1.0 / inverse).expand(len(picture), height, width)
        for flow, confidence, motion in observed:
            grid, _ = earlier_places(rays, depth, none, motion=motion, camera=camera)
            error = ((grid + 1) * half - pixels - flow).square().sum(-1)
            cost = cost + confidence * error.clamp(max=MOST_PX2) / len(observed)
        costs.append(cost)
    agreed = F.avg_pool2d(torch.stack(costs, 1), WINDOW_PX, 1, WINDOW_PX // 2, count_include_pad=False)
    # The mean over depths that fit equally well, because flow is finer than the steps of the sweep.
    inverse = (torch.softmax(-2 * agreed, 1) * tried[:, None, None]).sum(1)
    return smoothed(inverse[:, None], SMOOTHINGS)


def carried(
    inverse_depth: torch.Tensor, motion: torch.Tensor, camera: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Inverse depth ``(N, 1, H, W)`` of one view in another view, and where it is known there, ``(N, 1, H, W)`` of 0
    and 1.

    motion ``(N, 3)``: pose of the first view's camera in the ego frame of the other. The nearest of several points
    wins.
    """
    batch, _, height, width = inverse_depth.shape
    rays = camera_rays(camera, height, width)
    depth = 1.0 / inverse_depth[:, 0].clamp(1.0 / SKY_M, 1.0 / NEAR_M)
    grid, forward = earlier_places(
        rays, depth, torch.zeros(1, 2, 1, 1, device=depth.device), motion=motion, camera=camera
    )
    # Carried at half the size, because an approaching surface covers more pixels than before.
    coarse = (math.ceil(height / 2), math.ceil(width / 2))
    size = torch.tensor([coarse[1], coarse[0]], device=depth.device)
    cell = ((grid + 1) / 2 * size).floor().long()
    inside = ((cell >= 0) & (cell < size)).all(-1) & (forward > NEAR_M)
    index = (cell[..., 1] * coarse[1] + cell[..., 0]).clamp(0, coarse[0] * coarse[1] - 1)
    value = torch.where(inside, 1.0 / forward.clamp_min(NEAR_M), NONE)
    out = torch.full((batch, coarse[0] * coarse[1]), NONE, device=depth.device)
    out = out.scatter_reduce(1, index.flatten(1), value.flatten(1), "amax").view(batch, 1, *coarse)
    for _ in range(2):
        around = F.avg_pool2d((out > NONE).float(), 3, 1, 1, count_include_pad=False)
        out = torch.where((out == NONE) & (around > WORTH_FILLING), F.max_pool2d(out, 3, 1, 1), out)
    out = F.interpolate(smoothed(out), size=(height, width), mode="nearest")
    known = out > NONE
    assumed = 1.0 / assumed_depth(rays, camera)[:, None]
    return torch.where(known, out, assumed), known.float()


def smoothed(maps: torch.Tensor, times: int = 1) -> torch.Tensor:
    """Maps ``(N, 1, H, W)`` without isolated outliers: a median filter, applied ``times`` times."""
    rows = list(maps[:, 0].float().cpu().numpy())
    for _ in range(times):
        rows = [np.asarray(cv2.medianBlur(row, WINDOW_PX)) for row in rows]
    return torch.from_numpy(np.stack(rows))[:, None].to(maps.device)


def _flows(picture: torch.Tensor, older: torch.Tensor, expected: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Flow of each pixel to the earlier picture in pixels, ``(N, H, W, 2)``, and its confidence ``(N, H, W)`` in [0,
    1].

    expected: the earlier picture reprojected with the assumed geometry; pictures ``(N, 3, H, W)`` in [-1, 1].
    """
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    search.setFinestScale(0)
    flows, confidences = [], []
    for now, then, moved in zip(*map(_grey, (picture, older, expected)), strict=True):
        flow, back = (search.calc(one, other, None) for one, other in ((now, then), (then, now)))  # type: ignore[call-overload]  # None: no guess
        rows, columns = np.indices(now.shape, dtype=np.float32)
        there = cv2.remap(
            back, columns + flow[..., 0], rows + flow[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        inconsistency = np.square(flow + there).sum(-1)  # forward and backward flow should cancel
        error = cv2.blur(cv2.absdiff(now, moved).astype(np.float32), (WINDOW_PX, WINDOW_PX)) ** 2
        flows.append(flow)
        confidences.append(np.exp(-inconsistency / 2) * error / (error + EXPLAINED**2))
    device = picture.device
    return torch.from_numpy(np.stack(flows)).to(device), torch.from_numpy(np.stack(confidences)).to(device)


def _grey(pictures: torch.Tensor) -> list[np.ndarray]:
    """Pictures ``(N, 3, H, W)`` in [-1, 1] as N arrays ``(H, W)`` uint8."""
    return [cv2.cvtColor(clip.frames[0], cv2.COLOR_RGB2GRAY) for clip in clips_from_video(pictures[:, :, None], 1.0)]
