"""Settings of the process that shorten the start and the end of a command. None of them changes a result."""

from __future__ import annotations

import atexit
import gc
import os

SPIN_COUNT = "20000"
"""Times that a waiting thread of PyTorch polls before it sleeps (libgomp's GOMP_SPINCOUNT): some microseconds. By
default threads poll for milliseconds. That is free on idle cores, but takes cores away from loaders, workers and other
programs: three processes on two cores encoded clips at 0.4 of the speed."""

BRIEF = ("sample", "info", "scenes", "data")
"""Commands that end within seconds. Loading PyTorch and diffusers makes millions of objects that all stay, and
searching them for garbage every few hundred objects takes a good part of the loading time."""
BRIEF_THRESHOLD = 50_000
"""Objects between two collections of a brief command (Python's default: 700)."""


def limit_spinning() -> None:
    """Let waiting threads sleep early, unless the user chose a policy. Call before PyTorch is imported."""
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", SPIN_COUNT)


def spare_collections(command: str) -> None:
    """Collect garbage rarely in a brief command, and not at all when the process ends.

    Long commands keep Python's default: a reference cycle that holds tensors must be collected soon.
    """
    if command in BRIEF:
        gc.set_threshold(BRIEF_THRESHOLD)
    atexit.register(gc.freeze)  # the end of the process frees everything at once
