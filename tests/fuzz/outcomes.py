"""Runs a reader over many damaged inputs and keeps what is neither a result nor a refusal."""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from worldgen.core.errors import InputError

MAX_MESSAGE = 6000
"""Characters of the longest message; received values are cut by ``InputError``."""


def outcomes(count: int, seed: int, one: Callable[[np.random.Generator], object]) -> Counter[str]:
    """Counts of "read", "refused" and, for anything else, the last lines of its traceback.

    one: makes one damaged input from its generator and reads it.
    """
    found: Counter[str] = Counter()
    for number in range(count):
        try:
            one(np.random.default_rng((seed, number)))
            found["read"] += 1
        except InputError as error:
            message = str(error)
            whole = "\n" not in message and len(message) <= MAX_MESSAGE
            found["refused" if whole else f"message of {len(message)} characters: {message[:200]}"] += 1
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)
            ours = next((frame for frame in reversed(place) if "worldgen/" in frame.filename), place[-1])
            found[f"{type(error).__name__} at {ours.filename}:{ours.lineno} ({str(error)[:100]}), input {number}"] += 1
    return found


def surprises(found: Counter[str]) -> list[str]:
    """What is neither read nor refused."""
    return [name for name in found if name not in ("read", "refused")]


def files_under(folder: Path) -> set[str]:
    """Every file and folder below ``folder``."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}
