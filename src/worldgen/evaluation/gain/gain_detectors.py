"""The detectors that a gain study can train, behind one call: training pictures in, detections in test pictures out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from worldgen.core.seeds import numpy_rng, stable_hash
from worldgen.evaluation.gain.gain_config import DETECTORS, SHIPPED, GainStudy
from worldgen.files.shipped import assets_dir
from worldgen.instruments.augmentation import AugmentConfig, augmented
from worldgen.instruments.detector.detector import GROUPS, Detections, Detector, DetectorConfig, as_detections
from worldgen.instruments.detector.detector_training import DetectorTraining, learning_rate, train_detector
from worldgen.instruments.detector.pictures import Pictures, find_in
from worldgen.instruments.feature_pyramid import channels_last, to_pictures
from worldgen.instruments.instrument_files import build_network, stored_instrument

AUGMENT = AugmentConfig(mirror=0.5, zoom=0.3, max_zoom=1.3, light=0.5, softness=0.0)
"""The augmentation of every arm; it is mild, so that arms differ by their pictures."""


@dataclass(frozen=True, eq=False)
class TrainingRun:
    """One training: pictures with their probabilities ``(N,)``, optimiser steps, seed. base: weights to start from."""

    pictures: Pictures
    shares: np.ndarray
    steps: int
    seed: int
    base: dict[str, torch.Tensor] | None = None


def train_and_find(study: GainStudy, fit: TrainingRun, test: Pictures) -> Detections:
    """Train the study's detector and return everything that it finds in the test pictures."""
    return DETECTOR_TRAININGS[study.detector](study, fit, test)


def start_of(study: GainStudy) -> tuple[DetectorConfig, dict[str, torch.Tensor] | None]:
    """Sizes of the small detector and the weights it starts from: those of the study's checkpoint, or None for random.

    Raises: InputError for a folder that is no detector of this package.
    """
    if not study.checkpoint or study.detector != DETECTORS[0]:
        return study.model, None
    folder = assets_dir() / "instruments" / "detector" if study.checkpoint == SHIPPED else Path(study.checkpoint)
    instrument = stored_instrument(folder)
    network = build_network(instrument, Detector, DetectorConfig, required={"groups": list(GROUPS)})
    return network.config, network.state_dict()


def training_of(study: GainStudy, *, steps: int, seed: int) -> DetectorTraining:
    """Settings of the training of an arm; arms differ only in steps and seed."""
    return DetectorTraining(
        steps=steps, batch=study.batch, learning_rate=study.learning_rate, warmup=max(1, min(100, steps // 10)),
        ema=min(0.998, 1 - 10 / max(steps, 20)), seed=seed, augment=AUGMENT, model=start_of(study)[0],
    )  # fmt: skip


def base_training(study: GainStudy, seed: int) -> DetectorTraining:
    """Settings of the training of the weights from which all arms of a seed start."""
    return replace(
        training_of(study, steps=study.base_steps, seed=stable_hash("base of a study", seed) % 2**31),
        learning_rate=study.base_learning_rate,
    )


def train_base(study: GainStudy, pictures: Pictures, seed: int) -> dict[str, torch.Tensor]:
    """Weights after ``base_steps`` optimiser steps on real pictures only."""
    return train_detector(pictures, base_training(study, seed), start=start_of(study)[1]).state_dict()


def _own(study: GainStudy, fit: TrainingRun, test: Pictures) -> Detections:
    config = training_of(study, steps=fit.steps, seed=fit.seed)
    start = fit.base if fit.base is not None else start_of(study)[1]
    detector = train_detector(fit.pictures, config, shares=fit.shares, start=start)
    return find_in(channels_last(detector).folded(), test)


def _transformer(study: GainStudy, fit: TrainingRun, test: Pictures) -> Detections:
    """D-FINE or RT-DETRv2 of the transformers library, from a checkpoint or from random weights."""
    from worldgen.instruments.detector.pretrained import TransformerDetector

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stable_hash("detector weights", fit.seed) % 2**63)
        detector = TransformerDetector(study.detector, GROUPS, checkpoint=study.checkpoint)
    config = training_of(study, steps=fit.steps, seed=fit.seed)
    optimiser = torch.optim.AdamW(detector.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stable_hash("detector noise", fit.seed) % 2**63)  # its training denoises random queries
        detector.train()
        for step, (x, boxes, groups) in enumerate(_batches(fit, config)):
            loss = detector.loss(x, boxes, groups)
            if not torch.isfinite(loss):
                raise FloatingPointError(f"loss {loss.item()} at step {step}")
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(detector.parameters(), 0.1)
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(config, step)
            optimiser.step()
    detector.eval()
    size = (test.frames.shape[2], test.frames.shape[1])
    found = [
        boxes
        for start in range(0, len(test), 8)
        for boxes in detector.find(to_pictures(test.frames[start : start + 8]), size=size)
    ]
    return as_detections(found)


def _batches(
    fit: TrainingRun, config: DetectorTraining
) -> Iterator[tuple[torch.Tensor, list[np.ndarray], list[np.ndarray]]]:
    """Augmented pictures with the boxes that count; the losses of transformers cannot ignore regions."""
    pictures = fit.pictures
    starts = np.searchsorted(pictures.boxes.picture_index, np.arange(len(pictures) + 1))
    chance = fit.shares / fit.shares.sum()
    for step in range(config.steps):
        rng = numpy_rng("detector batch", config.seed, step)
        frames, boxes, groups = [], [], []
        for number in rng.choice(len(pictures), config.batch, p=chance):
            rows = slice(starts[number], starts[number + 1])
            frame, box, left = augmented(pictures.frames[number], pictures.boxes.box_px[rows], AUGMENT, rng=rng)
            kept = (left >= 0.35) & ~pictures.boxes.ignore[rows] & ((box[:, 2:] - box[:, :2]).min(1, initial=9) > 1)
            frames.append(frame)
            boxes.append(box[kept])
            groups.append(pictures.boxes.group[rows][kept])
        yield to_pictures(np.stack(frames)), boxes, groups


DETECTOR_TRAININGS: dict[str, Callable[[GainStudy, TrainingRun, Pictures], Detections]] = {
    "worldgen": _own, "dfine": _transformer, "rtdetr": _transformer,
}  # fmt: skip
