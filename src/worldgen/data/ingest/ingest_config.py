"""The config of ``worldgen ingest``: the windows, the sources and the splits."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from worldgen.core.errors import InputError
from worldgen.data.dataset.splits import SplitConfig
from worldgen.data.ingest.source_config import SourceConfig


@dataclass(frozen=True)
class IngestConfig:
    """What ``worldgen ingest`` makes of a folder.

    fps, width_px, height_px, num_frames, stride_frames: the windows; sizes are even, strides count frames at ``fps``.
    min_frames: a run too short for a window gives one shorter window of at least this many frames (None: none).
    motion_at: where ego motion is measured. ``frames``: between the moments the shown frames were taken, so that motion
    and pixels agree even where the source's rate is no multiple of ``fps``; ``ticks``: between even moments, smoother.
    min_speed_mps: leave out windows whose known speed stays below. samples_per_shard: a drive longer than this takes
    several shards. crf: H.264 quality. on_bad_source: ``stop``, or ``skip`` and record sources that cannot be read.
    verify: ``decode`` every frame before anything is written, or trust the ``headers``.

    defaults: of all sources. sources: path or pattern relative to the SOURCE folder -> what differs. exclude: patterns
    to leave out. split: drives to train, val, test.
    """

    fps: float = 8.0
    width_px: int = 224
    height_px: int = 128
    num_frames: int = 25
    stride_frames: int = 25
    min_frames: int | None = None
    motion_at: Literal["frames", "ticks"] = "frames"
    min_speed_mps: float = 0.0
    samples_per_shard: int = 256
    crf: int = 18
    on_bad_source: Literal["stop", "skip"] = "stop"
    verify: Literal["decode", "headers"] = "decode"
    defaults: SourceConfig = field(default_factory=SourceConfig)
    sources: dict[str, SourceConfig] = field(default_factory=dict)
    exclude: tuple[str, ...] = ()
    split: SplitConfig = field(default_factory=SplitConfig)

    def __post_init__(self) -> None:
        for name, low, high in (
            ("width_px", 16, 8192),
            ("height_px", 16, 8192),
            ("num_frames", 1, 100_000),
            ("stride_frames", 1, 100_000),
            ("samples_per_shard", 1, 100_000),
        ):
            if not low <= getattr(self, name) <= high:
                raise InputError(name, getattr(self, name), f"{low} to {high}")
        if self.width_px % 2 or self.height_px % 2:
            raise InputError("window size", (self.width_px, self.height_px), "even numbers of pixels (H.264 yuv420p)")
        if self.min_frames is not None and not 1 <= self.min_frames <= self.num_frames:
            raise InputError("min_frames", self.min_frames, f"1 to num_frames, {self.num_frames}")
        for fps in (self.fps, self.defaults.fps, *(source.fps for source in self.sources.values())):
            if fps is not None and not (math.isfinite(fps) and 0 < fps <= 240):
                raise InputError("fps", fps, "above 0 and at most 240")
