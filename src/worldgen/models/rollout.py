"""Rollouts: frames made chunk by chunk, each from the past, in constant memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch

from worldgen.core.errors import InputError
from worldgen.models.conditions import ConditionBatch
from worldgen.models.flow import aligned_past
from worldgen.models.noise import chunk_noise

GUIDABLE = ("text", "ego", "layout")


@dataclass(frozen=True)
class SamplerOptions:
    """How a rollout is sampled.

    steps: network evaluations per chunk. chunk: frames made together. guidance: condition -> strength; 1 is plain
    conditional sampling, larger values push away from what the model would do without that condition
    (Ho & Salimans 2022, arXiv:2207.12598, eq. 6, one term per condition). shift: moves steps to high noise (> 1).
    """

    steps: int = 4
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


class Rollout:
    """The state of one rollout: cache, last known frame, position. Feed context, then make chunks.

    ``conditions`` covers every frame from 0; ``seeds`` has one seed per clip. Noise depends on (seed, frame) alone, so
    results do not depend on the batch they are made in.
    """

    def __init__(
        self, transformer, scheduler, conditions: ConditionBatch, text: torch.Tensor, *, seeds: list[int],
        options: SamplerOptions,
    ):  # fmt: skip
        assert len(conditions) == len(seeds), (len(conditions), len(seeds))
        self.transformer = transformer
        self.scheduler = scheduler
        self.seeds = seeds
        self.options = options
        self.position = 0
        self.last: torch.Tensor | None = None
        self.cache = transformer.new_cache()
        # One branch with every condition, then one per guided condition with that condition dropped.
        self.guided = [name for name, strength in options.guidance.items() if strength != 1.0]
        branches = [conditions, *(conditions.without(name) for name in self.guided)]
        self.conditions = ConditionBatch.cat(branches) if self.guided else conditions
        self.text = text.repeat(len(branches), 1, 1)

    @property
    def num_frames(self) -> int:
        return self.conditions.ego.shape[1]

    def feed(self, latents: torch.Tensor) -> None:
        """Known frames ``(B, C, F, h, w)``, t = 0, appended to the cache."""
        frames = latents.shape[2]
        conditions = self._window(frames)
        repeated = latents.repeat(len(self.guided) + 1, 1, 1, 1, 1)
        past = self._past(frames, conditions, teacher=repeated)
        t = torch.zeros(repeated.shape[0], frames, device=latents.device)
        self.transformer(repeated, t, past, conditions, self.text, cache=self.cache, keep=True)
        self.position += frames
        self.last = latents[:, :, -1:]

    def make(self, frames: int, shape: tuple[int, int, int]) -> torch.Tensor:
        """The next ``frames`` latent frames ``(B, C, frames, h, w)``; shape is (C, h, w)."""
        device, dtype = self.text.device, self.text.dtype
        latents = chunk_noise(self.seeds, self.position, frames, shape).to(device)
        conditions = self._window(frames)
        past = self._past(frames, conditions, shape=shape)
        self.scheduler.set_timesteps(sigmas=shifted_sigmas(self.options), device=device)
        sigmas = self.scheduler.sigmas
        for i, timestep in enumerate(self.scheduler.timesteps):
            repeated = latents.to(dtype).repeat(len(self.guided) + 1, 1, 1, 1, 1)
            t = sigmas[i].to(device).expand(repeated.shape[0], frames)
            velocity = self.transformer(repeated, t, past, conditions, self.text, cache=self.cache).float()
            latents = self.scheduler.step(self._guide(velocity), timestep, latents, return_dict=False)[0]
        if not torch.isfinite(latents).all():
            raise FloatingPointError(f"the model made non-finite latents at frame {self.position}")
        self.feed(latents.to(dtype))
        return latents

    def _guide(self, velocity: torch.Tensor) -> torch.Tensor:
        full, *dropped = velocity.chunk(len(self.guided) + 1)
        guided = full
        for name, without in zip(self.guided, dropped, strict=True):
            guided = guided + (self.options.guidance[name] - 1.0) * (full - without)
        return guided

    def _window(self, frames: int) -> ConditionBatch:
        return self.conditions.frames(self.position, self.position + frames)

    def _past(self, frames: int, conditions: ConditionBatch, *, teacher=None, shape=None) -> torch.Tensor:
        """The past frame for each frame of a chunk: the last known one, or with ``teacher`` each frame's neighbour.

        Ego rows arrive at their frame, so the row before the chunk is the last known frame's own and moves nothing.
        """
        branches = len(self.guided) + 1
        if self.last is None and teacher is None:
            rows = len(self.conditions)
            return torch.zeros(rows, shape[0] + 1, frames, *shape[1:], device=self.text.device, dtype=self.text.dtype)
        last = teacher[:, :, :1] if self.last is None else self.last.repeat(branches, 1, 1, 1, 1)
        if teacher is None:
            stack = last.expand(-1, -1, frames + 1, -1, -1)
            source = torch.tensor([-1] + [0] * frames)
        else:
            stack = torch.cat([last, teacher], 2)
            first = -1 if self.last is None else 0
            source = torch.tensor([-1, first, *range(1, frames)])
        extended = conditions.with_leading_frame()
        return aligned_past(stack, source, extended)[:, :, 1:]


def shifted_sigmas(options: SamplerOptions) -> list[float]:
    """Noise levels from 1 downwards, without the final 0: t' = s t / (1 + (s - 1) t) (Esser et al. 2024, eq. 23)."""
    times = torch.linspace(1, 0, options.steps + 1)[:-1]
    return (options.shift * times / (1 + (options.shift - 1) * times)).tolist()


def chunks(start: int, stop: int, chunk: int) -> Iterator[int]:
    """Sizes of the chunks from frame ``start`` to ``stop``."""
    while start < stop:
        size = min(chunk, stop - start)
        yield size
        start += size
