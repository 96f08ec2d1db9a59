"""Whether a clip moves as commanded: speed and yaw rate recovered from the pixels, against the commands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from worldgen.api.measures.measure_result import as_json
from worldgen.api.measures.measured_clips import RENDERED, ClipOptions, LoadedModel, clip_result, judged_clips
from worldgen.core.errors import InputError
from worldgen.core.progress import ProgressReporter, no_progress
from worldgen.evaluation.measures.motion_control import MotionPair, control_rows, slices, sweep_rows
from worldgen.evaluation.measures.trials import sweep_requests
from worldgen.instruments.motion.motion_reader import MotionReader


@dataclass(frozen=True, kw_only=True)
class ControlOptions(ClipOptions):
    """Options of ``worldgen eval control``. sweep: scenes whose first frames are continued by every manoeuvre, 0 to
    100."""

    sweep: int = 0


def measure_control(options: ControlOptions, *, progress: ProgressReporter = no_progress) -> dict[str, Any]:
    """Rank correlations, ratios and errors of recovered against commanded motion, with controls.

    Raises: InputError for options out of range, clips without commands, and an instrument under its bar.
    """
    if not 0 <= options.sweep <= 100 or (options.sweep and (options.data or options.model == RENDERED)):
        raise InputError("sweep", options.sweep, "0 to 100, for a model")
    reader = MotionReader.load()
    judged = judged_clips("control", options, progress=progress)
    known = [case for case in judged.cases if len(case.clip) >= 3]
    drives, scenarios = [], []
    for case in known:
        if case.ego is not None and case.camera is not None:
            drives.append(MotionPair(case.ego, reader.read(case.clip, case.camera), case.first))
            scenarios.append(case.scenario)
    if not drives:
        raise InputError("clips with ego motion and camera", 0, "at least one: without a command nothing can be obeyed")
    rows = control_rows(drives, seed=options.seed)
    record = clip_result("control", options, judged.about | {"judged": len(drives)}, [reader.instrument.summary()])
    record["rows"] = as_json({k: v for k, v in rows.items() if not k.startswith("shuffled")})
    record["controls"] = as_json({k: v for k, v in rows.items() if k.startswith("shuffled")})
    asked = [scenario for scenario in scenarios if scenario is not None]
    if len(asked) == len(drives):
        record["slices"] = {
            field: as_json(slices(drives, [getattr(scenario, field) for scenario in asked], seed=options.seed))
            for field in ("weather", "light")
        }
    if options.sweep:
        record["sweep"] = _sweep(options, reader, progress)
    return record


def _sweep(options: ControlOptions, reader: MotionReader, progress: ProgressReporter) -> list[dict[str, Any]]:
    """All manoeuvres from the same start of some scenes: commanded and recovered motion."""
    model = LoadedModel.of(options)
    pipeline = model.sampler.model
    if "ego" not in pipeline.accepts:
        raise InputError("sweep of manoeuvres", model.sampler.name, "a model that takes ego motion as a condition")
    requests = sweep_requests(
        options.sweep, pipeline.accepts, seed=options.seed, frames=options.frames, fps=model.sampler.fps
    )
    names, drives = [], []
    for name, conditions in progress(requests, desc="sweep"):
        (clip,) = pipeline([conditions], model.options)
        first = 0 if conditions.context is None else len(conditions.context)
        assert conditions.ego is not None and conditions.camera is not None, name
        names.append(name)
        drives.append(MotionPair(conditions.ego, reader.read(clip, conditions.camera), first))
    return sweep_rows(names, drives)
