"""The frames of a source: their number, times and size, and their pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from worldgen.core.errors import InputError, Received
from worldgen.data.ingest.logs.clocks import read_times
from worldgen.data.ingest.sources import ClipSource
from worldgen.data.video.image_files import read_image
from worldgen.data.video.probing import JITTER, VideoInfo, probe
from worldgen.data.video.reading import iter_frames


def frame_info(source: ClipSource) -> VideoInfo:
    """Number, times and size of the frames of a source. Times are those of ``times_file`` where the config names one.

    Raises:
        InputError: a damaged file, a frame folder or raw stream without a rate, or a times file that does not fit.
    """
    native_fps = source.config.native_fps
    if source.kind == "video":
        info = probe(source.path, native_fps=native_fps)
        times_s, fps, variable = info.times_s, info.fps, info.variable_rate
    else:
        first = read_image(source.files[0])
        times_s, fps, variable = np.arange(len(source.files)) / (native_fps or 1.0), native_fps or 1.0, False
        if source.kind == "folder" and native_fps is None and source.config.times_file is None:
            raise InputError(
                f"frame folder {source.name}",
                Received("no frame rate"),
                "native_fps, or times_file with a time column and one row per frame",
            )
        info = VideoInfo(len(source.files), fps, first.shape[1], first.shape[0], times_s, variable)
    if source.config.times_file is not None:
        times_s = read_times(source.root / source.config.times_file, len(times_s))
        times_s = times_s - times_s[0]
        steps = np.diff(times_s)
        fps = len(steps) / times_s[-1] if len(steps) else fps
        variable = bool(len(steps) and np.abs(steps - steps.mean()).max() > JITTER * steps.mean())
    return replace(info, times_s=times_s, fps=float(fps), variable_rate=variable)


def iter_source_frames(source: ClipSource, wanted: set[int] | None = None) -> Iterator[tuple[int, np.ndarray]]:
    """The frames of a source in order, as (frame index, ``(H, W, 3)`` uint8 RGB). wanted: only these, None for all.

    Raises:
        InputError: a damaged file, or frames of a folder that differ in size.
    """
    if source.kind == "video":
        last = max(wanted) if wanted else None
        for index, (_, pixels) in enumerate(iter_frames(source.path, native_fps=source.config.native_fps)):
            if wanted is None or index in wanted:
                yield index, pixels
            if index == last:
                return
        return
    shape: tuple[int, ...] | None = None
    for index, path in enumerate(source.files):
        if wanted is None or index in wanted:
            pixels = read_image(path)
            if source.kind == "folder" and shape is not None and shape != pixels.shape:
                raise InputError(
                    f"frame {path.name} of {source.name}",
                    Received(f"{pixels.shape[1]}x{pixels.shape[0]} pixels"),
                    f"{shape[1]}x{shape[0]}, as the frames before",
                )
            shape = pixels.shape
            yield index, pixels
