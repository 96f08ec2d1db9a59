"""Decoded frames as upright RGB arrays, by the colour tags and the display matrix of the stream."""

from __future__ import annotations

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from worldgen.core.errors import InputError, Received
from worldgen.data.video.encoding import CONVERSION

MATRICES = {1: "ITU709", 4: "FCC", 5: "ITU601", 6: "ITU601", 7: "SMPTE240M", 9: "BT2020", 10: "BT2020"}
"""ITU-T H.273 matrix coefficients to libswscale's names; untagged video is BT.601 below 720 rows, else BT.709."""


def rgb_pixels(frame: av.VideoFrame, convert: VideoReformatter) -> np.ndarray:
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
    return np.ascontiguousarray(upright(rgb.to_ndarray(), frame))


def upright(pixels: np.ndarray, frame: av.VideoFrame) -> np.ndarray:
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
