"""Facts of a video file: number, times and size of its frames, and its exact rate."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from worldgen.core.errors import InputError, Received
from worldgen.data.video.encoding import exact_rate
from worldgen.data.video.pixel_conversion import upright
from worldgen.files.storage import resolve
from worldgen.files.system_errors import reported

Source = str | Path | bytes
"""A video as a path or URL, or as the bytes of a file."""


JITTER = 0.1
"""Frame times may deviate by this share of a frame period before the rate counts as variable."""


@dataclass(frozen=True, eq=False)
class VideoInfo:
    """Facts of a video file.

    num_frames: frames that decode. fps: the exact rate if constant, else the mean rate. width_px, height_px: after
    upright rotation. times_s: ``(num_frames,)`` float64, seconds since the first frame, strictly increasing.
    variable_rate: frame times deviate by more than ``JITTER`` periods. codec, pixel_format: names of libav.
    """

    num_frames: int
    fps: float
    width_px: int
    height_px: int
    times_s: np.ndarray
    variable_rate: bool
    codec: str = ""
    pixel_format: str = ""

    @property
    def duration_s(self) -> float:
        """Seconds from the first frame to one mean period after the last."""
        return float(self.times_s[-1]) + 1.0 / self.fps


@dataclass(frozen=True, eq=False)
class VideoScan:
    """The facts of a video, and the time stamps of its frames in ticks of the stream.

    ticks: ``(num_frames,)`` int64 in display order, or None when some packet has no time stamp.
    """

    info: VideoInfo
    ticks: np.ndarray | None


def probe(path: Source, *, native_fps: float | None = None) -> VideoInfo:
    """Count the frames of a video and read their times, without decoding more than needed.

    Args:
        path: a path, a URL or the bytes of a file.
        native_fps: constant rate to use instead of the file's times. Raw streams (``.hevc``, ``.h264``) need it,
            because they hold no times.

    Raises:
        InputError: the file is missing, empty, damaged or cut short, or has no video or no times.
    """
    return scan_video(path, native_fps).info


def source_name(path: Source) -> str:
    """A video's name for messages."""
    return "in memory" if isinstance(path, bytes) else str(path)


def damaged(path: Source, why: str) -> InputError:
    """The error for a video that cannot be read."""
    return InputError(f"video {source_name(path)}", Received(why), "a readable video file")


@contextlib.contextmanager
def opened(path: Source) -> Iterator[tuple[av.container.InputContainer, av.VideoStream]]:
    """An open container and its first video stream; errors of libav become an ``InputError``."""
    with contextlib.ExitStack() as stack:
        if isinstance(path, bytes):
            file = io.BytesIO(path)
        else:
            fs, inner = resolve(str(path))
            with reported("read", str(path)):
                if fs.isdir(inner):
                    raise damaged(path, "a folder")
                file = stack.enter_context(fs.open(inner, "rb"))
        file.seek(0, io.SEEK_END)
        size = file.tell()
        if size == 0:
            raise damaged(path, "an empty file")
        file.seek(0)
        if _matroska_end(file.read(64)) > size:
            raise damaged(path, "fewer bytes than its header promises (cut short)")
        file.seek(0)
        try:
            container = stack.enter_context(av.open(file, "r"))
            videos = [stream for stream in container.streams.video if stream.codec_context is not None]
            if not videos:
                raise damaged(path, "a file without a video track")
            yield container, videos[0]
        except av.error.FFmpegError as error:
            raise damaged(path, f"damaged data ({error.strerror})") from error


def _matroska_end(head: bytes) -> int:
    """End of the segment of a Matroska or WebM file in bytes, by its header; 0 for other files and unknown sizes.

    Source: RFC 8794 (EBML): an element is an ID and a size; the leading zeros of the size give its length.
    """
    if not head.startswith(b"\x1aE\xdf\xa3"):
        return 0
    at = 4
    for _ in range(2):  # the EBML header, then the segment that holds everything else
        if at >= len(head):
            return 0
        length = 9 - head[at].bit_length()
        value = int.from_bytes(head[at : at + length], "big") & ((1 << 7 * length) - 1)
        at += length
        if at + value > len(head) and value != (1 << 7 * length) - 1:
            return at + value
        at += value + 4
    return 0


def scan_video(path: Source, native_fps: float | None) -> VideoScan:
    """The time of every frame: from the packets if all have time stamps, else by decoding the whole video.

    Raises:
        InputError: see :func:`probe`.
    """
    with opened(path) as (container, stream):
        assert stream.time_base is not None, source_name(path)
        tick_s = float(stream.time_base)
        rates = [Fraction(rate) for rate in (stream.average_rate, stream.guessed_rate) if rate]
        promised = stream.frames if container.format.name == "avi" or "mp4" in container.format.name else 0
        ticks: list[int | None] = []
        packets, first = 0, None
        for packet in container.demux(stream):
            packets += packet.dts is not None or packet.size > 0
            if packet.size and not packet.is_discard:
                ticks.append(None if container.format.name == "avi" else packet.pts)  # AVI stores decoding order only
            if first is None:
                first = next(iter(packet.decode()), None)
        if first is None:
            raise damaged(path, "no frame that decodes")
        if promised > packets:
            raise damaged(path, f"{packets} frames where its header promises {promised} (cut short)")
        height, width = upright(np.empty((first.height, first.width, 1), np.uint8), first).shape[:2]
        codec, pixel_format = stream.codec_context.name, first.format.name
    stamps = None
    if None not in ticks:
        stamps = np.sort(np.array(ticks, np.int64))
    else:  # no time per packet: frames are counted as they decode
        with opened(path) as (container, stream):
            ticks = [frame.pts for frame in container.decode(stream)]
    if native_fps is not None:
        fps, variable = float(exact_rate(native_fps)), False
        times_s = np.arange(len(ticks)) / fps
    elif None in ticks:
        raise InputError(
            f"video {source_name(path)}", Received("a stream without frame times"), "native_fps to be given"
        )
    else:
        shown = np.sort(np.array(ticks, np.int64))
        if (np.diff(shown) <= 0).any():
            raise damaged(path, "two frames with one time stamp")
        times_s, fps, variable = _rate(path, (shown - shown[0]) * tick_s, tick_s, rates)
    info = VideoInfo(len(times_s), fps, width, height, times_s, variable, codec, pixel_format)
    return VideoScan(info, stamps)


def _rate(path: Source, times_s: np.ndarray, tick_s: float, claimed: list[Fraction]) -> tuple[np.ndarray, float, bool]:
    """Times (s), rate, and whether the rate is variable.

    A constant rate is one of ``claimed`` (by the container), or the mean, whose multiples deviate from the times by at
    most ``JITTER`` periods. Times within 1.5 ticks of them, the rounding of the container, become exact multiples.
    """
    if len(times_s) == 1 and not claimed:
        raise InputError(f"video {source_name(path)}", Received("one frame and no rate"), "native_fps to be given")
    mean = float((len(times_s) - 1) / times_s[-1] if len(times_s) > 1 else claimed[0])
    for rate in (*map(float, claimed), mean):
        exact_s = np.arange(len(times_s)) / rate
        error_s = np.abs(times_s - exact_s).max()
        if error_s <= 1.5 * tick_s:
            return exact_s, rate, False
        if error_s <= JITTER / rate:
            return times_s, rate, False
    return times_s, mean, True
