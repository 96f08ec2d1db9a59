"""A sample: one clip with everything known about it, and the conditions a model is given."""

from __future__ import annotations

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

    key: stable id, unique in a data set, [A-Za-z0-9_-]. clip: pixels. caption: what is seen, in words. drive: recording
    the clip was cut from (splits never cut through a drive). split: train, val or test. ego: motion per frame, or None
    when unknown. camera: or None when unknown. labels: or None when there are none. scenario: or None for real clips.
    tags: short words to slice by. provenance: where it came from (source file, span, tool, seed). licence: SPDX id or a
    short text. scorecard: measures of this sample, {} before checking.
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


@dataclass(frozen=True, eq=False)
class Conditions:
    """What a world model is asked to obey. Absent means None; a model refuses what it does not accept.

    num_frames: frames wanted in all, context included. fps. text: prompt, or None. context: known first frames, or
    None. ego: ``num_frames`` rows, or None. camera: used with ego and layout; a model has a default. layout:
    ``(num_frames, K, h, w)`` float16 or float32 in [0, 1], or None. seed: of the sampling noise.
    """

    num_frames: int
    fps: float
    text: str | None = None
    context: Clip | None = None
    ego: EgoMotion | None = None
    camera: Camera | None = None
    layout: np.ndarray | None = None
    seed: int = 0

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

    @property
    def given(self) -> tuple[str, ...]:
        """Names of the conditions that are present, in the order of ``CONDITIONS``."""
        return tuple(name for name in CONDITIONS if getattr(self, name) is not None)
