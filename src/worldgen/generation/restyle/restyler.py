"""Restyles labelled clips: the same drive in other weather or light, changed only as far as its labels stay right."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import cv2
import numpy as np

import worldgen
from worldgen.core.clip import Clip
from worldgen.core.errors import InputError
from worldgen.core.labels import Labels
from worldgen.core.samples import Conditions, Sample
from worldgen.core.scenario import LIGHTS, WEATHERS
from worldgen.core.scene import Scene
from worldgen.core.seeds import numpy_rng, stable_hash, stable_key
from worldgen.core.start import DEFAULT_START
from worldgen.generation.campaign.recipe import ModelConfig
from worldgen.generation.quality.gate import Gate, GateConfig, Verdict
from worldgen.generation.quality.scorecard import Scorecard
from worldgen.generation.quality.scorer import Scorer, ScorerConfig
from worldgen.generation.quality.seams import with_seams
from worldgen.generation.restyle.clip_fitting import fitted, padded
from worldgen.generation.sample.model_loading import backbone_options
from worldgen.generation.sample.model_words import scene_words
from worldgen.generation.sample.sampler import Sampler
from worldgen.instruments.depth_reader import load_depth_reader
from worldgen.models.devices import usable_device
from worldgen.models.families import FAMILIES
from worldgen.models.interface import ContentRefused
from worldgen.models.native.rollout.repaint import restyle_clips
from worldgen.models.promise import ModelPromise
from worldgen.prompts import describe, parse
from worldgen.prompts.model_prompts import PROMPT_STYLES, negative_prompt
from worldgen.rendering.controls.clip_controls import DepthModel, clip_controls
from worldgen.rendering.labelling import labels_of
from worldgen.rendering.model_conditions import ModelRequest, scene_inputs
from worldgen.rendering.scene_conditions import scene_conditions
from worldgen.simulation.remake import remake_scene, restyled_scene

if TYPE_CHECKING:
    from worldgen.models.native.pipeline import WorldPipeline

LOST = "labels lost"
"""Reason for a clip whose labels agree with it clearly less than with the original clip."""
REFUSED = "refused by the guardrail"
"""Reason for a clip, or a try at one, that the content check of the model refuses."""


@dataclass(frozen=True)
class RestyleConfig:
    """How clips are restyled.

    to: weather and light in words, as in "night, rain". strength: noise level that the clip's latents are set to, above
    0, at most 1. The default 0 takes, for each clip, the first of the falling ``strengths`` that the gate accepts and
    at which the labels keep at least the share ``keep`` of their agreement with the original. model.start: "sketch"
    renders the first frames in the new look where the scene is known, "noise" generates all frames. gate_from: a
    calibrated gate, whose values ``gate`` may change. limit: largest number of clips (0: all). shard_size: clips per
    job and shard. tries: noise seeds tried for each clip by a model that restyles by controls, which knows no strength.
    depth_model: folder of a depth network of transformers, for a depth control of recorded clips; "" for none.
    """

    to: str = ""
    strength: float = 0.0
    strengths: tuple[float, ...] = (0.95, 0.85, 0.7, 0.55, 0.4)
    keep: float = 0.85
    seed: int = 0
    limit: int = 0
    shard_size: int = 16
    tries: int = 3
    depth_model: str = ""
    model: ModelConfig = field(default_factory=ModelConfig)
    gate_from: str = ""
    gate: GateConfig = field(default_factory=GateConfig)
    scorer: ScorerConfig = field(default_factory=ScorerConfig)

    def __post_init__(self) -> None:
        if not 0 <= self.strength <= 1:
            raise InputError("restyle strength", self.strength, "auto (0), or above 0 to 1")
        if not self.strengths or min(self.strengths) <= 0 or max(self.strengths) > 1:
            raise InputError("restyle strengths", self.strengths, "falling numbers above 0, at most 1")
        if list(self.strengths) != sorted(set(self.strengths), reverse=True):
            raise InputError("restyle strengths", self.strengths, "falling numbers, strongest first")
        if not 0 <= self.keep <= 1:
            raise InputError("restyle keep", self.keep, "0 to 1")
        if not 1 <= self.tries <= 64:
            raise InputError("restyle tries", self.tries, "1 to 64")
        if not 1 <= self.shard_size <= 4096 or self.limit < 0:
            raise InputError("restyle shard_size and limit", (self.shard_size, self.limit), "1 to 4096, and 0 or more")

    @property
    def tried(self) -> tuple[float, ...]:
        """Strengths in the order they are tried."""
        return (self.strength,) if self.strength else self.strengths


@dataclass(frozen=True)
class TargetLook:
    """The requested weather and light; None stays as it is."""

    weather: str | None
    light: str | None

    @property
    def words(self) -> str:
        return ", ".join(word.replace("_", " ") for word in (self.weather, self.light) if word)


def parse_look(words: str) -> TargetLook:
    """Weather and light from words. Raises: InputError for words of another kind, and when neither is named."""
    parsed = parse(words)
    said = {understood.field: understood for understood in parsed.understood}
    foreign = [u.text for u in parsed.understood if u.field not in ("weather", "light")]
    strange = [*parsed.not_understood, *foreign]
    if strange or not said:
        received = ", ".join(map(str, strange)) or words
        raise InputError(
            "look to restyle to",
            received,
            f"weather ({', '.join(WEATHERS)}) or light ({', '.join(LIGHTS)}), as in night, rain",
        )
    scenario = parsed.scenario
    return TargetLook(scenario.weather if "weather" in said else None, scenario.light if "light" in said else None)


@dataclass(frozen=True, eq=False)
class RestyledCandidate:
    """A clip restyled at one strength. agreement: of its labels, over that with the original; None if not measured."""

    strength: float
    clip: Clip
    card: Scorecard
    verdict: Verdict
    agreement: float | None

    @property
    def rank(self) -> tuple:
        """Larger for better candidates: accepted ones, then fewer reasons, then better agreement of labels."""
        return self.verdict.accepted, -len(self.verdict.reasons), self.agreement or 0.0


@dataclass(frozen=True, eq=False)
class RestyleTask:
    """A sample and its new look. scene, labels: in the new look, with the boxes of the original. text: the prompt."""

    sample: Sample
    scene: Scene | None
    labels: Labels | None
    text: str
    conditions: Conditions


@dataclass(frozen=True, eq=False)
class Restyler:
    """Model, instruments and gate, loaded once per process."""

    config: RestyleConfig
    look: TargetLook
    sampler: Sampler
    scorer: Scorer
    gate: Gate
    depth: DepthModel | None = None

    @classmethod
    def load(cls, config: RestyleConfig) -> Restyler:
        """Load what the config names. Raises: InputError for words that name no look and for missing files."""
        look = parse_look(config.to)
        cv2.setNumThreads(1)
        model = config.model
        depth = load_depth_reader(config.depth_model, usable_device(model.device)) if config.depth_model else None
        sampler = Sampler.load(
            model.pipeline, adapter=model.adapter, device=model.device, threads=model.threads,
            backbone=backbone_options(model.backbone_from, model.device),
        )  # fmt: skip
        refuse_use(sampler.promise)
        return cls(config, look, sampler, Scorer.load(config.scorer), Gate(config.gate), depth)

    def restyle(self, sample: Sample) -> tuple[Sample, dict[str, float]]:
        """The restyled sample with its scorecard, and seconds by part of the work.

        Raises: InputError for a clip that the model does not accept; ContentRefused where its content check refuses
            every try; FloatingPointError for values that are not finite.
        """
        seconds: dict[str, float] = {}
        start_s = time.perf_counter()
        task = self.task(sample)
        before = self._agreement(task)
        seconds["prepare"] = time.perf_counter() - start_s
        best: RestyledCandidate | None = None
        refused: ContentRefused | None = None
        tried: list[list] = []
        # A model without partial noise makes each clip from its control alone: all there is to try are other seeds.
        native = self.sampler.promise.family == "native"
        for number, strength in enumerate(self.config.tried if native else (1.0,) * self.config.tries):
            try:
                candidate = self._candidate(task, (number, strength), before, seconds)
            except ContentRefused as error:
                tried.append([strength, [REFUSED], None])
                refused = error
                continue
            tried.append([strength, list(candidate.verdict.reasons), candidate.agreement])
            if best is None or candidate.rank > best.rank:
                best = candidate
            if candidate.verdict.accepted:
                break
        if best is None:
            assert refused is not None
            raise refused
        seconds["all"] = time.perf_counter() - start_s
        return self._sample(task, best, tried), seconds

    def task(self, sample: Sample) -> RestyleTask:
        """The scene of a sample in the new look, where it has one, with labels, prompt and conditions."""
        promise = self.sampler.promise
        accepts = promise.conditions
        old = remake_scene(sample)
        if promise.family != "native":
            return self._control_task(sample, old)
        if old is None:
            sample = fitted(sample, promise.size_px)
            text = f"{sample.caption.rstrip('. ')}. {self.look.words}." if sample.caption else self.look.words
            ego = sample.ego if "ego" in accepts else None
            conditions = Conditions(
                len(sample.clip), sample.clip.fps, text=text if "text" in accepts else None, ego=ego,
                camera=sample.camera, seed=self._seed(sample),
            )  # fmt: skip
            return RestyleTask(sample, None, sample.labels, text, conditions)
        scene = restyled_scene(old, weather=self.look.weather, light=self.look.light, seed=self.config.seed)
        text = describe(scene.scenario, numpy_rng("restyle text", sample.key, self.config.seed), duration=False)
        conditions = scene_conditions(
            scene, text=text, accepts=accepts, seed=self._seed(sample),
            start=self.config.model.chosen_start or DEFAULT_START,
        )  # fmt: skip
        return RestyleTask(sample, scene, kept_labels(sample.labels, scene), text, conditions)

    def _control_task(self, sample: Sample, old: Scene | None) -> RestyleTask:
        """The task of a model that restyles by controls: of the scene where it is known, else of the clip's pixels."""
        promise, model = self.sampler.promise, self.config.model
        scene = None
        if old is not None:
            scene = restyled_scene(old, weather=self.look.weather, light=self.look.light, seed=self.config.seed)
            text = describe(scene.scenario, numpy_rng("restyle text", sample.key, self.config.seed), duration=False)
            words = scene_words(text, scene, promise, negative=model.negative_prompt or None)
            asked = ModelRequest(
                words.prompt, self._seed(sample), model.chosen_start, tuple(model.controls), words.negative
            )
            conditions = padded(scene_inputs(scene, asked, promise).conditions, promise)
            return RestyleTask(sample, scene, kept_labels(sample.labels, scene), text, conditions)
        sample = fitted(sample, promise.size_px, multiple=promise.size_multiple_px)
        before = sample.scenario or parse(sample.caption or self.look.words).scenario
        scenario = dataclasses.replace(
            before, weather=self.look.weather or before.weather, light=self.look.light or before.light
        )
        text = f"{sample.caption.rstrip('. ')}. {self.look.words}." if sample.caption else self.look.words
        negative = model.negative_prompt or negative_prompt(promise.default_negative, scenario)
        conditions = Conditions(
            len(sample.clip), sample.clip.fps, text=PROMPT_STYLES[promise.prompt_style](text, scenario, None),
            camera=sample.camera, seed=self._seed(sample), negative_text=negative if promise.negative_text else None,
            controls=clip_controls(sample, tuple(model.controls) or clip_default(promise), depth=self.depth),
        )  # fmt: skip
        return RestyleTask(sample, None, sample.labels, text, padded(conditions, promise))

    def _seed(self, sample: Sample) -> int:
        return stable_hash("restyle noise", sample.key, self.config.seed)

    def _agreement(self, task: RestyleTask) -> float | None:
        """Agreement of the labels with the original clip, None without labels or where it is not measured."""
        if task.labels is None:
            return None
        card = self.scorer.score(task.sample.clip, scene=None, labels=task.labels, ego=None)
        return card.values.get("label_agreement")

    def _candidate(
        self, task: RestyleTask, way: tuple[int, float], before: float | None, seconds: dict[str, float]
    ) -> RestyledCandidate:
        start_s = time.perf_counter()
        number, strength = way
        clip, seams = self._restyled(task, number, strength)
        middle_s = time.perf_counter()
        ego = task.sample.ego
        card = self.scorer.score(
            clip, scene=task.scene, labels=task.labels, ego=ego, text=self.look.words, previous=task.sample.clip
        )
        card = with_seams(card, clip, seams)
        verdict = self.gate.decide(card, task.labels)
        now = card.values.get("label_agreement")
        share = None if now is None or not before else round(now / before, 4)
        if share is not None and share < self.config.keep:
            details = {**verdict.details, LOST: f"{share:.2f} of the agreement before, expected {self.config.keep:g}"}
            verdict = dataclasses.replace(verdict, accepted=False, reasons=(*verdict.reasons, LOST), details=details)
        seconds["model"] = seconds.get("model", 0.0) + middle_s - start_s
        seconds["score"] = seconds.get("score", 0.0) + time.perf_counter() - middle_s
        return RestyledCandidate(strength, clip, card, verdict, share)

    def _restyled(self, task: RestyleTask, number: int, strength: float) -> tuple[Clip, tuple[int, ...]]:
        """The clip of a try, and its seams."""
        model = self.sampler.model
        options = self.config.model.options(self.sampler.promise)
        if self.sampler.promise.family == "native":
            native = cast("WorldPipeline", model)
            clips = restyle_clips(native, [task.sample.clip], [task.conditions], strength=strength, options=options)
            return clips[0], ()
        request = dataclasses.replace(task.conditions, seed=stable_hash("restyle try", task.conditions.seed, number))
        clip, frames = model([request], options)[0], len(task.sample.clip)
        return Clip(clip.frames[:frames], clip.fps), tuple(k for k in model.seams(request, options) if k < frames)

    def _sample(self, task: RestyleTask, candidate: RestyledCandidate, tried: list) -> Sample:
        old, scene = task.sample, task.scene
        changed = {w for w in old.tags if w in WEATHERS and self.look.weather} | {
            w for w in old.tags if w in LIGHTS and self.look.light
        }
        tags = (*(w for w in (self.look.weather, self.look.light) if w), *(w for w in old.tags if w not in changed))
        scorecard = {**candidate.card.to_json(), "strength": candidate.strength, **candidate.verdict.to_json()}
        if candidate.agreement is not None:
            scorecard["agreement_kept"] = candidate.agreement
        return dataclasses.replace(
            old,
            key=stable_key("restyle", old.key, self.look.words, self.config.seed, prefix="restyle_"),
            clip=candidate.clip,
            caption=task.text,
            labels=candidate.verdict.labels,
            tags=tags,
            scorecard=scorecard,
            scenario=scene.scenario if scene is not None else old.scenario,
            conditions_used=task.conditions.given,
            provenance={
                "tool": "worldgen restyle",
                "version": worldgen.__version__,
                "source": old.key,
                "to": self.look.words,
                "source_provenance": {k: v for k, v in old.provenance.items() if isinstance(v, (str, int, float))},
                "strength": candidate.strength,
                "tried": tried,
                "held_frames": task.conditions.num_frames - len(old.clip),
                "restyle_seed": self.config.seed,
                "model": self.sampler.name,
                "weights_hash": self.sampler.weights_hash,
            },
        )


def clip_default(promise: ModelPromise) -> tuple[str, ...]:
    """The control to take of a recorded clip where none is named: edges, as blurred pixels keep the old light.

    Raises: InputError for a model that takes none of the controls that pixels give.
    """
    for name in ("edge", "blur"):
        if name in promise.controls:
            return (name,)
    raise InputError("model to restyle with", promise.family, "one that takes an edge or a blur control")


def kept_labels(labels: Labels | None, scene: Scene) -> Labels:
    """Labels in the new look: the same boxes, with the ``ignore`` flag for objects that the new weather hides.

    labels: of the original; None takes those of the scene.
    """
    if labels is None:
        return labels_of(scene)
    far = np.hypot(labels.box3d[:, 0], labels.box3d[:, 1]) > scene.atmosphere.visibility_m
    return dataclasses.replace(labels, ignore=labels.ignore | far)


def refuse_use(promise: ModelPromise) -> None:
    """Raises InputError for a model that cannot restyle, naming the families that can."""
    if "restyle" not in promise.uses:
        could = ", ".join(name for name, other in FAMILIES.items() if "restyle" in other.uses)
        raise InputError("model to restyle with", promise.family, f"one of the families {could}")
