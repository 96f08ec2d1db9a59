"""What the network is told of the past: the last known picture, moved to each new frame's view and encoded again."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F

from worldgen.models.native.codec import SPATIAL_FACTOR, decode_images, encode_images
from worldgen.models.native.conditions import ConditionBatch
from worldgen.models.native.history.geometry import ClipGeometry
from worldgen.models.native.history.warp import Surfaces, filled, move_pictures, pose_between


def reproject(
    codec, pictures: torch.Tensor, conditions: ConditionBatch, *, source: int, target: int,
    keyframe: tuple[torch.Tensor, int] | None = None, geometry: ClipGeometry | None = None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:  # fmt: skip
    """Pictures of frame ``source`` as latents of frame ``target``: ``(B, C + 1, h, w)``, the last map says what was seen.

    pictures ``(B, 3, H, W)`` in [-1, 1]; conditions cover both frames. Clips with unknown ego motion are not moved. key:
    an older picture and its frame, preferred where it shows the same points: moved once, it is sharper than what was
    moved frame by frame. Only clips whose ego motion is known use it; without a layout or geometry, nothing is ever hidden.
    geometry: of the clips that have no layout. Also returned: the moved pictures, filled where nothing was seen, and where
    something was ``(B, 1, H, W)``. What hides what in a clip without a layout is for the filling only: networks learn from such
    clips with all that was in the picture counted as seen.
    """
    size = tuple(pictures.shape[-2:])
    now, known = _surfaces(conditions, target, geometry, size)

    def at_target(older: torch.Tensor, frame: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        motion, dt_s = pose_between(conditions, frame, target), (target - frame) / conditions.fps.float()
        both = None if now is None else (_surfaces(conditions, frame, geometry, size)[0], now)
        moved, seen, inside = move_pictures(older, motion, conditions.camera, dt_s, both)
        return moved, seen * known, inside

    moved, seen, inside = at_target(pictures, source)
    if keyframe is not None and keyframe[1] < source:
        older, older_seen, older_inside = at_target(*keyframe)
        # One pixel less on each side, where a silhouette and what is behind it are mixed.
        sure = -F.max_pool2d(-older_seen, 3, stride=1, padding=1) * conditions.ego_known[:, None, None, None]
        moved, seen = torch.where(sure > 0, older, moved), torch.maximum(seen, sure)
        inside = torch.maximum(inside, older_inside)
    moved = filled(moved, seen, conditions.camera, now)
    latents = encode_images(codec, moved)
    told = torch.where(conditions.layout_known[:, None, None, None], seen, inside)
    return torch.cat([latents, F.avg_pool2d(told, SPATIAL_FACTOR).to(latents)], 1), moved, seen


def _surfaces(
    conditions: ConditionBatch, frame: int, geometry: ClipGeometry | None, size: tuple[int, int]
) -> tuple[Surfaces | None, torch.Tensor]:
    """What is known of a frame's surfaces at picture size, and where it is to be relied on ``(B, 1, H, W)`` of 0 and 1."""
    laid_out, free = conditions.layout_known & conditions.ego_known, ~conditions.layout_known & conditions.ego_known
    everywhere = torch.ones(1, 1, 1, 1, device=conditions.ego.device)
    given = None
    if conditions.layout is not None:
        given = Surfaces.of_layout(conditions.layout[:, :, frame], laid_out, size)
    if geometry is None:
        return given, everywhere
    found, known = geometry.at(conditions, frame, free)
    known = torch.where(free[:, None, None, None], known, everywhere)
    return (found if given is None else given.where(laid_out, found)), known


def degraded_histories(
    codec, pictures: torch.Tensor, conditions: ConditionBatch, *, stride: int, fresh: Callable[[], bool],
    stain: Callable[[torch.Tensor], torch.Tensor],
) -> torch.Tensor:  # fmt: skip
    """Pasts ``(T, C + 1, h, w)`` of one clip for training, worn as in a rollout of a model that corrects nothing.

    The picture a frame leaves behind is either the real one (``fresh()`` says so) or the past that was made for it,
    decoded, with real pixels where nothing was known, and stained. Moved and encoded many times over, such pictures
    lose detail and drift in colour; the network learns to put both right. pictures ``(T, 3, H, W)``; conditions of that
    one clip; without a layout, its frames up to then give the geometry. Frames before ``stride`` have no past: zeros.
    """
    frames = len(pictures)
    left = [pictures[i] for i in range(min(stride, frames))]
    rows: list[torch.Tensor] = []
    looks = bool((conditions.ego_known & ~conditions.layout_known).all())
    for target in range(stride, frames):
        source = target - stride
        geometry = (
            ClipGeometry.of(pictures[None, : source + 1].transpose(1, 2), conditions, source)
            if looks and source
            else None
        )
        reprojected, _, seen = reproject(
            codec, left[source][None], conditions, source=source, target=target, geometry=geometry
        )
        rows.append(reprojected[0])
        if fresh():
            left.append(pictures[target])
        else:
            repaired = torch.where(seen > 0, decode_images(codec, reprojected[:, :-1]).clamp(-1, 1), pictures[target][None])
            left.append(stain(repaired)[0])
    channels, height, width = codec.config.latent_channels + 1, *(s // SPATIAL_FACTOR for s in pictures.shape[-2:])
    none = torch.zeros(min(stride, frames), channels, height, width, dtype=pictures.dtype, device=pictures.device)
    return torch.cat([none, torch.stack(rows).to(none)]) if rows else none
