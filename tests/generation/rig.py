"""A small recipe with a tiny model and simple instruments, for the tests of this folder and their processes."""

from __future__ import annotations

import hashlib
import os
import signal
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from worldgen.core.clip import Clip
from worldgen.core.samples import Conditions
from worldgen.generation.campaign.recipe import CellGroup, ClipConfig, ModelConfig, Recipe, WorkConfig
from worldgen.generation.campaign.worker import LoadedModels, SampleWorker
from worldgen.generation.quality.gate import Bound, Gate, GateConfig
from worldgen.generation.quality.scorecard import Scorecard
from worldgen.models.families import NATIVE

CELLS = [
    CellGroup(count=3, weather=("clear",), light=("day",), road=("rural",), manoeuvre=("keep",)),
    CellGroup(count=2, weather=("fog",), light=("night_lit",), road=("suburban",), manoeuvre=("keep",)),
]
RECIPE = Recipe(
    name="rig", cells=CELLS, clip=ClipConfig(frames=3, fps=8.0, width_px=48, height_px=32),
    model=ModelConfig(start="noise", steps=1, batch=2), gate=GateConfig(bounds={"sharpness": Bound(low=0.4)}),
    work=WorkConfig(attempts=2, retries=2, retry_wait_s=0.0), shard_size=3,
)  # fmt: skip


def recipe(output: Path | str, **changes) -> Recipe:
    return replace(RECIPE, output=str(output), **changes)


class PixelScorer:
    """A score in [0, 1) that depends on every bit of the clip, so that acceptance does too."""

    def score(self, clip, *, scene, labels, ego, text="", previous=None) -> Scorecard:
        digest = hashlib.blake2b(clip.frames.tobytes(), digest_size=4).digest()
        return Scorecard({"sharpness": int.from_bytes(digest, "big") / 2**32})


class NoiseModel:
    """Frames of noise from the seed, for tests that are not about the model."""

    promise = replace(NATIVE, conditions=("text", "ego"))

    def seams(self, request, options):
        return ()

    def __call__(self, requests: list[Conditions], options=None) -> list[Clip]:
        out = []
        for request in requests:
            rng = np.random.default_rng(request.seed)
            shape = (request.num_frames, request.camera.height_px, request.camera.width_px, 3)
            out.append(Clip(rng.integers(0, 256, shape, np.uint8), request.fps))
        return out


@dataclass
class FailingModel:
    """A model that raises the error of a rollout with non-finite latents for some seeds.

    times: how often for each of these seeds (None: always).
    """

    model: object
    seeds: set[int]
    times: int | None = None

    @property
    def promise(self):
        return self.model.promise

    def seams(self, request, options):
        return self.model.seams(request, options)

    def __call__(self, requests, options=None):
        bad = [r.seed for r in requests if r.seed in self.seeds]
        if bad and (self.times is None or self.times > 0):
            self.times = None if self.times is None else self.times - 1
            raise FloatingPointError("the model made non-finite latents at frame 1")
        return self.model(requests, options)


def loaded_models(
    model, *, name: str = "noise", weights_hash: str = "0" * 32, gate: GateConfig = RECIPE.gate
) -> LoadedModels:
    return LoadedModels(model, PixelScorer(), Gate(gate), name, weights_hash)


def noise_worker(r: Recipe) -> SampleWorker:
    return SampleWorker(r, loaded_models(NoiseModel(), gate=r.gate))


def tiny_worker(r: Recipe, words: str = "") -> SampleWorker:
    """A worker with the real pipeline at tiny size."""
    import torch

    from tests.models.build import noisy_weights
    from worldgen.models.native.loading import pipeline_hash
    from worldgen.models.native.sizes import build_pipeline

    torch.set_num_threads(1)
    pipeline = build_pipeline("tiny", words=["a car in fog"])
    noisy_weights(pipeline.transformer, 0.05)
    pipeline.set_progress_bar_config(disable=True)
    return SampleWorker(r, loaded_models(pipeline, name="tiny", weights_hash=pipeline_hash(pipeline), gate=r.gate))


class KilledOnce:
    """A worker whose process is killed in its first job, unless the marker file exists."""

    def __init__(self, worker: SampleWorker, marker: Path):
        self.worker, self.marker = worker, marker

    def run(self, job):
        if not self.marker.exists():
            self.marker.write_text(str(os.getpid()))
            os.kill(os.getpid(), signal.SIGKILL)
        return self.worker.run(job)


def killed_worker(r: Recipe, marker: str) -> KilledOnce:
    return KilledOnce(noise_worker(r), Path(marker))


def files_of(folder: Path | str) -> dict[str, bytes]:
    """The published files: shards, index and summary."""
    return {
        path.name: path.read_bytes()
        for path in sorted(Path(folder).iterdir())
        if path.suffix == ".tar" or path.name in ("index.parquet", "dataset.json")
    }
