"""What every world model does, whatever its family; sampling, data-set generation and evaluation know only this.

The native model (``models.native.pipeline.WorldPipeline``) and the pretrained families (``models.backbones``)
implement it. What a model honours is its :class:`~worldgen.models.promise.ModelPromise`; all else is refused by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from worldgen.core.clip import Clip
from worldgen.core.errors import InputError
from worldgen.core.samples import Conditions
from worldgen.models.promise import ModelPromise

GUIDABLE = ("text", "ego", "layout", "control")
"""Conditions that classifier-free guidance can strengthen."""
MAX_CHUNK = 1024


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
        if not 1 <= self.chunk <= MAX_CHUNK:
            raise InputError("frames per chunk", self.chunk, f"1 to {MAX_CHUNK}")
        for name, value in self.guidance.items():
            if name not in GUIDABLE:
                raise InputError("guidance of condition", name, "one of " + ", ".join(GUIDABLE))
            if not 0 <= value <= 50:
                raise InputError(f"guidance strength of {name}", value, "0 to 50")


def sampler_options(
    promise: ModelPromise, *, steps: int = 0, chunk: int = 0, guidance: Mapping[str, float] | None = None,
    shift: float = 0.0,
) -> SamplerOptions:  # fmt: skip
    """Options with the defaults of a model: 0 and {} take its own. Raises: InputError for values out of range."""
    if chunk > promise.max_chunk:
        raise InputError("frames per chunk", chunk, f"1 to {promise.max_chunk}")
    return SamplerOptions(
        steps=steps or promise.steps, chunk=chunk or promise.chunk_frames,
        guidance=dict(promise.guidance) | dict(guidance or {}), shift=shift or promise.shift,
    )  # fmt: skip


@dataclass(frozen=True)
class MemoryEstimate:
    """What sampling needs, in bytes of the device's memory.

    weights: of the networks that lie on the device at the same time. working: everything else at the largest moment:
    latents, activations, frames of a chunk in float32.
    """

    weights: int
    working: int

    @property
    def total(self) -> int:
        """All bytes that must be free on the device."""
        return self.weights + self.working


class ContentRefused(InputError):
    """Words or a clip that the content check of a model refuses: it concerns one request, data sets go on without."""


class WorldModel(Protocol):
    """A model that turns conditions into clips."""

    @property
    def promise(self) -> ModelPromise:
        """What these weights honour and make."""

    @property
    def weights_hash(self) -> str:
        """Name of the weights by content, adapters included."""

    @property
    def accepts(self) -> tuple[str, ...]:
        """``promise.conditions``."""

    @property
    def size_px(self) -> tuple[int, int]:
        """``promise.size_px``."""

    def check(self, requests: list[Conditions]) -> None:
        """Refuse what the model cannot do, before any work begins. Raises InputError."""

    def estimate(self, request: Conditions) -> MemoryEstimate:
        """Memory that sampling one request takes on the device of the model."""

    def seams(self, request: Conditions, options: SamplerOptions) -> tuple[int, ...]:
        """Frames at which a clip is put together from separate runs of the network; () for a model that makes each
        frame from the one before."""

    def prepare(self, requests: list[Conditions], options: SamplerOptions | None = None) -> Any:
        """Requests as inputs of :meth:`frames`: checked, words and pictures encoded. Requests of one call have equal
        frames, fps, size and context length. Raises InputError."""

    def frames(self, inputs: Any) -> Iterator[list[Clip]]:
        """The clips in parts, as they are generated, with bounded memory; known frames come first."""

    def stream(self, requests: list[Conditions], options: SamplerOptions | None = None) -> Iterator[list[Clip]]:
        """``frames(prepare(requests, options))``."""

    def __call__(self, requests: list[Conditions], options: SamplerOptions | None = None) -> list[Clip]:
        """One whole clip per request. Raises InputError."""
