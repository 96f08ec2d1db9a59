"""The clips that the measures judge: of a model on held-out scenes, of the renderer on the same scenes, or of a data
set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from worldgen.api.arguments import size_of_words
from worldgen.api.measures.clip_numbers import check_clip_numbers
from worldgen.api.measures.measure_result import command_line, result_head
from worldgen.core.clip import Clip
from worldgen.core.errors import InputError
from worldgen.core.progress import ProgressReporter
from worldgen.core.start import DEFAULT_START, Start
from worldgen.evaluation.measures.cases import Case, generated_cases, stored_cases
from worldgen.evaluation.measures.trials import (
    FIRST_SEED,
    SEEDS_PER_RUN,
    GenerationOptions,
    Trial,
    effective_start,
    generated,
    held_out,
)
from worldgen.generation.sample.sampler import Sampler
from worldgen.models.interface import SamplerOptions
from worldgen.models.native.loading import quiet_libraries
from worldgen.rendering.render import render_scene

RENDERED = "rendered"
"""In place of a model: the scenes as the renderer draws them, which is what a perfect model would generate."""


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """How a model generates the clips of held-out scenes.

    model: folder of a saved pipeline, "" or "shipped" for the shipped model. clips: number of scenes. seed: another set
    of scenes each. start: "sketch" (the first frames are rendered and given as context) or "noise" (every frame is
    generated). steps: of the sampler, 0 for the model's own. batch: clips generated together. threads: of the CPU, 0
    for torch's own choice. cache: folder where generated clips are kept for every measure, "" for none. size:
    "WIDTHxHEIGHT" of the pictures, "" for 224x128.
    """

    model: str = ""
    clips: int = 48
    seed: int = 0
    start: Start = DEFAULT_START
    steps: int = 0
    batch: int = 4
    threads: int = 0
    cache: str = ""
    size: str = ""


@dataclass(frozen=True, kw_only=True)
class ClipOptions(ModelOptions):
    """Which clips are judged.

    model: also "rendered", for the clips of the renderer. data: URL of a data set whose clips are judged instead of a
    model's, "" for none. split: of the data set, "" for all. frames: of each clip; context frames are not judged.
    """

    data: str = ""
    split: str = ""
    frames: int = 25


@dataclass(frozen=True)
class JudgedClips:
    """The clips to judge. about: what the result says of them. name: of the model or the data set."""

    cases: list[Case]
    about: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.about["model"] or self.about["data"])


def judged_clips(measure: str, options: ClipOptions, *, progress: ProgressReporter) -> JudgedClips:
    """The clips that the options of a measure choose.

    Raises: InputError for numbers out of range, and for models and data sets that cannot be read.
    """
    check_clip_numbers(measure, clips=options.clips, frames=options.frames, start=options.start)
    return _clips_of_data(options, progress) if options.data else _clips_of_model(options, progress)


def _clips_of_data(options: ClipOptions, progress: ProgressReporter) -> JudgedClips:
    if options.model:
        raise InputError("model with data", options.model, "one of the two")
    stored = stored_cases(options.data, options.clips, split=options.split or None)
    cases = list(progress(stored, total=options.clips, desc="read"))
    name = options.data.rstrip("/").rsplit("/", 1)[-1]
    about = {
        "model": None,
        "weights_hash": None,
        "data": name,
        "split": options.split or None,
        "clips": len(cases),
    }
    return JudgedClips(cases, about)


def _clips_of_model(options: ClipOptions, progress: ProgressReporter) -> JudgedClips:
    about: dict[str, Any] = {
        "data": None,
        "frames": options.frames,
        "seed": options.seed,
        "first_scene_seed": FIRST_SEED + options.seed * SEEDS_PER_RUN,
    }
    if size := size_of_words(options.size):
        about["size_px"] = list(size)
    if options.model == RENDERED:
        trials, clips = rendered_clips(options.clips, seed=options.seed, frames=options.frames, size=size)
        about |= {"model": RENDERED, "weights_hash": None, "start": RENDERED, "fps": trials[0].scene.fps}
    else:
        model = LoadedModel.of(options)
        trials, clips = model.clips(options, frames=options.frames)
        about |= {
            "model": model.sampler.name,
            "weights_hash": model.sampler.weights_hash,
            "start": effective_start(model.sampler.promise, options.start),
            "fps": model.sampler.fps,
            "sampler": {
                "steps": model.options.steps,
                "chunk": model.options.chunk,
                "guidance": model.options.guidance,
                "shift": model.options.shift,
            },
        }
    shown = progress(clips, total=len(trials), desc="clips")
    cases = list(generated_cases(trials, shown, start=about["start"]))
    return JudgedClips(cases, about | {"clips": len(cases)})


def rendered_clips(
    count: int, *, seed: int, frames: int, size: tuple[int, int] | None = None
) -> tuple[list[Trial], Iterator[Clip]]:
    """Held-out scenes, and their clips as the renderer draws them, one by one. size: see ``held_out``."""
    trials = held_out(count, seed=seed, frames=frames, size=size)
    return trials, (render_scene(trial.scene).clip for trial in trials)


@dataclass(frozen=True)
class LoadedModel:
    """A model that is loaded, and how it samples."""

    sampler: Sampler
    options: SamplerOptions

    @classmethod
    def of(cls, options: ModelOptions) -> LoadedModel:
        """The model that the options name; its libraries are kept from printing."""
        quiet_libraries()
        sampler = Sampler.load(options.model, threads=options.threads)
        return cls(sampler, sampler.options(steps=options.steps, chunk=0, guidance={}))

    def clips(self, options: ModelOptions, *, frames: int) -> tuple[list[Trial], Iterator[Clip]]:
        """Held-out scenes at the model's frame rate, and its clips of them, one by one."""
        size = size_of_words(options.size)
        trials = held_out(options.clips, seed=options.seed, frames=frames, fps=self.sampler.fps, size=size)
        how = GenerationOptions(options.start, options.batch, options.cache)
        return trials, generated(self.sampler.model, trials, how, options=self.options)


def set_threads(count: int) -> None:
    """Use so many CPU threads; 0 leaves torch's own choice. Raises: InputError for absurd numbers."""
    if not 0 <= count <= 1024:
        raise InputError("threads", count, "0 to 1024")
    if count:
        torch.set_num_threads(count)


def clip_result(
    measure: str, options: ClipOptions, about: dict[str, Any], instruments: list[dict[str, Any]]
) -> dict[str, Any]:
    """The head of the result of a measure of single clips: command, clips and instruments."""
    command = command_line(measure, options, changing_options(options))
    return {**result_head(measure, command), **about, "instruments": instruments}


def changing_options(options: ClipOptions) -> list[str]:
    """The options of a measure of single clips that change its numbers."""
    of_model = () if options.data else ("frames", "size", "seed", "start", "steps")
    own = (name for name in ("sweep", "real", "window", "detector") if hasattr(options, name))
    return ["data", "split", "model", "clips", *of_model, *own]
