"""The worker: from a job to a shard by scene, conditions, rollout, scorecard and verdict, on whatever machine."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Protocol

import cv2

import worldgen
from worldgen.core.clip import Clip
from worldgen.core.ego import EgoMotion
from worldgen.core.errors import InputError, Received
from worldgen.core.labels import Labels
from worldgen.core.samples import Conditions, Sample
from worldgen.core.scene import Scene
from worldgen.data.dataset.sample_files import encode_sample
from worldgen.data.dataset.shards import ShardWriter
from worldgen.data.dataset.splits import SplitConfig, split_drives
from worldgen.files.retry import Retry
from worldgen.generation.campaign.cell_attempt import CellAttempt, simulate_attempt
from worldgen.generation.campaign.job import AttemptRecord, EncodedSample, Job, JobRecord, digest_of, write_record
from worldgen.generation.campaign.recipe import Recipe
from worldgen.generation.quality.gate import Gate, Verdict
from worldgen.generation.quality.scorecard import Scorecard
from worldgen.generation.quality.scorer import Scorer
from worldgen.generation.quality.seams import with_seams
from worldgen.generation.sample.model_words import scene_words
from worldgen.models.interface import ContentRefused, SamplerOptions
from worldgen.models.promise import ModelPromise
from worldgen.rendering.model_conditions import ModelRequest, scene_inputs

SCORING_ERRORS = (ValueError, ArithmeticError, AssertionError, cv2.error)
"""What instruments raise for a clip that they cannot read, which counts as refused. Other errors are defects."""


class ClipModel(Protocol):
    """The part of a ``WorldModel`` that a worker uses."""

    @property
    def promise(self) -> ModelPromise: ...

    def seams(self, request: Conditions, options: SamplerOptions) -> tuple[int, ...]: ...

    def __call__(self, requests: list[Conditions], options: SamplerOptions | None = None) -> list[Clip]: ...


class ClipScorer(Protocol):
    """The part of the instruments that a worker uses; ``Scorer`` has it."""

    def score(
        self, clip: Clip, *, scene: Scene | None, labels: Labels | None, ego: EgoMotion | None, text: str = "",
        previous: Clip | None = None,
    ) -> Scorecard: ...  # fmt: skip


@dataclass(frozen=True, eq=False)
class LoadedModels:
    """Model, instruments and gate, loaded once per process. name, weights_hash: of the model."""

    model: ClipModel
    scorer: ClipScorer
    gate: Gate
    name: str
    weights_hash: str


@dataclass(frozen=True, eq=False)
class ScoredClip:
    """A generated clip with its scorecard and verdict. candidate: number of its noise seed."""

    candidate: int
    clip: Clip
    card: Scorecard
    verdict: Verdict

    @property
    def rank(self) -> tuple[bool, int, float]:
        """Larger for better clips: accepted ones, then fewer reasons, then more of what was ordered in the picture."""
        return self.verdict.accepted, -len(self.verdict.reasons), self.card.values.get("presence", 0.0)


@dataclass(eq=False)
class AttemptState:
    """An attempt in progress: the scene, what the model is given, and the best clip so far.

    candidates: number of noise seeds tried. failure: why the last of them gave no clip.
    """

    cell_attempt: CellAttempt
    scene: Scene
    conditions: Conditions
    labels: Labels | None
    best: ScoredClip | None = None
    candidates: int = 0
    failure: str = ""

    @property
    def accepted(self) -> bool:
        return self.best is not None and self.best.verdict.accepted

    def offer(self, scored: ScoredClip) -> None:
        """Keep a clip that is better than the best one so far."""
        if self.best is None or scored.rank > self.best.rank:
            self.best = scored


@dataclass(eq=False)
class SampleWorker:
    """Does jobs, one after another, with a model that is loaded once."""

    recipe: Recipe
    models: LoadedModels
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    faults: list[str] = field(default_factory=list)

    @classmethod
    def load(cls, recipe: Recipe) -> SampleWorker:
        """A worker with the model, instruments and gate that the recipe names.

        Raises: InputError for a model, adapter or instrument that is not there, or is another than the recipe names.
        """
        from worldgen.generation.sample.model_loading import backbone_options
        from worldgen.generation.sample.sampler import Sampler
        from worldgen.models.promise import LargestClip

        recipe.with_instruments()  # another machine of a cluster may hold others
        cv2.setNumThreads(1)
        model = recipe.model
        shape = recipe.clip
        sampler = Sampler.load(
            model.pipeline, adapter=model.adapter, device=model.device, threads=model.threads,
            backbone=backbone_options(model.backbone_from, model.device),
            asked=LargestClip(shape.frames, (shape.width_px, shape.height_px), model.chunk),
        )  # fmt: skip
        sampler.promise.check_use("generate")
        sampler.promise.check_shape(shape.frames, (shape.width_px, shape.height_px))  # not once an attempt
        models = LoadedModels(
            sampler.model, Scorer.load(recipe.scorer), Gate(recipe.gate), sampler.name, sampler.weights_hash
        )
        return cls(recipe, models)

    def run(self, job: Job) -> JobRecord:
        """Do the attempts of a job, write its shard and then its record.

        Raises: InputError when the weights are others than those of earlier jobs, and when the shard cannot be written
        after all retries.
        """
        if job.weights_hash and job.weights_hash != self.models.weights_hash:
            raise InputError(
                f"weights for {job.url}", self.models.weights_hash,
                f"{job.weights_hash}, with which the clips in it were generated; or another output",
            )  # fmt: skip
        self.seconds, self.faults = defaultdict(float), []
        start_s = time.perf_counter()
        samples: list[EncodedSample] = []
        records: list[AttemptRecord] = []
        for first in range(job.first, job.first + job.attempts, self.recipe.model.batch):
            stop = min(first + self.recipe.model.batch, job.first + job.attempts)
            for sample, attempt_record in self._batch(job, range(first, stop)):
                records.append(attempt_record)
                if sample is not None:
                    samples.append(sample)
        with self._timed("write"):
            retry = Retry(self.recipe.work.retries, self.recipe.work.retry_wait_s, self.faults)
            retry(f"write shard {job.name}", lambda: write_shard(job, samples))
        self.seconds["all"] = time.perf_counter() - start_s
        record = JobRecord(
            job.cell.key, job.number, tuple(records), self.models.weights_hash, digest_of(samples),
            sum(len(data) for _, files in samples for data in files.values()),
            {name: round(value, 4) for name, value in self.seconds.items()}, tuple(self.faults),
            f"{socket.gethostname()}:{os.getpid()}",
        )  # fmt: skip
        retry(f"write record {job.name}", lambda: write_record(job, record))
        return record

    @property
    def _options(self) -> SamplerOptions:
        return self.recipe.model.options(self.models.model.promise)

    @contextlib.contextmanager
    def _timed(self, part: str) -> Iterator[None]:
        start_s = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[part] += time.perf_counter() - start_s

    def _batch(self, job: Job, attempts: range) -> Iterator[tuple[EncodedSample | None, AttemptRecord]]:
        """Encoded samples, None where there is no clip, and the record of each attempt.

        Scenes without an accepted clip are tried again together with other noise, at most ``recipe.candidates`` times,
        so that computing time goes to scenes with low acceptance. Which clips share a batch depends on scores alone, so
        the bytes of a repeated job are the same.
        """
        states: dict[int, AttemptState] = {}
        failed: dict[int, str] = {}
        for attempt in attempts:
            try:
                states[attempt] = self._prepared(job, attempt)
            except InputError as error:
                failed[attempt] = f"no scene: {error}"
        for candidate in range(self.recipe.candidates):
            waiting = [state for state in states.values() if not state.accepted]
            if not waiting:
                break
            for state, clip in zip(waiting, self._clips(waiting, candidate), strict=True):
                state.candidates += 1
                if clip is not None:
                    self._score(state, candidate, clip)
        for attempt in attempts:
            prepared = states.get(attempt)
            if prepared is None or prepared.best is None:
                failure, candidates = failed.get(attempt, ""), 0
                if prepared is not None:
                    failure, candidates = prepared.failure, prepared.candidates
                reason = failure.split(":")[0]
                yield None, AttemptRecord(attempt, "", False, (reason,), candidates, failure)
                continue
            key, verdict = prepared.cell_attempt.key, prepared.best.verdict
            with self._timed("encode"):
                sample = key, encode_sample(self._sample(prepared, prepared.best))
            yield sample, AttemptRecord(attempt, key, verdict.accepted, verdict.reasons, prepared.candidates)

    def _prepared(self, job: Job, attempt: int) -> AttemptState:
        with self._timed("scene"):
            cell_attempt, scene = simulate_attempt(self.recipe, job.cell, attempt)
        with self._timed("conditions"):
            model, promise = self.recipe.model, self.models.model.promise
            words = scene_words(cell_attempt.caption, scene, promise, negative=model.negative_prompt or None)
            asked = ModelRequest(
                words.prompt, cell_attempt.noise_seed(0), model.chosen_start, tuple(model.controls), words.negative
            )
            inputs = scene_inputs(scene, asked, promise)
        return AttemptState(cell_attempt, scene, inputs.conditions, inputs.labels)

    def _clips(self, states: list[AttemptState], candidate: int) -> list[Clip | None]:
        """A clip per attempt, None where the model's values are not finite even when the clip is generated alone, and
        where its content check refuses the words or the clip."""
        with self._timed("model"):
            try:
                return list(self._rollout(states, candidate))
            except (FloatingPointError, ContentRefused) as error:
                self.faults.append(f"batch from attempt {states[0].cell_attempt.attempt}: {error}")
            return [self._clip_alone(state, candidate) for state in states]

    def _clip_alone(self, state: AttemptState, candidate: int) -> Clip | None:
        for number in range(self.recipe.work.retries + 1):
            try:
                return self._rollout([state], candidate)[0]
            except ContentRefused as error:
                # The same words and noise would be refused again; other noise may not be.
                state.failure = f"refused by the guardrail: {error}"
                self.faults.append(f"attempt {state.cell_attempt.attempt}, noise {candidate}: {error}")
                return None
            except FloatingPointError as error:
                state.failure = f"not a number: {error}"
                self.faults.append(
                    f"attempt {state.cell_attempt.attempt}, noise {candidate}, try {number + 1}: {error}"
                )
        return None

    def _rollout(self, states: list[AttemptState], candidate: int) -> list[Clip]:
        requests = [replace(state.conditions, seed=state.cell_attempt.noise_seed(candidate)) for state in states]
        return self.models.model(requests, self._options)

    def _score(self, state: AttemptState, candidate: int, clip: Clip) -> None:
        if len(clip) != state.scene.num_frames:
            raise InputError("clip of the model", Received(f"{len(clip)} frames"), f"{state.scene.num_frames}")
        try:
            with self._timed("score"):
                card = self.models.scorer.score(
                    clip, scene=state.scene, labels=state.labels, ego=state.scene.ego, text=state.cell_attempt.caption
                )
        except SCORING_ERRORS as error:
            # A retry would give the same clip and the same error, and one clip must not stop a set.
            state.failure = f"not judged: {type(error).__name__} {error}"
            self.faults.append(f"attempt {state.cell_attempt.attempt}, noise {candidate}: {state.failure}")
            return
        card = with_seams(card, clip, self.models.model.seams(state.conditions, self._options))
        state.offer(ScoredClip(candidate, clip, card, self.models.gate.decide(card, state.labels)))

    def _sample(self, state: AttemptState, best: ScoredClip) -> Sample:
        """A clip with everything known about it. Nothing in it depends on when or where it was generated."""
        cell_attempt, recipe, scenario = state.cell_attempt, self.recipe, state.cell_attempt.scenario
        options = self._options
        context = state.conditions.context
        return Sample(
            key=cell_attempt.key,
            clip=best.clip,
            caption=cell_attempt.caption,
            drive=cell_attempt.key,
            split=split_drives([cell_attempt.key], SplitConfig(fractions=recipe.split))[cell_attempt.key],
            ego=state.scene.ego,
            camera=state.scene.camera,
            labels=best.verdict.labels,
            scenario=scenario,
            tags=(scenario.weather, scenario.light, scenario.road, scenario.manoeuvre, *scenario.events),
            licence=recipe.licence,
            scorecard={**best.card.to_json(), **best.verdict.to_json()},
            conditions_used=state.conditions.given,
            provenance={
                "tool": "worldgen generate",
                "version": worldgen.__version__,
                "recipe": recipe.name,
                "recipe_version": recipe.version,
                "recipe_hash": recipe.hash,
                "cell": cell_attempt.cell.key,
                "cell_label": cell_attempt.cell.label,
                "attempt": cell_attempt.attempt,
                "seed": state.scene.seed,
                "candidate": best.candidate,
                "candidates_tried": state.candidates,
                "speed_mps": cell_attempt.speed_mps,
                "drawn_frames": 0 if context is None else len(context),
                **({"controls": list(state.conditions.controls)} if state.conditions.controls else {}),
                "sampler": {
                    "steps": options.steps,
                    "chunk": options.chunk,
                    "shift": options.shift,
                    "guidance": dict(options.guidance),
                },
                "model": self.models.name,
                "weights_hash": self.models.weights_hash,
            },
        )


def write_shard(job: Job, samples: list[EncodedSample]) -> None:
    """Write encoded samples as the shard of a job."""
    with ShardWriter(job.url, job.name) as writer:
        for key, files in samples:
            writer.write_members(key, files)
