"""How the camera of a picture renders small things: sharpness, noise, veil and the history of its encoding."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from worldgen.generation.insert.insert_plan import JpegHistory, LabelledPicture

PROBE_PX = 1.0
"""Blur with which edges are compared: what is blurred already changes little."""
SHARP_SHARE = 70
"""Percentile of the edges that counts as sharp: the rest lies out of focus or is soft in itself."""
CAST_BLUR_PX = 0.35
"""Blur of a cast insert: averages over pixels have a deviation of 1 / sqrt(12) of a pixel."""
MOST_BLUR_PX = 3.0
DIFFERENCE_PX2 = 1 / 3
"""Variance that a central difference, a box of two pixels, adds to the width of an edge."""
USUAL_CHROMA = 40.0
"""Chroma from which on colours count as usual; below, those of inserts are paler in proportion. Grey films have 0."""
STANDARD_LUMA = np.array(
    [16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29,
     51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120,
     101, 72, 92, 95, 98, 112, 100, 103, 99]
)  # fmt: skip
"""Quantisation of luma at quality 50 (ITU-T T.81, table K.1)."""
ZIGZAG = np.array(
    [0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21,
     28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54,
     47, 55, 62, 63]
)  # fmt: skip
"""Order of the entries of a table in a file (ITU-T T.81, figure 5)."""
SEGMENTS_WITHOUT_LENGTH = (0xD8, *range(0xD0, 0xD8), 0x01)


@dataclass(frozen=True)
class PictureLook:
    """blur_px: deviation of the blur of sharp edges. noise: deviation of the noise of flat parts in display steps.
    grain_px: deviation of the blur that such noise has gone through. veil: ``(3,)`` linear light of the darkest parts.
    colour: 0 for a grey picture to 1 for usual colours.
    """

    blur_px: float
    noise: float
    grain_px: float
    veil: tuple[float, float, float]
    colour: float = 1.0


def read_look(picture: LabelledPicture, window: tuple[int, int, int, int]) -> PictureLook:
    """The look around a window left, top, width, height (px), enlarged to twice its sides and at least 160 pixels."""
    left, top, width, height = window
    grow_x, grow_y = max(width, 160 - width, 0) // 2, max(height, 160 - height, 0) // 2
    frame = picture.frame[max(0, top - grow_y) : top + height + grow_y, max(0, left - grow_x) : left + width + grow_x]
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32)
    noise, grain = _noise(grey)
    dark = np.percentile(frame.reshape(-1, 3), 0.5, axis=0) / 255
    veil = np.clip(dark, 0, 0.35) ** 2.2
    colour = min(1.0, chroma_of(picture.frame) / USUAL_CHROMA)
    dark_rgb = float(veil[0]), float(veil[1]), float(veil[2])
    return PictureLook(_edge_blur(grey, noise), noise, grain, dark_rgb, colour)


def chroma_of(frame: np.ndarray) -> float:
    """95th percentile of the distance of colours from grey in a picture ``(H, W, 3)`` uint8, in display steps."""
    part = frame[::4, ::4].reshape(-1, 3).astype(np.int16)
    return float(np.percentile(part.max(1) - part.min(1), 95))


def _edge_blur(grey: np.ndarray, noise: float) -> float:
    """Deviation (px) of the blur of sharp edges; 0.5 where there are too few.

    Source: Zhuo & Sim, "Defocus map estimation from a single image" (Pattern Recognition 2011): the ratio R of the
    gradients before and after a blur s of an edge of blur b is sqrt(1 + s^2 / b^2).
    """
    slope = _gradient(grey)
    smooth = _gradient(cv2.GaussianBlur(grey, (0, 0), PROBE_PX))
    edge = slope > max(12.0 + 4 * noise, float(np.percentile(slope, 90)))
    peak = slope >= cv2.dilate(slope, np.ones((3, 3), np.uint8)) - 1e-3
    ratio = slope[edge & peak] / np.maximum(smooth[edge & peak], 1e-3)
    ratio = ratio[ratio > 1.05]
    if len(ratio) < 25:
        return 0.5
    sharp = float(np.percentile(ratio, SHARP_SHARE))
    told = PROBE_PX**2 / (sharp**2 - 1) - DIFFERENCE_PX2
    return float(np.clip(np.sqrt(max(told, 0.0)), 0.3, MOST_BLUR_PX))


def _gradient(grey: np.ndarray) -> np.ndarray:
    """Length of the gradient by central differences, ``(h, w)`` float32."""
    gx = np.gradient(grey, axis=1)
    gy = np.gradient(grey, axis=0)
    return np.sqrt(gx * gx + gy * gy).astype(np.float32)


def _noise(grey: np.ndarray) -> tuple[float, float]:
    """Deviation of the noise in display steps, and the blur (px) that it has gone through, from the flattest blocks."""
    rough = grey - cv2.GaussianBlur(grey, (0, 0), 2.0)
    rows, columns = grey.shape[0] // 8, grey.shape[1] // 8
    if rows * columns < 8:
        return 1.0, 0.5
    blocks = rough[: rows * 8, : columns * 8].reshape(rows, 8, columns, 8).transpose(0, 2, 1, 3).reshape(-1, 8, 8)
    level = grey[: rows * 8, : columns * 8].reshape(rows, 8, columns, 8).mean((1, 3)).ravel()
    spread = blocks.std((1, 2))
    usable = (level > 12) & (level < 240)  # clipped parts have lost their noise
    if usable.sum() < 8:
        return 1.0, 0.5
    flat = blocks[usable][spread[usable] <= np.percentile(spread[usable], 25)]
    deviation = float(np.sqrt((flat**2).mean()))
    near = float((flat[:, :, 1:] * flat[:, :, :-1]).mean() / max(deviation**2, 1e-6))
    # Neighbours of white noise after a Gaussian blur b correlate by exp(-1 / (4 b^2)).
    grain = 1 / np.sqrt(4 * -np.log(np.clip(near, 0.02, 0.9))) if near > 0.02 else 0.0
    return float(np.clip(deviation, 0.0, 12.0)), float(np.clip(grain, 0.0, 1.5))


def jpeg_history(data: bytes) -> JpegHistory | None:
    """How a file was encoded, from its own tables; None when it is no JPEG or damaged before its pixels.

    Source: ITU-T T.81, annex B; quality as libjpeg's ``jpeg_set_quality`` scales the standard tables.
    """
    if data[:2] != b"\xff\xd8":
        return None
    at, quality, half = 2, 0, True
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker in SEGMENTS_WITHOUT_LENGTH:
            at += 2
            continue
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        body = data[at + 4 : at + 2 + length]
        if marker == 0xDB and len(body) >= 65 and body[0] & 0x0F == 0 and body[0] >> 4 == 0:
            table = np.zeros(64)
            table[ZIGZAG] = np.frombuffer(body[1:65], np.uint8)
            inner = (table > 1) & (table < 255)
            scale = float(np.median(100 * table[inner] / STANDARD_LUMA[inner])) if inner.any() else 1.0
            quality = int(np.clip(round((200 - scale) / 2 if scale <= 100 else 5000 / scale), 1, 100))
        elif 0xC0 <= marker <= 0xC2 and len(body) >= 9:
            half = body[5] > 1 and body[7] >> 4 > 1
        elif marker == 0xDA:
            break
        at += 2 + length
    return JpegHistory(quality, half) if quality else None
