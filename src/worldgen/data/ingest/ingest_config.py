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
    """The config of ``worldgen ingest``.

    Windows: fps, width_px and height_px (even), num_frames; stride_frames is the number of frames at ``fps`` from the
    start of one window to the next. min_frames: a run of frames too short for a window gives one shorter window of at
    least this many frames (None: no window). motion_at: times between which ego motion is measured. ``frames``: the
    times of the source frames, so that motion and pixels agree even if the source's rate is no multiple of ``fps``;
    ``ticks``: equally spaced times, which is smoother. min_speed_mps: windows whose known speed stays below are left
    out. samples_per_shard: samples of a drive beyond this number go to further shards. crf: H.264 constant rate factor.
    on_bad_source: ``skip`` a source that cannot be read and list it, or ``stop`` at it. verify: ``decode`` every frame
    before anything is written, or trust the ``headers``; frames are decoded all the same where cuts or repeated frames
    are looked for (see ``SourceConfig``). check_motion: compare the motion of each log with that of the pixels, and say
    what does not fit; it takes about as long as reading and writing the clips.

    Sources: dataset: a public data set whose own layout is read (``argoverse2``, ``bdd100k``,
    ``comma2k19``, ``kitti_raw``, ``lerobot``, ``nuscenes``, ``pandaset``). defaults: the config of all sources;
    sources: path or pattern relative to the SOURCE folder -> what differs; exclude: patterns of sources to leave out;
    split: which drives are train, val and test.

    Raises:
        InputError: a value out of range.
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
    on_bad_source: Literal["stop", "skip"] = "skip"
    verify: Literal["decode", "headers"] = "decode"
    check_motion: bool = False
    dataset: Literal["argoverse2", "bdd100k", "comma2k19", "kitti_raw", "lerobot", "nuscenes", "pandaset"] | None = None
    defaults: SourceConfig = field(default_factory=SourceConfig)
    sources: dict[str, SourceConfig] = field(default_factory=dict)
    exclude: tuple[str, ...] = ()
    split: SplitConfig = field(default_factory=SplitConfig)

    @property
    def reads_pixels(self) -> bool:
        """Whether the motion of some source is to be measured from its pixels."""
        settings = (self.defaults, *self.sources.values())
        return self.check_motion or any(source.ego is not None and source.ego.from_video for source in settings)

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
