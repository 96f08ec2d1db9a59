"""Whether a clip shows the weather, light and road users that were asked for, at its start and at its end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from worldgen.api.measures.clip_numbers import LEAST_FRAMES
from worldgen.api.measures.measure_result import as_json
from worldgen.api.measures.measured_clips import ClipOptions, clip_result, judged_clips
from worldgen.core.errors import InputError
from worldgen.core.progress import ProgressReporter, no_progress
from worldgen.evaluation.measures.attributes_score import PLACES, attribute_rows, confusion, places
from worldgen.instruments.attributes.attribute_reader import ATTRIBUTES, AttributeReader


@dataclass(frozen=True, kw_only=True)
class AttributesOptions(ClipOptions):
    """Options of ``worldgen eval attributes``."""


def measure_attributes(options: AttributesOptions, *, progress: ProgressReporter = no_progress) -> dict[str, Any]:
    """Share of correct readings of each attribute in the first, middle and last window, with controls.

    Raises: InputError for options out of range, clips without a request, and an instrument under its bar.
    """
    reader = AttributeReader.load()
    judged = judged_clips("attributes", options, progress=progress)
    known = [case for case in judged.cases if case.shows and len(case.clip) >= LEAST_FRAMES["attributes"]]
    if not known:
        raise InputError("clips with scenario and labels", 0, "at least one: without a request nothing can be right")
    at = [places(len(case.clip), case.first) for case in known]
    readings = [reader.read(case.clip, frames) for case, frames in zip(known, at, strict=True)]
    truths = [case.truth(frames) for case, frames in zip(known, at, strict=True)]
    rows = attribute_rows(readings, truths, reader.judged, seed=options.seed)
    record = clip_result("attributes", options, judged.about | {"judged": len(known)}, [reader.instrument.summary()])
    record["rows"] = as_json({name: {k: v for k, v in row.items() if k in PLACES} for name, row in rows.items()})
    record["controls"] = as_json(
        {name: {"shuffled": row["shuffled"]} for name, row in rows.items() if "shuffled" in row}
    )
    record["not_judged"] = [name for name in ATTRIBUTES if name not in reader.judged]
    record["confusion"] = confusion(readings, truths)
    return record
