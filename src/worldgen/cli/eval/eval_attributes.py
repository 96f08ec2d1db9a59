"""Does a clip show the weather, light and road users that were asked for, and still at its end? A small network trained
on rendered clips only reads the first, middle and last generated frames.

Presence of a group counts as the mean of the share right where it should be there and the share right where it should
not, so chance is one half. The control compares each clip with another clip's request: it must be at chance."""

from __future__ import annotations

import argparse

from worldgen.cli.eval.eval_clips import add_clip_options

COLUMNS = ("first", "middle", "last", "shuffled")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``worldgen eval attributes``."""
    add_clip_options(parser, clips=48, frames=25)


def run(args: argparse.Namespace) -> int:
    """Measure and report."""
    from worldgen.api.measures.measure_attributes import AttributesOptions, measure_attributes
    from worldgen.cli.eval import eval_clips
    from worldgen.cli.terminal import progress

    record = measure_attributes(eval_clips.options_from(args, AttributesOptions), progress=progress)
    rows = {name: row | record["controls"].get(name, {}) for name, row in record["rows"].items()}
    columns = [column for column in COLUMNS if all(column in row for row in rows.values())]
    cells = {name: [row[column] for column in columns] for name, row in rows.items()}
    lines = eval_clips.table(f"right, {eval_clips.judged(record)}", cells, columns)
    if record["not_judged"]:
        lines.append(f"not judged, the instrument is under its bar: {', '.join(record['not_judged'])}")
    return eval_clips.finish(args, record, lines)
