"""Does generated data help a detector? One detector is trained many times, equally long: on real pictures only, and
with synthetic, restyled, painted or held-back real pictures added. Paired intervals say gain, no gain or harm.

  worldgen eval gain --config configs/eval/gain_controlled.yaml real.url=DATA test.url=DATA --folder runs/gain

Two controls validate the study: duplicated real pictures must not gain, and shuffled labels must harm. Every run is
kept in --folder, so a study that was stopped, or gets a new arm, continues from there. eval/protocols/gain.md gives the
reasons."""

from __future__ import annotations

import argparse
import sys
from typing import Any


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``worldgen eval gain``."""
    parser.add_argument("--config", action="append", default=[], metavar="FILE", help="YAML file; later ones win")
    parser.add_argument(
        "--folder", default="outputs/gain", metavar="DIR", help="where runs are kept (default outputs/gain)"
    )
    parser.add_argument(
        "--budget", type=float, default=0.0, metavar="MIN", help="start no run that would end later (default: no limit)"
    )
    parser.add_argument("--report-only", action="store_true", help="train nothing, report the runs that are kept")
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="CPU threads (default: all)")
    parser.add_argument(
        "--out", default="", metavar="FILE", help="write the result as JSON, and a plot beside it as PNG"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument("--show-config", action="store_true", help="print the resolved config and stop")
    parser.add_argument(
        "overrides", nargs="*", default=[], metavar="key=value", help="config values, e.g. synthetic.url=data/generated"
    )


def run(args: argparse.Namespace) -> int:
    """Train what is missing of the study and report."""
    from worldgen.api.measures.measure_gain import GainOptions, gain_study, measure_gain
    from worldgen.cli.eval import eval_clips
    from worldgen.evaluation.gain.gain_plot import gain_plot
    from worldgen.files.config_files import config_yaml
    from worldgen.files.storage import write_bytes

    options = eval_clips.options_from(args, GainOptions)
    if args.show_config:
        print(config_yaml(gain_study(options)), end="")
        return 0
    record = measure_gain(options, log=lambda line: print(line, file=sys.stderr, flush=True))
    if args.out:
        write_bytes(args.out.removesuffix(".json") + ".png", gain_plot(record))
    return eval_clips.finish(args, record, [*gain_table(record), "", *record["sentences"]])


def gain_table(record: dict[str, Any]) -> list[str]:
    """Lines of a table: AP50 of each arm, and its difference to real-only in points with its interval."""
    measures = list(record["objects"])
    lines = [f"{'arm':16} {'runs':>4} {'steps':>6}  " + "  ".join(f"{name:20}" for name in measures)]
    for name, row in record["arms"].items():
        cells = []
        for measure in measures:
            change = row.get("difference", {}).get(measure)
            value = row["scores"][measure]["value"]
            cell = "-" if value is None else f"{value:.3f}"
            if change and change["low"] is not None:
                cell += f" [{100 * change['low']:+.1f}, {100 * change['high']:+.1f}]"
            cells.append(f"{cell:20}")
        lines.append(f"{name:16} {row['runs']:4} {row['steps']:6}  " + "  ".join(cells).rstrip())
    lines.append("in brackets: 95 % interval of the difference to real only, in AP50 points, paired")
    return lines
