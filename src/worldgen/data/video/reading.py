"""Reading video files: exact frames, exact times, upright pictures."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from worldgen.core.clip import Clip
from worldgen.core.errors import InputError, Received
from worldgen.data.video.encoding import CONVERSION, encode_mp4, exact_rate, write_clip
from worldgen.data.video.framing import Framing, framing
from worldgen.files.storage import resolve
from worldgen.files.system_errors import reported

__all__ = [
    "VideoInfo", "decode_mp4", "encode_mp4", "exact_rate", "framing", "iter_frames", "nearest_frames", "probe",
    "read_clip", "read_frames", "write_clip",
]  # fmt: skip

Source = str | Path | bytes

JITTER = 0.1
"""Frame times may wander by this share of a frame period before the rate counts as variable."""

MATRICES = {1: "ITU709", 4: "FCC", 5: "ITU601", 6: "ITU601", 7: "SMPTE240M", 9: "BT2020", 10: "BT2020"}
"""ITU-T H.273 matrix coefficients to libswscale's names; untagged video is BT.601 below 720 rows, else BT.709."""


@dataclass(frozen=True, eq=False)
class VideoInfo:
    """What a video file holds, after upright rotation.

    num_frames: frames that decode. fps: the exact rate if constant, else the mean rate. times_s: ``(num_frames,)``
    float64, seconds since the first frame, strictly increasing. variable_rate: frame times wander by more than a tenth
    of a period. codec, pixel_format: names of libav.
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
        """From the first frame's time to one mean period after the last."""
        return float(self.times_s[-1]) + 1.0 / self.fps


@dataclass(frozen=True, eq=False)
class _Scan:
    """A video's facts and, where every packet has a time stamp, those of the frames in ticks of the stream."""

    info: VideoInfo
    ticks: np.ndarray | None


def probe(path: Source, *, native_fps: float | None = None) -> VideoInfo:
    """Count frames and read their times without decoding more than needed.

    native_fps: use this constant rate instead of the file's own times; needed for raw streams (``.hevc``, ``.h264``)
    that carry none.

    Raises: InputError when the file is missing, empty, corrupt, cut short, has no video, or has no times.
    """
    return _scan(path, native_fps).info


def iter_frames(path: Source, *, native_fps: float | None = None) -> Iterator[tuple[float, np.ndarray]]:
    """All frames in order as (time in seconds since the first frame, ``(H, W, 3)`` uint8 RGB).

    Raises: InputError as :func:`probe`, also half way when the file turns out to be damaged.
    """
    scan = _scan(path, native_fps)
    convert = VideoReformatter()
    for index, frame in _decoded(path, scan, range(scan.info.num_frames)):
        yield float(scan.info.times_s[index]), _pixels(frame, convert)


def read_clip(
    path: Source,
    *,
    fps: float | None = None,
    size: tuple[int, int] | None = None,
    start_s: float = 0.0,
    duration_s: float | None = None,
    fit: str = "crop",
    native_fps: float | None = None,
) -> Clip:
    """Read a video, or the part from ``start_s`` on, as a clip of constant rate.

    fps: wanted rate; frame k is the source frame nearest in time to ``start_s + k / fps`` (the earlier one on a tie),
    never a blend. None keeps the file's rate and every frame. size: (width, height) in pixels and fit: see
    :func:`framing`, which also moves the camera. duration_s: None reads to the end.

    Raises: InputError as :func:`probe`; for a variable rate without ``fps``; for a span outside the video.
    """
    scan = _scan(path, native_fps)
    info = scan.info
    if fps is None and info.variable_rate:
        raise InputError("video with a variable frame rate", _name(path), "a target fps to resample it to")
    rate = info.fps if fps is None else fps
    times_s = info.times_s if info.variable_rate else np.arange(info.num_frames) / info.fps  # jitter must not drop any
    indices = nearest_frames(times_s, rate, start_s=start_s, duration_s=duration_s)
    frame_of = framing((info.width_px, info.height_px), size, fit=fit)
    return Clip(_gather(path, scan, indices, frame_of), float(rate))


def read_frames(
    path: Source,
    indices: Sequence[int] | np.ndarray,
    *,
    size: tuple[int, int] | None = None,
    fit: str = "crop",
    native_fps: float | None = None,
) -> np.ndarray:
    """The frames with these numbers, ``(len(indices), H, W, 3)`` uint8; numbers may repeat and come in any order.

    Raises: InputError as :func:`probe` and for a number outside the video.
    """
    scan = _scan(path, native_fps)
    return _gather(path, scan, np.asarray(indices), framing((scan.info.width_px, scan.info.height_px), size, fit=fit))


def decode_mp4(data: bytes) -> Clip:
    """Every frame of a video file held in memory, at its own constant rate.

    Raises: InputError as :func:`read_clip`.
    """
    return read_clip(data)


def nearest_frames(
    times_s: np.ndarray, fps: float, *, start_s: float = 0.0, duration_s: float | None = None
) -> np.ndarray:
    """Which source frame to show at each tick of a new constant rate: ``(K,)`` int64 indices into ``times_s``.

    times_s: ``(T,)`` increasing. Tick k is at ``times_s[0] + start_s + k / fps``; the nearest frame is taken, the
    earlier on a tie. The video lasts until one mean period after its last frame; K ticks fit in
    ``[start_s, start_s + duration_s)``.

    Raises: InputError when the span is empty or reaches outside the video.
    """
    times_s = np.asarray(times_s, np.float64) - times_s[0]
    exact_rate(fps)
    period_s = times_s[-1] / (len(times_s) - 1) if len(times_s) > 1 else 1.0 / fps
    length_s = times_s[-1] + period_s
    tolerance_s = 0.01 / fps  # ticks are counted as if times were exact; containers round them
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


def _name(path: Source) -> str:
    return "in memory" if isinstance(path, bytes) else str(path)


def _damaged(path: Source, why: str) -> InputError:
    return InputError(f"video {_name(path)}", Received(why), "a readable video file")


@contextlib.contextmanager
def _opened(path: Source) -> Iterator[tuple[av.container.InputContainer, av.VideoStream]]:
    """An open container and its best video stream; libav's complaints become one line."""
    with contextlib.ExitStack() as stack:
        if isinstance(path, bytes):
            file = io.BytesIO(path)
        else:
            fs, inner = resolve(str(path))
            with reported("read", str(path)):
                if fs.isdir(inner):
                    raise _damaged(path, "a folder")
                file = stack.enter_context(fs.open(inner, "rb"))
        file.seek(0, io.SEEK_END)
        size = file.tell()
        if size == 0:
            raise _damaged(path, "an empty file")
        file.seek(0)
        if _matroska_end(file.read(64)) > size:
            raise _damaged(path, "fewer bytes than its header promises (cut short)")
        file.seek(0)
        try:
            container = stack.enter_context(av.open(file, "r"))
            videos = [stream for stream in container.streams.video if stream.codec_context is not None]
            if not videos:
                raise _damaged(path, "a file without a video track")
            yield container, videos[0]
        except av.error.FFmpegError as error:
            raise _damaged(path, f"damaged data ({error.strerror})") from error


def _matroska_end(head: bytes) -> int:
    """Where the segment of a Matroska or WebM file ends by its own header; 0 for other files and open-ended ones.

    Source: RFC 8794 (EBML): element = ID, size as a variable-length integer whose leading zeros give its length.
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


def _scan(path: Source, native_fps: float | None) -> _Scan:
    """Read the time of every frame: from the packets where they all have one, else by decoding everything."""
    with _opened(path) as (container, stream):
        base = stream.time_base
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
            raise _damaged(path, "no frame that decodes")
        if promised > packets:
            raise _damaged(path, f"{packets} frames where its header promises {promised} (cut short)")
        height, width = _upright(np.empty((first.height, first.width, 1), np.uint8), first).shape[:2]
        codec, pixel_format = stream.codec_context.name, first.format.name
    stamps = None
    if None not in ticks:
        stamps = np.sort(np.array(ticks, np.int64))
    else:  # no time per packet: frames are counted as they decode
        with _opened(path) as (container, stream):
            ticks = [frame.pts for frame in container.decode(stream)]
    if native_fps is not None:
        fps, variable = float(exact_rate(native_fps)), False
        times_s = np.arange(len(ticks)) / fps
    elif None in ticks:
        raise InputError(f"video {_name(path)}", Received("a stream without frame times"), "native_fps to be given")
    else:
        shown = np.sort(np.array(ticks, np.int64))
        if (np.diff(shown) <= 0).any():
            raise _damaged(path, "two frames with one time stamp")
        times_s, fps, variable = _rate(path, (shown - shown[0]) * float(base), float(base), rates)
    info = VideoInfo(len(times_s), fps, width, height, times_s, variable, codec, pixel_format)
    return _Scan(info, stamps)


def _rate(path: Source, times_s: np.ndarray, tick_s: float, claimed: list[Fraction]) -> tuple[np.ndarray, float, bool]:
    """Times, the rate that explains them (the container's claim first) and False; or times, the mean rate and True.

    Times that a rate explains to the container's rounding (1.5 ticks) become exact multiples of the period.
    """
    if len(times_s) == 1 and not claimed:
        raise InputError(f"video {_name(path)}", Received("one frame and no rate"), "native_fps to be given")
    mean = float((len(times_s) - 1) / times_s[-1] if len(times_s) > 1 else claimed[0])
    for rate in (*map(float, claimed), mean):
        exact_s = np.arange(len(times_s)) / rate
        error_s = np.abs(times_s - exact_s).max()
        if error_s <= 1.5 * tick_s:
            return exact_s, rate, False
        if error_s <= JITTER / rate:
            return times_s, rate, False
    return times_s, mean, True


def _decoded(path: Source, scan: _Scan, indices: Sequence[int] | np.ndarray) -> Iterator[tuple[int, av.VideoFrame]]:
    """The frames with these increasing numbers, as (number, decoded frame); damage raises instead of being hidden."""
    wanted = set(map(int, indices))
    last = max(wanted)
    first = min(wanted)
    number_of = None if scan.ticks is None else {int(tick): i for i, tick in enumerate(scan.ticks)}
    with _opened(path) as (container, stream):
        stream.thread_type = "AUTO"
        indexed = any(word in container.format.name for word in ("mp4", "matroska"))
        if number_of is not None and first > 0 and indexed:  # elsewhere a seek may land too late
            container.seek(int(scan.ticks[first]), stream=stream)
        seen = 0
        for count, frame in enumerate(container.decode(stream)):
            number = count if number_of is None else number_of.get(frame.pts, -1)
            if number in wanted:
                if frame.is_corrupt:
                    raise _damaged(path, f"frame {number} damaged")
                seen += 1
                yield number, frame
            if number >= last:
                break
    if seen != len(wanted):
        raise _damaged(path, f"{seen} of {len(wanted)} frames that decode")


def _gather(path: Source, scan: _Scan, indices: np.ndarray, frame_of: Framing) -> np.ndarray:
    """Frames by number, framed, as one array ``(N, H, W, 3)`` uint8."""
    if len(indices) < 1 or indices.min() < 0 or indices.max() >= scan.info.num_frames:
        raise InputError("frame numbers", Received(f"outside {_name(path)}"), f"0 to {scan.info.num_frames - 1}")
    out = np.empty((len(indices), frame_of.height_px, frame_of.width_px, 3), np.uint8)
    convert = VideoReformatter()
    for number, frame in _decoded(path, scan, np.unique(indices)):
        out[indices == number] = frame_of.frame(_pixels(frame, convert))
    return out


def _pixels(frame: av.VideoFrame, convert: VideoReformatter) -> np.ndarray:
    """An upright ``(H, W, 3)`` uint8 RGB picture, obeying the colour tags of the stream; deep colour is rounded.

    One ``convert`` per video: setting libswscale up anew for each frame costs four times the conversion.
    """
    untagged = "ITU601" if frame.height < 720 else "ITU709"
    full = frame.color_range == 2 or frame.format.name.startswith("yuvj")
    rgb = convert.reformat(
        frame,
        format="rgb24", src_colorspace=MATRICES.get(int(frame.colorspace), untagged),
        src_color_range="JPEG" if full else "MPEG", interpolation=CONVERSION,
    )  # fmt: skip
    return np.ascontiguousarray(_upright(rgb.to_ndarray(), frame))


def _upright(pixels: np.ndarray, frame: av.VideoFrame) -> np.ndarray:
    """The picture as the display matrix of its file says it is shown: right-angle turns and mirrorings.

    Source: ISO/IEC 14496-12, 6.2.2 (matrix a b u c d v x y w in 16.16 fixed point): x' = a x + c y, y' = b x + d y.
    """
    matrix = next((data for data in frame.side_data if data.type.name == "DISPLAYMATRIX"), None)
    if matrix is None:
        return pixels
    a, b, _, c, d = np.frombuffer(bytes(matrix), np.int32)[:5] / 65536.0
    if abs(a) < 1e-3 and abs(d) < 1e-3 and abs(b) > 1e-3 and abs(c) > 1e-3:
        pixels, a, d = pixels.swapaxes(0, 1), c, b
    elif abs(b) > 1e-3 or abs(c) > 1e-3:
        raise InputError(
            "video rotation", Received("a display matrix that is not a right angle"), "0, 90, 180 or 270 degrees"
        )
    return pixels[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]
