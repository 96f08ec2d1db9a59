"""Training windows cut out of clips: start, stride, and mirror image."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass

import numpy as np

from worldgen.core.camera import Camera
from worldgen.core.ego import EgoMotion
from worldgen.core.errors import InputError
from worldgen.training.train_config import DataConfig

SIDES = {"left": "right", "right": "left", "Left": "Right", "Right": "Left", "LEFT": "RIGHT", "RIGHT": "LEFT"}
# A side is a word of its own, or a part of a compound: "turn_left", "left-hand", "leftmost", but not "bright".
_SIDE = re.compile(r"(?<![A-Za-z])(left|right)(?=(?:most|ward|wards|hand|s)?(?![A-Za-z]))", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class ClipRecord:
    """What is known about one clip besides its pixels. ego: a row per frame, or None. camera: at the training size."""

    key: str
    caption: str
    fps: float
    num_frames: int
    ego: EgoMotion | None = None
    camera: Camera | None = None
    split: str = "train"
    drive: str = ""


@dataclass(frozen=True, eq=False)
class TrainingWindow:
    """A part of one clip that a model is trained on: frames start, start + stride, ... and everything known about them.

    mirrored: left and right are exchanged, in the pixels and in everything else.
    """

    key: str
    start: int
    stride: int
    num_frames: int
    mirrored: bool
    caption: str
    fps: float
    ego: EgoMotion | None
    camera: Camera | None

    @property
    def frames(self) -> slice:
        return slice(self.start, self.start + (self.num_frames - 1) * self.stride + 1, self.stride)


def names_a_side(text: str) -> bool:
    """Whether a caption says left or right."""
    return _SIDE.search(text) is not None


def mirror_text(text: str) -> str:
    """A caption with left and right exchanged, letter case kept."""

    def swap(match: re.Match[str]) -> str:
        word = match.group()
        return SIDES.get(word, SIDES[word.lower()])

    return _SIDE.sub(swap, text)


def mirror_camera(camera: Camera) -> Camera:
    """The camera that sees the mirror image."""
    return dataclasses.replace(camera, cx_px=camera.width_px - camera.cx_px)


def mirror_ego(ego: EgoMotion) -> EgoMotion:
    """The mirrored drive: the same speed, turning the other way."""
    return EgoMotion(ego.speed_mps, -ego.yaw_rate_radps, ego.fps)


def window_ego(ego: EgoMotion, start: int, stride: int, num_frames: int) -> EgoMotion:
    """Ego motion of every ``stride``-th frame: the mean motion since the frame before it in the window.

    The mean keeps the angle turned exactly, and the distance up to the curvature inside a step. The first row also
    averages the rows before the window, as far as the clip has them.
    """
    ends = start + stride * np.arange(num_frames)
    begins = np.maximum(ends - stride + 1, 0)
    rows = [
        [values[b : e + 1].mean() for b, e in zip(begins, ends, strict=True)]
        for values in (ego.speed_mps, ego.yaw_rate_radps)
    ]
    return EgoMotion(np.array(rows[0]), np.array(rows[1]), ego.fps / stride)


def usable_strides(num_frames: int, config: DataConfig) -> list[int]:
    """Strides at which a clip of ``num_frames`` frames holds a whole window."""
    return [s for s in config.strides if (config.num_frames - 1) * s + 1 <= num_frames]


def cut_window(record: ClipRecord, config: DataConfig, rng: np.random.Generator) -> TrainingWindow:
    """Draw a window of a clip: stride, start and mirroring, each uniform or as ``config`` says.

    Raises:
        InputError: when the clip is too short for one window.
    """
    strides = usable_strides(record.num_frames, config)
    if not strides:
        raise InputError(
            f"frames of clip {record.key}", record.num_frames, f"at least {config.num_frames} for one window"
        )
    stride = strides[int(rng.integers(len(strides)))]
    start = int(rng.integers(record.num_frames - (config.num_frames - 1) * stride))
    mirrored = bool(rng.random() < config.flip)
    if mirrored and config.flip_text == "skip" and names_a_side(record.caption):
        mirrored = False
    return window_at(record, config, start=start, stride=stride, mirrored=mirrored)


def window_at(
    record: ClipRecord, config: DataConfig, *, start: int, stride: int = 1, mirrored: bool = False
) -> TrainingWindow:
    """The window of a clip that starts at a given frame."""
    ego = None if record.ego is None else window_ego(record.ego, start, stride, config.num_frames)
    caption, camera = record.caption, record.camera
    if mirrored:
        caption = mirror_text(caption)
        ego = None if ego is None else mirror_ego(ego)
        camera = None if camera is None else mirror_camera(camera)
    return TrainingWindow(
        key=record.key, start=start, stride=stride, num_frames=config.num_frames, mirrored=mirrored, caption=caption,
        fps=record.fps / stride, ego=ego, camera=camera,
    )  # fmt: skip
