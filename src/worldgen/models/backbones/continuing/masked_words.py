"""States of words with their mask in one tensor, as the cache of prompts keeps them."""

from __future__ import annotations

import torch


def with_mask(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """States ``(B, L, D)`` and mask ``(B, L)`` as ``(B, L, D + 1)``: the mask is the last column."""
    return torch.cat([states, mask.to(states)[..., None]], dim=-1)


def without_mask(packed: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The inverse of :func:`with_mask`; the mask is int64."""
    return packed[..., :-1].contiguous(), packed[..., -1].round().long()
