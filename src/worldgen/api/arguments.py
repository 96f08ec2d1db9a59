"""Arguments of the Python API, checked: what was wrong, what came, what was expected, before any work begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np

from worldgen.core.clip import Clip
from worldgen.core.ego import EgoMotion
from worldgen.core.errors import InputError, Received
from worldgen.core.manoeuvres import MANOEUVRES
from worldgen.core.scenario import Scenario
from worldgen.core.start import STARTS, Start
from worldgen.data.ingest.ingest_config import IngestConfig
from worldgen.data.ingest.source_config import SourceConfig
from worldgen.files.config_files import read_config
from worldgen.generation.sample.context_camera import GivenCamera
from worldgen.generation.sample.log_request import is_log_file, settings_of_log
from worldgen.generation.sample.request import SampleRequest, read_scenario
from worldgen.models.backbones.options import BackboneConfig
from worldgen.models.promise import ModelPromise
from worldgen.rendering.controls.control_table import control_choices
from worldgen.rendering.model_conditions import NO_CONTROLS

DEFAULT_FRAMES = 25
MAX_CONTEXT_FRAMES = 8
"""Known frames taken of a context where their number is not given; at most half of the clip."""

ContextArgument = str | Path | Clip | np.ndarray | None
EgoArgument = str | Path | EgoMotion
CameraArgument = Mapping[str, float] | None
ConfigValues = Mapping[str, Any] | str | Path | Sequence[str | Path]
"""A dict of what differs from the defaults of a config, or a YAML file or several, later ones winning."""
ReferenceArgument = str | Path | np.ndarray | None
BackboneArgument = BackboneConfig | ConfigValues | None
ScenarioArgument = Scenario | Mapping[str, Any] | str | Path | None


def wrong_type(what: str, value: object, expected: str) -> InputError:
    """The error for an argument of a type that cannot be used; long values are shown by their type alone."""
    text = repr(value)
    kind = type(value).__name__
    return InputError(what, Received(f"{kind} {text}" if len(text) <= 60 else kind), expected)


def words(what: str, value: object, expected: str = "text in quotes") -> str:
    """``value`` as text. Raises: InputError for anything that is no string."""
    if not isinstance(value, str):
        raise wrong_type(what, value, expected)
    return value


def path_text(what: str, value: object, expected: str = "a path") -> str:
    """``value`` as the text of a path or URL. Raises: InputError for anything that is neither a string nor a Path."""
    if not isinstance(value, (str, Path)):
        raise wrong_type(what, value, expected)
    return str(value)


def whole(what: str, value: object, expected: str = "a whole number") -> int:
    """``value`` as an int. Raises: InputError for anything that is no whole number; True and False are none."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Integral):
        raise wrong_type(what, value, expected)
    return int(value)


def number(what: str, value: object, expected: str = "a number") -> float:
    """``value`` as a float. Raises: InputError for anything that is no finite number."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Real) or not np.isfinite(float(value)):
        raise wrong_type(what, value, expected)
    return float(value)


def size_px(value: object) -> tuple[int, int]:
    """``value`` as width and height in pixels. Raises: InputError for anything that is not two whole numbers."""
    expected = "(width, height) in pixels, as in (224, 128)"
    if isinstance(value, (str, bytes)) or not isinstance(value, (tuple, list)) or len(value) != 2:
        raise wrong_type("size", value, expected)
    return whole("size", value[0], expected), whole("size", value[1], expected)


def size_of_words(text: str) -> tuple[int, int] | None:
    """Width and height in pixels of ``"224x128"``, None for "". Raises: InputError for any other text."""
    width, cross, height = text.lower().partition("x")
    if not text:
        return None
    if not (cross and width.isdecimal() and height.isdecimal() and len(text) < 14 and int(width) and int(height)):
        raise InputError("size", text, "WIDTHxHEIGHT in pixels, as in 224x128")
    return int(width), int(height)


def guidance_table(value: object) -> dict[str, float]:
    """Guidance by condition: None is none, a number is guidance of the text. Raises: InputError for anything else."""
    expected = 'a number, or numbers by condition as in {"text": 2, "layout": 1.5}'
    if value is None:
        return {}
    if isinstance(value, Mapping):
        return {words("guidance", name, expected): number("guidance", each, expected) for name, each in value.items()}
    return {"text": number("guidance", value, expected)}


def scenario_of(value: object) -> Scenario | None:
    """A scenario, its record, or the path of its JSON file. Raises: InputError for anything else."""
    if value is None or isinstance(value, Scenario):
        return value
    if isinstance(value, Mapping):
        record = dict(value)
        return Scenario.from_json(record.get("scenario", record))
    return read_scenario(path_text("scenario", value, "a Scenario, its record as a dict, or the path of a JSON file"))


def control_names(value: object) -> tuple[str, ...]:
    """Controls from a list, or from text as in "depth, edge:geometry"; "none" alone for none.

    Raises: InputError for anything else.
    """
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, (list, tuple)):
        raise wrong_type("controls", value, 'names, as in ["depth"] or "depth"')
    names = tuple(filter(None, (words("control", part).strip() for part in parts)))
    if names != (NO_CONTROLS,):
        control_choices(names)
    return names


def reference_picture(value: object) -> np.ndarray | None:
    """A reference picture ``(H, W, 3)`` uint8 RGB from an array or a picture file. Raises: InputError otherwise."""
    if value is None or isinstance(value, np.ndarray):
        return value
    import cv2

    path = path_text("reference picture", value, "a uint8 array (H, W, 3), or a picture file")
    picture = cv2.imread(path, cv2.IMREAD_COLOR) if Path(path).is_file() else None
    if picture is None:
        raise InputError("reference picture", path, "a picture file that can be read, as PNG or JPEG")
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def backbone_config(value: object) -> BackboneConfig | None:
    """Options of a pretrained model, a dict of what differs from the defaults, or YAML files. Raises: InputError."""
    if value is None or isinstance(value, BackboneConfig):
        return value
    if not isinstance(value, (Mapping, str, Path, list, tuple)):
        raise wrong_type("backbone", value, "a dict of values, a YAML file, or a BackboneConfig")
    return read_config(BackboneConfig, value)


def sample_request(
    promise: ModelPromise,
    prompt: str = "",
    *,
    context: ContextArgument = None,
    ego: EgoArgument = "",
    scenario: ScenarioArgument = None,
    seed: int = 0,
    frames: int = DEFAULT_FRAMES,
    fps: float | None = None,
    size: tuple[int, int] | None = None,
    start: str | None = None,
    context_frames: int | None = None,
    context_start_s: float = 0.0,
    speed_mps: float = 0.0,
    camera: CameraArgument = None,
    ego_config: IngestConfig | ConfigValues | None = None,
    controls: str | Sequence[str] = (),
    negative_prompt: str | None = None,
    reference: ReferenceArgument = None,
) -> SampleRequest:
    """The request that these arguments of ``Model.sample`` stand for, with the defaults of a model filled in.

    The command ``worldgen sample`` builds its requests here too, before any model is loaded, so both ask for the same
    clip.

    Raises: InputError for arguments of a wrong type, out of range, or that leave nothing to make.
    """
    prompt = words("prompt", prompt).strip()
    frames = whole("number of frames", frames)
    fps = promise.fps if fps is None else number("frames per second", fps)
    width_px, height_px = promise.size_px if size is None else size_px(size)
    known = _context(context, fps)
    if not (prompt or known or scenario is not None):
        raise InputError(
            "nothing to make", "", 'a prompt, a context clip or a scenario, as in "pedestrian at night in rain"'
        )
    start_s = number("start of the context in seconds", context_start_s)
    _refuse_unused(
        context=bool(known), scenario=scenario is not None, start=start, ego=ego, speed_mps=speed_mps,
        from_context={
            "context_frames": context_frames is not None, "context_start_s": start_s != 0, "camera": bool(camera),
        },
    )  # fmt: skip
    if context_frames is None:
        count = promise.context_frames.below(max(1, min(MAX_CONTEXT_FRAMES, frames // 2)))
        if isinstance(known, Clip):  # a short clip in memory is used whole; a file that is too short is an error
            count = promise.context_frames.below(max(1, min(count, int((known.duration_s - start_s) * fps + 0.01))))
    else:
        count = whole("context frames", context_frames)
    motion = ego if isinstance(ego, EgoMotion) else path_text(
        "ego", ego, 'the name of a manoeuvre, a log file, waypoints as in "(x, y), (x, y)", or an EgoMotion'
    )  # fmt: skip
    return SampleRequest(
        prompt=prompt, frames=frames, fps=fps, width_px=width_px, height_px=height_px, seed=whole("seed", seed),
        context=known, context_frames=count, context_start_s=start_s, ego=motion,
        ego_settings=_ego_settings(ego_config, motion, known),
        speed_mps=number("speed in m/s", speed_mps), camera=GivenCamera.of(camera or {}),
        scenario=scenario_of(scenario), start=_start(start),
        controls=control_names(controls), reference=reference_picture(reference),
        negative_prompt=None if negative_prompt is None else words("negative prompt", negative_prompt),
    )  # fmt: skip


def _refuse_unused(
    *, context: bool, scenario: bool, start: object, ego: object, speed_mps: object, from_context: Mapping[str, bool]
) -> None:
    """Refuse arguments that the others leave without effect, because nothing that a user asks for is ignored.

    from_context: name of an argument about the context -> whether it was given.
    """
    for name, given in from_context.items():
        if given and not context:
            raise InputError(name, Received("given without a context"), "a context clip to take the frames from")
    if context and scenario:
        raise InputError(
            "scenario", Received("given beside a context"), "one of the two: a continued clip has no scene"
        )
    if context and start is not None:
        raise InputError("start of a clip", start, "none beside a context: the clip begins with its frames")
    named = isinstance(ego, str) and (not ego.strip() or ego.strip() in MANOEUVRES)
    if speed_mps and not (context and named):
        raise InputError(
            "speed in m/s", speed_mps, "none here: it is for a manoeuvre that continues a context clip; a scene, an "
            "ego log and waypoints have speeds of their own",
        )  # fmt: skip


def _ego_settings(
    config: IngestConfig | ConfigValues | None, ego: str | EgoMotion, context: str | Clip
) -> SourceConfig | None:
    """The settings of the log ``ego`` in a config of an ingest. Raises: InputError for motion that is no log."""
    if config is None:
        return None
    if not isinstance(ego, str) or not is_log_file(ego):
        raise InputError("ego_config", Received("settings of a log, and no log"), "a log file as ego")
    video = context if isinstance(context, str) else ""
    return settings_of_log(read_config(IngestConfig, config), ego.strip(), video)


def _context(value: object, fps: float) -> str | Clip:
    """A context as a path or a clip; a bare array of frames has the rate of the request."""
    if value is None:
        return ""
    if isinstance(value, np.ndarray):
        return Clip(value, fps)
    if isinstance(value, Clip):
        return value
    return path_text("context", value, "the path of a video, a Clip, or a uint8 array (T, H, W, 3)")


def _start(value: object) -> Start | None:
    if value is None:
        return None
    for start in STARTS:
        if value == start:
            return start
    raise InputError("start of a clip", value, "one of " + ", ".join(STARTS))
