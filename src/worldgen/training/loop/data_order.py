"""The order of training data: a function of the seed and the position alone.

Every item that a run sees has a position 0, 1, 2, ... The position decides which clip it is, which window of it,
whether it is mirrored, and which noise is added. So a resumed run, and a run on another number of processes, sees the
same items. Source: the idea of deriving randomness from (seed, progress) is that of the EDM2 training code (Karras et
al. 2024).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from worldgen.core.seeds import numpy_rng, stable_hash


@dataclass(frozen=True)
class Draw:
    """One item to be loaded. position: place in the run. index: number in the data set. epoch: whole passes before
    it."""

    seed: int
    position: int
    index: int
    epoch: int

    def rng(self) -> np.random.Generator:
        """A fresh generator for the choices made while loading this item."""
        return numpy_rng("item", self.seed, self.position)


@lru_cache(maxsize=4)
def _permutation(seed: int, epoch: int, count: int) -> np.ndarray:
    return numpy_rng("order", seed, epoch, count).permutation(count)


def draw_at(seed: int, position: int, count: int) -> Draw:
    """The item at a position, of a data set of ``count`` items that is shuffled anew every epoch."""
    epoch, place = divmod(position, count)
    return Draw(seed, position, int(_permutation(seed, epoch, count)[place]), epoch)


def noise_seed(seed: int, position: int) -> int:
    """Seed of the noise of the item at a position."""
    return stable_hash("noise", seed, position)


@dataclass(frozen=True)
class StepSplit:
    """How the positions of a step are split: into ``accumulate`` micro-steps of ``processes`` shards of ``batch``
    items."""

    batch: int
    accumulate: int = 1
    processes: int = 1
    rank: int = 0

    @property
    def per_step(self) -> int:
        return self.batch * self.accumulate * self.processes

    def positions(self, step: int, micro: int) -> list[int]:
        """Positions of this process in one micro-step (both counted from 0)."""
        first = step * self.per_step + (micro * self.processes + self.rank) * self.batch
        return list(range(first, first + self.batch))


class StepOrder:
    """An endless batch sampler: lists of positions for this process, from a given step on.

    frozen: repeat the positions of step 0 for ever (one fixed batch).
    """

    def __init__(self, split: StepSplit, start_step: int = 0, *, frozen: bool = False) -> None:
        self.split, self.start_step, self.frozen = split, start_step, frozen

    def __iter__(self) -> Iterator[list[int]]:
        step = self.start_step
        while True:
            for micro in range(self.split.accumulate):
                yield self.split.positions(0 if self.frozen else step, micro)
            step += 1
