"""Items of a fine-tune: an encoded window, what is told of it and what is withheld, drawn by the position alone."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from worldgen.core.seeds import stable_key
from worldgen.training.backbones.trainable import NO_CONTROL, EgoReader, Given, TuneBatch
from worldgen.training.backbones.tune_options import TuneOptions
from worldgen.training.backbones.window_cache import WindowCache
from worldgen.training.loop.data_order import Draw


@dataclass(frozen=True, eq=False)
class TuneItem:
    """Tensors of one window, as in :class:`TuneBatch` without the batch."""

    key: str
    latents: torch.Tensor
    words: torch.Tensor
    given: dict[str, torch.Tensor]
    ego: torch.Tensor | None


@dataclass(frozen=True, eq=False)
class TuneItems:
    """The training windows. It holds no networks. ego: how ego motion is read, None where it is not trained."""

    cache: WindowCache
    tune: TuneOptions
    ego: EgoReader | None

    @property
    def data_hash(self) -> str:
        """Names the windows and their order."""
        return stable_key("tune", self.cache.folder.name, [str(n) for n in self.cache.training])

    def __len__(self) -> int:
        return len(self.cache.training)

    def load(self, draw: Draw) -> TuneItem:
        """One window on the CPU, with conditions kept or withheld as the position decides."""
        rng, tune = draw.rng(), self.tune
        number = self.cache.training[draw.index]
        record = self.cache.records[number]
        known = tune.known_frames[int(rng.integers(len(tune.known_frames)))]
        choice = int(rng.integers(max(1, len(record.controls))))
        withheld = dict(zip(("text", "ego", "control"), rng.random(3), strict=True))
        has_control = bool(record.controls) and withheld["control"] >= tune.control_dropout
        given = Given(known, record.controls[choice] if has_control else NO_CONTROL)
        return self.item(
            number, given, text=withheld["text"] >= tune.text_dropout, ego=withheld["ego"] >= tune.ego_dropout
        )

    def fixed_given(self, number: int) -> Given:
        """What is told of a window in validation: the largest number of known frames, and its first control."""
        controls = self.cache.records[number].controls
        return Given(max(self.tune.known_frames), controls[0] if controls else NO_CONTROL)

    def item(self, number: int, given: Given, *, text: bool = True, ego: bool = True, ego_of: int = -1) -> TuneItem:
        """A window with these conditions. ego_of: number of the window whose ego motion it gets, -1 for its own."""
        record = self.cache.records[number]
        tensors = self.cache.tensors(number, given)
        latents = tensors.pop("latents")
        features = None
        if self.ego is not None:
            motion = self.cache.records[ego_of if ego_of >= 0 else number].ego if ego else None
            features = self.ego(motion, record.camera, latents.shape[1])
        return TuneItem(record.key, latents, self.cache.words(record.caption if text else ""), tensors, features)

    def collate(self, items: list[TuneItem]) -> TuneBatch:
        """A batch of items."""
        egos = [item.ego for item in items if item.ego is not None]
        return TuneBatch(
            tuple(item.key for item in items), torch.stack([item.latents for item in items]),
            torch.stack([item.words for item in items]),
            {name: torch.stack([item.given[name] for item in items]) for name in items[0].given},
            torch.stack(egos) if egos else None,
        )  # fmt: skip
