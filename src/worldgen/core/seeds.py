"""Seeds that depend on what is made, never on when, where or in what batch it is made."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

import numpy as np

Part = str | int | float | bool | None


def stable_hash(*parts: Part | Iterable[Part]) -> int:
    """A 63-bit non-negative integer from JSON-able parts: the same on every machine, process and Python version.

    Parts are serialised to canonical JSON, so ``stable_hash("a", "b") != stable_hash("ab")``.
    """
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def stable_key(*parts: Part | Iterable[Part], prefix: str = "") -> str:
    """A short file-name-safe identifier, ``prefix`` + 16 hexadecimal digits of the stable hash."""
    return f"{prefix}{stable_hash(*parts):016x}"


def numpy_rng(*parts: Part | Iterable[Part]) -> np.random.Generator:
    """A NumPy generator seeded by the stable hash of ``parts``."""
    return np.random.default_rng(stable_hash(*parts))
