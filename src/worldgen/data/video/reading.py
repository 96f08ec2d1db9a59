"""Reads video files: exact frames at exact times, as upright RGB."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import av
import numpy as np

from worldgen.core.clip import Clip
from worldgen.core.errors import InputError, Received
from worldgen.data.video.encoding import exact_rate
from worldgen.data.video.framing import Framing, framing
from worldgen.data.video.opening import Source, VideoAccess, damaged, decoded_frames, opened, source_name
from worldgen.data.video.pixel_conversion import PixelConversion
from worldgen.data.video.probing import VideoScan, scan_video


def iter_frames(path: Source, access: VideoAccess | None = None) -> Iterator[tuple[float, np.ndarray]]:
    """All frames in order, as (seconds since the first frame, ``(H, W, 3)`` uint8 RGB). access: default values if None.

    Raises:
        InputError: see :func:`worldgen.data.video.probing.probe`; also half way, at a damaged frame.
    """
    access = access or VideoAccess()
    scan = scan_video(path, access)
    for index, frame, conversion in _decoded(path, access, scan, range(scan.info.num_frames)):
        yield float(scan.info.times_s[index]), conversion.rgb(frame)


def iter_thumbnails(path: Source, size_px: tuple[int, int], access: VideoAccess | None = None) -> Iterator[np.ndarray]:
    """All frames in order, shrunk to ``size_px`` (width, height): ``(h, w, 3)`` uint8 RGB, for comparing frames.

    They are neither upright nor tone mapped. Each frame is decoded, so a damaged one is found.

    Raises:
        InputError: see :func:`iter_frames`.
    """
    access = access or VideoAccess()
    scan = scan_video(path, access)
    for _, frame, conversion in _decoded(path, access, scan, range(scan.info.num_frames)):
        yield conversion.thumbnail(frame, size_px)


def read_clip(
    path: Source,
    *,
    fps: float | None = None,
    size: tuple[int, int] | None = None,
    start_s: float = 0.0,
    duration_s: float | None = None,
    fit: str = "crop",
    access: VideoAccess | None = None,
) -> Clip:
    """Read a video, or a part of it, as a clip of constant rate.

    Args:
        path: a path, a URL or the bytes of a file.
        fps: rate of the clip. Frame k is the source frame nearest in time to ``start_s + k / fps`` (the earlier one on
            a tie); frames are never blended. None keeps the file's rate and every frame.
        size: width and height in pixels, None for the file's.
        start_s: start of the part in seconds.
        duration_s: its length in seconds; None reads to the end.
        fit: ``crop`` or ``stretch``, see :func:`worldgen.data.video.framing.framing`.
        access: rate, track and damage; default values if None.

    Raises:
        InputError: a file that cannot be read, a variable rate without ``fps``, or a span outside the video.
    """
    access = access or VideoAccess()
    scan = scan_video(path, access)
    info = scan.info
    if fps is None and info.variable_rate:
        raise InputError("video with a variable frame rate", source_name(path), "a target fps to resample it to")
    rate = info.fps if fps is None else fps
    times_s = (
        info.times_s if info.variable_rate else np.arange(info.num_frames) / info.fps
    )  # jitter must not drop frames
    indices = nearest_frames(times_s, rate, start_s=start_s, duration_s=duration_s)
    frame_of = framing((info.width_px, info.height_px), size, fit=fit)
    return Clip(_gather(path, access, scan, indices, frame_of), float(rate))


def decode_mp4(data: bytes) -> Clip:
    """Every frame of a video file held in memory, at its own constant rate.

    Raises:
        InputError: bytes that are no readable video, or a variable rate.
    """
    return read_clip(data)


def nearest_frames(
    times_s: np.ndarray, fps: float, *, start_s: float = 0.0, duration_s: float | None = None
) -> np.ndarray:
    """The source frame at each tick of a new constant rate: ``(K,)`` int64 indices into ``times_s``.

    times_s: ``(T,)`` increasing. Tick k is at ``times_s[0] + start_s + k / fps``; the nearest frame is taken, the
    earlier one on a tie. The video ends one mean period after its last frame. K is the number of ticks in
    ``[start_s, start_s + duration_s)``.

    Raises:
        InputError: a span that is empty or reaches outside the video.
    """
    times_s = np.asarray(times_s, np.float64) - times_s[0]
    exact_rate(fps)
    period_s = times_s[-1] / (len(times_s) - 1) if len(times_s) > 1 else 1.0 / fps
    length_s = times_s[-1] + period_s
    tolerance_s = 0.01 / fps  # containers round times
    if not 0 <= start_s < length_s:
        raise InputError("start_s", start_s, f"0 to the video's length, {length_s:.3f} s")
    if duration_s is None:
        duration_s = length_s - start_s
    elif not 0 < duration_s <= length_s - start_s + tolerance_s:
        raise InputError(
            "duration_s", duration_s, f"above 0 and at most {length_s - start_s:.3f} s from {start_s:g} s on"
        )
    count = int(np.floor((duration_s + tolerance_s) * fps))
    if count < 1:
        raise InputError("duration_s", round(duration_s, 6), f"at least one frame period at {fps:g} fps")
    wanted = start_s + np.arange(count) / fps
    after = np.clip(np.searchsorted(times_s, wanted), 1, max(len(times_s) - 1, 1))
    if len(times_s) == 1:
        return np.zeros(count, np.int64)
    later = times_s[after] - wanted < wanted - times_s[after - 1] - 1e-9
    return (after - 1 + later).astype(np.int64)


def _decoded(
    path: Source, access: VideoAccess, scan: VideoScan, indices: Sequence[int] | np.ndarray
) -> Iterator[tuple[int, av.VideoFrame, PixelConversion]]:
    """The frames with these increasing numbers, as (number, decoded frame, what makes an array of it).

    Raises:
        InputError: a damaged or missing frame.
    """
    wanted = set(map(int, indices))
    last = max(wanted)
    first = min(wanted)
    number_of = None if scan.ticks is None else {int(tick): i for i, tick in enumerate(scan.ticks)}
    with opened(path, access) as (container, stream):
        conversion = PixelConversion(stream)
        indexed = any(word in container.format.name for word in ("mp4", "matroska"))
        if scan.ticks is not None and first > 0 and indexed:  # in other containers a seek may land too late
            before = first - 1 if scan.info.interlaced else first  # fields are completed from the frame before
            container.seek(int(scan.ticks[before]), stream=stream)
        num_found = 0
        for count, frame in enumerate(decoded_frames(container, stream, access)):
            number = count if number_of is None else number_of.get(-1 if frame.pts is None else frame.pts, -1)
            if number in wanted:
                if frame.is_corrupt:
                    raise damaged(path, f"frame {number} damaged")
                num_found += 1
                yield number, frame, conversion
            if number >= last:
                break
    if num_found != len(wanted):
        raise damaged(path, f"{num_found} of {len(wanted)} frames that decode")


def _gather(path: Source, access: VideoAccess, scan: VideoScan, indices: np.ndarray, frame_of: Framing) -> np.ndarray:
    """Frames by number, framed, as one array ``(N, H, W, 3)`` uint8."""
    if len(indices) < 1 or indices.min() < 0 or indices.max() >= scan.info.num_frames:
        raise InputError("frame numbers", Received(f"outside {source_name(path)}"), f"0 to {scan.info.num_frames - 1}")
    out = np.empty((len(indices), frame_of.height_px, frame_of.width_px, 3), np.uint8)
    for number, frame, conversion in _decoded(path, access, scan, np.unique(indices)):
        out[indices == number] = frame_of.frame(conversion.rgb(frame))
    return out
