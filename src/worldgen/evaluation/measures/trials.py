"""Held-out trials: scenes that no training has seen, and the clips that a model makes of them."""

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
from worldgen.core.start import DEFAULT_START, STARTS
from worldgen.data.dataset.sample_files import encode_sample
from worldgen.data.dataset.shards import ShardWriter, read_shard
from worldgen.files.storage import join, resolve
from worldgen.prompts import describe
from worldgen.rendering.render import render_scene
from worldgen.rendering.scene_conditions import SKETCH_FRAMES, scene_conditions
from worldgen.simulation.balanced import balanced_scenario
from worldgen.simulation.simulate import simulate

if TYPE_CHECKING:
    from worldgen.models.interface import SamplerOptions
    from worldgen.models.native.pipeline import WorldPipeline

FIRST_SEED = 2_000_000
"""Scene seeds from here on belong to evaluation; training sets, of instruments too, stay below."""
SEEDS_PER_RUN = 100_000
TRIES = 4
CACHE_CRF = 8
"""Stored clips lose less than what an instrument can see; 18, the default of data sets, is for people."""
SWEEP_SPEED_MPS = 8.0


@dataclass(frozen=True, eq=False)
class Trial:
    """One held-out request. scene gives ego motion, layout and labels; text is the prompt; seed is of the noise."""

    scenario: Scenario
    scene: Scene
    text: str
    seed: int

    @property
    def key(self) -> str:
        """Names scenario, scene, camera, length, words and noise."""
        scene = self.scene
        camera = json.dumps(scene.camera.to_json(), sort_keys=True)
        return stable_key(
            "trial", self.scenario.key, scene.seed, scene.num_frames, scene.fps, camera, self.text, self.seed
        )


@dataclass(frozen=True)
class GenerationOptions:
    """How clips are made of trials.

    start: "sketch" (the first frames are drawn and given as context) or "noise" (the model makes every frame).
    batch: clips made together, which changes speed but no clip. cache: folder of shards where made clips are kept and
    looked for ("" for none), by weights, trial, start and sampler options.
    """

    start: str = DEFAULT_START
    batch: int = 1
    cache: str = ""

    def __post_init__(self) -> None:
        if self.start not in STARTS:
            raise InputError("start of a clip", self.start, "one of " + ", ".join(STARTS))
        if not 1 <= self.batch <= 256:
            raise InputError("clips made together", self.batch, "1 to 256")


def held_out(count: int, *, seed: int = 0, frames: int = 25, fps: float = 8.0) -> list[Trial]:
    """``count`` trials balanced over weather, light, road, event and manoeuvre; equal arguments give equal trials.

    seed: 0 to 999, another set of scenes each. The first trials of a longer list are those of a shorter one.
    Raises InputError when nothing fits a scenario.
    """
    if not 1 <= count <= SEEDS_PER_RUN:
        raise InputError("number of trials", count, f"1 to {SEEDS_PER_RUN}")
    if not 0 <= seed < 1000:
        raise InputError("seed of the trials", seed, "0 to 999")
    first = FIRST_SEED + seed * SEEDS_PER_RUN
    return [_trial(first, index, frames, fps) for index in range(count)]


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
    pipeline: WorldPipeline,
    trials: list[Trial],
    making: GenerationOptions | None = None,
    *,
    options: SamplerOptions | None = None,
) -> list[Clip]:
    """The clip of each trial as the model makes it, in order. See :func:`generated`."""
    return list(generated(pipeline, trials, making, options=options))


def generated(
    pipeline: WorldPipeline,
    trials: list[Trial],
    making: GenerationOptions | None = None,
    *,
    options: SamplerOptions | None = None,
) -> Iterator[Clip]:
    """Clips of the trials one after the other; with a cache only those that it lacks are made.

    Raises InputError where the model refuses a condition.
    """
    making = making or GenerationOptions()
    if not making.cache:
        for start in range(0, len(trials), making.batch):
            yield from _make(pipeline, trials[start : start + making.batch], making, options)
        return
    keys = cache_keys(pipeline, trials, making, options=options)
    known = _stored(making.cache)
    for start in range(0, len(trials), making.batch):
        span = range(start, min(start + making.batch, len(trials)))
        missing = [i for i in span if keys[i] not in known]
        if missing:
            clips = _make(pipeline, [trials[i] for i in missing], making, options)
            for i, clip in zip(missing, clips, strict=True):
                _store(making.cache, keys[i], trials[i], clip, making.start)
        for i in span:  # read back even when just made, so that a second run measures the same pixels
            yield next(read_shard(join(making.cache, f"{keys[i]}.tar"))).clip


def cache_keys(
    pipeline: WorldPipeline, trials: list[Trial], making: GenerationOptions, *, options: SamplerOptions | None = None
) -> list[str]:
    """Names of the stored clips: of weights, rollout method, trial, start and sampler options; not of the batch."""
    from worldgen.models.interface import SamplerOptions
    from worldgen.models.native.loading import pipeline_hash
    from worldgen.models.native.rollout.rollout import METHOD

    weights = f"{pipeline_hash(pipeline)}-{METHOD}"
    sampler = json.dumps(asdict(options or SamplerOptions()), sort_keys=True)
    return [stable_key("generated", weights, t.key, making.start, sampler, prefix="made_") for t in trials]


def rendered(trials: list[Trial]) -> list[Clip]:
    """The clip of each trial as the sketch renderer draws it: what a perfect model would make."""
    return [render_scene(trial.scene).clip for trial in trials]


def num_context_frames(scene: Scene, start: str) -> int:
    """Frames of a clip that were drawn and given to the model."""
    return min(SKETCH_FRAMES, scene.num_frames - 1) if start == "sketch" else 0


def sweep_requests(
    count: int, accepts: tuple[str, ...], *, seed: int = 0, frames: int = 25, fps: float = 8.0
) -> list[tuple[str, Conditions]]:
    """Every manoeuvre told to the same drawn start of ``count`` scenes: names and conditions.

    The layout is left out, because it would give the motion away; only the commands tell the clips apart.
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
    """The manoeuvre from the last drawn frame on; until then what the drawn frames show."""
    given = 0 if base.context is None else len(base.context) - 1
    speed = float(base.ego.speed_mps[given])
    motion = manoeuvre_motion(name, base.num_frames - given, base.fps, speed_mps=speed)
    return EgoMotion(
        np.concatenate([base.ego.speed_mps[:given], motion.speed_mps]),
        np.concatenate([base.ego.yaw_rate_radps[:given], motion.yaw_rate_radps]), base.fps,
    )  # fmt: skip


def _make(
    pipeline: WorldPipeline, trials: list[Trial], making: GenerationOptions, options: SamplerOptions | None
) -> list[Clip]:
    requests = [
        scene_conditions(t.scene, text=t.text, accepts=pipeline.accepts, seed=t.seed, start=making.start)
        for t in trials
    ]
    return pipeline(requests, options)


def _stored(url: str) -> set[str]:
    filesystem, path = resolve(url)
    if not filesystem.exists(path):
        return set()
    names = (name.rsplit("/", 1)[-1] for name in filesystem.ls(path, detail=False))
    return {name.removesuffix(".tar") for name in names if name.endswith(".tar")}


def _store(url: str, key: str, trial: Trial, clip: Clip, start: str) -> None:
    """One shard per clip, so that whatever is finished stays when a run is stopped."""
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
