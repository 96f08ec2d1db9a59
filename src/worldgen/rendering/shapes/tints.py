"""Colours of shapes: the tables of ``tints.json`` as linear albedo, muted as clothes, coats and paint outdoors are."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np

Tint = tuple[float, float, float]
"""Linear albedo of red, green and blue."""


def linear(code: str) -> Tint:
    """Linear albedo of a web colour ``"#rrggbb"`` (gamma 2.2, close to IEC 61966-2-1)."""
    red, green, blue = ((int(code[i : i + 2], 16) / 255) ** 2.2 for i in (1, 3, 5))
    return red, green, blue


@cache
def tint_table(name: str) -> tuple[Tint, ...]:
    """The colours of one table of ``tints.json``; a colour that stands twice is drawn twice as often."""
    tables = json.loads(Path(__file__).with_suffix(".json").read_text("utf-8"))
    return tuple(linear(code) for code in tables[name])


def draw_tint(name: str, rng: np.random.Generator, *, spread: float = 0.12) -> Tint:
    """A random colour of a table, lighter or darker by up to ``spread``, with a slight cast of its own."""
    choices = tint_table(name)
    colour = choices[int(rng.integers(len(choices)))]
    light, cast = 1 + spread * rng.uniform(-1, 1), 1 + 0.25 * spread * rng.uniform(-1, 1, 3)
    red, green, blue = (float(min(channel * light * factor, 0.9)) for channel, factor in zip(colour, cast, strict=True))
    return red, green, blue


def shade(colour: Tint, factor: float) -> Tint:
    """The colour with every channel multiplied by ``factor``, at most 0.95."""
    red, green, blue = (min(factor * channel, 0.95) for channel in colour)
    return red, green, blue


def blend(colour: Tint, other: Tint, share: float) -> Tint:
    """``1 - share`` of the colour and ``share`` of the other."""
    red, green, blue = ((1 - share) * a + share * b for a, b in zip(colour, other, strict=True))
    return red, green, blue
