"""Does the model copy its training clips? For each generated clip the nearest training clip is found, in pixels
(tolerant of crops, shifts in time and mirroring) and in features. How near held-out clips come, which cannot be copies,
sets the threshold.

--check validates the measure itself: copies of training clips are planted (exact, cropped, re-encoded, shifted and
more), and the share found is reported beside the share of held-out clips that raise a false alarm.

  worldgen eval memorisation --train sets/mine --held-out sets/mine --model shipped --clips 64 --pictures pairs.png
  worldgen eval memorisation --train sets/mine --held-out sets/mine --check 40 --out check.json"""

from __future__ import annotations

import argparse
from typing import Any

from worldgen.cli.eval.eval_clips import RENDERED, add_sampling_options

LISTED = 6
"""Nearest pairs that are printed."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``worldgen eval memorisation``."""
    what = parser.add_argument_group("what is compared")
    what.add_argument(
        "--train",
        nargs="+",
        required=True,
        metavar="URL",
        help="what the model was trained on; of data sets the train split",
    )
    what.add_argument(
        "--held-out",
        nargs="+",
        required=True,
        metavar="URL",
        dest="held_out",
        help="clips of the same kind that it was not trained on; of data sets val and test; "
        f'"{RENDERED}" for rendered scenes',
    )
    what.add_argument("--generated", nargs="+", default=[], metavar="URL", help="the clips to judge")
    what.add_argument(
        "--model", default="", metavar="DIR", help='judge clips of a model: "shipped", or a saved pipeline'
    )
    what.add_argument("--check", type=int, default=0, metavar="N", help="judge N planted copies of each kind instead")
    what.add_argument("--clips", type=int, default=32, metavar="N", help="clips of --model and of rendered scenes (32)")
    what.add_argument(
        "--limit", type=int, default=0, metavar="N", help="at most N training clips of each URL (default: all)"
    )
    how = parser.add_argument_group("how")
    how.add_argument(
        "--alarm", type=float, default=0.02, metavar="P", help="false alarms accepted by each of the two tests (0.02)"
    )
    how.add_argument("--no-features", action="store_true", help="compare pixels only")
    how.add_argument("--weights", default="", metavar="DIR", help="weights of fd-worldgen (default: the shipped ones)")
    how.add_argument("--seed", type=int, default=0, help="of held-out scenes and planted copies (default 0)")
    model = parser.add_argument_group("clips of a model")
    model.add_argument("--length", type=int, default=25, metavar="N", help="frames of each clip (default 25)")
    add_sampling_options(model, start="noise")
    out = parser.add_argument_group("output")
    out.add_argument("--out", default="", metavar="FILE", help="write the result as JSON")
    out.add_argument("--pictures", default="", metavar="FILE", help="write a picture of the nearest pairs (PNG)")
    out.add_argument("--json", action="store_true", help="print the result as JSON instead of lines")


def run(args: argparse.Namespace) -> int:
    """Measure and report. Exit code 1 when there are more copies than chance explains."""
    from worldgen.api.measures.measure_memorisation import MemorisationOptions, measure_memorisation
    from worldgen.cli.eval import eval_clips
    from worldgen.cli.terminal import progress

    record = measure_memorisation(eval_clips.options_from(args, MemorisationOptions), progress=progress)
    eval_clips.finish(args, record, lines(record) + [f"written to {args.pictures}"] * bool(args.pictures))
    return 1 if record.get("copying") else 0


def lines(record: dict[str, Any]) -> list[str]:
    """The result as text: the sentence, the planted copies that were found, the nearest pairs, and warnings."""
    out = [record["sentence"]]
    for name, row in record["planted"].items() if "planted" in record else ():
        low, high = row["interval_95"]
        out.append(f"  {name:32} found {row['found']} of {row['clips']} [{low:.2f}, {high:.2f}]")
    for row in record.get("nearest", ())[:LISTED]:
        copy = "  COPY" if row["copy"] else ""
        out.append(f"  {row['key']}  {row['training_key']}  correlation {row['score']:.2f}{copy}")
    return out + [f"warning: {warning}" for warning in record["warnings"]]
