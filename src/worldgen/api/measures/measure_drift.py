"""Drift of a long rollout: the measures in windows of time, and the frame at which each leaves its band."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from worldgen.api.measures.clip_numbers import check_clip_numbers, check_window
from worldgen.api.measures.measure_result import as_json
from worldgen.api.measures.measured_clips import RENDERED, ClipOptions, clip_result, judged_clips
from worldgen.core.errors import InputError
from worldgen.core.progress import ProgressReporter, no_progress
from worldgen.evaluation.measures import drift
from worldgen.evaluation.measures.cases import stored_cases
from worldgen.instruments.attributes.attribute_reader import AttributeReader
from worldgen.instruments.motion.motion_reader import MotionReader

REAL_CLIPS = 200
"""Real clips taken at most, spread over the data set."""


@dataclass(frozen=True, kw_only=True)
class DriftOptions(ClipOptions):
    """Options of ``worldgen eval drift``.

    window: frames per window. real: URL of a data set of real clips, to which a distance is measured as well.
    """

    clips: int = 8
    frames: int = 200
    window: int = 25
    real: str = ""


def measure_drift(options: DriftOptions, *, progress: ProgressReporter = no_progress) -> dict[str, Any]:
    """Every measure in every window of generated and of rendered clips, bands, and where they are left.

    Raises: InputError for options out of range, ``data`` or the renderer in place of a model, instruments under their
    bar.
    """
    check_clip_numbers("drift", clips=options.clips, frames=options.frames, start=options.start)
    check_window(options.window, options.frames)
    if options.data or options.model == RENDERED:
        received = options.data or options.model
        raise InputError("data or model rendered", received, "a model: drift needs its scenes and its rollouts")
    motion, attributes = MotionReader.load(), AttributeReader.load()
    judged = judged_clips("drift", options, progress=progress)
    generated = [drift.spans(case, options.window, motion, attributes) for case in progress(judged.cases, desc="read")]
    rendered = [
        drift.spans(drift.rendered_case(case), options.window, motion, attributes)
        for case in progress(judged.cases, desc="render")
    ]
    real = drift.real_moments(stored_cases(options.real, REAL_CLIPS), attributes) if options.real else None
    rows = drift.window_rows(generated, rendered, attributes.judged, real=real, seed=options.seed)
    ceiling = drift.window_rows(rendered, rendered, attributes.judged, real=real, seed=options.seed)
    band = drift.bands(ceiling, rows)
    instruments = [motion.instrument.summary(), attributes.instrument.summary()]
    record = clip_result("drift", options, judged.about | {"window": options.window}, instruments)
    return record | {
        "windows": [{"first_frame": k * options.window, **as_json(row)} for k, row in enumerate(rows)],
        "rendered": [{"first_frame": k * options.window, **as_json(row)} for k, row in enumerate(ceiling)],
        "bands": {name: [round(end, 5) for end in ends] for name, ends in band.items()},
        "leaves_band_at_frame": drift.leaves(rows, band, options.window),
        "frechet_growth": drift.growth(rows, options.window),
    }
