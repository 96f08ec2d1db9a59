"""Known damage to clips, by name and strength: a useful distance grows with each."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from worldgen.core.errors import InputError

BLUR_SHARE = 0.03
"""Blur at full strength: standard deviation as a share of the picture's width."""
NOISE_LEVELS = 40.0
FLICKER_LEVELS = 30.0
DRIFT_GAIN = 0.5
WOBBLE_SHARE = 0.03
BLOCK_SHARE = 0.05


def corrupt(frames: np.ndarray, name: str, strength: float, rng: np.random.Generator) -> np.ndarray:
    """A damaged copy of ``(T, H, W, 3)`` uint8 frames. name: one of ``CORRUPTIONS``; strength: 0 (none) to 1.

    Raises: InputError for another name or strength.
    """
    if name not in CORRUPTIONS:
        raise InputError("corruption", name, "one of " + ", ".join(CORRUPTIONS))
    if not 0 <= strength <= 1:
        raise InputError("strength of a corruption", strength, "0 to 1")
    return frames.copy() if strength == 0 else CORRUPTIONS[name](frames, strength, rng)


def _blur(frames: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    sigma = BLUR_SHARE * strength * frames.shape[2]
    return np.stack([cv2.GaussianBlur(frame, (0, 0), sigma) for frame in frames])


def _noise(frames: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    grain = rng.standard_normal(frames.shape, np.float32) * np.float32(NOISE_LEVELS * strength)
    return _bytes(frames + grain)


def _drift(frames: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Colours drift away from those of the first frame, as in long rollouts."""
    slide = np.linspace(0, 1, len(frames), dtype=np.float32)[:, None, None, None]
    direction = rng.uniform(-1, 1, 3).astype(np.float32)
    direction /= max(float(np.abs(direction).max()), 1e-6)
    return _bytes(frames * (1 + slide * direction * np.float32(DRIFT_GAIN * strength)))


def _flicker(frames: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    return _bytes(frames + rng.normal(0, FLICKER_LEVELS * strength, (len(frames), 1, 1, 1)).astype(np.float32))


def _shuffle(frames: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """A share of the frames is permuted."""
    order = np.arange(len(frames))
    moved = rng.permutation(len(frames))[: max(2, round(strength * len(frames)))]
    order[np.sort(moved)] = order[rng.permutation(moved)]
    return frames[order]


def _freeze(frames: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """A share of the frames repeats the previous frame."""
    order = np.arange(len(frames))
    for i in range(1, len(frames)):
        if rng.random() < strength:
            order[i] = order[i - 1]
    return frames[order]


def _grey(frames: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Colour and contrast fade towards the mean grey."""
    mean = frames.mean(dtype=np.float64)
    return _bytes(frames + np.float32(0.85 * strength) * (np.float32(mean) - frames))


def _wobble(frames: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Shapes bend differently in every frame."""
    height, width = frames.shape[1:3]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    reach = WOBBLE_SHARE * strength * width
    bent = []
    for frame in frames:
        shift = cv2.resize(
            rng.uniform(-1, 1, (4, 6, 2)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC
        )
        bent.append(
            cv2.remap(
                frame,
                x + reach * shift[..., 0],
                y + reach * shift[..., 1],
                cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REFLECT,
            )
        )
    return np.stack(bent)


def _blocks(frames: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Detail is replaced by squares, as strong compression does."""
    height, width = frames.shape[1:3]
    side = max(2.0, BLOCK_SHARE * strength * width)
    small = (max(1, round(width / side)), max(1, round(height / side)))
    return np.stack([
        cv2.resize(cv2.resize(f, small, interpolation=cv2.INTER_AREA), (width, height), interpolation=cv2.INTER_NEAREST)
        for f in frames
    ])  # fmt: skip


def _reverse(frames: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """The first share of the clip runs backwards."""
    count = max(2, round(strength * len(frames)))
    return np.concatenate([frames[:count][::-1], frames[count:]])


def _bytes(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


CORRUPTIONS: dict[str, Callable[[np.ndarray, float, np.random.Generator], np.ndarray]] = {
    "blur": _blur, "noise": _noise, "drift": _drift, "flicker": _flicker, "shuffle": _shuffle, "freeze": _freeze,
    "grey": _grey, "wobble": _wobble, "blocks": _blocks, "reverse": _reverse,
}  # fmt: skip
TAUGHT = ("blur", "noise", "drift", "flicker", "shuffle", "freeze", "grey")
"""Corruptions that fd-worldgen is trained on; it is also measured on the others."""
