"""What the network is told of the past: the last known picture, moved to each new frame's view and encoded again."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F

from worldgen.models.codec import SPATIAL_FACTOR, decode_images, encode_images
from worldgen.models.conditions import ConditionBatch
from worldgen.models.warp import Surfaces, cumulative_poses, filled, move_pictures, relative_poses


def moved_past(
    codec, pictures: torch.Tensor, conditions: ConditionBatch, *, source: int, target: int,
    key: tuple[torch.Tensor, int] | None = None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:  # fmt: skip
    """Pictures of frame ``source`` as latents of frame ``target``: ``(B, C + 1, h, w)``, the last map says what was seen.

    pictures ``(B, 3, H, W)`` in [-1, 1]; conditions cover both frames. Clips with unknown ego motion are not moved. key:
    an older picture and its frame, preferred where it shows the same points: moved once, it is sharper than what was
    moved frame by frame. Only clips whose ego motion is known use it; without a layout, nothing is ever hidden. Also
    returned: the moved pictures, filled where nothing was seen, and where something was ``(B, 1, H, W)``.
    """
    size = tuple(pictures.shape[-2:])
    moved, seen = _moved(pictures, conditions, source, target)
    known = conditions.layout_known & conditions.ego_known
    if key is not None and key[1] < source:
        older, older_seen = _moved(key[0], conditions, key[1], target)
        # One pixel less on each side, where a silhouette and what is behind it are mixed.
        sure = -F.max_pool2d(-older_seen, 3, stride=1, padding=1) * conditions.ego_known[:, None, None, None]
        moved, seen = torch.where(sure > 0, older, moved), torch.maximum(seen, sure)
    now = None if conditions.layout is None else Surfaces.of_layout(conditions.layout[:, :, target], known, size)
    moved = filled(moved, seen, conditions.camera, now)
    latents = encode_images(codec, moved)
    return torch.cat([latents, F.avg_pool2d(seen, SPATIAL_FACTOR).to(latents)], 1), moved, seen


def _moved(
    pictures: torch.Tensor, conditions: ConditionBatch, source: int, target: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures of one frame as the camera sees them at another, and where they were seen."""
    between = conditions.frames(source, target + 1)
    poses = cumulative_poses(between.ego.float(), between.fps.float())
    motion = relative_poses(poses, torch.zeros(poses.shape[1], dtype=torch.long, device=poses.device))[:, -1]
    motion = motion * between.ego_known[:, None]
    surfaces = None
    if between.layout is not None:
        size, known = tuple(pictures.shape[-2:]), between.layout_known & between.ego_known
        surfaces = tuple(Surfaces.of_layout(between.layout[:, :, i], known, size) for i in (0, -1))
    return move_pictures(pictures, motion, between.camera, (target - source) / between.fps.float(), surfaces)


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
