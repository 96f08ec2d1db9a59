"""Do the pixels show what the labels say? Average precision (IoU 0.5) of a small detector's boxes on the clips against
the labels of their scenes, relative to the same detector on drawn clips of the same scenes.

The detector was trained on rendered clips only and judges a group of objects only if it finds 0.9 of it there. Objects
lower than 8 pixels, mostly hidden or flagged are neither wanted nor punished. The control compares each clip with the
labels of another: it must be near nothing."""

from __future__ import annotations

import argparse

from worldgen.cli.eval_clips import add_clip_options

LEAST_FRAMES = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``worldgen eval labels``."""
    add_clip_options(parser, clips=48, frames=25)
    parser.add_argument("--detector", default="", metavar="DIR", help="another detector (default: the one that ships)")


def run(args: argparse.Namespace) -> int:
    """Measure and report."""
    from worldgen.cli import eval_clips
    from worldgen.evaluation.average_precision import ALL
    from worldgen.evaluation.detector import GROUPS, load_detector
    from worldgen.evaluation.instruments import load_instrument
    from worldgen.evaluation.label_score import BAR, groups_judged, score_labels

    instrument = load_instrument(args.detector or "detector")
    judged = groups_judged(instrument.accuracy, GROUPS)
    cases, about = eval_clips.cases_of(args, frames_least=LEAST_FRAMES)
    score = score_labels(load_detector(args.detector or None), cases, seed=args.seed)
    groups = [group for group in (ALL, *GROUPS) if judged[group]]
    rows = {group: score.row(ALL, group, seed=args.seed) for group in groups}
    record = eval_clips.result("labels", args, about | {"judged": len(score.made.tags)}, [instrument.summary()])
    record["rows"] = {group: _json(row, "wrong") for group, row in rows.items()}
    record["controls"] = {group: {"wrong": eval_clips.as_json(row["wrong"])} for group, row in rows.items()}
    record["slices"] = {
        name: {group: _json(score.row(name, group, seed=args.seed), "wrong") for group in groups}
        for name in score.slices[1:]
    }
    record["not_judged"] = [group for group in GROUPS if not judged[group]]
    title = f"AP50, {len(score.made.tags)} clips of {about['model'] or about['data']}"
    columns = ("relative", "made", "drawn", "wrong")
    shown = {f"{group} ({row['objects']})": [row[column] for column in columns] for group, row in rows.items()}
    lines = eval_clips.table(title, shown, columns)
    if record["not_judged"]:
        lines.append(f"not judged, the detector is under {BAR} on rendered clips: {', '.join(record['not_judged'])}")
    return eval_clips.finish(args, record, lines)


def _json(row: dict, *left_out: str) -> dict:
    from worldgen.evaluation.intervals import Interval

    return {
        name: value.to_json() if isinstance(value, Interval) else value
        for name, value in row.items() if name not in left_out
    }  # fmt: skip
