"""Opens video files: which track, damage, and decoded frames in order."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
from av.stream import Disposition

from worldgen.core.errors import InputError, Received
from worldgen.data.video.deinterlacing import deinterlaced
from worldgen.files.storage import resolve
from worldgen.files.system_errors import reported

Source = str | Path | bytes
"""A video as a path or URL, or as the bytes of a file."""


@dataclass(frozen=True)
class VideoAccess:
    """How a video file is read.

    native_fps: constant rate (frames/s) to use instead of the file's times. Raw streams (``.hevc``, ``.h264``) need it,
    because they hold no times. track: number of the video track from 0, without cover pictures. intact_part: a file
    that is cut short or damaged is read up to the damage, instead of refused.
    """

    native_fps: float | None = None
    track: int = 0
    intact_part: bool = False


def source_name(path: Source) -> str:
    """A video's name for messages."""
    return "in memory" if isinstance(path, bytes) else str(path)


def damaged(path: Source, why: str) -> InputError:
    """The error for a video that cannot be read."""
    return InputError(f"video {source_name(path)}", Received(why), "a readable video file")


def video_tracks(container: av.container.InputContainer) -> list[av.VideoStream]:
    """The video tracks of a file that can be decoded, without cover pictures."""
    return [
        stream
        for stream in container.streams.video
        if stream.codec_context is not None and not stream.disposition & Disposition.attached_pic
    ]


@contextlib.contextmanager
def opened(path: Source, access: VideoAccess) -> Iterator[tuple[av.container.InputContainer, av.VideoStream]]:
    """An open container and the wanted video track; errors of libav become an ``InputError``."""
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
        if not access.intact_part and _matroska_end(file.read(64)) > size:
            raise damaged(path, "fewer bytes than its header promises (cut short)")
        file.seek(0)
        try:
            container = stack.enter_context(av.open(file, "r"))
            tracks = video_tracks(container)
            if not tracks:
                raise damaged(path, "a file without a video track")
            if not 0 <= access.track < len(tracks):
                raise InputError(
                    f"video track of {source_name(path)}", access.track, f"0 to {len(tracks) - 1}: tracks of the file"
                )
            yield container, tracks[access.track]
        except av.error.FFmpegError as error:
            hint = ""
            if isinstance(error, av.error.InvalidDataError) and _lost_index(path):
                hint = "; the index at its end (moov) is missing, so no part can be read"
            raise damaged(path, f"damaged data ({error.strerror}{hint})") from error


def _lost_index(path: Source) -> bool:
    """Whether a file begins as MP4 or MOV, whose index may be at its end, and holds none in its first or last MiB."""
    if isinstance(path, bytes):
        data = path[: 1 << 20] + path[-(1 << 20) :]
    else:
        fs, inner = resolve(str(path))
        data = fs.head(inner, 1 << 20) + fs.tail(inner, 1 << 20)
    return data[4:8] == b"ftyp" and b"moov" not in data


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


def decoded_frames(
    container: av.container.InputContainer, stream: av.VideoStream, access: VideoAccess
) -> Iterator[av.VideoFrame]:
    """The frames of a track in display order, without interlacing.

    With ``access.intact_part`` they end at the first damage; else libav's error comes through, and frames that libav
    flags as corrupt are passed on.
    """
    assert stream.time_base is not None, stream
    if access.intact_part:
        stream.thread_type = "SLICE"  # with threads per frame, an error would come out at a later frame
        return deinterlaced(_intact_frames(container, stream), stream.time_base)
    stream.thread_type = "AUTO"
    return deinterlaced(container.decode(stream), stream.time_base)


def _intact_frames(container: av.container.InputContainer, stream: av.VideoStream) -> Iterator[av.VideoFrame]:
    """Frames up to the first packet or frame that is damaged; frames that wait in the decoder come out first."""
    with contextlib.suppress(av.error.FFmpegError):
        for packet in container.demux(stream):
            if packet.is_corrupt:
                break
            for frame in packet.decode():
                if frame.is_corrupt:
                    return
                yield frame
    with contextlib.suppress(av.error.FFmpegError):  # of a decoder that is empty already
        for frame in stream.decode(None):
            if frame.is_corrupt:
                return
            yield frame
