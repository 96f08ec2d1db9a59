"""The numbers of a measure of single clips, checked without its libraries, which take seconds to load."""

from __future__ import annotations

from worldgen.core.errors import InputError
from worldgen.core.start import STARTS

LEAST_FRAMES = {"control": 17, "attributes": 6, "labels": 3, "drift": 34}
"""Measure -> frames of a clip that it needs."""
MOST_FRAMES, MOST_CLIPS = 2000, 10_000
LEAST_WINDOW = 17
"""Frames that the motion of a window of ``drift`` needs."""


def check_clip_numbers(measure: str, *, clips: int, frames: int, start: str) -> None:
    """Refuse numbers out of range and an unknown start. Raises: InputError."""
    if not 1 <= clips <= MOST_CLIPS:
        raise InputError("clips", clips, f"1 to {MOST_CLIPS}")
    if not LEAST_FRAMES[measure] <= frames <= MOST_FRAMES:
        raise InputError("frames", frames, f"{LEAST_FRAMES[measure]} to {MOST_FRAMES} for the measure {measure}")
    if start not in STARTS:
        raise InputError("start", start, "one of " + ", ".join(STARTS))


def check_window(window: int, frames: int) -> None:
    """Refuse a window of ``drift`` of which the clip does not have two. Raises: InputError."""
    if not LEAST_WINDOW <= window <= frames // 2:
        raise InputError("window", window, f"{LEAST_WINDOW} to half of frames, {frames // 2}")
