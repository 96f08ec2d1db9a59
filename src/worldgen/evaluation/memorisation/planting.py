"""Planted copies: training clips changed as a copying model might change them, to test whether the search finds
them."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from worldgen.core.clip import Clip
from worldgen.core.errors import InputError
from worldgen.data.video.encoding import encode_mp4
from worldgen.data.video.reading import decode_mp4

CROP_SCALES = (0.72, 0.95)
SHIFT_SHARES = (0.1, 0.45)
REENCODED_CRF = 38
"""About a tenth of the bytes of a visually lossless clip; compression blocks are clearly visible."""


def plant(clip: Clip, kind: str, rng: np.random.Generator) -> Clip:
    """A changed copy of a clip. kind: one of ``KINDS``. Raises: InputError for another kind."""
    if kind not in KINDS:
        raise InputError("kind of copy", kind, "one of " + ", ".join(KINDS))
    return KINDS[kind](clip, rng)


def _exact(clip: Clip, rng: np.random.Generator) -> Clip:
    return Clip(clip.frames.copy(), clip.fps)


def _cropped(clip: Clip, rng: np.random.Generator) -> Clip:
    """A part of the picture, enlarged to the whole."""
    scale = rng.uniform(*CROP_SCALES)
    height, width = clip.frames.shape[1:3]
    h, w = round(height * scale), round(width * scale)
    y, x = rng.integers(0, height - h + 1), rng.integers(0, width - w + 1)
    frames = [cv2.resize(f[y : y + h, x : x + w], (width, height), interpolation=cv2.INTER_LINEAR) for f in clip.frames]
    return Clip(np.stack(frames), clip.fps)


def _reencoded(clip: Clip, rng: np.random.Generator) -> Clip:
    return Clip(decode_mp4(encode_mp4(clip, crf=REENCODED_CRF)).frames, clip.fps)


def _shifted(clip: Clip, rng: np.random.Generator) -> Clip:
    """The clip without its first or its last frames."""
    cut = max(1, round(len(clip) * rng.uniform(*SHIFT_SHARES)))
    return clip[cut:] if rng.random() < 0.5 else clip[: len(clip) - cut]


def _mirrored(clip: Clip, rng: np.random.Generator) -> Clip:
    return Clip(np.ascontiguousarray(clip.frames[:, :, ::-1]), clip.fps)


def _relit(clip: Clip, rng: np.random.Generator) -> Clip:
    """Another brightness, contrast and tint."""
    gain = rng.uniform(0.7, 1.2) * rng.uniform(0.93, 1.07, 3)
    return Clip(np.clip(clip.frames * gain + rng.uniform(-12, 18), 0, 255).astype(np.uint8), clip.fps)


def _all_at_once(clip: Clip, rng: np.random.Generator) -> Clip:
    return _reencoded(_cropped(_shifted(clip, rng), rng), rng)


KINDS: dict[str, Callable[[Clip, np.random.Generator], Clip]] = {
    "exact": _exact, "cropped": _cropped, "reencoded": _reencoded, "shifted": _shifted, "mirrored": _mirrored,
    "relit": _relit, "cropped, shifted and reencoded": _all_at_once,
}  # fmt: skip
REQUIRED = ("exact", "cropped", "reencoded", "shifted")
"""The copies that must be found; the others show the limits of the search."""
