"""Colours of walls, roofs and leaves, as muted as weather makes them."""

from __future__ import annotations

import numpy as np

from worldgen.rendering.meshes.colours import draw_colour

LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
"""Weights of linear red, green and blue. Source: ITU-R BT.709."""


def muted(table: str, rng: np.random.Generator, *, grey: float = 0.5, jitter: float = 0.12) -> tuple:
    """A colour of a table of ``colours.json``, linear RGB, mixed with its own grey.

    grey: share of grey. jitter: largest relative change of its brightness.
    """
    colour = np.array(draw_colour(table, rng))
    mixed = (colour + grey * (LUMINANCE @ colour - colour)) * rng.uniform(1 - jitter, 1 + jitter)
    return float(mixed[0]), float(mixed[1]), float(mixed[2])
