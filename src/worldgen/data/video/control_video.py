"""Control videos as files: drawn colours without loss, photographs nearly so."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from worldgen.core.errors import InputError, Received
from worldgen.core.samples import CONTROLS
from worldgen.data.video.encoding import Mp4Writer
from worldgen.data.video.reading import decode_mp4

PICTURES = ("blur", "sketch")
"""Controls that are photographs. Their noise costs ten times the bytes without loss, and no colour of theirs is a
code."""
PICTURE_CRF = 10
CONTROLS_FOLDER = "controls"
CONTROL_MEMBERS = {f"{name}.mp4": name for name in CONTROLS}
"""Extension of a file of a sample in a shard -> control."""


def encode_control(name: str, frames: np.ndarray, fps: float) -> bytes:
    """A control ``(T, H, W, 3)`` uint8 RGB as an MP4 file in memory; the same frames give the same bytes.

    Drawn controls keep every value. ``PICTURES`` are H.264 in yuv420p at a low rate factor.
    """
    buffer = io.BytesIO()
    size_px = (frames.shape[2], frames.shape[1])
    with Mp4Writer(buffer, fps, size_px, crf=PICTURE_CRF, exact=name not in PICTURES) as writer:
        writer.write(frames)
    return buffer.getvalue()


def write_controls(folder: Path, controls: Mapping[str, np.ndarray], fps: float) -> None:
    """Write controls as ``controls/NAME.mp4`` into a folder; nothing where there are none."""
    if not controls:
        return
    (folder / CONTROLS_FOLDER).mkdir()
    for name, frames in controls.items():
        (folder / CONTROLS_FOLDER / f"{name}.mp4").write_bytes(encode_control(name, frames, fps))


def control_members(controls: Mapping[str, np.ndarray], fps: float) -> dict[str, bytes]:
    """Controls as files of a sample in a shard, by extension."""
    return {f"{name}.mp4": encode_control(name, controls[name], fps) for name in CONTROLS if name in controls}


def decode_controls(members: Mapping[str, bytes], shape: tuple[int, ...], key: str) -> dict[str, np.ndarray]:
    """The controls among the files of a sample, name -> ``(T, H, W, 3)`` uint8 RGB.

    shape: of the frames of its clip. key: of the sample, for messages.

    Raises:
        InputError: a file that is no readable video, or one of another shape than the clip.
    """
    made = {}
    for extension, name in CONTROL_MEMBERS.items():
        if extension not in members:
            continue
        try:
            frames = decode_mp4(members[extension]).frames
        except InputError as error:
            raise InputError(f"control {name} of sample {key}: {error}") from error
        if frames.shape != shape:
            raise InputError(f"control {name} of sample {key}", Received(str(frames.shape)), f"{shape} as its clip")
        made[name] = frames
    return made
