"""Training items of the world model: windows of encoded clips, with histories and layouts, in batches."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from transformers import PreTrainedTokenizerFast

from worldgen.core.seeds import stable_key
from worldgen.models.native.conditions import ClipConditions, batch_conditions
from worldgen.models.native.losses.flow import Examples
from worldgen.training.data.latent_cache import LatentCache
from worldgen.training.data.rollout_history import RolloutHistory
from worldgen.training.data.windows import TrainingWindow, cut_window
from worldgen.training.loop.data_order import Draw
from worldgen.training.train_config import DataConfig


@dataclass(frozen=True, eq=False)
class WorldBatch:
    """What one micro-step learns from, and the keys of its clips."""

    keys: tuple[str, ...]
    examples: Examples

    def to(self, device: torch.device) -> WorldBatch:
        return dataclasses.replace(self, examples=self.examples.to(device))


@dataclass(frozen=True, eq=False)
class WindowItem:
    """A window with the arrays of its frames.

    latents: ``(F, C, h, w)`` float32. reprojected: history ``(F, C + 1, h, w)`` float32. layout: ``(F, K, hl, wl)``
    float16 or None.
    """

    window: TrainingWindow
    latents: np.ndarray
    reprojected: np.ndarray
    layout: np.ndarray | None

    @property
    def conditions(self) -> ClipConditions:
        w = self.window
        return ClipConditions(w.num_frames, w.fps, w.caption or None, w.ego, w.camera, self.layout)


class WindowItems:
    """Windows of cached training clips.

    chosen: numbers of the clips in the cache, each as often as it counts in one epoch. rollout_history: where there is
    one, a share ``rollout_history_share`` of the windows takes its history from there instead of from the cache.
    """

    def __init__(
        self,
        cache: LatentCache,
        chosen: Sequence[int],
        config: DataConfig,
        tokenizer: PreTrainedTokenizerFast,
        *,
        rollout_history: RolloutHistory | None = None,
        rollout_history_share: float = 0.0,
    ) -> None:
        self.cache, self.chosen, self.config, self.tokenizer = cache, list(chosen), config, tokenizer
        self.rollout_history, self.rollout_history_share = rollout_history, rollout_history_share
        self.data_hash = stable_key("windows", cache.folder.name, self.chosen)
        if rollout_history is not None:
            self.data_hash = stable_key("windows", self.data_hash, rollout_history.name, rollout_history_share)

    def __len__(self) -> int:
        return len(self.chosen)

    def load(self, draw: Draw) -> WindowItem:
        number, rng = self.chosen[draw.index], draw.rng()
        item = self.item_of(number, cut_window(self.cache.records[number], self.config, rng))
        if self.rollout_history is None or rng.random() >= self.rollout_history_share:
            return item
        return dataclasses.replace(item, reprojected=self.rollout_history.reprojected(number, item.window.frames))

    def item_of(self, number: int, window: TrainingWindow) -> WindowItem:
        """A given window of clip ``number`` of the cache, with the history of the cache."""
        frames, mirrored = window.frames, window.mirrored
        return WindowItem(
            window,
            self.cache.latents(number, frames, mirrored=mirrored),
            self.cache.reprojected(number, frames, mirrored=mirrored),
            self.cache.layout(number, frames, mirrored=mirrored),
        )

    def collate(self, items: list[WindowItem]) -> WorldBatch:
        conditions = batch_conditions([item.conditions for item in items], self.tokenizer)
        examples = Examples(_stacked([i.latents for i in items]), _stacked([i.reprojected for i in items]), conditions)
        return WorldBatch(tuple(item.window.key for item in items), examples)


def _stacked(arrays: list[np.ndarray]) -> torch.Tensor:
    """``B`` arrays ``(F, C, h, w)`` as a tensor ``(B, C, F, h, w)``."""
    return torch.from_numpy(np.stack(arrays)).transpose(1, 2).contiguous()
