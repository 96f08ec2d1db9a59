"""Colour drift between chunks, and its correction by the frames that two chunks share.

A network that continues a clip makes its known frames anew. What it changed in them is known exactly, frame by frame,
without any guess about the content; the frames that follow are corrected by it. As each chunk is corrected against the
one before, all are held against the first.

Colours that drift from chunk to chunk are the most frequent complaint about long clips of VACE (ali-vilab/VACE issues
44, 93, 99), and matching colours is what their users do about it.
"""

from __future__ import annotations

import numpy as np

LEAST_SPREAD = 1.0
"""Smallest spread of a channel in grey levels that its contrast is matched by."""
MOST_GAIN = 1.5
"""Largest factor on the contrast of a channel: more would amplify noise of a flat picture."""


def held_colours(made: np.ndarray, given: np.ndarray, *, known: int, strength: float) -> np.ndarray:
    """Frames of a chunk with mean and spread of each channel pulled back to those of its known frames.

    made: ``(n, H, W, 3)`` uint8, what the network returned, known frames included. given: ``(known, H, W, 3)`` uint8,
    what the known frames were. strength: 0 changes nothing, 1 corrects the whole difference. Returns uint8 of the shape
    of ``made``.
    """
    assert given.shape == (known, *made.shape[1:]), (given.shape, made.shape)
    if strength == 0 or known == 0:
        return made
    again = made[:known].astype(np.float64)
    mean_made, mean_given = again.mean((0, 1, 2)), given.mean((0, 1, 2), dtype=np.float64)
    spread_made, spread_given = again.std((0, 1, 2)), given.std((0, 1, 2), dtype=np.float64)
    ratio = np.maximum(spread_given, LEAST_SPREAD) / np.maximum(spread_made, LEAST_SPREAD)
    gain = 1 + strength * (np.clip(ratio, 1 / MOST_GAIN, MOST_GAIN) - 1)
    shift = mean_made + strength * (mean_given - mean_made) - gain * mean_made
    return np.clip(np.rint(made * gain + shift), 0, 255).astype(np.uint8)
