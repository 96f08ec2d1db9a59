"""A source resampled to a constant rate: the frame of every tick, and the runs of ticks without a gap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from worldgen.data.ingest.logs.log_motion import LogMotion


@dataclass(frozen=True, eq=False)
class FrameGrid:
    """A source resampled to a constant rate. Tick k is at ``k / fps`` on the video's clock.

    frame_index: ``(K,)`` int64 source frame of each tick, -1 where no frame is near enough. used: ``(K,)`` bool,
    whether the tick has a frame and, with a log, ego motion. error_s: largest time between a tick and its frame. fps:
    ticks per second. spans: runs of ticks (start, stop) that windows may be cut from.
    """

    frame_index: np.ndarray
    used: np.ndarray
    error_s: float
    fps: float
    spans: tuple[tuple[int, int], ...]


def resample(
    frame_times_s: np.ndarray,
    fps: float,
    motion: LogMotion | None,
    *,
    cuts: Sequence[int] = (),
    kept: np.ndarray | None = None,
) -> FrameGrid:
    """The frame nearest to each tick, and the runs of ticks without a gap in the video or in the log.

    A frame is used for at most one tick, and only within half a period of it.

    Args:
        frame_times_s: ``(F,)`` increasing times of the source's frames, from 0 on.
        fps: ticks per second.
        motion: of the log; None ignores gaps of the log.
        cuts: first frames of new shots; no run of ticks crosses one.
        kept: ``(K,)`` int64 numbers of the frames that may be used, increasing, the first with them; None for all.
    """
    if kept is not None and len(kept) < len(frame_times_s):
        grid = resample(frame_times_s[kept], fps, motion, cuts=np.searchsorted(kept, cuts).tolist())
        index = np.where(grid.frame_index < 0, -1, kept[grid.frame_index])
        return replace(grid, frame_index=index)
    # A tick after the last frame is left out, because the duration of the last frame is unknown.
    num_ticks = int(np.floor(frame_times_s[-1] * fps + 1e-3)) + 1
    ticks_s = np.arange(num_ticks) / fps
    after = np.clip(np.searchsorted(frame_times_s, ticks_s), 1, max(len(frame_times_s) - 1, 1))
    if len(frame_times_s) == 1:
        index = np.zeros(num_ticks, np.int64)
    else:
        index = after - 1 + (frame_times_s[after] - ticks_s < ticks_s - frame_times_s[after - 1] - 1e-9)
    error_s = np.abs(frame_times_s[index] - ticks_s)
    usable = error_s <= 0.5 / fps + 1e-6
    usable[1:] &= (index[1:] != index[:-1]) | ~usable[:-1]
    used = usable & (motion.covers(ticks_s) if motion is not None else True)
    breaks = np.zeros(num_ticks, np.int64)
    for _, stop_s in motion.gaps() if motion is not None else []:
        breaks += ticks_s >= stop_s - 1e-3  # two ticks on the two sides of a gap never share a span
    for first in cuts:
        breaks += index >= first
    spans = []
    start = None
    for k in range(num_ticks + 1):
        ends = k == num_ticks or not used[k] or (start is not None and breaks[k] != breaks[start])
        if start is not None and ends:
            spans.append((start, k))
            start = None
        if k < num_ticks and used[k] and start is None:
            start = k
    worst_s = float(error_s[usable].max()) if usable.any() else 0.0
    return FrameGrid(np.where(usable, index, -1), used, worst_s, fps, tuple(spans))
