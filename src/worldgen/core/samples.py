"""A sample is a clip with everything known about it. Conditions are the inputs of a world model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from worldgen.core.camera import Camera
from worldgen.core.clip import Clip
from worldgen.core.ego import EgoMotion
from worldgen.core.errors import InputError, Received
from worldgen.core.labels import Labels
from worldgen.core.scenario import Scenario

SAMPLE_VERSION = 1
SPLITS = ("train", "val", "test")


@dataclass(frozen=True, eq=False)
class Sample:
    """One record of a data set.

    Attributes:
        key: stable identifier, unique in a data set, of the characters A-Z a-z 0-9 _ -.
        clip: the frames.
        caption: description of the clip in words, "" when there is none.
        drive: recording that the clip was cut from. All clips of a drive are in the same split.
        split: "train", "val" or "test".
        ego: motion with one row per frame at the rate of the clip, None when unknown.
        camera: camera of the size of the clip, None when unknown.
        labels: objects in the frames of the clip, None when they are not labelled.
        scenario: content that the clip was generated from, None for recorded clips.
        tags: short words to select samples by.
        provenance: origin of the sample (source file, span, tool, seed) as a JSON object.
        licence: SPDX identifier or a short text.
        scorecard: measures of this sample as a JSON object, {} before it is checked.
        conditions_used: conditions that the model got, from ``CONDITIONS``; () for recorded clips.

    Raises:
        InputError: for an invalid key or split, and for ego motion, a camera or labels that do not fit the clip.
    """

    key: str
    clip: Clip
    caption: str = ""
    drive: str = ""
    split: str = "train"
    ego: EgoMotion | None = None
    camera: Camera | None = None
    labels: Labels | None = None
    scenario: Scenario | None = None
    tags: tuple[str, ...] = ()
    provenance: dict = field(default_factory=dict)
    licence: str = "unknown"
    scorecard: dict = field(default_factory=dict)
    conditions_used: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.key or not all(c.isascii() and (c.isalnum() or c in "_-") for c in self.key):
            raise InputError("sample key", self.key, "letters, digits, _ and - only")
        if self.split not in SPLITS:
            raise InputError("sample split", self.split, "one of " + ", ".join(SPLITS))
        frames = len(self.clip)
        if self.ego is not None and (len(self.ego) != frames or abs(self.ego.fps - self.clip.fps) > 1e-6):
            raise InputError(
                "sample ego motion",
                Received(f"{len(self.ego)} rows at {self.ego.fps} fps"),
                f"{frames} rows at {self.clip.fps} fps",
            )
        size = (self.clip.width_px, self.clip.height_px)
        if self.camera is not None and (self.camera.width_px, self.camera.height_px) != size:
            raise InputError("sample camera size", (self.camera.width_px, self.camera.height_px), f"{size}")
        if self.labels is not None and (self.labels.num_frames, self.labels.width_px, self.labels.height_px) != (
            frames,
            *size,
        ):
            raise InputError(
                "sample labels",
                (self.labels.num_frames, self.labels.width_px, self.labels.height_px),
                f"{(frames, *size)}",
            )


CONDITIONS = ("context", "text", "ego", "layout")
"""Names of the conditions that a model may accept."""
CONTROLS = ("depth", "seg", "edge", "blur", "sketch", "boxes", "wsm")
"""Names of the control videos that a model may accept: disparity, instances in random colours, edges, blurred pixels,
the drawn picture, layout of 3-D boxes, world scenario map (``rendering.controls``)."""


@dataclass(frozen=True, eq=False)
class Conditions:
    """Inputs of a world model for one clip. A model refuses conditions that it does not accept.

    Attributes:
        num_frames: frames of the clip, context included.
        fps: frames per second.
        text: prompt, or None.
        context: the known first frames, fewer than ``num_frames``, or None.
        ego: motion with ``num_frames`` rows, or None.
        camera: camera of the clip, used with ego motion and layout; None for the model's default.
        layout: ``(num_frames, K, h, w)`` float16 or float32 in [0, 1] with the channels of
            ``worldgen.core.layout_channels``, or None.
        seed: seed of the sampling noise.
        controls: name of ``CONTROLS`` -> control video ``(num_frames, H, W, 3)`` uint8 RGB at exactly the size of the
            clip; {} for none.
        negative_text: what the clip should not show, or None for the default of the model.
        reference: a picture ``(H, W, 3)`` uint8 RGB of what the clip should look like, or None.

    Raises:
        InputError: for a number of frames, of ego rows or of layouts that does not fit, and for controls of an unknown
            name, another length, another size or another type.
    """

    num_frames: int
    fps: float
    text: str | None = None
    context: Clip | None = None
    ego: EgoMotion | None = None
    camera: Camera | None = None
    layout: np.ndarray | None = None
    seed: int = 0
    controls: Mapping[str, np.ndarray] = field(default_factory=dict)
    negative_text: str | None = None
    reference: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.num_frames < 1:
            raise InputError("number of frames", self.num_frames, "at least 1")
        if self.context is not None and len(self.context) >= self.num_frames:
            raise InputError(
                "context frames", len(self.context), f"fewer than the {self.num_frames} frames wanted in all"
            )
        if self.ego is not None and len(self.ego) != self.num_frames:
            raise InputError("ego motion rows", len(self.ego), f"{self.num_frames}, one per frame")
        if self.layout is not None and (self.layout.ndim != 4 or len(self.layout) != self.num_frames):
            raise InputError("layout", Received(f"shape {self.layout.shape}"), f"({self.num_frames}, K, h, w)")
        self._check_controls()
        picture = self.reference
        if picture is not None and (picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[-1] != 3):
            raise InputError("reference picture", Received(f"{picture.dtype} {picture.shape}"), "uint8 (H, W, 3)")

    def _check_controls(self) -> None:
        """A control of another size would lie beside the labels: models scale it on its own grid without a word."""
        size = self.size_px
        for name, video in self.controls.items():
            if name not in CONTROLS:
                raise InputError("control", name, "one of " + ", ".join(CONTROLS))
            shape = (self.num_frames, *(video.shape[1:3] if size is None else size[::-1]), 3)
            if video.dtype != np.uint8 or video.shape != shape:
                raise InputError(f"control {name}", Received(f"{video.dtype} {video.shape}"), f"uint8 {shape}")

    @property
    def size_px(self) -> tuple[int, int] | None:
        """Width and height in pixels that context, camera or controls fix; None where nothing does."""
        if self.context is not None:
            return self.context.width_px, self.context.height_px
        if self.camera is not None:
            return self.camera.width_px, self.camera.height_px
        for video in self.controls.values():
            return video.shape[2], video.shape[1]
        return None

    @property
    def given(self) -> tuple[str, ...]:
        """Names of the conditions that are present, in the order of ``CONDITIONS``."""
        return tuple(name for name in CONDITIONS if getattr(self, name) is not None)
