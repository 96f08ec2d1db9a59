"""Degradation of rendered frames towards generated and filmed ones, so that instruments do not depend on crisp
edges."""

from __future__ import annotations

import cv2
import numpy as np

JPEG_QUALITY = (12, 75)
MAX_BLUR_PX = 1.6
MAX_NOISE = 10.0


def degraded(frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Frames ``(T, H, W, 3)`` uint8 after a random choice of blur, loss of size, noise, JPEG, exposure and tint.

    The strength is the same for all frames of a clip; the noise differs between frames.
    """
    out = frames
    if rng.random() < 0.5:
        sigma = float(rng.uniform(0.3, MAX_BLUR_PX))
        out = np.stack([cv2.GaussianBlur(f, (0, 0), sigma) for f in out])
    if rng.random() < 0.3:
        scale, (height, width) = float(rng.uniform(0.4, 0.8)), out.shape[1:3]
        small = (max(8, round(width * scale)), max(8, round(height * scale)))
        out = np.stack([cv2.resize(cv2.resize(f, small, interpolation=cv2.INTER_AREA), (width, height)) for f in out])
    if rng.random() < 0.5:
        # Exposure stays within a third of a stop, because brightness distinguishes dusk from dawn.
        gain = np.exp(rng.normal(0, 0.1)) * np.exp(rng.normal(0, 0.03, 3))
        out = np.clip(out * gain + rng.normal(0, 3), 0, 255).astype(np.uint8)
    if rng.random() < 0.5:
        noise = rng.normal(0, rng.uniform(1, MAX_NOISE), (*out.shape[:3], 1)).astype(np.float32)
        out = np.clip(out + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.4:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(*JPEG_QUALITY))]
        out = np.stack([cv2.imdecode(cv2.imencode(".jpg", f, quality)[1], cv2.IMREAD_COLOR) for f in out])
    return out
