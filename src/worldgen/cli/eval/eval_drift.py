"""What does a long rollout lose? The measures of control and attributes, sharpness, brightness and a Fréchet distance in
windows of time, and the frame at which each leaves its band.

The band is what rendered clips of the same scenes and length show; the Fréchet distance is to those rendered frames (and
with --real to real ones), and may grow to 1.3 times that of the first window."""

from __future__ import annotations

import argparse
import math

from worldgen.cli.eval.eval_clips import add_clip_options

LEAST_FRAMES = 34
MIN_WINDOW = 17
REAL_CLIPS = 200
"""Real clips taken at most, spread over the data set."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``worldgen eval drift``."""
    add_clip_options(parser, clips=8, frames=200)
    parser.add_argument("--window", type=int, default=25, metavar="N", help="frames per window (default 25)")
    parser.add_argument(
        "--real", default="", metavar="URL", help="a data set of real clips to measure the distance to as well"
    )


def run(args: argparse.Namespace) -> int:
    """Measure and report."""
    from worldgen.cli.eval import eval_clips
    from worldgen.cli.progress import progress
    from worldgen.core.errors import InputError
    from worldgen.evaluation.measures import drift
    from worldgen.evaluation.measures.cases import stored_cases
    from worldgen.instruments.attributes.attribute_reader import AttributeReader
    from worldgen.instruments.motion.motion_reader import MotionReader

    if not MIN_WINDOW <= args.window <= args.frames // 2:
        raise InputError("--window", args.window, f"{MIN_WINDOW} to half of --frames")
    if args.data or args.model == eval_clips.RENDERED:
        raise InputError(
            "--data or --model rendered", args.data or args.model, "a model: drift needs its scenes and its rollouts"
        )
    motion, attributes = MotionReader.load(), AttributeReader.load()
    cases, about = eval_clips.cases_of(args, frames_least=LEAST_FRAMES)
    made = [drift.spans(case, args.window, motion, attributes) for case in progress(cases, desc="read")]
    rendered = [
        drift.spans(drift.drawn(case), args.window, motion, attributes) for case in progress(cases, desc="draw")
    ]
    real = drift.real_moments(stored_cases(args.real, REAL_CLIPS), attributes) if args.real else None
    rows = drift.window_rows(made, rendered, attributes.judged, real=real, seed=args.seed)
    ceiling = drift.window_rows(rendered, rendered, attributes.judged, real=real, seed=args.seed)
    band = drift.bands(ceiling, rows)
    left = drift.leaves(rows, band, args.window)
    instruments = [motion.instrument.summary(), attributes.instrument.summary()]
    record = eval_clips.result("drift", args, about | {"window": args.window}, instruments)
    record |= {
        "windows": [{"first_frame": k * args.window, **eval_clips.as_json(row)} for k, row in enumerate(rows)],
        "rendered": [{"first_frame": k * args.window, **eval_clips.as_json(row)} for k, row in enumerate(ceiling)],
        "bands": {name: [round(end, 5) for end in ends] for name, ends in band.items()},
        "leaves_band_at_frame": left,
        "frechet_growth": drift.growth(rows, args.window),
    }
    return eval_clips.finish(args, record, lines(record, rows))


def lines(record: dict, rows: list[dict]) -> list[str]:
    """A table with a row per measure, a column per window, and where it leaves its band."""
    from worldgen.evaluation.measures.drift import growth_line

    window = record["window"]
    starts = "".join(f"{k * window:>8}" for k in range(len(rows)))
    title = f"drift, {record['clips']} clips of {record['model']}; from frame"
    out = [f"{title:44}{starts}   leaves band"]
    for name in rows[0]:
        values = "".join(f"{row[name].value:8.3f}" if math.isfinite(row[name].value) else f"{'-':>8}" for row in rows)
        frame = record["leaves_band_at_frame"].get(name)
        out.append(f"{name:44}{values}   {'stays' if frame is None else f'at frame {frame}'}")
    return [*out, growth_line(record["frechet_growth"])]
