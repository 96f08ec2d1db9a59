"""Keys and values of earlier frames, so that a rollout computes each frame once and memory stays constant."""

from __future__ import annotations

import torch


class TemporalCache:
    """One pair of tensors per temporal attention layer, cut to the newest ``window`` frames.

    Keys and values are ``(N, heads, P, head_dim)`` with N = B times spatial positions and P <= window. Keys are stored
    after rotation by their absolute frame number, so dropping old frames needs no recomputation.
    """

    def __init__(self, num_layers: int, window: int):
        self.window = window
        self.num_frames = 0
        self._pairs: list[tuple[torch.Tensor, torch.Tensor] | None] = [None] * num_layers

    def extend(
        self, layer: int, key: torch.Tensor, value: torch.Tensor, *, keep: bool
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Earlier and new keys and values, joined along frames; with ``keep`` the cache stores the joined pair."""
        stored = self._pairs[layer]
        if stored is not None:
            key, value = torch.cat([stored[0], key], 2), torch.cat([stored[1], value], 2)
        if keep:
            # A copy, because a view would keep frames outside the window in memory.
            self._pairs[layer] = (key[:, :, -self.window :].clone(), value[:, :, -self.window :].clone())
        return key, value

    def advance(self, num_frames: int) -> None:
        """Count frames whose keys every layer has stored."""
        self.num_frames += num_frames

    @property
    def nbytes(self) -> int:
        """Bytes of all stored tensors."""
        return sum(t.numel() * t.element_size() for pair in self._pairs if pair for t in pair)
