"""Augmentation of labelled training pictures: mirror, zoom, light, blur, noise and compression."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class AugmentConfig:
    """Probability of each change, in [0, 1], and the range of the zoom.

    max_zoom: largest zoom factor; zooming out goes to its inverse, or to ``least_zoom`` (below 1) where that is not 0.
    light: changes brightness, contrast, gamma and saturation. softness: blur, loss of resolution, JPEG and noise, so
    that a detector does not reject generated pictures because they are soft.
    """

    mirror: float = 0.5
    zoom: float = 0.5
    max_zoom: float = 1.4
    least_zoom: float = 0.0
    light: float = 0.7
    softness: float = 0.5


def augmented(
    frame: np.ndarray, box_px: np.ndarray, config: AugmentConfig, *, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A changed picture ``(H, W, 3)`` uint8, its boxes ``(n, 4)`` float32 clipped to the picture, and the share of each
    box's area ``(n,)`` that is left."""
    height, width = frame.shape[:2]
    box = box_px.astype(np.float32).copy()
    if rng.random() < config.mirror:
        frame = frame[:, ::-1]
        box[:, [0, 2]] = width - box[:, [2, 0]]
    if rng.random() < config.zoom:
        frame, box = _zoomed(np.ascontiguousarray(frame), box, config, rng=rng)
    area = np.prod(box[:, 2:] - box[:, :2], axis=1)
    cut = np.clip(box, 0, [width, height, width, height]).astype(np.float32)
    left = np.prod(cut[:, 2:] - cut[:, :2], axis=1) / np.maximum(area, 1e-6)
    frame = np.ascontiguousarray(frame)
    if rng.random() < config.light:
        frame = _lit(frame, rng=rng)
    if rng.random() < config.softness:
        frame = _softened(frame, rng=rng)
    return frame, cut, left


def _zoomed(
    frame: np.ndarray, box: np.ndarray, config: AugmentConfig, *, rng: np.random.Generator
) -> tuple[np.ndarray, ...]:
    """Scaled about a random place; the border that zooming out uncovers is grey."""
    height, width = frame.shape[:2]
    least = np.log(config.least_zoom) if config.least_zoom else -np.log(config.max_zoom)
    factor = float(np.exp(rng.uniform(least, np.log(config.max_zoom))))
    shift = rng.uniform(0, 1, 2) * (np.array([width, height]) * (1 - factor))
    # cv2 puts pixel centres at whole numbers, worldgen at +0.5
    offset = shift + 0.5 * (factor - 1)
    matrix = np.array([[factor, 0, offset[0]], [0, factor, offset[1]]])
    frame = cv2.warpAffine(
        frame, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=(114,) * 3
    )
    return frame, (box * factor + np.tile(shift, 2)).astype(np.float32)


def _lit(frame: np.ndarray, *, rng: np.random.Generator) -> np.ndarray:
    """The picture with changed brightness, contrast, gamma, saturation and colour balance."""
    x = frame.astype(np.float32) / 255
    x = x ** rng.uniform(0.75, 1.33)
    grey = x.mean(-1, keepdims=True)
    x = grey + (x - grey) * rng.uniform(0.6, 1.4)
    x = x * (rng.uniform(0.7, 1.3) * rng.uniform(0.93, 1.07, 3).astype(np.float32))
    mean = x.mean()
    x = mean + (x - mean) * rng.uniform(0.7, 1.3) + rng.uniform(-0.06, 0.06)
    return (np.clip(x, 0, 1) * 255 + 0.5).astype(np.uint8)


def _softened(frame: np.ndarray, *, rng: np.random.Generator) -> np.ndarray:
    """The picture after one or two of: Gaussian blur, downscaling and upscaling, JPEG, noise."""
    height, width = frame.shape[:2]
    for kind in rng.choice(4, size=rng.integers(1, 3), replace=False):
        if kind == 0:
            frame = cv2.GaussianBlur(frame, (0, 0), float(rng.uniform(0.4, 1.3)))
        elif kind == 1:
            factor = rng.uniform(0.45, 0.8)
            few = cv2.resize(frame, (int(width * factor), int(height * factor)), interpolation=cv2.INTER_AREA)
            frame = cv2.resize(few, (width, height), interpolation=cv2.INTER_LINEAR)
        elif kind == 2:
            quality = int(rng.integers(15, 80))
            data = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
            frame = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))
        else:
            noise = rng.normal(0, rng.uniform(2, 10), frame.shape).astype(np.float32)
            frame = np.clip(frame.astype(np.float32) + noise, 0, 255).astype(np.uint8)
    return frame
