"""Does a clip show the weather, light and road users that were asked for, and still at its end? Read by a small network
trained on rendered clips only, at the first, middle and last frames that the model made.

Presence of a group counts right as the mean of the share where it should be there and the share where it should not,
so that chance is one half. The control compares each clip with another clip's request: it must be at chance."""

from __future__ import annotations

import argparse

from worldgen.cli.eval.eval_clips import add_clip_options

LEAST_FRAMES = 6


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``worldgen eval attributes``."""
    add_clip_options(parser, clips=48, frames=25)


def run(args: argparse.Namespace) -> int:
    """Measure and report."""
    from worldgen.cli.eval import eval_clips
    from worldgen.core.errors import InputError
    from worldgen.evaluation.measures.attributes_score import PLACES, attribute_rows, confusion, places
    from worldgen.instruments.attributes.attribute_reader import ATTRIBUTES, AttributeReader

    reader = AttributeReader.load()
    cases, about = eval_clips.cases_of(args, frames_least=LEAST_FRAMES)
    known = [case for case in cases if case.shows and len(case.clip) >= LEAST_FRAMES]
    if not known:
        raise InputError("clips with scenario and labels", 0, "at least one: without a request nothing can be right")
    at = [places(len(case.clip), case.first) for case in known]
    readings = [reader.read(case.clip, frames) for case, frames in zip(known, at, strict=True)]
    truths = [case.truth(frames) for case, frames in zip(known, at, strict=True)]
    rows = attribute_rows(readings, truths, reader.judged, seed=args.seed)
    record = eval_clips.result("attributes", args, about | {"judged": len(known)}, [reader.instrument.summary()])
    record["rows"] = eval_clips.as_json({a: {k: v for k, v in r.items() if k in PLACES} for a, r in rows.items()})
    record["controls"] = eval_clips.as_json(
        {a: {"shuffled": r["shuffled"]} for a, r in rows.items() if "shuffled" in r}
    )
    record["not_judged"] = [a for a in ATTRIBUTES if a not in reader.judged]
    record["confusion"] = confusion(readings, truths)
    columns = [*PLACES, "shuffled"] if len(known) > 1 else list(PLACES)
    title = f"right, {len(known)} clips of {about['model'] or about['data']}"
    lines = eval_clips.table(title, {a: [r[c] for c in columns] for a, r in rows.items()}, tuple(columns))
    if record["not_judged"]:
        lines.append(f"not judged, the instrument is under its bar: {', '.join(record['not_judged'])}")
    return eval_clips.finish(args, record, lines)
