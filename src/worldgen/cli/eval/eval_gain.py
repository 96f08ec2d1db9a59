"""Does made data help a detector? Trains one detector many times, equally long: on real pictures only, with synthetic,
restyled, painted or held-back real pictures added, and says gain, no gain or harm with paired intervals.

  worldgen eval gain --config configs/eval/gain_controlled.yaml real.url=data/scenes test.url=data/scenes --folder runs/gain

Two controls tell whether to believe it: duplicated real pictures must not gain, shuffled labels must harm. Every run is
kept in --folder, so a study that was stopped, or gets a new arm, goes on from there. eval/protocols/gain.md says why."""

from __future__ import annotations

import argparse
import re
import shlex
import sys


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
        "overrides", nargs="*", default=[], metavar="key=value", help="config values, e.g. synthetic.url=data/made"
    )


def run(args: argparse.Namespace) -> int:
    """Run what is missing of the study and report."""
    import math

    from worldgen.core.errors import InputError, Received
    from worldgen.evaluation.gain.gain_config import GainStudy
    from worldgen.files.config_files import config_yaml, load_config

    if not (math.isfinite(args.budget) and args.budget >= 0):
        raise InputError("--budget", args.budget, "minutes, 0 for no limit")
    study = load_config(GainStudy, args.config, args.overrides)
    if args.show_config:
        print(config_yaml(study), end="")
        return 0
    from worldgen.cli.eval.eval_clips import set_threads
    from worldgen.evaluation.gain.gain_config import REAL
    from worldgen.evaluation.gain.gain_result import summarise
    from worldgen.evaluation.gain.study import prepare, run_study

    set_threads(args.threads)
    bench = prepare(study, args.folder)
    print(
        f"{study.name}: {len(bench.arms)} arms, {study.seeds} seeds, {len(bench.test)} test pictures", file=sys.stderr
    )
    for name, reason in bench.waiting.items():
        print(f"arm {name} waits: {reason}", file=sys.stderr)
    budget_s = 0.0 if args.report_only else 60 * args.budget or math.inf
    runs = run_study(bench, budget_s=budget_s, report=_reporter(bench))
    if sum(run.arm == REAL for run in runs) < 2:
        raise InputError("runs of the real-only arm", Received("fewer than two"), "a larger --budget, or none")
    return _finish(args, summarise(bench, runs))


def _reporter(bench):
    """Prints a line for each new run; after the second real-only run whether the study can see what it looks for."""
    from worldgen.evaluation.gain.gain_config import REAL
    from worldgen.evaluation.gain.gain_result import power
    from worldgen.evaluation.gain.study import RARE, ArmResult

    real: list[float] = []

    def report(run: ArmResult, number: int, total: int) -> None:
        value = bench.judged(run).value(RARE, "all")
        print(
            f"run {number} of {total}: {run.arm} seed {run.seed}, AP50 {value:.3f} on rare clips, {run.seconds:.0f} s",
            file=sys.stderr, flush=True,
        )  # fmt: skip
        if run.arm == REAL:
            real.append(value)
            if len(real) == 2:
                note = power(real, bench.study.seeds, bench.study.smallest_gain)["note"]
                print(f"early note, from two runs: {note}", file=sys.stderr, flush=True)

    return report


def _finish(args: argparse.Namespace, record: dict) -> int:
    import datetime

    import worldgen
    from worldgen.cli.eval.eval_clips import finish
    from worldgen.evaluation.gain.gain_plot import gain_plot
    from worldgen.files.storage import write_bytes

    head = {
        "result_version": 1, "measure": "gain", "date": datetime.date.today().isoformat(), "worldgen": worldgen.__version__,
        "command": command(args),
    }  # fmt: skip
    record = head | record
    if args.out:
        write_bytes(args.out.removesuffix(".json") + ".png", gain_plot(record))
    return finish(args, record, [*gain_table(record), "", *record["sentences"]])


def command(args: argparse.Namespace) -> str:
    """The command that gives the same numbers; files and folders by their last name."""
    words = [*(f"--config {file}" for file in args.config), *map(shlex.quote, args.overrides)]
    return " ".join(["worldgen eval gain", *(re.sub(r"[^\s=\[,'\"]*/(?=[^\s/])", "", word) for word in words)])


def gain_table(record: dict) -> list[str]:
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
