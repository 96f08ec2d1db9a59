"""Decoded frames as upright RGB arrays, by the colour tags and the display matrix of the stream."""

from __future__ import annotations

import av
import numpy as np
from av.video.reformatter import Colorspace, VideoReformatter

from worldgen.core.errors import InputError, Received
from worldgen.data.video.encoding import CONVERSION

SWS_BT2020 = 9
"""libswscale's number of BT.2020; PyAV before 18 has no name for it."""

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


def rgb_pixels(frame: av.VideoFrame, convert: VideoReformatter) -> np.ndarray:
    """A decoded frame as upright RGB ``(H, W, 3)`` uint8, by the colour tags of the stream; deep colour is rounded.

    convert: one for a whole video; setting up libswscale for each frame costs four times the conversion.

    Raises:
        InputError: a display matrix that is no right-angle turn.
    """
    untagged = Colorspace.ITU601 if frame.height < 720 else Colorspace.ITU709
    full = frame.color_range == 2 or frame.format.name.startswith("yuvj")
    rgb = convert.reformat(
        frame,
        format="rgb24", src_colorspace=MATRICES.get(int(frame.colorspace), untagged),
        src_color_range="JPEG" if full else "MPEG", interpolation=CONVERSION,
    )  # fmt: skip
    return np.ascontiguousarray(upright(rgb.to_ndarray(), frame))


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
