"""A user's request and its preparation: words, files and numbers become conditions for the model, and labels."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from worldgen.core.clip import Clip
from worldgen.core.ego import EgoMotion, ego_from_waypoint_text
from worldgen.core.errors import InputError, Received
from worldgen.core.labels import Labels
from worldgen.core.manoeuvres import MANOEUVRES, manoeuvre_motion
from worldgen.core.samples import Conditions
from worldgen.core.scenario import Scenario
from worldgen.core.scene import Scene
from worldgen.core.start import STARTS, Start
from worldgen.data.ingest.source_config import SourceConfig
from worldgen.data.video.framing import framing
from worldgen.data.video.probing import probe
from worldgen.data.video.reading import nearest_frames, read_clip
from worldgen.files.json_files import read_object
from worldgen.generation.sample.context_camera import ESTIMATE_S, GivenCamera, context_camera
from worldgen.generation.sample.continuation import DEFAULT_SPEED_MPS, manoeuvre_from, recovered_motion
from worldgen.generation.sample.log_request import is_log_file, log_motion
from worldgen.models.promise import ModelPromise

if TYPE_CHECKING:
    from worldgen.rendering.drawn_clips import DrawFunction

MIN_FRAMES, MAX_FRAMES = 2, 10_000


@dataclass(frozen=True)
class SampleRequest:
    """What a user asks of one clip.

    prompt: words. frames, fps: of the whole clip, known frames included. width_px, height_px: of the picture. seed: of
    the scene and of the sampling noise.

    context: a video file, or a clip in memory, that is continued; "" for none. ``context_frames`` of its frames are
    used, read at ``fps`` from second ``context_start_s`` on.

    ego: the name of a manoeuvre, a log file, waypoint text, or the motion itself with one row a frame. "" leaves the
    motion to the scene; a continued clip then keeps on driving as it did. ego_settings: of the source that the log
    belongs to, as an ingest has them; None takes the defaults. speed_mps: speed at which a manoeuvre starts
    where no scene sets it; 0 takes the speed that is recovered from the context's pixels. camera: what is known of the
    context's camera; the rest is taken from the record beside the video, or estimated from its frames.

    scenario: used instead of the words to build the scene. start: how a scene's clip begins, "sketch" (the first frames
    are rendered and given to the model as context) or "noise" (the model predicts every frame); None leaves it to the
    model. controls: control videos that are made of the scene, () for the model's own. negative_prompt: what the clip
    should not show, None for what speaks against the scene. reference: picture ``(H, W, 3)`` uint8 of what it should
    look like.

    Raises: InputError for numbers out of range.
    """

    prompt: str
    frames: int
    fps: float
    width_px: int
    height_px: int
    seed: int = 0
    context: str | Clip = ""
    context_frames: int = 8
    context_start_s: float = 0.0
    ego: str | EgoMotion = ""
    ego_settings: SourceConfig | None = None
    speed_mps: float = 0.0
    camera: GivenCamera = field(default_factory=GivenCamera)
    scenario: Scenario | None = None
    start: Start | None = None
    controls: tuple[str, ...] = ()
    negative_prompt: str | None = None
    reference: np.ndarray | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if not MIN_FRAMES <= self.frames <= MAX_FRAMES:
            raise InputError("number of frames", self.frames, f"{MIN_FRAMES} to {MAX_FRAMES}")
        if not 0.5 <= self.fps <= 60:
            raise InputError("frames per second", self.fps, "0.5 to 60")
        if self.context and not 1 <= self.context_frames < self.frames:
            raise InputError(
                "context frames", self.context_frames, f"1 to {self.frames - 1}, fewer than the frames of the clip"
            )
        if self.start is not None and self.start not in STARTS:
            raise InputError("start of a clip", self.start, "one of " + ", ".join(STARTS))
        if not 0 <= self.speed_mps <= 60:
            raise InputError("speed in m/s", self.speed_mps, "0 to 60")


@dataclass(frozen=True, eq=False)
class PreparedRequest:
    """Conditions for the model, the labels that belong to them, and how the request was understood.

    scenario, scene, labels: None when a clip is continued, because no scene says what appears in it. notes: JSON-able;
    what was assumed and not understood of the prompt, which scene candidate was chosen, what was recovered from the
    pixels.
    """

    conditions: Conditions
    scenario: Scenario | None
    scene: Scene | None
    labels: Labels | None
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def ego(self) -> EgoMotion | None:
        """The motion that the clip follows; of a scene also where the model knows it from its controls only."""
        return self.conditions.ego if self.scene is None else self.scene.ego


def prepare(request: SampleRequest, promise: ModelPromise, *, draw: DrawFunction | None = None) -> PreparedRequest:
    """Read, parse and simulate what ``request`` names. promise: what the model honours. draw: how frames of a scene
    are drawn, default :func:`worldgen.rendering.drawn_clips.draw_scene`.

    The words, or the scenario, become a scene, which gives layout, labels and ego motion. When a context clip is
    continued there is no scene: its road is the real one, so only the words and the motion are passed on.

    Raises: InputError for words, files and motion that cannot be used.
    """
    if request.context:
        return _continue_clip(request, promise)
    return _from_scene(request, promise, draw)


def _from_scene(request: SampleRequest, promise: ModelPromise, draw: DrawFunction | None) -> PreparedRequest:
    from worldgen.generation.sample.candidates import request_scene
    from worldgen.generation.sample.model_words import scene_words
    from worldgen.prompts import parse_request
    from worldgen.rendering.drawn_clips import draw_scene
    from worldgen.rendering.model_conditions import ModelRequest, scene_inputs

    notes: dict[str, Any] = {}
    scenario = request.scenario
    if scenario is None:
        parsed = parse_request(request.prompt)
        scenario = parsed.scenario
        notes = {k: v for k, v in parsed.to_json().items() if k in ("assumed", "not_understood")}
    scenario, ego = _with_ego(scenario, request, notes)
    scene, notes["take"] = request_scene(
        scenario, request.seed, fps=request.fps, num_frames=request.frames,
        size_px=(request.width_px, request.height_px), ego=ego,
    )  # fmt: skip
    notes["scene_seed"] = scene.seed
    words = scene_words(request.prompt, scene, promise, negative=request.negative_prompt)
    asked = ModelRequest(words.prompt, request.seed, request.start, request.controls, words.negative, request.reference)
    inputs = scene_inputs(scene, asked, promise, draw=draw or draw_scene)
    if inputs.conditions.context is not None:
        notes["sketched_frames"] = len(inputs.conditions.context)
    if words.prompt != request.prompt:
        notes["model_prompt"] = words.prompt
    return PreparedRequest(inputs.conditions, scenario, scene, inputs.labels, notes)


def _with_ego(scenario: Scenario, request: SampleRequest, notes: dict[str, Any]) -> tuple[Scenario, EgoMotion | None]:
    """A manoeuvre goes into the scenario, so that the road is built for it; other motion is followed exactly."""
    if isinstance(request.ego, str) and not request.ego:
        return scenario, None
    if isinstance(request.ego, str) and request.ego in MANOEUVRES:
        record = {**scenario.to_json(), "manoeuvre": request.ego}
        return Scenario.from_json(record), None
    return scenario, read_ego(request, notes)


def _continue_clip(request: SampleRequest, promise: ModelPromise) -> PreparedRequest:
    if request.controls:
        raise InputError(
            "controls of a continued clip", ", ".join(request.controls), "none: they are made of a scene, which a "
            "continued clip has not",
        )  # fmt: skip
    context = read_context(request)
    video = request.context if isinstance(request.context, str) else ""
    camera, camera_note = context_camera(frames_around(request), video, request.camera)
    notes: dict[str, Any] = {}
    ego: EgoMotion | None = None
    name = (
        request.ego.strip() or ("keep" if "ego" in promise.conditions else "") if isinstance(request.ego, str) else None
    )
    if name in MANOEUVRES:
        motion = (request.speed_mps, 0.0) if request.speed_mps else recovered_motion(context, camera)
        ego = manoeuvre_from(name, motion, given=len(context), frames=request.frames, fps=request.fps)
        if not request.speed_mps:
            notes = {"seen_speed_mps": motion[0], "seen_yaw_rate_radps": motion[1]}
    elif name != "":
        ego = read_ego(request, notes)
    conditions = Conditions(
        request.frames, request.fps, text=request.prompt or None, context=context, ego=ego, camera=camera,
        seed=request.seed, negative_text=request.negative_prompt, reference=request.reference,
    )  # fmt: skip
    return PreparedRequest(conditions, None, None, None, notes | {"camera": camera_note})


def frames_around(request: SampleRequest) -> Clip:
    """Frames of the context's video from up to ``ESTIMATE_S`` seconds before the last known one, or as many after it
    where there are fewer, at the size and rate of the request: what its camera is estimated from."""
    source = request.context
    end_s = source.duration_s if isinstance(source, Clip) else probe(source).duration_s
    known_until_s = request.context_start_s + request.context_frames / request.fps
    start_s = max(0.0, min(known_until_s, end_s) - ESTIMATE_S)
    size, duration_s = (request.width_px, request.height_px), min(ESTIMATE_S, end_s - start_s)
    if isinstance(source, Clip):
        return _resampled(source, request.fps, size, start_s=start_s, duration_s=duration_s)
    return read_clip(source, fps=request.fps, size=size, start_s=start_s, duration_s=duration_s)


def read_context(request: SampleRequest) -> Clip:
    """The known first frames at the rate and size of the request: nearest frames in time, centre crop, area resize.

    Raises: InputError for a file that cannot be read, and for a span outside the video.
    """
    source = request.context
    end_s = source.duration_s if isinstance(source, Clip) else probe(source).duration_s
    wanted_s = request.context_frames / request.fps
    start_s = request.context_start_s
    if start_s < 0 or start_s + wanted_s > end_s + 0.5 / request.fps:
        name = f"a clip of {len(source)} frames" if isinstance(source, Clip) else source
        raise InputError(
            f"context of {request.context_frames} frames at {request.fps:g} fps from {start_s:g} s",
            Received(f"{name}, {end_s:.2f} s long"),
            "a span inside the video: fewer context frames or an earlier start",
        )  # fmt: skip
    size = (request.width_px, request.height_px)
    duration_s = min(wanted_s, end_s - start_s)
    if isinstance(source, Clip):
        clip = _resampled(source, request.fps, size, start_s=start_s, duration_s=duration_s)
    else:
        clip = read_clip(source, fps=request.fps, size=size, start_s=start_s, duration_s=duration_s)
    return clip[: request.context_frames]


def _resampled(clip: Clip, fps: float, size: tuple[int, int], *, start_s: float, duration_s: float) -> Clip:
    """A part of a clip in memory at another rate and size, exactly as ``read_clip`` brings a file to them."""
    indices = nearest_frames(np.arange(len(clip)) / clip.fps, fps, start_s=start_s, duration_s=duration_s)
    frame_of = framing((clip.width_px, clip.height_px), size)
    return Clip(np.stack([frame_of.frame(clip.frames[index]) for index in indices]), float(fps))


def read_ego(request: SampleRequest, notes: dict[str, Any] | None = None) -> EgoMotion:
    """Ego motion of ``request.frames`` rows from a manoeuvre, waypoint text, a log file, or the motion itself.

    notes: what a log says about itself is added to it as ``ego_log``.

    Raises: InputError for motion that cannot be read, and for motion of another length or rate than the clip.
    """
    if isinstance(request.ego, EgoMotion):
        if len(request.ego) != request.frames or abs(request.ego.fps - request.fps) > 1e-6:
            raise InputError(
                "ego motion", Received(f"{len(request.ego)} rows at {request.ego.fps:g} fps"),
                f"{request.frames} rows at {request.fps:g} fps, one per frame of the clip",
            )  # fmt: skip
        return request.ego
    text = request.ego.strip()
    if text.startswith("("):
        return ego_from_waypoint_text(text, request.fps, request.frames).extended(request.frames)
    if is_log_file(text):
        return _from_log(Path(text), request, {} if notes is None else notes)
    return manoeuvre_motion(text, request.frames, request.fps, speed_mps=request.speed_mps or DEFAULT_SPEED_MPS)


def read_scenario(path: str) -> Scenario:
    """A scenario from a JSON file: the record itself, or what ``worldgen scenes parse --json`` prints.

    Raises: InputError for a file that is not there, is not JSON or holds no scenario.
    """
    expected = "a JSON object, as printed by worldgen scenes parse --json"
    record = read_object(path, f"scenario file {path}", expected)
    return Scenario.from_json(record.get("scenario", record))


def _from_log(path: Path, request: SampleRequest, notes: dict[str, Any]) -> EgoMotion:
    times_s = np.arange(request.frames) / request.fps + request.context_start_s
    video = request.context if isinstance(request.context, str) else ""
    settings = request.ego_settings or SourceConfig()
    ego, said = log_motion(path, settings, times_s=times_s, fps=request.fps, video=video)
    if said:
        notes["ego_log"] = said
    return ego
