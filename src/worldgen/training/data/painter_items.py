"""Training items of the painter: patches of drawn and of recorded pictures, the latter with a simplified twin."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import cv2
import numpy as np
import torch

from worldgen.core.errors import InputError, Received
from worldgen.core.seeds import numpy_rng, stable_key
from worldgen.models.native.painter.lens_softness import lens_sigma_px, log_spectrum
from worldgen.models.native.painter.painting_loss import Paintings
from worldgen.training.data.clips import ClipPlace, Clips, evenly_spaced
from worldgen.training.data.simplified_pictures import simplified
from worldgen.training.loop.data_order import Draw

SCENE_DRIVE = "scene_"
"""What the drives of drawn clips begin with."""

LENS_PICTURES = 64
SHRINK = 0.5
"""Smallest factor by which pictures are shrunk, so that the painter knows smaller pictures too."""


@dataclass(frozen=True, eq=False)
class PainterBatch:
    """Patches of one micro-step, and the keys of their clips."""

    keys: tuple[str, ...]
    paintings: Paintings

    def to(self, device: torch.device) -> PainterBatch:
        p = self.paintings
        moved = Paintings(p.given.to(device), p.wanted.to(device), p.recorded.to(device))
        return dataclasses.replace(self, paintings=moved)


@dataclass(frozen=True, eq=False)
class PainterItem:
    """One patch: what the painter is given and what is wanted, ``(h, w, 3)`` uint8."""

    key: str
    given: np.ndarray
    wanted: np.ndarray
    recorded: bool


class PainterItems:
    """Patches of the training clips; a share ``drawn`` of them from clips that worldgen drew, the others from
    recordings.

    Raises:
        InputError: where one of the two kinds is missing.
    """

    def __init__(self, clips: Clips, *, drawn: float) -> None:
        self.clips, self.drawn = clips, drawn
        places = clips.repeated(clips.training())
        self.kinds = {recorded: [p for p in places if self._recorded(p) is recorded] for recorded in (False, True)}
        if not all(self.kinds.values()):
            received = Received(f"{len(self.kinds[False])} drawn and {len(self.kinds[True])} recorded clips")
            raise InputError("training clips of a painter", received, "at least one of each kind in data.urls")
        self.data_hash = stable_key("paintings", clips.name(places), drawn)

    def __len__(self) -> int:
        return sum(map(len, self.kinds.values()))

    def _recorded(self, place: ClipPlace) -> bool:
        return not self.clips.row(place)["drive"].startswith(SCENE_DRIVE)

    def load(self, draw: Draw) -> PainterItem:
        rng = draw.rng()
        recorded = bool(rng.random() >= self.drawn)
        places = self.kinds[recorded]
        return self.item(places[int(rng.integers(len(places)))], rng)

    def item(self, place: ClipPlace, rng: np.random.Generator) -> PainterItem:
        """A patch of a random frame of a clip, shrunk, mirrored or not."""
        config, sample = self.clips.config, self.clips.load(place)
        picture = sample.clip.frames[int(rng.integers(len(sample.clip)))]
        wanted = _patch(picture, (config.crop_width_px, config.crop_height_px), rng)
        if rng.random() < config.flip:
            wanted = np.ascontiguousarray(wanted[:, ::-1])
        recorded = self._recorded(place)
        return PainterItem(sample.key, simplified(wanted, rng) if recorded else wanted, wanted, recorded)

    def lens_sigma_px(self) -> float:
        """The blur that makes drawings as soft as recordings: of at most ``LENS_PICTURES`` drawings, and of each
        drive."""
        drives = {self.clips.row(place)["drive"] for place in self.kinds[True]}
        spectra = [
            self._spectrum([p for p in self.kinds[True] if self.clips.row(p)["drive"] == drive])
            for drive in sorted(drives)
        ]
        return lens_sigma_px(self._spectrum(self.kinds[False]), spectra)

    def _spectrum(self, places: list[ClipPlace]) -> np.ndarray:
        chosen = evenly_spaced(places, LENS_PICTURES)
        return log_spectrum(self.clips.load(place).clip.frames[0] for place in chosen)

    def held_out(self, count: int) -> list[PainterItem]:
        """Patches of the clips of split val, the same ones every time."""
        places = self.clips.places("val")
        numbers = [i * len(places) // count for i in range(min(count, len(places)))]
        return [self.item(places[n], numpy_rng("held out painting", n)) for n in numbers]

    def collate(self, items: list[PainterItem]) -> PainterBatch:
        given, wanted = (_tensor([getattr(item, name) for item in items]) for name in ("given", "wanted"))
        recorded = torch.tensor([item.recorded for item in items])
        return PainterBatch(tuple(item.key for item in items), Paintings(given, wanted, recorded))


def _patch(picture: np.ndarray, size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """A random place of ``picture`` ``(H, W, 3)`` at a random scale from ``SHRINK`` to 1, as ``(h, w, 3)``; size is
    (w, h), 0 for the whole side."""
    height, width = picture.shape[:2]
    wanted = (size[0] or width, size[1] or height)
    largest = min(width / wanted[0], height / wanted[1], 1 / SHRINK)
    factor = float(rng.uniform(1, largest)) if rng.random() < 0.6 else 1.0
    w, h = min(width, round(wanted[0] * factor)), min(height, round(wanted[1] * factor))
    x, y = int(rng.integers(width - w + 1)), int(rng.integers(height - h + 1))
    return cv2.resize(picture[y : y + h, x : x + w], wanted, interpolation=cv2.INTER_AREA)


def _tensor(pictures: list[np.ndarray]) -> torch.Tensor:
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1.0
