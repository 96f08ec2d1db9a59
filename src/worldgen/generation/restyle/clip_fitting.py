"""Clips brought to a size and a length that a model makes."""

from __future__ import annotations

import dataclasses

import numpy as np

from worldgen.core.clip import Clip
from worldgen.core.errors import InputError, Received
from worldgen.core.samples import Conditions, Sample
from worldgen.data.video.framing import framing
from worldgen.models.promise import ModelPromise

MULTIPLE_PX = 16


def fitted(sample: Sample, size_px: tuple[int, int], *, multiple: int = MULTIPLE_PX) -> Sample:
    """A sample of a size that the model accepts: unchanged, or cropped and resized to ``size_px`` with its labels.

    size_px: width and height of the model's training clips. Raises: InputError for a camera of another size than its
    clip.
    """
    clip = sample.clip
    if clip.width_px % multiple == 0 and clip.height_px % multiple == 0 and clip.width_px <= 2 * size_px[0]:
        camera = sample.camera
        if camera is not None and (camera.width_px, camera.height_px) != (clip.width_px, clip.height_px):
            raise InputError(
                f"camera of {sample.key}", Received(f"{camera.width_px}x{camera.height_px}"), "the size of its clip"
            )
        return sample
    frame = framing((clip.width_px, clip.height_px), size_px)
    return dataclasses.replace(
        sample, clip=Clip(np.stack([frame.frame(picture) for picture in clip.frames]), clip.fps),
        camera=None if sample.camera is None else frame.camera(sample.camera),
        labels=None if sample.labels is None else frame.labels(sample.labels),
    )  # fmt: skip


def padded(conditions: Conditions, promise: ModelPromise) -> Conditions:
    """Conditions of a length that the model makes: the last frame of each control is held for up to a latent frame.

    What is made of the held frames is cut off again.
    """
    more = promise.frames.above(conditions.num_frames) - conditions.num_frames
    if more <= 0 or not conditions.controls or conditions.ego is not None:
        return conditions
    controls = {name: np.concatenate([video, *[video[-1:]] * more]) for name, video in conditions.controls.items()}
    return dataclasses.replace(conditions, num_frames=conditions.num_frames + more, controls=controls)
