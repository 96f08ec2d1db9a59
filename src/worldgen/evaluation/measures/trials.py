"""Held-out trials: scenes outside every training set, and the clips that a model generates of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from worldgen.core.clip import Clip
from worldgen.core.ego import EgoMotion
from worldgen.core.errors import InputError
from worldgen.core.manoeuvres import MANOEUVRES, manoeuvre_motion
from worldgen.core.samples import Conditions, Sample
from worldgen.core.scenario import Scenario
from worldgen.core.scene import Scene
from worldgen.core.seeds import numpy_rng, stable_key
from worldgen.core.start import DEFAULT_START, STARTS, Start
from worldgen.data.dataset.sample_files import encode_sample
from worldgen.data.dataset.shards import ShardWriter, read_shard
from worldgen.files.storage import join, resolve
from worldgen.prompts import describe
from worldgen.prompts.model_prompts import PROMPT_STYLES
from worldgen.rendering.model_conditions import ModelRequest, scene_inputs
from worldgen.rendering.render import render_scene
from worldgen.rendering.scene_conditions import SKETCH_FRAMES, scene_conditions
from worldgen.simulation.balanced import balanced_scenario
from worldgen.simulation.simulate import simulate

if TYPE_CHECKING:
    from worldgen.models.interface import SamplerOptions, WorldModel
    from worldgen.models.promise import ModelPromise

FIRST_SEED = 2_000_000
"""Scene seeds from here on belong to evaluation; training sets, also those of instruments, stay below."""
SEEDS_PER_RUN = 100_000
TRIES = 4
CACHE_CRF = 8
"""Quality of stored clips: the loss is below what an instrument can detect; 18, the default of data sets, suits
people."""
SWEEP_SPEED_MPS = 8.0


@dataclass(frozen=True, eq=False)
class Trial:
    """One held-out request. scene: gives ego motion, layout and labels. text: the prompt. seed: of the noise."""

    scenario: Scenario
    scene: Scene
    text: str
    seed: int

    @property
    def key(self) -> str:
        """Hash of scenario, scene, camera, length, prompt and seed."""
        scene = self.scene
        camera = json.dumps(scene.camera.to_json(), sort_keys=True)
        return stable_key(
            "trial", self.scenario.key, scene.seed, scene.num_frames, scene.fps, camera, self.text, self.seed
        )


@dataclass(frozen=True)
class GenerationOptions:
    """How clips are generated from trials.

    start: "sketch" (the first frames are rendered and given as context) or "noise" (the model generates every frame).
    batch: clips generated together, which changes the speed but no clip. cache: folder of shards where generated clips
    are kept and looked up ("" for none), by weights, trial, start and sampler options.
    """

    start: Start = DEFAULT_START
    batch: int = 1
    cache: str = ""

    def __post_init__(self) -> None:
        if self.start not in STARTS:
            raise InputError("start of a clip", self.start, "one of " + ", ".join(STARTS))
        if not 1 <= self.batch <= 256:
            raise InputError("clips generated together", self.batch, "1 to 256")


def held_out(
    count: int, *, seed: int = 0, frames: int = 25, fps: float = 8.0, size: tuple[int, int] | None = None
) -> list[Trial]:
    """``count`` trials balanced over weather, light, road, event and manoeuvre; equal arguments give equal trials.

    seed: 0 to 999, another set of scenes each. A longer list begins with the trials of a shorter one. size: width and
    height of the pictures in pixels, None for that of the drawn cameras, 224x128; it does not change the scenes.

    Raises: InputError when no scene fits a scenario.
    """
    if not 1 <= count <= SEEDS_PER_RUN:
        raise InputError("number of trials", count, f"1 to {SEEDS_PER_RUN}")
    if not 0 <= seed < 1000:
        raise InputError("seed of the trials", seed, "0 to 999")
    first = FIRST_SEED + seed * SEEDS_PER_RUN
    trials = [_trial(first, index, frames, fps) for index in range(count)]
    if size is None:
        return trials
    return [replace(t, scene=replace(t.scene, camera=t.scene.camera.resized(*size))) for t in trials]


def _trial(first: int, index: int, frames: int, fps: float) -> Trial:
    scenario = balanced_scenario(index, first)
    if frames / fps > scenario.duration_s:
        scenario = replace(scenario, duration_s=frames / fps)
    for attempt in range(TRIES):
        scene_seed = first + index + attempt * 1000 * SEEDS_PER_RUN
        try:
            scene = simulate(scenario, scene_seed, fps=fps, num_frames=frames)
            break
        except InputError:  # an event may not fit the road that one seed draws; another seed is another road
            if attempt == TRIES - 1:
                raise
    text = describe(scenario, numpy_rng("trial text", scenario.key, first + index))
    return Trial(scenario, scene, text, first + index)


def generate(
    pipeline: WorldModel,
    trials: list[Trial],
    how: GenerationOptions | None = None,
    *,
    options: SamplerOptions | None = None,
) -> list[Clip]:
    """The clip that the model generates of each trial, in order. See :func:`generated`."""
    return list(generated(pipeline, trials, how, options=options))


def generated(
    pipeline: WorldModel,
    trials: list[Trial],
    how: GenerationOptions | None = None,
    *,
    options: SamplerOptions | None = None,
) -> Iterator[Clip]:
    """The clips that the model generates of the trials, one after the other; clips in the cache are not generated
    again.

    Raises: InputError where the model refuses a condition.
    """
    how = how or GenerationOptions()
    if not how.cache:
        for start in range(0, len(trials), how.batch):
            yield from _generate(pipeline, trials[start : start + how.batch], how, options)
        return
    keys = cache_keys(pipeline, trials, how, options=options)
    known = _stored(how.cache)
    for start in range(0, len(trials), how.batch):
        span = range(start, min(start + how.batch, len(trials)))
        missing = [i for i in span if keys[i] not in known]
        if missing:
            clips = _generate(pipeline, [trials[i] for i in missing], how, options)
            for i, clip in zip(missing, clips, strict=True):
                _store(how.cache, keys[i], trials[i], clip, how.start)
        for i in span:  # read back even when just generated, so that a second run measures the same pixels
            yield next(read_shard(join(how.cache, f"{keys[i]}.tar"))).clip


def cache_keys(
    pipeline: WorldModel, trials: list[Trial], how: GenerationOptions, *, options: SamplerOptions | None = None
) -> list[str]:
    """Names of the stored clips, from weights, rollout method, trial, start and sampler options, but not the batch."""
    from worldgen.models.interface import SamplerOptions
    from worldgen.models.native.rollout.rollout import METHOD

    weights = f"{pipeline.weights_hash}-{METHOD}"
    if pipeline.promise.default_controls:
        weights += "-" + "-".join(pipeline.promise.default_controls)
    sampler = json.dumps(asdict(options or SamplerOptions()), sort_keys=True)
    return [stable_key("generated", weights, t.key, how.start, sampler, prefix="made_") for t in trials]


def rendered(trials: list[Trial]) -> list[Clip]:
    """The clip of each trial as the renderer draws it, which is what a perfect model would generate."""
    return [render_scene(trial.scene).clip for trial in trials]


def num_context_frames(scene: Scene, start: str) -> int:
    """Number of frames of a clip that were rendered and given to the model."""
    return min(SKETCH_FRAMES, scene.num_frames - 1) if start == "sketch" else 0


def sweep_requests(
    count: int, accepts: tuple[str, ...], *, seed: int = 0, frames: int = 25, fps: float = 8.0
) -> list[tuple[str, Conditions]]:
    """Every manoeuvre commanded from the same rendered start of ``count`` scenes: names and conditions.

    The layout is left out, because it would show the motion; the clips differ only in their commands.
    """
    out = []
    for number in range(count):
        scene_seed = FIRST_SEED + seed * SEEDS_PER_RUN + SEEDS_PER_RUN // 2 + number
        scenario = Scenario(road="urban", weather=("clear", "overcast", "light_rain")[number % 3])
        start = simulate(scenario, scene_seed, fps=fps, num_frames=frames, speed_mps=SWEEP_SPEED_MPS)
        kept = tuple(name for name in accepts if name != "layout")
        base = scene_conditions(
            start, text=describe(scenario, numpy_rng("sweep", scene_seed)), accepts=kept, seed=scene_seed
        )
        for name in MANOEUVRES:
            out.append((name, replace(base, ego=_after_start(base, name))))
    return out


def _after_start(base: Conditions, name: str) -> EgoMotion:
    """The motion of the context frames, then the manoeuvre from the last of them on."""
    assert base.ego is not None and base.num_frames is not None and base.fps is not None
    first = 0 if base.context is None else len(base.context) - 1
    speed = float(base.ego.speed_mps[first])
    motion = manoeuvre_motion(name, base.num_frames - first, base.fps, speed_mps=speed)
    return EgoMotion(
        np.concatenate([base.ego.speed_mps[:first], motion.speed_mps]),
        np.concatenate([base.ego.yaw_rate_radps[:first], motion.yaw_rate_radps]), base.fps,
    )  # fmt: skip


def _generate(
    pipeline: WorldModel, trials: list[Trial], how: GenerationOptions, options: SamplerOptions | None
) -> list[Clip]:
    promise = pipeline.promise
    # Models that take controls are judged with them, without context frames; others begin as the options say.
    start = None if promise.default_controls else effective_start(promise, how.start)
    requests = []
    for t in trials:
        text = PROMPT_STYLES[promise.prompt_style](t.text, t.scenario, t.scene)
        requests.append(scene_inputs(t.scene, ModelRequest(text, t.seed, start), promise).conditions)
    return pipeline(requests, options)


def effective_start(promise: ModelPromise, start: Start) -> Start:
    """How clips of a model begin in an evaluation: as asked, but without context frames where it has controls."""
    if promise.default_controls:
        return "noise"
    return start if promise.start == "sketch" else promise.start


def _stored(url: str) -> set[str]:
    filesystem, path = resolve(url)
    if not filesystem.exists(path):
        return set()
    names = (name.rsplit("/", 1)[-1] for name in filesystem.ls(path, detail=False))
    return {name.removesuffix(".tar") for name in names if name.endswith(".tar")}


def _store(url: str, key: str, trial: Trial, clip: Clip, start: str) -> None:
    """Write one shard per clip, so that finished clips are kept when a run is stopped."""
    scene = trial.scene
    sample = Sample(
        key=key, clip=clip, caption=trial.text, drive=key, split="test", ego=scene.ego, camera=scene.camera,
        scenario=trial.scenario, licence="CC0-1.0",
        provenance={
            "tool": "worldgen eval", "seed": scene.seed, "trial": trial.key,
            "drawn_frames": num_context_frames(trial.scene, start),
        },
    )  # fmt: skip
    with ShardWriter(url, key) as writer:
        writer.write_members(key, encode_sample(sample, crf=CACHE_CRF))
