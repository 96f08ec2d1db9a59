"""Ego motion for pretrained transformers that have none: an embedding per latent frame, added where time enters.

A block of a diffusion transformer reads the diffusion time as a shift of its normalised tokens, before self-attention
and before the feed-forward layer. The injector adds a shift of its own there, one per latent frame, from the motion of
the frames that this latent frame holds. Its last layer starts at zero, so a fresh injector leaves every output as it
is, bit for bit. Source: AdaLN shifts of Peebles and Xie 2023 (arXiv:2212.09748), zero initialisation of Zhang et al.
2023 (arXiv:2302.05543).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import nn

from worldgen.core.ego import EgoMotion

METRES_PER_UNIT = 1.0
"""Distance between two frames that counts as 1: 30 km/h at 8 frames/s."""
RADIANS_PER_UNIT = 0.05
"""Angle between two frames that counts as 1: 23 degrees/s at 8 frames/s."""
FREQUENCIES = (1.0, 2.0, 4.0)
"""Of the sines and cosines by which a small network tells near values apart."""


@dataclass(frozen=True)
class EgoInjectorSizes:
    """width: of the transformer's tokens. frames_per_latent: frames that a later latent frame holds. hidden: width of
    the embedding."""

    width: int
    frames_per_latent: int
    hidden: int = 256

    def to_json(self) -> dict[str, int]:
        return asdict(self)

    @property
    def features(self) -> int:
        """Numbers of a latent frame: distance and angle of its frames, with their sines and cosines, and a flag."""
        return 2 * self.frames_per_latent * (1 + 2 * len(FREQUENCIES)) + 1


def ego_features(ego: EgoMotion | None, sizes: EgoInjectorSizes, latent_frames: int) -> torch.Tensor:
    """Features ``(F, K)`` float32 of the motion of a clip of ``1 + (F - 1) * frames_per_latent`` frames.

    The first latent frame holds one frame, whose row is repeated. The last number is 1; without motion all are 0.
    """
    if ego is None:
        return torch.zeros(latent_frames, sizes.features)
    step = sizes.frames_per_latent
    rows = np.stack([ego.speed_mps / ego.fps / METRES_PER_UNIT, ego.yaw_rate_radps / ego.fps / RADIANS_PER_UNIT], 1)
    assert len(rows) == 1 + (latent_frames - 1) * step, (len(rows), latent_frames)
    rows = np.concatenate([np.repeat(rows[:1], step, 0), rows[1:]]).reshape(latent_frames, 2 * step)
    waves = [wave(rows * frequency) for frequency in FREQUENCIES for wave in (np.sin, np.cos)]
    return torch.from_numpy(np.concatenate([rows, *waves, np.ones((latent_frames, 1))], 1)).float()


class EgoInjector(nn.Module):
    """Embeds ego motion, and adds the embedding to the tokens of the blocks that it is attached to.

    What it adds is set for the time of a call by :meth:`driving`. Outside of it nothing is added.
    """

    def __init__(self, sizes: EgoInjectorSizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.embed = nn.Sequential(nn.Linear(sizes.features, sizes.hidden), nn.SiLU())
        self.shift = nn.Linear(sizes.hidden, 2 * sizes.width)
        nn.init.zeros_(self.shift.weight)
        nn.init.zeros_(self.shift.bias)
        self._shifts: tuple[torch.Tensor, torch.Tensor] | None = None
        self._frames_seen = 0
        self._handles: list[torch.utils.hooks.RemovableHandle] = []

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Shifts before attention and before the feed-forward layer.

        features: ``(B, F, K)``. Returns two ``(B, F, D)`` float32. Frames whose flag is 0 get none.
        """
        known = features[..., -1:]
        shifts = self.shift(self.embed(features)).float() * known
        before_attention, before_feed_forward = shifts.chunk(2, dim=-1)
        return before_attention, before_feed_forward

    @contextmanager
    def driving(self, features: torch.Tensor) -> Iterator[None]:
        """Inside the block the transformer is driven by ``features`` ``(B, F, K)``; a batch of 1 drives any batch.

        The shifts are kept after the block, because gradient checkpointing runs blocks of the transformer again in the
        backward pass; ``release`` or the next call replaces them.
        """
        self._shifts = self(features)
        try:
            yield
        finally:
            if not torch.is_grad_enabled():
                self.release()

    def release(self) -> None:
        """Forget what the transformer is driven by: from now on nothing is added."""
        self._shifts = None

    def attach(self, network: nn.Module, *, blocks: str, attention: str, feed_forward: str) -> None:
        """Add to the input of these two parts of each block of a transformer, whose tokens lie frame after frame.

        A transformer with a ``patch_embedding`` may be given latent frames of reference pictures before the clip.
        """
        patches = getattr(network, "patch_embedding", None)
        if patches is not None:
            self._handles.append(patches.register_forward_pre_hook(self._see))
        for block in network.get_submodule(blocks).children():
            for name, which in ((attention, 0), (feed_forward, 1)):
                part = block.get_submodule(name)
                hook = part.register_forward_pre_hook(_adding(self, which), with_kwargs=True)
                self._handles.append(hook)

    def detach(self) -> None:
        """Leave the transformer as it was."""
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def added(self, tokens: torch.Tensor, which: int) -> torch.Tensor:
        """Tokens ``(B, F * n, D)`` with the shift of their frame, in their own type."""
        if self._shifts is None:
            return tokens
        shift = self._shifts[which]
        batch, length, width = tokens.shape
        spare = max(0, self._frames_seen - shift.shape[1])  # reference pictures before the clip are not driven
        rows = tokens.reshape(batch, spare + shift.shape[1], -1, width)
        driven = rows[:, spare:] + shift[:, :, None].to(tokens.dtype)
        if spare:
            driven = torch.cat([rows[:, :spare], driven], dim=1)
        return driven.reshape(batch, length, width)

    def _see(self, part: nn.Module, args: tuple[torch.Tensor, ...]) -> None:
        self._frames_seen = args[0].shape[2]


def _adding(injector: EgoInjector, which: int):
    def hook(part: nn.Module, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
        if args:
            return (injector.added(args[0], which), *args[1:]), kwargs
        return args, {**kwargs, "hidden_states": injector.added(kwargs["hidden_states"], which)}

    return hook
