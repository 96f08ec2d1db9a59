"""Training of the verifier on true boxes, on boxes with the errors that labels have, and on its own proposals."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from worldgen.core.labels import LAYOUT_CLASSES, Labels
from worldgen.core.samples import Sample
from worldgen.core.seeds import numpy_rng
from worldgen.instruments.augmentation import AugmentConfig, augmented
from worldgen.instruments.detector.detector import box_iou
from worldgen.instruments.detector.detector_training import detection_loss, targets_of
from worldgen.instruments.feature_pyramid import STRIDE_PX
from worldgen.instruments.verifier.verifier import KIND_OF_CLASS, NONE, WIDTH_PX, Verifier, peaks, to_pairs

from .rendered_samples import at_size, in_windows, window_middles

HEIGHT_PX = 128
MASKED = -100
SAME, OTHER = 0.5, 0.35
"""A box shows an object from the first overlap on, and shows nothing below the second; between them it is not
judged."""
MIN_HEIGHT_PX, MIN_WIDTH_PX, MIN_VISIBLE = 8.0, 3.0, 0.35
"""Smaller or less visible objects are ignored."""
ASKED, PROPOSED = 26, 6
"""Boxes per picture: drawn at random, and proposed by the network's own heat map."""
LATE_FRAMES = (4, 9)
"""Range of the delay of a box that is taken from another frame."""


@dataclass(frozen=True, eq=False)
class Scenes:
    """Frames with their previous frames, and the labels of their clips. place: clip and frame number of each."""

    now: list[np.ndarray] = field(default_factory=list)
    before: list[np.ndarray] = field(default_factory=list)
    place: list[tuple[int, int]] = field(default_factory=list)
    labels: list[Labels] = field(default_factory=list)

    @classmethod
    def of(cls, samples: Iterable[Sample], every: int) -> Scenes:
        """Every ``every``-th frame of the clips, with a start that differs from clip to clip; the middle of each
        window. All are brought to the size at which the verifier reads clips of 7 : 4."""
        out = cls()
        for number, original in enumerate(samples):
            sample = at_size(original, WIDTH_PX, HEIGHT_PX) if original.clip.width_px > WIDTH_PX else original
            assert sample.labels is not None, sample.key
            out.labels.append(sample.labels)
            spaced = range(1 + number % every, len(sample.clip), every)
            for f in window_middles(sample) if in_windows(sample) else spaced:
                out.now.append(sample.clip.frames[f].copy())
                out.before.append(sample.clip.frames[f - 1].copy())
                out.place.append((number, f))
        return out


@dataclass(frozen=True, eq=False)
class BoxTruth:
    """The objects of one picture. good: the rows that are not ignored."""

    box: np.ndarray
    class_id: np.ndarray
    good: np.ndarray
    track_id: np.ndarray


def truth_of(labels: Labels, frame: int) -> BoxTruth:
    """The visible objects of a frame. Animals do not count: the verifier has no name for them."""
    there = labels.at(frame)
    known = there.class_id < NONE
    there = replace(there, class_id=np.where(known, there.class_id, NONE - 1), ignore=there.ignore | ~known)
    there = there.where(
        (there.visible_fraction > 0.02) & ((there.box_px[:, 2:] - there.box_px[:, :2]).min(1, initial=9) > 0.5)
    )
    size = there.box_px[:, 2:] - there.box_px[:, :2]
    good = (
        ~there.ignore
        & (there.visible_fraction >= MIN_VISIBLE)
        & (size[:, 1] >= MIN_HEIGHT_PX)
        & (size[:, 0] >= MIN_WIDTH_PX)
    )
    return BoxTruth(there.box_px, there.class_id, good, there.track_id)


class BoxDraw:
    """Draws pictures and boxes to ask about; rare classes are drawn more often."""

    def __init__(self, scenes: Scenes):
        self.scenes = scenes
        self.truths = [truth_of(scenes.labels[clip], frame) for clip, frame in scenes.place]
        counts = np.bincount(np.concatenate([t.class_id[t.good] for t in self.truths]), minlength=len(LAYOUT_CLASSES))
        self.rarity = 1 / np.sqrt(np.maximum(counts, 1))
        weight = np.array([0.5 * self.rarity.min() + self.rarity[t.class_id[t.good]].sum() ** 0.7 for t in self.truths])
        self.share = weight / weight.sum()
        self.counts = counts
        self.filled = [i for i, t in enumerate(self.truths) if t.good.any()]

    def boxes(self, number: int, rng: np.random.Generator) -> np.ndarray:
        """Boxes to ask about in a picture ``(ASKED, 4)``: nearly true, shifted, delayed, from other pictures, or
        anywhere."""
        truth, (clip, frame) = self.truths[number], self.scenes.place[number]
        height, width = self.scenes.now[number].shape[:2]
        good = np.flatnonzero(truth.good)
        angle = rng.uniform(0, 2 * np.pi)
        common = rng.uniform(10, 32) * np.array([np.cos(angle), np.sin(angle)])
        chance = None
        if len(good):
            chance = self.rarity[truth.class_id[good]]
            chance = chance / chance.sum()
        out = []
        for _ in range(ASKED):
            kind = rng.random()
            if len(good) and kind < 0.72:
                row = int(rng.choice(good, p=chance))
                out.append(self._spoilt(truth, row, (clip, frame), common, kind / 0.72, rng=rng))
                continue
            other = self.truths[self.filled[int(rng.integers(len(self.filled)))]]
            box = other.box[int(rng.choice(np.flatnonzero(other.good)))].astype(float)
            if kind > 0.86:
                box += np.tile([rng.uniform(-0.5, 0.5) * width, rng.normal(0, 0.06) * height], 2)
            out.append(box * rng.uniform(0.9, 1.1))
        box = np.array(out)
        box[:, 2:] = np.maximum(box[:, 2:], box[:, :2] + 2)
        return box.astype(np.float32)

    def _spoilt(
        self,
        truth: BoxTruth,
        row: int,
        at: tuple[int, int],
        common: np.ndarray,
        kind: float,
        *,
        rng: np.random.Generator,
    ) -> np.ndarray:
        box = truth.box[row].astype(float)
        size = box[2:] - box[:2]
        if kind < 0.42:  # the small errors of an annotator
            return box + rng.normal(0, 0.05, 4) * np.tile(size, 2)
        if kind < 0.72:  # shifted by a part of its size
            angle, far = rng.uniform(0, 2 * np.pi), rng.uniform(0.2, 1.6)
            return (
                box
                + np.tile(far * size * [np.cos(angle), np.sin(angle)], 2)
                + rng.normal(0, 0.06, 4) * np.tile(size, 2)
            )
        if kind < 0.84:  # all boxes shifted alike
            return box + np.tile(common, 2)
        labels = self.scenes.labels[at[0]]
        then = at[1] - int(rng.integers(*LATE_FRAMES)) * int(rng.choice((-1, 1)))
        there = labels.box_px[(labels.track_id == truth.track_id[row]) & (labels.frame_index == then)]
        return there[0].astype(float) if len(there) else box + np.tile(common, 2)


def answers(truth: BoxTruth, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Right answers for boxes ``(K, 4)``: class (``MASKED`` where it is not judged), fit, and whether the fit
    counts."""
    count = len(boxes)
    if not len(truth.box):
        return np.full(count, NONE), np.zeros(count, np.float32), np.ones(count, bool)
    overlap = box_iou(boxes, truth.box)
    best = overlap.argmax(1)
    fit = overlap[np.arange(count), best]
    name = np.where(fit >= SAME, truth.class_id[best], np.where(fit < OTHER, NONE, MASKED))
    unsure = ~truth.good[best] & (fit >= 0.15)  # the object is ignored
    return np.where(unsure, MASKED, name), fit.astype(np.float32), ~unsure


@dataclass(frozen=True, eq=False)
class VerifierBatch:
    """Pictures ``(B, 6, H, W)``, boxes to ask about ``(B, ASKED, 4)``, and the objects of the pictures."""

    pictures: Tensor
    asked: np.ndarray
    truths: tuple[BoxTruth, ...]


def batch_of(draw: BoxDraw, config: AugmentConfig, *, size: int, seed: int, step: int) -> VerifierBatch:
    """The batch of a step, drawn from (seed, step) alone."""
    rng = numpy_rng("verifier batch", seed, step)
    now, before, asked, truths = [], [], [], []
    for number in rng.choice(len(draw.truths), size, p=draw.share):
        truth, boxes, look = draw.truths[number], draw.boxes(number, rng), int(rng.integers(2**31))
        both = np.concatenate([truth.box, boxes])
        # Both frames get the same changes, so that only motion differs between them.
        frame, moved, left = augmented(draw.scenes.now[number], both, config, rng=np.random.default_rng(look))
        earlier, _, _ = augmented(draw.scenes.before[number], both, config, rng=np.random.default_rng(look))
        shown = len(truth.box)
        there = (moved[:shown, 2:] - moved[:shown, :2]).min(1, initial=9) > 0.5
        good = truth.good & (left[:shown] > 0.6)
        truths.append(BoxTruth(moved[:shown][there], truth.class_id[there], good[there], truth.track_id[there]))
        now.append(frame)
        before.append(earlier)
        asked.append(moved[shown:])
    x = to_pairs(np.stack(now), np.stack(before)).contiguous(memory_format=torch.channels_last)
    return VerifierBatch(x, np.stack(asked), tuple(truths))


def batch_loss(verifier: Verifier, batch: VerifierBatch) -> tuple[Tensor, dict[str, float]]:
    """The total loss, a scalar, and the losses of class, fit, heat and sides."""
    features = verifier(batch.pictures)
    maps = verifier.box_maps(features)
    count, _, rows, columns = maps.heat.shape
    ignored = [~t.good for t in batch.truths]
    kinds = [KIND_OF_CLASS[t.class_id] for t in batch.truths]
    found, placed = detection_loss(
        maps, targets_of([t.box for t in batch.truths], kinds, ignored, (count, rows, columns))
    )
    boxes = np.concatenate([batch.asked, proposals(maps.heat.detach(), maps.sides_px.detach())], 1)
    name, fit, counts = (np.stack(column) for column in zip(*map(answers, batch.truths, boxes), strict=True))
    logits, guess = verifier.boxes(features, torch.from_numpy(boxes))
    named = F.cross_entropy(
        logits.flatten(0, 1), torch.from_numpy(name).flatten(), ignore_index=MASKED, label_smoothing=0.01
    )
    fitted = F.binary_cross_entropy_with_logits(
        guess, torch.from_numpy(fit), torch.from_numpy(counts.astype(np.float32))
    )
    losses = {"class": named, "fit": fitted, "heat": found, "sides": placed}
    total = named + fitted + 0.5 * found + placed
    return total, {key: float(value.detach()) for key, value in losses.items()}


def proposals(heat: Tensor, sides: Tensor) -> np.ndarray:
    """Boxes at the hottest places of each picture, ``(B, PROPOSED, 4)``."""
    size = (heat.shape[3] * STRIDE_PX, heat.shape[2] * STRIDE_PX)
    out = np.zeros((len(heat), PROPOSED, 4), np.float32)
    for i in range(len(heat)):
        _, box, _ = peaks(heat[i], sides[i], size, 1.0)
        box = box[:PROPOSED] if len(box) else np.array([[0, 0, 8, 8]], np.float32)
        out[i] = box[np.arange(PROPOSED) % len(box)]
    return out


def rate(step: int, share: float, *, highest: float, warmup: int = 60) -> float:
    """Learning rate at a share of the training time: linear warm-up, then half a cosine."""
    return highest * min(1.0, (step + 1) / warmup) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(share, 1.0))))
