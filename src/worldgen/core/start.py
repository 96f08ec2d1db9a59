"""How a clip made of a scene begins."""

from __future__ import annotations

from typing import Literal

Start = Literal["sketch", "noise"]
"""sketch: the first frames are drawn by the sketch renderer and given to the model as context. noise: the model paints every
frame."""
STARTS: tuple[Start, ...] = ("sketch", "noise")
DEFAULT_START: Start = "sketch"
