"""From what a user asks to what the model is given: words, files and numbers to conditions and labels."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from worldgen.core.camera import Camera
from worldgen.core.clip import Clip
from worldgen.core.ego import EgoMotion, ego_from_waypoint_text
from worldgen.core.errors import InputError, Received
from worldgen.core.labels import Labels
from worldgen.core.manoeuvres import MANOEUVRES, manoeuvre_motion
from worldgen.core.samples import Conditions
from worldgen.core.scenario import Scenario
from worldgen.core.scene import Scene
from worldgen.core.start import DEFAULT_START, STARTS
from worldgen.data.ingest.align import motion_from_log
from worldgen.data.ingest.ego_log import EgoLogConfig, read_ego_log
from worldgen.data.video.reading import probe, read_clip
from worldgen.generation.sample.continuation import DEFAULT_SPEED_MPS, manoeuvre_from, seen_motion

LOG_SUFFIXES = (".csv", ".json", ".parquet", ".txt")
MIN_FRAMES, MAX_FRAMES = 2, 10_000


@dataclass(frozen=True)
class SampleRequest:
    """What a user asks of one clip.

    prompt: words. context: a video whose last frames before ``context_start_s + context_frames / fps`` are continued.
    ego: a manoeuvre, a log file, or waypoint text; "" leaves the motion to the scene, and without one keeps on driving.
    speed_mps: of a manoeuvre where no scene sets it (0: as fast as the context seems to drive). scenario: used instead of
    the words where given. frames, fps: of the whole clip.
    width_px, height_px: of the picture. start: how a scene's clip begins, "sketch" (the first frames are drawn by the
    sketch renderer and given as context) or "noise" (the model makes every frame).
    """

    prompt: str
    frames: int
    fps: float
    width_px: int
    height_px: int
    seed: int = 0
    context: str = ""
    context_frames: int = 8
    context_start_s: float = 0.0
    ego: str = ""
    speed_mps: float = 0.0
    scenario: Scenario | None = None
    start: str = DEFAULT_START

    def __post_init__(self) -> None:
        if not MIN_FRAMES <= self.frames <= MAX_FRAMES:
            raise InputError("number of frames", self.frames, f"{MIN_FRAMES} to {MAX_FRAMES}")
        if not 0.5 <= self.fps <= 60:
            raise InputError("frames per second", self.fps, "0.5 to 60")
        if self.context and not 1 <= self.context_frames < self.frames:
            raise InputError("context frames", self.context_frames, f"1 to {self.frames - 1}, fewer than --frames")
        if self.start not in STARTS:
            raise InputError("start of a clip", self.start, "one of " + ", ".join(STARTS))
        if not 0 <= self.speed_mps <= 60:
            raise InputError("speed in m/s", self.speed_mps, "0 to 60")


@dataclass(frozen=True, eq=False)
class Prepared:
    """Conditions for the model, the labels they come with, and how they were understood.

    labels is None when there is no scene: a continued real clip has no source of truth for what appears in it.
    """

    conditions: Conditions
    scenario: Scenario | None
    scene: Scene | None
    labels: Labels | None
    notes: dict = field(default_factory=dict)


def prepare(request: SampleRequest, accepts: tuple[str, ...]) -> Prepared:
    """Read, parse and simulate what ``request`` names. ``accepts`` are the conditions the model honours.

    A scene is made from the words (or the scenario) and gives layout, labels and ego motion, unless a context clip is
    continued: its road is the real one, so only the words and the motion are passed on.
    """
    if request.context:
        return _continue_clip(request, accepts)
    return _from_scene(request, accepts)


def _from_scene(request: SampleRequest, accepts: tuple[str, ...]) -> Prepared:
    from worldgen.generation.sample.candidates import best_candidate
    from worldgen.prompts import parse
    from worldgen.rendering.labelling import labels_of
    from worldgen.rendering.scene_conditions import scene_conditions
    from worldgen.simulation.simulate import simulate

    notes: dict = {}
    scenario = request.scenario
    if scenario is None:
        parsed = parse(request.prompt)
        scenario = parsed.scenario
        notes = {k: v for k, v in parsed.to_json().items() if k in ("assumed", "not_understood")}
    scenario, ego = _with_ego(scenario, request)
    camera = Camera.from_fov(request.width_px, request.height_px, 70.0, height_m=1.4, pitch_rad=0.03)
    scene, notes["take"] = best_candidate(
        scenario, request.seed,
        make=lambda seed: simulate(scenario, seed, fps=request.fps, num_frames=request.frames, camera=camera, ego=ego),
    )  # fmt: skip
    notes["scene_seed"] = scene.seed
    conditions = scene_conditions(
        scene, text=request.prompt, accepts=accepts, seed=request.seed, start=request.start
    )
    if conditions.context is not None:
        notes["sketched_frames"] = len(conditions.context)
    return Prepared(conditions, scenario, scene, labels_of(scene), notes)


def _with_ego(scenario: Scenario, request: SampleRequest) -> tuple[Scenario, EgoMotion | None]:
    """A manoeuvre goes into the scenario, so that the road is built for it; other motion is followed exactly."""
    if not request.ego:
        return scenario, None
    if request.ego in MANOEUVRES:
        record = {**scenario.to_json(), "manoeuvre": request.ego}
        return Scenario.from_json(record), None
    return scenario, read_ego(request)


def _continue_clip(request: SampleRequest, accepts: tuple[str, ...]) -> Prepared:
    context = read_context(request)
    notes, ego = {}, None
    name = request.ego.strip() or ("keep" if "ego" in accepts else "")
    if name in MANOEUVRES:
        motion = (request.speed_mps, 0.0) if request.speed_mps else seen_motion(context)
        ego = manoeuvre_from(name, motion, given=len(context), frames=request.frames, fps=request.fps)
        if not request.speed_mps:
            notes = {"seen_speed_mps": motion[0], "seen_yaw_rate_radps": motion[1]}
    elif name:
        ego = read_ego(request)
    conditions = Conditions(
        request.frames, request.fps, text=request.prompt or None, context=context, ego=ego, seed=request.seed
    )
    return Prepared(conditions, None, None, None, notes)


def read_context(request: SampleRequest) -> Clip:
    """The known first frames, at the rate and size wanted (nearest frames in time, centre crop, area resize)."""
    info = probe(request.context)
    wanted_s = request.context_frames / request.fps
    end_s = info.duration_s
    if request.context_start_s < 0 or request.context_start_s + wanted_s > end_s + 0.5 / request.fps:
        raise InputError(
            f"context of {request.context_frames} frames at {request.fps:g} fps from {request.context_start_s:g} s",
            Received(f"{request.context}, {end_s:.2f} s long"),
            "a span inside the video; see --context-frames and --context-start",
        )  # fmt: skip
    size = (request.width_px, request.height_px)
    duration_s = min(wanted_s, end_s - request.context_start_s)
    clip = read_clip(
        request.context, fps=request.fps, size=size, start_s=request.context_start_s, duration_s=duration_s
    )
    return clip[: request.context_frames]


def read_ego(request: SampleRequest) -> EgoMotion:
    """Ego motion of ``request.frames`` rows from a manoeuvre, waypoint text or a log file."""
    text = request.ego.strip()
    if text.startswith("("):
        return ego_from_waypoint_text(text, request.fps, request.frames).extended(request.frames)
    path = Path(text)
    if path.suffix.lower() in LOG_SUFFIXES or path.exists():
        return _from_log(path, request)
    return manoeuvre_motion(text, request.frames, request.fps, speed_mps=request.speed_mps or DEFAULT_SPEED_MPS)


def read_scenario(path: str) -> Scenario:
    """A scenario from a JSON file: the record itself, or what ``worldgen scenes parse --json`` prints."""
    try:
        record = json.loads(Path(path).read_text())
    except FileNotFoundError as error:
        raise InputError("scenario file", path, "an existing JSON file") from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"scenario file {path}", Received(str(error)), "JSON, as printed by worldgen scenes parse --json") from error
    if not isinstance(record, dict):
        raise InputError(f"scenario file {path}", Received(f"a JSON {type(record).__name__}"), "an object")
    return Scenario.from_json(record.get("scenario", record))


def _from_log(path: Path, request: SampleRequest) -> EgoMotion:
    log = read_ego_log(path)
    times_s = np.arange(request.frames) / request.fps + request.context_start_s
    motion = motion_from_log(log, EgoLogConfig(), times_s)
    if not motion.covers_span(float(times_s[0]), float(times_s[-1])):
        raise InputError(
            f"ego log {path}", Received(f"{motion.valid_s[0]:.2f} to {motion.valid_s[1]:.2f} s"),
            f"{times_s[0]:.2f} to {times_s[-1]:.2f} s without gaps, for {request.frames} frames at {request.fps:g} fps",
        )  # fmt: skip
    return motion.ego(times_s, request.fps, before_s=float(times_s[0]) - 1.0 / request.fps)
