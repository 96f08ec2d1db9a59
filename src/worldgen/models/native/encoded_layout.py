"""A layout as the network reads it, and the place where a rollout keeps it between calls."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True, eq=False)
class EncodedLayout:
    """A layout as the network reads it.

    pictures: latents of each picture of the layout, each ``(B, C, F, h, w)`` in units of the data's standard
    deviation, zero where the layout is unknown. features: ``(B*F, D0, h, w)``, None where no clip of the batch has a
    layout.
    """

    pictures: tuple[torch.Tensor, ...]
    features: torch.Tensor | None


class LayoutMemo:
    """The encoded layout of one chunk, so that the network encodes it once however often it reads the chunk.

    The network fills it in its first call. An encoding outside of that call would pass by the hooks that move or cast
    the network's weights.
    """

    def __init__(self) -> None:
        self.encoded: EncodedLayout | None = None
