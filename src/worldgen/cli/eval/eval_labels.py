"""Do the pixels show what the labels say? Average precision (IoU 0.5) of a small detector's boxes on the clips against
the labels of their scenes, relative to the same detector on rendered clips of the same scenes.

The detector was trained on rendered clips only. It judges a group of objects only from the height in pixels at which
its AP50 there reaches 0.9. Objects that are lower, mostly hidden or flagged are ignored. The control compares each clip
with the labels of another: it must be near 0.

With --detector FILE.onnx (YOLOX layout, COCO classes), recall and class agreement of that detector, which has not seen
rendered clips, are reported beside it; 'worldgen eval realism' compares them with real pictures."""

from __future__ import annotations

import argparse
from typing import Any

from worldgen.cli.eval.eval_clips import add_clip_options

COLUMNS = {"relative": "relative", "made": "generated", "drawn": "rendered", "wrong": "wrong labels"}
"""Key in the result -> heading in the table."""
UNDEFINED = {"value": None, "low": None, "high": None}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``worldgen eval labels``."""
    add_clip_options(parser, clips=48, frames=25)
    parser.add_argument(
        "--detector",
        default="",
        metavar="DIR",
        help="another detector, or an ONNX file to report beside the shipped one",
    )


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
    return eval_clips.finish(args, record, [*lines, *_realism_lines(record)])


def _realism_lines(record: dict[str, Any]) -> list[str]:
    """What a detector of the real world recognises, where one was given."""
    from worldgen.cli.eval import eval_clips

    if "realism" not in record:
        return []
    realism = record["realism"]
    parts = {name: realism[name] for name in ("judged", "rendered") if name in realism}
    rows = {}
    for name in realism["judged"]["rows"]:
        found = [part["rows"].get(name, {}).get("all", {}).get("all", {}) for part in parts.values()]
        cells = [one.get(column, UNDEFINED) for one in found for column in ("recall", "agreement")]
        rows[f"{name} ({found[0]['n']})"] = cells
    for control in ("shifted", "shuffled"):
        cells = [cell for part in parts.values() for cell in (part["controls"][control]["all"], UNDEFINED)]
        rows[f"control, labels {control}"] = cells
    columns = tuple(word for name in parts for word in (f"recall, {name}", f"class, {name}"))
    return ["", *eval_clips.table(f"found by {realism['detector']['name']}", rows, columns)]
