"""Does a clip move as commanded? An instrument that never saw a generator (optical flow on the known camera, and a
small network trained on rendered clips) recovers speed and yaw rate from the pixels; they are compared with the
commands.

Context frames do not count. The control pairs each clip with another clip's commands: its rank correlations must be
about 0."""

from __future__ import annotations

import argparse
from typing import Any

from worldgen.cli.eval.eval_clips import add_clip_options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``worldgen eval control``."""
    add_clip_options(parser, clips=48, frames=25)
    parser.add_argument(
        "--sweep",
        type=int,
        default=0,
        metavar="N",
        help="also command every manoeuvre from the same rendered start of N scenes, without a layout (8 clips each)",
    )


def run(args: argparse.Namespace) -> int:
    """Measure and report."""
    from worldgen.api.measures.measure_control import ControlOptions, measure_control
    from worldgen.cli.eval import eval_clips
    from worldgen.cli.terminal import progress

    record = measure_control(eval_clips.options_from(args, ControlOptions), progress=progress)
    rows = {name: [row] for name, row in (record["rows"] | record["controls"]).items()}
    lines = eval_clips.table(f"control, {eval_clips.judged(record)}", rows)
    if "sweep" in record:
        lines += ["", *sweep_lines(record["sweep"])]
    return eval_clips.finish(args, record, lines)


def sweep_lines(rows: list[dict[str, Any]]) -> list[str]:
    """A table of the sweep: where the car was commanded to go and where the pixels say it went."""
    lines = [f"{'commanded':12}  {'recovered':12}  {'forward m':>15}  {'left m':>15}  {'turn rad':>15}"]
    for row in rows:
        commanded, recovered = row["commanded"], row["recovered"]
        cells = [f"{commanded[k]:7.2f} {recovered[k]:7.2f}" for k in ("x_m", "y_m", "yaw_rad")]
        lines.append(f"{row['manoeuvre']:12}  {row['classified']:12}  " + "  ".join(cells))
    right = sum(row["manoeuvre"] == row["classified"] for row in rows)
    return [*lines, f"recovered as commanded: {right} of {len(rows)}"]
