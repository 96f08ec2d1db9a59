"""How a clip that is generated from a scene begins.

A module of its own, without NumPy, because the command line lists the choices in its ``--help``.
"""

from __future__ import annotations

from typing import Literal

Start = Literal["sketch", "noise"]
"""``sketch``: the renderer draws the first frames, and the model gets them as context. ``noise``: the model generates
every frame."""
STARTS: tuple[Start, ...] = ("sketch", "noise")
"""All values of ``Start``."""
StartChoice = Literal["", "sketch", "noise"]
"""A ``Start``, or "" for the model's own."""
DEFAULT_START: Start = "sketch"
