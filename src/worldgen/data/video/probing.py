"""Facts of a video file: number, times and size of its frames, and its exact rate."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np

from worldgen.core.errors import InputError, Received
from worldgen.data.video.encoding import exact_rate
from worldgen.data.video.opening import (
    Source,
    VideoAccess,
    damaged,
    decoded_frames,
    opened,
    source_name,
    video_tracks,
)
from worldgen.data.video.pixel_conversion import PixelConversion
from worldgen.data.video.tone_mapping import HLG, PQ

JITTER = 0.1
"""Frame times may deviate by this share of a frame period before the rate counts as variable."""


@dataclass(frozen=True, eq=False)
class VideoInfo:
    """Facts of a video file.

    num_frames: frames that decode. fps: the exact rate if constant, else the mean rate. width_px, height_px: of the
    upright picture with square pixels. times_s: ``(num_frames,)`` float64, seconds since the first frame, strictly
    increasing. variable_rate: frame times deviate by more than ``JITTER`` periods. codec, pixel_format: names of libav.
    pixel_aspect: width over height of a stored pixel. num_tracks: video tracks of the file. interlaced: frames hold two
    fields. hdr: ``PQ`` or ``HLG``, or "" for standard range. promised_frames: by the header, 0 where it says nothing.
    begin_s: time of the first frame on the clock of a times file or of file names, None where the times start at zero.
    """

    num_frames: int
    fps: float
    width_px: int
    height_px: int
    times_s: np.ndarray
    variable_rate: bool
    codec: str = ""
    pixel_format: str = ""
    pixel_aspect: float = 1.0
    num_tracks: int = 1
    interlaced: bool = False
    hdr: str = ""
    promised_frames: int = 0
    begin_s: float | None = None

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


def probe(path: Source, access: VideoAccess | None = None) -> VideoInfo:
    """Count the frames of a video and read their times, without decoding more than needed.

    path: a path, a URL or the bytes of a file. access: default values if None.

    Raises:
        InputError: the file is missing, empty, damaged or cut short, or has no video, no such track or no times.
    """
    return scan_video(path, access or VideoAccess()).info


def scan_video(path: Source, access: VideoAccess) -> VideoScan:
    """The time of every frame: from the packets if all have time stamps, else by decoding the whole video.

    The whole video is decoded as well when frames hold two fields, because a packet may hold one field, and for the
    intact part of a file.

    Raises:
        InputError: see :func:`probe`.
    """
    with opened(path, access) as (container, stream):
        assert stream.time_base is not None, source_name(path)
        tick_s = float(stream.time_base)
        rates = [Fraction(rate) for rate in (stream.average_rate, stream.guessed_rate) if rate]
        promised = stream.frames if container.format.name == "avi" or "mp4" in container.format.name else 0
        ticks, packets, first = _packet_ticks(container, stream, access)
        if first is None:
            raise damaged(path, "no frame that decodes")
        if promised > packets and not access.intact_part:
            raise damaged(path, f"{packets} frames where its header promises {promised} (cut short)")
        conversion = PixelConversion(stream)
        width, height = conversion.size_px(first)
        facts = (
            stream.codec_context.name, first.format.name, conversion.pixel_aspect, len(video_tracks(container)),
            bool(first.interlaced_frame), {PQ: "PQ", HLG: "HLG"}.get(conversion.transfer, ""), promised,
        )  # fmt: skip
    by_packets = None not in ticks and not first.interlaced_frame and not access.intact_part
    if not by_packets:
        with opened(path, access) as (container, stream):
            ticks = [frame.pts for frame in decoded_frames(container, stream, access)]
    if access.native_fps is not None:
        fps, variable = float(exact_rate(access.native_fps)), False
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
    info = VideoInfo(len(times_s), fps, width, height, times_s, variable, *facts)
    known = by_packets or (container.format.name != "avi" and None not in ticks)
    return VideoScan(info, np.sort(np.array(ticks, np.int64)) if known else None)


def _packet_ticks(
    container: av.container.InputContainer, stream: av.VideoStream, access: VideoAccess
) -> tuple[list[int | None], int, av.VideoFrame | None]:
    """Time stamps of the packets that hold a shown frame, the number of all packets, and the first frame.

    AVI stores the decoding order only, so its packets have no time stamps here. With ``intact_part`` the walk ends at
    the first frame, because the frames are counted by decoding.
    """
    ticks: list[int | None] = []
    packets, first = 0, None
    for packet in container.demux(stream):
        packets += packet.dts is not None or packet.size > 0
        if packet.size and not packet.is_discard:
            ticks.append(None if container.format.name == "avi" else packet.pts)
        if first is None:
            first = next(iter(packet.decode()), None)
        elif access.intact_part:
            break
    return ticks, packets, first


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
