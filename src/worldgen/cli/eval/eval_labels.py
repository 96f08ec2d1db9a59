"""Do the pixels show what the labels say? Average precision (IoU 0.5) of a small detector's boxes on the clips against
the labels of their scenes, relative to the same detector on drawn clips of the same scenes.

The detector was trained on rendered clips only and judges a group of objects only from the height in pixels on at which its
AP50 there is 0.9. Objects that are lower, mostly hidden or flagged are neither wanted nor punished. The control compares each
clip with the labels of another: it must be near nothing."""

from __future__ import annotations

import argparse

from worldgen.cli.eval.eval_clips import add_clip_options

LEAST_FRAMES = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``worldgen eval labels``."""
    add_clip_options(parser, clips=48, frames=25)
    parser.add_argument("--detector", default="", metavar="DIR", help="another detector (default: the one that ships)")


def run(args: argparse.Namespace) -> int:
    """Measure and report."""
    from worldgen.cli.eval import eval_clips
    from worldgen.evaluation.measures.label_score import BAR, heights_judged, score_labels
    from worldgen.instruments.detector.detector import GROUPS, load_detector
    from worldgen.instruments.instrument_files import load_instrument

    instrument = load_instrument(args.detector or "detector")
    judged = heights_judged(instrument.accuracy)
    cases, about = eval_clips.cases_of(args, frames_least=LEAST_FRAMES)
    score = score_labels(load_detector(args.detector or None), cases, seed=args.seed)
    rows = {group: score.row(height, group, seed=args.seed) for group, height in judged.items()}
    record = eval_clips.result("labels", args, about | {"judged": len(score.made.tags)}, [instrument.summary()])
    record["heights"] = judged
    record["rows"] = {group: _json(row, "wrong") for group, row in rows.items()}
    record["controls"] = {group: {"wrong": eval_clips.as_json(row["wrong"])} for group, row in rows.items()}
    record["slices"] = {
        name: {group: _json(score.row(name, group, seed=args.seed), "wrong") for group in judged}
        for name in score.slices if name not in judged.values()
    }  # fmt: skip
    record["not_judged"] = [group for group in GROUPS if group not in judged]
    title = f"AP50, {len(score.made.tags)} clips of {about['model'] or about['data']}"
    columns = ("relative", "made", "drawn", "wrong")
    shown = {
        f"{group} {judged[group].replace('_', ' ')} ({row['objects']})": [row[column] for column in columns]
        for group, row in rows.items()
    }
    lines = eval_clips.table(title, shown, columns)
    if record["not_judged"]:
        lines.append(f"not judged, the detector is under {BAR} on rendered clips: {', '.join(record['not_judged'])}")
    return eval_clips.finish(args, record, lines)


def _json(row: dict, *left_out: str) -> dict:
    from worldgen.evaluation.measures.intervals import Interval

    return {
        name: value.to_json() if isinstance(value, Interval) else value
        for name, value in row.items() if name not in left_out
    }  # fmt: skip
