"""What is encoded of a clip: a span of its frames, their mirror image, and a degraded history for each frame."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from worldgen.core.clip import Clip
from worldgen.core.ego import EgoMotion
from worldgen.core.samples import Sample
from worldgen.core.seeds import numpy_rng
from worldgen.models.native.codec import PatchCodec
from worldgen.models.native.conditions import ClipConditions, batch_conditions
from worldgen.models.native.history.reprojection import degraded_histories
from worldgen.models.native.pixels import video_from_clips
from worldgen.training.data.windows import mirror_camera, mirror_ego

FRESH_SHARE = (0.15, 0.9)
"""Range of the share of frames whose history restarts from the recorded picture; each clip draws its own."""
GAIN_STD, OFFSET_STD = 0.02, 0.015
"""Standard deviations, per frame, of the drift of contrast and brightness of each colour: networks learn to correct
it."""


def span_of(sample: Sample, frames: int) -> range:
    """Frames of a clip to learn from: at most ``frames`` (0: all), from a start that depends on its key alone."""
    count = len(sample.clip)
    if not frames or count <= frames:
        return range(count)
    start = int(numpy_rng("span", sample.key).integers(count - frames + 1))
    return range(start, start + frames)


def cut_sample(sample: Sample, span: range) -> Sample:
    """Only these frames of a clip, without its labels."""
    part = slice(span.start, span.stop)
    ego = sample.ego
    if ego is not None:
        ego = EgoMotion(ego.speed_mps[part], ego.yaw_rate_radps[part], ego.fps)
    return dataclasses.replace(sample, clip=Clip(sample.clip.frames[part], sample.clip.fps), ego=ego, labels=None)


def mirrored_sample(sample: Sample) -> Sample:
    """The mirror image of a clip: pixels, ego motion and camera."""
    clip = Clip(np.ascontiguousarray(sample.clip.frames[:, :, ::-1]), sample.clip.fps)
    ego = None if sample.ego is None else mirror_ego(sample.ego)
    camera = None if sample.camera is None else mirror_camera(sample.camera)
    return dataclasses.replace(sample, clip=clip, ego=ego, camera=camera, labels=None)


@torch.no_grad()
def clip_histories(
    codec: PatchCodec, sample: Sample, maps: np.ndarray | None, *, stride: int, device: torch.device
) -> np.ndarray:
    """History ``(T, C + 1, h, w)`` float16 of every frame of a clip, degraded as in a rollout; the same every time."""
    rng = numpy_rng("worn past", sample.key, stride)
    share = rng.uniform(*FRESH_SHARE)

    def discolour(picture: torch.Tensor) -> torch.Tensor:
        gain, offset = (
            torch.from_numpy(rng.normal(mean, std, (1, 3, 1, 1))).to(picture)
            for mean, std in ((1.0, GAIN_STD), (0.0, OFFSET_STD))
        )
        return (picture * gain + offset).clamp(-1, 1)

    clip = ClipConditions(len(sample.clip), sample.clip.fps, None, sample.ego, sample.camera, maps)
    conditions = batch_conditions([clip], None).to(device)
    pictures = video_from_clips([sample.clip])[0].movedim(1, 0).to(device)
    histories = degraded_histories(
        codec, pictures, conditions, stride=stride, fresh=lambda: bool(rng.random() < share), discolour=discolour
    )
    return histories.float().cpu().numpy().astype(np.float16)
