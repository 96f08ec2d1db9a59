"""Do the pixels show what the labels say? Average precision (IoU 0.5) of a small detector's boxes on the clips against
the labels of their scenes, relative to the same detector on rendered clips of the same scenes.

The detector was trained on rendered clips only. It judges a group of objects only from the height in pixels at which
its AP50 there reaches 0.9. Objects that are lower, mostly hidden or flagged are ignored. The control compares each clip
with the labels of another: it must be near 0."""

from __future__ import annotations

import argparse

from worldgen.cli.eval.eval_clips import add_clip_options

COLUMNS = {"relative": "relative", "made": "generated", "drawn": "rendered", "wrong": "wrong labels"}
"""Key in the result -> heading in the table."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``worldgen eval labels``."""
    add_clip_options(parser, clips=48, frames=25)
    parser.add_argument("--detector", default="", metavar="DIR", help="another detector (default: the shipped one)")


def run(args: argparse.Namespace) -> int:
    """Measure and report."""
    from worldgen.api.measures.measure_labels import LabelsOptions, measure_labels
    from worldgen.cli.eval import eval_clips
    from worldgen.cli.terminal import progress
    from worldgen.evaluation.measures.label_score import BAR

    record = measure_labels(eval_clips.options_from(args, LabelsOptions), progress=progress)
    cells = {}
    for group, row in record["rows"].items():
        every = row | record["controls"][group]
        name = f"{group} {record['heights'][group].replace('_', ' ')} ({row['objects']})"
        cells[name] = [every[column] for column in COLUMNS]
    lines = eval_clips.table(f"AP50, {eval_clips.judged(record)}", cells, tuple(COLUMNS.values()))
    if record["not_judged"]:
        lines.append(f"not judged, the detector is under {BAR} on rendered clips: {', '.join(record['not_judged'])}")
    return eval_clips.finish(args, record, lines)
