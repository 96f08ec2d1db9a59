"""What the network is told of the past: the last known picture, moved to each new frame's view and encoded again."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F

from worldgen.models.codec import SPATIAL_FACTOR, decode_images, encode_images
from worldgen.models.conditions import ConditionBatch
from worldgen.models.warp import Surfaces, cumulative_poses, move_pictures, relative_poses


def moved_past(
    codec, pictures: torch.Tensor, conditions: ConditionBatch, *, source: int, target: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Pictures of frame ``source`` as latents of frame ``target``: ``(B, C + 1, h, w)``, the last map says what was seen.

    pictures ``(B, 3, H, W)`` in [-1, 1]; conditions cover both frames. Clips with unknown ego motion are not moved. Also
    returned: the moved pictures and where they were seen ``(B, 1, H, W)``.
    """
    between = conditions.frames(source, target + 1)
    poses = cumulative_poses(between.ego.float(), between.fps.float())
    motion = relative_poses(poses, torch.zeros(poses.shape[1], dtype=torch.long, device=poses.device))[:, -1]
    motion = motion * between.ego_known[:, None]
    dt_s = (target - source) / between.fps.float()
    surfaces = None
    if between.layout is not None:
        size, known = tuple(pictures.shape[-2:]), between.layout_known & between.ego_known
        surfaces = tuple(Surfaces.of_layout(between.layout[:, :, i], known, size) for i in (0, -1))
    moved, seen = move_pictures(pictures, motion, between.camera, dt_s, surfaces)
    latents = encode_images(codec, moved)
    return torch.cat([latents, F.avg_pool2d(seen, SPATIAL_FACTOR).to(latents)], 1), moved, seen


def worn_pasts(
    codec, pictures: torch.Tensor, conditions: ConditionBatch, *, stride: int, fresh: Callable[[], bool],
    stain: Callable[[torch.Tensor], torch.Tensor],
) -> torch.Tensor:  # fmt: skip
    """Pasts ``(T, C + 1, h, w)`` of one clip for training, worn as in a rollout of a model that corrects nothing.

    The picture a frame leaves behind is either the real one (``fresh()`` says so) or the past that was made for it,
    decoded, with real pixels where nothing was known, and stained. Moved and encoded many times over, such pictures
    lose detail and drift in colour; the network learns to put both right. pictures ``(T, 3, H, W)``; conditions of that
    one clip. Frames before ``stride`` have no past: zeros.
    """
    frames = len(pictures)
    left = [pictures[i] for i in range(min(stride, frames))]
    rows: list[torch.Tensor] = []
    for target in range(stride, frames):
        past, _, seen = moved_past(
            codec, left[target - stride][None], conditions, source=target - stride, target=target
        )
        rows.append(past[0])
        if fresh():
            left.append(pictures[target])
        else:
            repaired = torch.where(seen > 0, decode_images(codec, past[:, :-1]).clamp(-1, 1), pictures[target][None])
            left.append(stain(repaired)[0])
    channels, height, width = codec.config.latent_channels + 1, *(s // SPATIAL_FACTOR for s in pictures.shape[-2:])
    none = torch.zeros(min(stride, frames), channels, height, width, dtype=pictures.dtype, device=pictures.device)
    return torch.cat([none, torch.stack(rows).to(none)]) if rows else none
