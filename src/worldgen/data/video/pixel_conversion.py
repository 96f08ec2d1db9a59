"""Decoded frames as upright RGB arrays with square pixels, by the colour tags and the display matrix of the stream."""

from __future__ import annotations

import av
import numpy as np
from av.video.reformatter import Colorspace, VideoReformatter

from worldgen.core.errors import InputError, Received
from worldgen.data.video.encoding import CONVERSION
from worldgen.data.video.tone_mapping import HLG, PQ, tone_mapped

SWS_BT2020 = 9
"""libswscale's number of BT.2020; PyAV before 18 has no name for it."""
SWS_AREA = 0x10
"""Flag of libswscale: a pixel of a smaller picture is the mean of those it covers."""

MATRICES: dict[int, Colorspace | int] = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    9: SWS_BT2020,
    10: SWS_BT2020,
}
"""ITU-T H.273 matrix coefficients -> colour space. Untagged video is BT.601 below 720 rows, else BT.709."""

DECODER = f"PyAV {av.__version__}, libswscale: matrix and range by tags, bilinear chroma, accurate rounding"
"""How video becomes RGB. OpenCV, decord and torchvision leave libswscale at its defaults, which are darker by about
one level."""


class PixelConversion:
    """Turns decoded frames of one stream into RGB arrays.

    Pixels that are not square (sample aspect ratio) are stretched to square ones along the side that grows. HDR is tone
    mapped, see :func:`worldgen.data.video.tone_mapping.tone_mapped`; other deep colour is rounded. One object serves a
    whole video, because setting up libswscale for each frame costs four times the conversion.

    stream: the track that the frames come from.
    """

    def __init__(self, stream: av.VideoStream):
        self._stream = stream
        self._convert = VideoReformatter()
        self._small = VideoReformatter()

    @property
    def pixel_aspect(self) -> float:
        """Width of a stored pixel over its height; 1 where the file states none."""
        ratio = self._stream.sample_aspect_ratio
        return float(ratio) if ratio else 1.0

    @property
    def transfer(self) -> int:
        """Transfer characteristics of the stream (ITU-T H.273), known once a frame is decoded."""
        return int(self._stream.codec_context.color_trc)

    def size_px(self, frame: av.VideoFrame) -> tuple[int, int]:
        """Width and height of the upright picture with square pixels."""
        width, height = self._square(frame)
        turned = upright(np.empty((height, width, 1), np.uint8), frame)
        return turned.shape[1], turned.shape[0]

    def rgb(self, frame: av.VideoFrame) -> np.ndarray:
        """A decoded frame as upright RGB ``(H, W, 3)`` uint8.

        Raises:
            InputError: a display matrix that is no right-angle turn.
        """
        hdr = self.transfer in (PQ, HLG)
        width, height = self._square(frame)
        pixels = _reformatted(self._convert, frame, (width, height), "rgb48le" if hdr else "rgb24", CONVERSION)
        if hdr:
            pixels = tone_mapped(pixels, self.transfer)
        return np.ascontiguousarray(upright(pixels, frame))

    def thumbnail(self, frame: av.VideoFrame, size_px: tuple[int, int]) -> np.ndarray:
        """A decoded frame shrunk to ``size_px`` (width, height) by area, ``(h, w, 3)`` uint8 RGB: fast.

        It is neither upright nor tone mapped: for comparisons of frames with each other.
        """
        return _reformatted(self._small, frame, size_px, "rgb24", SWS_AREA)

    def _square(self, frame: av.VideoFrame) -> tuple[int, int]:
        """Stored width and height with the side stretched along which pixels are shorter."""
        aspect = self.pixel_aspect
        if aspect >= 1:
            return round(frame.width * aspect), frame.height
        return frame.width, round(frame.height / aspect)


def _reformatted(
    convert: VideoReformatter, frame: av.VideoFrame, size_px: tuple[int, int], pixels: str, flags: int
) -> np.ndarray:
    """A frame as full-range RGB of a size (width, height) and a pixel format. flags: of libswscale."""
    untagged = Colorspace.ITU601 if frame.height < 720 else Colorspace.ITU709
    full = frame.color_range == 2 or frame.format.name.startswith("yuvj")
    rgb = convert.reformat(
        frame, *size_px, pixels,
        src_colorspace=MATRICES.get(int(frame.colorspace), untagged),
        src_color_range="JPEG" if full else "MPEG", interpolation=flags,
    )  # fmt: skip
    return rgb.to_ndarray()


def upright(pixels: np.ndarray, frame: av.VideoFrame) -> np.ndarray:
    """Pixels ``(H, W, C)`` turned and mirrored as the display matrix of the file says.

    Source: ISO/IEC 14496-12, 6.2.2 (matrix a b u c d v x y w in 16.16 fixed point): x' = a x + c y, y' = b x + d y.
    """
    if "DISPLAYMATRIX" not in frame.side_data:
        return pixels
    matrix = frame.side_data["DISPLAYMATRIX"]  # type: ignore[typeddict-item]  # PyAV's stub lacks this key
    a, b, _, c, d = np.frombuffer(bytes(matrix), np.int32)[:5] / 65536.0
    if abs(a) < 1e-3 and abs(d) < 1e-3 and abs(b) > 1e-3 and abs(c) > 1e-3:
        pixels, a, d = pixels.swapaxes(0, 1), c, b
    elif abs(b) > 1e-3 or abs(c) > 1e-3:
        raise InputError(
            "video rotation", Received("a display matrix that is not a right angle"), "0, 90, 180 or 270 degrees"
        )
    return pixels[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]
