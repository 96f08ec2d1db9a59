"""The last stage before a world task exists: the prepared pipeline with what it will honour, its adapters, and frozen
parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch

from worldgen.core.ego import EgoMotion
from worldgen.core.progress import LogLine
from worldgen.core.samples import CONDITIONS
from worldgen.core.seeds import stable_hash
from worldgen.models.native.adapters import attach_lora
from worldgen.models.native.pipeline import WorldPipeline
from worldgen.training.data.clips import evenly_spaced
from worldgen.training.data.latent_cache import LatentCache
from worldgen.training.data.windows import usable_strides
from worldgen.training.tasks.preparation import EncodedClips, PreparedWorld
from worldgen.training.train_config import TrainConfig


class RecordWithMotion(Protocol):
    """Facts of a clip or window, its ego motion among them."""

    @property
    def ego(self) -> EgoMotion | None: ...


SPREAD_CLIPS = 64
"""Clips on which the spread of latents is measured."""
LEAST_VARIANCE = 1e-4
VISIBLE = 0.99
"""Visibility from which on a reprojected cell counts as seen in the frame before."""


def trainable_pipeline(
    config: TrainConfig, prepared: PreparedWorld, log: LogLine, *, accepts: tuple[str, ...] | None = None
) -> WorldPipeline:
    """The pipeline of ``prepared``, changed in place so that training may begin.

    accepts: the conditions that the trained model will honour; by default those of the clips and of the pipeline it
    starts from.
    """
    pipeline, encoded = prepared.pipeline, prepared.encoded
    if not config.init.pipeline:
        pipeline.transformer.fit(*latent_spread(encoded.cache, encoded.chosen), pipeline.codec)
    if config.adapter.kind == "none":
        honoured = accepts if accepts is not None else honoured_conditions(config, encoded, pipeline)
        declare(pipeline, config, encoded, honoured)
        log("conditions honoured: " + ", ".join(honoured))
    for line in motion_lines([encoded.cache.records[number] for number in encoded.chosen]):
        log(line)
    pipeline.codec.requires_grad_(False)
    pipeline.text_encoder.requires_grad_(config.train_text_encoder and config.adapter.kind == "none")
    if config.adapter.kind == "none":
        pipeline.transformer.requires_grad_(True)
    else:
        attach_adapters(pipeline, config, log)
    return pipeline


def honoured_conditions(config: TrainConfig, encoded: EncodedClips, pipeline: WorldPipeline) -> tuple[str, ...]:
    """Conditions that some training clip has, or that the starting pipeline honoured before."""
    cache, chosen = encoded.cache, encoded.chosen
    records = [cache.records[number] for number in chosen]
    present = {
        "context": config.data.num_frames > 1, "text": any(r.caption for r in records),
        "ego": any(r.ego is not None for r in records), "layout": any(cache.has_layout[n] for n in chosen),
    }  # fmt: skip
    before = pipeline.accepts if config.init.pipeline else ()
    return tuple(name for name in CONDITIONS if present[name] or name in before)


def motion_lines(records: Sequence[RecordWithMotion]) -> list[str]:
    """A line for the user when no training clip has ego motion, none otherwise."""
    if any(record.ego is not None for record in records):
        return []
    return [
        f"none of the {len(records)} clips has ego motion: the model learns their look, but not to follow motion; "
        "worldgen ingest reads it from logs beside the clips"
    ]


def declare(pipeline: WorldPipeline, config: TrainConfig, encoded: EncodedClips, honoured: tuple[str, ...]) -> None:
    """Write into the model what it is trained on: conditions, size, the most common rate, frames of a window."""
    records = [encoded.cache.records[number] for number in encoded.chosen]
    rates = Counter(r.fps / s for r in records for s in usable_strides(r.num_frames, config.data))
    pipeline.transformer.register_to_config(
        accepts=honoured, width_px=config.data.width_px, height_px=config.data.height_px,
        fps=rates.most_common(1)[0][0],
        # In training, no frame attends to frames further back than a window.
        context_window=config.data.num_frames,
    )  # fmt: skip


def attach_adapters(pipeline: WorldPipeline, config: TrainConfig, log: LogLine) -> None:
    """Attach low-rank adapters to the transformer; their random matrices depend on the seed alone."""
    adapter = config.adapter
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stable_hash("lora", config.seed))
        names = attach_lora(
            pipeline.transformer, adapter.targets, rank=adapter.rank, alpha=adapter.alpha, dropout=adapter.dropout
        )
    log(f"adapters of rank {adapter.rank} on {len(names)} layers: {names[0]} ... {names[-1]}")


def latent_spread(cache: LatentCache, chosen: list[int]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Standard deviation of each latent channel: around its reprojected frame where that is visible, and on its own."""
    change, data = np.zeros(1), np.zeros(1)
    visible, count = 0.0, 0
    for number in evenly_spaced(sorted(set(chosen)), SPREAD_CLIPS):
        frames = slice(0, cache.records[number].num_frames)
        latents, reprojected = (read(number, frames).astype(np.float64) for read in (cache.latents, cache.reprojected))
        where = reprojected[:, -1:] > VISIBLE
        change = change + (np.square(latents - reprojected[:, :-1]) * where).sum((0, 2, 3))
        data = data + np.square(latents).sum((0, 2, 3))
        visible, count = visible + where.sum(), count + latents[:, 0].size
    # Where nothing is visible (clips of one frame), the change is as large as the data itself.
    change = np.maximum(change / visible if visible else data / count, LEAST_VARIANCE)
    return tuple(np.sqrt(change).tolist()), tuple(np.sqrt(np.maximum(data / count, LEAST_VARIANCE)).tolist())
