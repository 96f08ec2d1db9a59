"""Seeds that depend on what is generated, never on when, where or in which batch it is generated."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import TypeAlias

import numpy as np

Part = str | int | float | bool | None
"""A value that JSON can hold, apart from lists and objects."""
Parts: TypeAlias = "Part | Iterable[Parts]"
"""A value, or values nested to any depth."""


def stable_hash(*parts: Parts) -> int:
    """A hash that is the same on every machine, in every process and with every version of Python.

    Args:
        *parts: values, or lists of values. They are serialised to canonical JSON, so
            ``stable_hash("a", "b") != stable_hash("ab")``.

    Returns:
        An integer from 0 to 2**63 - 1.

    Raises:
        ValueError: for NaN and infinity, which JSON cannot hold.
    """
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def stable_key(*parts: Parts, prefix: str = "") -> str:
    """A short identifier that is safe in file names: ``prefix`` and 16 hexadecimal digits of :func:`stable_hash`."""
    return f"{prefix}{stable_hash(*parts):016x}"


def numpy_rng(*parts: Part | Iterable[Part]) -> np.random.Generator:
    """A NumPy generator seeded by :func:`stable_hash` of ``parts``."""
    return np.random.default_rng(stable_hash(*parts))
