"""Keys and values of past frames, so that a rollout computes each frame once and memory stays constant."""

from __future__ import annotations

import torch


class TemporalCache:
    """One pair of tensors per temporal attention layer, cut to the newest ``window`` frames.

    Keys and values are ``(N, heads, P, head_dim)`` with N = B times spatial positions and P <= window. Keys are stored
    already rotated by their absolute frame number, so dropping old frames needs no recomputation.
    """

    def __init__(self, num_layers: int, window: int):
        self.window = window
        self.num_frames = 0
        self._pairs: list[tuple[torch.Tensor, torch.Tensor] | None] = [None] * num_layers

    def extend(
        self, layer: int, key: torch.Tensor, value: torch.Tensor, *, keep: bool
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Past and new keys and values, joined along frames; with ``keep`` the joined pair is remembered."""
        if self._pairs[layer] is not None:
            past_key, past_value = self._pairs[layer]
            key, value = torch.cat([past_key, key], 2), torch.cat([past_value, value], 2)
        if keep:
            # A copy, or the view would keep frames outside the window alive.
            self._pairs[layer] = (key[:, :, -self.window :].clone(), value[:, :, -self.window :].clone())
        return key, value

    def advance(self, num_frames: int) -> None:
        """Count frames whose keys were kept by every layer."""
        self.num_frames += num_frames

    @property
    def nbytes(self) -> int:
        return sum(t.numel() * t.element_size() for pair in self._pairs if pair for t in pair)
