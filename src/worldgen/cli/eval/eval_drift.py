"""What does a long rollout lose? The measures of control and attributes, sharpness, brightness and a Fréchet distance
in windows of time, and the frame at which each leaves its band.

The band is what rendered clips of the same scenes and length show. The Fréchet distance is to those rendered frames
(and with --real to real ones), and may grow to 1.3 times that of the first window."""

from __future__ import annotations

import argparse
from typing import Any

from worldgen.cli.eval.eval_clips import add_clip_options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``worldgen eval drift``."""
    add_clip_options(parser, clips=8, frames=200)
    parser.add_argument("--window", type=int, default=25, metavar="N", help="frames per window (default 25)")
    parser.add_argument(
        "--real", default="", metavar="URL", help="a data set of real clips to measure the distance to as well"
    )


def run(args: argparse.Namespace) -> int:
    """Measure and report."""
    from worldgen.api.measures.measure_drift import DriftOptions, measure_drift
    from worldgen.cli.eval import eval_clips
    from worldgen.cli.terminal import progress

    record = measure_drift(eval_clips.options_from(args, DriftOptions), progress=progress)
    return eval_clips.finish(args, record, lines(record))


def lines(record: dict[str, Any]) -> list[str]:
    """A table with a row per measure, a column per window, and the frame at which the measure leaves its band."""
    from worldgen.evaluation.measures.drift import growth_line

    windows = record["windows"]
    starts = "".join(f"{window['first_frame']:>8}" for window in windows)
    title = f"drift, {record['clips']} clips of {record['model']}; from frame"
    out = [f"{title:44}{starts}   leaves band"]
    for name in (key for key in windows[0] if key != "first_frame"):
        values = [window[name]["value"] for window in windows]
        cells = "".join(f"{'-':>8}" if value is None else f"{value:8.3f}" for value in values)
        frame = record["leaves_band_at_frame"].get(name)
        out.append(f"{name:44}{cells}   {'stays' if frame is None else f'at frame {frame}'}")
    return [*out, growth_line(record["frechet_growth"])]
