"""Colours of the meshes: the tables of ``colours.json`` as linear RGB."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np

from worldgen.rendering.meshes.mesh import Colour, srgb


@cache
def _tables() -> dict:
    return json.loads(Path(__file__).with_suffix(".json").read_text("utf-8"))


@cache
def colours(table: str) -> tuple[Colour, ...]:
    """The colours of one table of ``colours.json``, in linear RGB.

    A colour that stands twice is drawn twice as often.
    """
    return tuple(srgb(code) for code in _tables()[table])


def draw_colour(table: str, rng: np.random.Generator, *, weighted: bool = False) -> Colour:
    """A random colour of a table, uniformly, or with the table's ``weights`` (frequencies among registered cars)."""
    choices = colours(table)
    if not weighted:
        return choices[rng.integers(len(choices))]
    weights = np.array(_tables()["weights"][table], float)
    return choices[rng.choice(len(choices), p=weights / weights.sum())]
