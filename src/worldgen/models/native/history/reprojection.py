"""Reprojected frames: an earlier frame in the view of a new one, encoded, with its visibility."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F

from worldgen.models.native.codec import SPATIAL_FACTOR, PatchCodec, decode_images, encode_images
from worldgen.models.native.conditions import ConditionBatch
from worldgen.models.native.history.geometry import ClipGeometry
from worldgen.models.native.history.warp import Surfaces, filled, move_pictures, pose_between


def reproject(
    codec: PatchCodec, pictures: torch.Tensor, conditions: ConditionBatch, *, source: int, target: int,
    keyframe: tuple[torch.Tensor, int] | None = None, geometry: ClipGeometry | None = None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:  # fmt: skip
    """Frames ``source`` as the cameras of frame ``target`` see them.

    Args:
        codec: encodes the reprojected pictures.
        pictures: ``(B, 3, H, W)`` in [-1, 1], of frame ``source``. Those of clips with unknown ego motion are not
            moved.
        conditions: of at least both frames.
        source: number of the earlier frame.
        target: number of the new frame.
        keyframe: an older picture and its frame, preferred where it shows the same points: reprojected once, it is
            sharper than a picture that was reprojected frame by frame. Only clips with known ego motion use it;
            without a layout or geometry, nothing is ever hidden.
        geometry: depth of the clips that have no layout.

    Returns:
        Latents and visibility ``(B, C + 1, h, w)``; the reprojected pictures, filled where nothing was visible; and
        their visibility ``(B, 1, H, W)``. For clips without a layout, occlusion serves the filling only: networks
        learn from such clips with everything inside the earlier picture counted as visible.
    """
    moved, visible, inside = at_frame(pictures, conditions, source=source, target=target, geometry=geometry)
    if keyframe is not None and keyframe[1] < source:
        older, older_visible, older_inside = at_frame(
            keyframe[0], conditions, source=keyframe[1], target=target, geometry=geometry
        )
        # One pixel less on each side, where a silhouette and the background are mixed.
        sure = -F.max_pool2d(-older_visible, 3, stride=1, padding=1) * conditions.ego_known[:, None, None, None]
        moved, visible = torch.where(sure > 0, older, moved), torch.maximum(visible, sure)
        inside = torch.maximum(inside, older_inside)
    moved = filled(moved, visible, conditions.camera, _surfaces(conditions, target, geometry, moved.shape[-2:])[0])
    latents = encode_images(codec, moved)
    shown = torch.where(conditions.layout_known[:, None, None, None], visible, inside)
    return torch.cat([latents, F.avg_pool2d(shown, SPATIAL_FACTOR).to(latents)], 1), moved, visible


def at_frame(
    pictures: torch.Tensor, conditions: ConditionBatch, *, source: int, target: int, geometry: ClipGeometry | None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Frames ``source`` ``(B, 3, H, W)`` moved to where the cameras of frame ``target`` see them, without a codec.

    Returns the moved pictures; where they show the same point of the world; and where that point was inside them; the
    last two ``(B, 1, H, W)`` of 0 and 1. Arguments as in :func:`reproject`.
    """
    size = pictures.shape[-2:]
    now, known = _surfaces(conditions, target, geometry, size)
    motion, dt_s = pose_between(conditions, source, target), (target - source) / conditions.fps.float()
    then = None if now is None else _surfaces(conditions, source, geometry, size)[0]
    both = None if now is None or then is None else (then, now)
    moved, visible, inside = move_pictures(pictures, motion, conditions.camera, dt_s, both)
    return moved, visible * known, inside


def _surfaces(
    conditions: ConditionBatch, frame: int, geometry: ClipGeometry | None, size: Sequence[int]
) -> tuple[Surfaces | None, torch.Tensor]:
    """A frame's surfaces at picture size, and where they are reliable, ``(B, 1, H, W)`` of 0 and 1."""
    with_layout, free = conditions.layout_known & conditions.ego_known, ~conditions.layout_known & conditions.ego_known
    everywhere = torch.ones(1, 1, 1, 1, device=conditions.ego.device)
    given = None
    if conditions.layout is not None:
        given = Surfaces.of_layout(conditions.layout[:, :, frame], with_layout, size)
    if geometry is None:
        return given, everywhere
    found, known = geometry.at(conditions, frame, free)
    known = torch.where(free[:, None, None, None], known, everywhere)
    return (found if given is None else given.where(with_layout, found)), known


def degraded_histories(
    codec: PatchCodec, pictures: torch.Tensor, conditions: ConditionBatch, *, stride: int, fresh: Callable[[], bool],
    discolour: Callable[[torch.Tensor], torch.Tensor],
) -> torch.Tensor:  # fmt: skip
    """Reprojected frames ``(T, C + 1, h, w)`` of one clip for training, degraded as in a rollout of a model that
    corrects nothing.

    The frame that is reprojected next is either the recorded one (where ``fresh()`` returns True) or the reprojected
    frame itself, decoded, with recorded pixels where nothing was visible, and discoloured. Reprojected and encoded
    repeatedly, such frames lose detail and drift in colour, and the network learns to correct both. pictures ``(T, 3,
    H, W)``; conditions of that one clip. Without a layout, its frames up to then give the geometry. Frames before
    ``stride`` have no history: zeros.
    """
    frames = len(pictures)
    left = [pictures[i] for i in range(min(stride, frames))]
    rows: list[torch.Tensor] = []
    estimates_depth = bool((conditions.ego_known & ~conditions.layout_known).all())
    for target in range(stride, frames):
        source = target - stride
        geometry = (
            ClipGeometry.of(pictures[None, : source + 1].transpose(1, 2), conditions, source)
            if estimates_depth and source
            else None
        )
        reprojected, _, visible = reproject(
            codec, left[source][None], conditions, source=source, target=target, geometry=geometry
        )
        rows.append(reprojected[0])
        if fresh():
            left.append(pictures[target])
        else:
            repaired = torch.where(
                visible > 0, decode_images(codec, reprojected[:, :-1]).clamp(-1, 1), pictures[target][None]
            )
            left.append(discolour(repaired)[0])
    channels, height, width = codec.config.latent_channels + 1, *(s // SPATIAL_FACTOR for s in pictures.shape[-2:])
    none = torch.zeros(min(stride, frames), channels, height, width, dtype=pictures.dtype, device=pictures.device)
    return torch.cat([none, torch.stack(rows).to(none)]) if rows else none
