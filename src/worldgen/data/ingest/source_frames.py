"""The frames of a source: their number, times and size, their pixels, and where shots change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np

from worldgen.core.errors import InputError, Received
from worldgen.data.ingest.drives.name_drives import recorded_at_s
from worldgen.data.ingest.logs.clocks import read_times
from worldgen.data.ingest.picture_folders import times_in_names
from worldgen.data.ingest.sources import ClipSource
from worldgen.data.video.image_files import read_image
from worldgen.data.video.opening import VideoAccess
from worldgen.data.video.probing import JITTER, VideoInfo, probe
from worldgen.data.video.reading import iter_frames, iter_thumbnails
from worldgen.data.video.shots import THUMBNAIL_PX, find_cuts, find_repeats, frame_changes

GAP_S, GAP_STEPS = 1.0, 5.0
"""A step between frames that is longer than both, in seconds and in usual steps, is a gap and says nothing about the
rate."""


@dataclass(frozen=True, eq=False)
class FrameLook:
    """What the pixels of a source show about its frames.

    cuts: first frames of new shots. kept: numbers of the frames that do not repeat the one before. head, tail: ``(N, h,
    w, 3)`` uint8 thumbnails of the first and the last frames.
    """

    cuts: tuple[int, ...]
    kept: np.ndarray
    head: np.ndarray
    tail: np.ndarray


def video_access(source: ClipSource) -> VideoAccess:
    """How the video of a source is read, by its config."""
    config = source.config
    return VideoAccess(config.native_fps, config.video_track or 0, config.damage == "intact_part")


def frame_info(source: ClipSource) -> VideoInfo:
    """Number, times and size of the frames of a source. Times are those of ``times_file`` or of the names of the
    frames, where the config says so.

    Raises:
        InputError: a damaged file, a frame folder or raw stream without a rate, or times that do not fit.
    """
    native_fps, config = source.config.native_fps, source.config
    if source.kind == "video":
        info = probe(source.path, video_access(source))
        times_s, fps, variable = info.times_s, info.fps, info.variable_rate
    else:
        first = read_image(source.files[0])
        times_s, fps, variable = np.arange(len(source.files)) / (native_fps or 1.0), native_fps or 1.0, False
        stated = (native_fps, source.times_path, config.times_in_names, source.recording)
        if source.kind == "folder" and stated == (None,) * len(stated):
            dated = recorded_at_s(source.files[0].stem) is not None
            raise InputError(
                f"frame folder {source.name}",
                Received("no frame rate" + (f" ({source.files[0].name} holds a time)" if dated else "")),
                ("times_in_names: date" if dated else "native_fps, times_in_names")
                + ", or times_file with a time column and one row per frame",
            )
        info = VideoInfo(len(source.files), fps, first.shape[1], first.shape[0], times_s, variable)
    on_clock = _times_on_clock(source, len(times_s))
    if on_clock is not None:
        times_s = on_clock
        info = replace(info, begin_s=float(times_s[0]))
        times_s = times_s - times_s[0]
        steps = steps_without_gaps(times_s)
        fps = 1 / steps.mean() if len(steps) else fps
        variable = bool(len(steps) and np.abs(steps - steps.mean()).max() > JITTER * steps.mean())
    return replace(info, times_s=times_s, fps=float(fps), variable_rate=variable)


def steps_without_gaps(times_s: np.ndarray) -> np.ndarray:
    """The steps between times ``(F,)`` without gaps, which are longer than ``GAP_S`` and than ``GAP_STEPS`` steps."""
    steps = np.diff(times_s)
    return steps[steps <= max(GAP_S, GAP_STEPS * float(np.median(steps)))] if len(steps) else steps


def _times_on_clock(source: ClipSource, num_frames: int) -> np.ndarray | None:
    """Times of the frames on a clock of their own, from a table, their names or their data set; None without one."""
    if source.recording is not None:
        times_s = source.recording.times_s
        if len(times_s) != num_frames or (np.diff(times_s) <= 0).any():
            received = Received(f"{len(times_s)} times" if len(times_s) != num_frames else "times that do not increase")
            raise InputError(f"frame times of {source.name}", received, f"{num_frames} increasing times, one per frame")
        return times_s
    if source.times_path is not None:
        return read_times(source.times_path, num_frames)
    if source.config.times_in_names is not None and source.kind == "folder":
        return times_in_names(source.files, source.config.times_in_names)
    return None


def look_at_frames(source: ClipSource, info: VideoInfo) -> FrameLook:
    """Decode every frame of a source, and find cuts and repeated frames. Pictures of a COCO file have neither.

    Raises:
        InputError: a frame that does not decode, or fewer than ``info`` promises.
    """
    pictures: Iterator[np.ndarray]
    if source.kind == "video":
        pictures = iter_thumbnails(source.path, THUMBNAIL_PX, video_access(source))
    else:
        frames = (pixels for _, pixels in iter_source_frames(source))
        pictures = (cv2.resize(pixels, THUMBNAIL_PX, interpolation=cv2.INTER_AREA) for pixels in frames)
    changes = frame_changes(pictures)
    if changes.num_frames != info.num_frames:
        raise InputError(
            f"video {source.name}",
            Received(f"{changes.num_frames} frames that decode of {info.num_frames}"),
            "a whole file",
        )
    in_order = source.kind != "images"
    repeated = (
        find_repeats(changes) if in_order and source.config.repeats != "keep" else np.zeros(info.num_frames, bool)
    )
    cuts = find_cuts(changes) if in_order and source.config.cuts != "ignore" else ()
    return FrameLook(cuts, np.flatnonzero(~repeated), changes.head, changes.tail)


def iter_source_frames(source: ClipSource, wanted: set[int] | None = None) -> Iterator[tuple[int, np.ndarray]]:
    """The frames of a source in order, as (frame index, ``(H, W, 3)`` uint8 RGB). wanted: only these, None for all.

    Raises:
        InputError: a damaged file, or frames of a folder that differ in size.
    """
    if source.kind == "video":
        last = max(wanted) if wanted else None
        for index, (_, pixels) in enumerate(iter_frames(source.path, video_access(source))):
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
