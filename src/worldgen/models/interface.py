"""What every world model promises, whatever its family; sampling, data-set generation and evaluation know only this.

The native model (``models.native.pipeline.WorldPipeline``) implements it. A model declares which conditions it
accepts and refuses all others by name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from worldgen.core.clip import Clip
from worldgen.core.errors import InputError
from worldgen.core.samples import Conditions

GUIDABLE = ("text", "ego", "layout")
"""Conditions that classifier-free guidance can strengthen."""


@dataclass(frozen=True)
class SamplerOptions:
    """How a clip is sampled.

    steps: network evaluations per chunk. chunk: frames generated together. guidance: condition -> strength; 1 is plain
    conditional sampling, larger values push away from the prediction without that condition
    (Ho & Salimans 2022, arXiv:2207.12598, eq. 6, one term per condition). shift: moves steps to high noise (> 1).
    Raises InputError for values out of range.
    """

    steps: int = 1
    chunk: int = 1
    guidance: dict[str, float] = field(default_factory=dict)
    shift: float = 2.0

    def __post_init__(self) -> None:
        if not 1 <= self.steps <= 1000:
            raise InputError("sampling steps", self.steps, "1 to 1000")
        if not 1 <= self.chunk <= 64:
            raise InputError("frames per chunk", self.chunk, "1 to 64")
        for name, value in self.guidance.items():
            if name not in GUIDABLE:
                raise InputError("guidance of condition", name, "one of " + ", ".join(GUIDABLE))
            if not 0 <= value <= 50:
                raise InputError(f"guidance strength of {name}", value, "0 to 50")


class WorldModel(Protocol):
    """A model that turns conditions into clips."""

    @property
    def accepts(self) -> tuple[str, ...]:
        """Names of the conditions it honours, of ``core.samples.CONDITIONS``."""

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height in pixels that it generates where a request names none."""

    def check(self, requests: list[Conditions]) -> None:
        """Refuse what the model cannot do, before any work begins. Raises InputError."""

    def __call__(self, requests: list[Conditions], options: SamplerOptions | None = None) -> list[Clip]:
        """One clip per request; requests of one call have equal frames, fps, size and context length. Raises
        InputError."""

    def stream(self, requests: list[Conditions], options: SamplerOptions | None = None) -> Iterator[list[Clip]]:
        """The same in parts, as they are generated, with bounded memory."""
