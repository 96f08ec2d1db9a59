"""Generate a data set by quota: draw scenes, generate clips, and accept or quarantine them until each cell is full.

  worldgen generate plan --config configs/generate/night_rain_pedestrians.yaml
  worldgen generate --config configs/generate/night_rain_pedestrians.yaml --workers 2 output=data/night
  worldgen generate --config configs/generate/weather_grid.yaml --scale 0.02 output=data/small
  worldgen generate --config my.yaml --ray auto output=s3://bucket/set
  worldgen generate --config configs/insert/rare_road_users.yaml --config misses.yaml set=fleet/coco output=fleet/more

The same command continues a run that was stopped, killed or short of disk. The output folder holds shards
(accepted-*.tar, quarantine-*.tar), index.parquet, generate.json (counts, reasons, times, cost), ledger.json (failures),
report/index.html (a page with quotas, reasons, scores and clips) and jobs/ (intermediate shards, which may be deleted
when no more clips are wanted). A recipe with insert: cells puts road users into the labelled set that it names, as
'worldgen insert' does; its output is that set with new pictures and labels.
Exit codes: 0 every quota met, 1 a cell stopped short, with its reason, 2 bad input or an output that cannot be written,
130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from worldgen.generation.campaign.campaign import Status
    from worldgen.generation.campaign.recipe import Recipe
    from worldgen.generation.insert.labelled_sets.insert_recipe import InsertRecipe

ACTIONS = ("run", "plan")
EXIT_SHORT = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``worldgen generate``."""
    parser.add_argument(
        "words", nargs="*", default=[], metavar="[plan] [key=value ...]",
        help="plan: print the expected time and disk space, and stop; key=value: a recipe value, e.g. candidates=4",
    )  # fmt: skip
    parser.add_argument(
        "--config", action="append", default=[], metavar="FILE", help="YAML file of the recipe; later files win"
    )
    parser.add_argument(
        "--model",
        default="",
        metavar="DIR|ID",
        help="folder of a model of any family, or hub repository (model.pipeline)",
    )
    parser.add_argument("--scale", type=float, default=1.0, help="multiply all counts, at least 1 per cell (default 1)")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="processes of this machine (default 1)")
    parser.add_argument(
        "--ray", default="", metavar="ADDRESS",
        help="work on a Ray cluster: its address, auto, or local for a cluster of --workers processes here",
    )  # fmt: skip
    parser.add_argument(
        "--gpus-per-worker", type=float, default=0.0, metavar="N",
        help="--ray: GPUs of each worker, such as 1, or 0.5 for two workers on one GPU (default 0)",
    )  # fmt: skip
    parser.add_argument(
        "--clips",
        type=int,
        default=4,
        metavar="N",
        help="plan: clips generated to measure time and acceptance (default 4)",
    )
    parser.add_argument("--no-report", action="store_true", help="do not write OUTPUT/report/index.html at the end")
    parser.add_argument("--show-config", action="store_true", help="print the resolved recipe and stop")
    parser.add_argument("--json", action="store_true", help="print the outcome as one JSON object on stdout")
    parser.set_defaults(overrides=[])


def run(args: argparse.Namespace) -> int:
    """Run or plan a recipe."""
    from worldgen.core.errors import InputError

    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    actions = [word for word in args.words if "=" not in word]
    if len(actions) > 1 or not set(actions) <= set(ACTIONS):
        raise InputError("argument", " ".join(actions), "plan, or key=value")
    if not 1 <= args.workers <= 256:
        raise InputError("--workers", args.workers, "1 to 256")
    inserts = _inserts(args)
    if inserts is not None:
        return _insert(args, inserts, plan=actions == ["plan"])
    recipe, config = _recipe(args)
    if args.show_config:
        print(config, end="")
        return 0
    if actions == ["plan"]:
        return _plan(args, recipe)
    return _run(args, recipe, config)


def _overrides(args: argparse.Namespace) -> list[str]:
    return [word for word in args.words if "=" in word] + args.overrides


def _inserts(args: argparse.Namespace) -> InsertRecipe | None:
    """The recipe of inserts, None for one of clips, and for none."""
    from worldgen.api.generate_set import insert_recipe, refuse_workers
    from worldgen.core.errors import InputError

    found = insert_recipe(args.config, _overrides(args), scale=args.scale) if args.config else None
    if found is not None:
        refuse_workers(args.workers, args.ray)
        if args.model:
            raise InputError("--model", args.model, "none: inserts are rendered")
    return found


def _insert(args: argparse.Namespace, recipe: InsertRecipe, *, plan: bool) -> int:
    """Plan or do a recipe of inserts."""
    from worldgen.api.insert_set import recipe_report, recipe_run
    from worldgen.cli.insert.insert_command import print_report
    from worldgen.cli.terminal import log_line, progress
    from worldgen.files.config_files import config_yaml

    if args.show_config:
        print(config_yaml(recipe), end="")
        return 0
    work = recipe_run(recipe, log_line)
    if plan:
        estimate = work.plan()
        print(json.dumps(estimate.to_json()) if args.json else "\n".join(estimate.lines()))
        return 0
    for _ in progress(work.steps(), desc="inserts"):
        pass
    report = recipe_report(recipe, work, page=not args.no_report)
    if args.json:
        print(json.dumps(report))
    else:
        print_report(recipe.output, report, report["page"])
    return 0 if report["met"] else EXIT_SHORT


def _recipe(args: argparse.Namespace) -> tuple[Recipe, str]:
    """The resolved recipe and its YAML text."""
    from worldgen.api.generate_set import resolved_recipe
    from worldgen.core.errors import InputError
    from worldgen.files.config_files import config_yaml

    if not args.config:
        raise InputError("no recipe", None, "--config FILE, as in --config configs/generate/weather_grid.yaml")
    overrides = _overrides(args)
    if args.model:
        overrides.append(f"model.pipeline={json.dumps(args.model)}")
    recipe = resolved_recipe(args.config, overrides, scale=args.scale)
    return recipe, config_yaml(recipe)


def _plan(args: argparse.Namespace, recipe: Recipe) -> int:
    from worldgen.api.generate_set import check_model_files, worker_factory
    from worldgen.cli.terminal import log_line, progress
    from worldgen.core.errors import InputError
    from worldgen.generation.campaign.estimate import calibrate, plan, rough_cost

    if not 1 <= args.clips <= 10_000:
        raise InputError("--clips", args.clips, "1 to 10000")
    check_model_files(recipe)
    rough = rough_cost(recipe, args.clips, args.workers)
    log_line(
        f"{rough.quota} clips wanted, {rough.attempts} attempts or more: about {_hours(rough.hours)} on "
        f"{_workers(args.workers)} with the shipped model on a laptop CPU"
    )
    log_line(
        f"measuring time and acceptance on {args.clips} clips, about {max(rough.measuring_s, 1):.0f} s (--clips N)"
    )
    estimate = plan(recipe, calibrate(recipe, worker_factory(recipe), args.clips, progress), args.workers)
    if args.json:
        print(json.dumps(estimate))
        return 0
    measured = estimate["calibration"]
    for cell in estimate["cells"]:
        print(f"{cell['count']:6d}  {cell['label']}")
    for label in estimate["left_out"]:
        print(f"     -  {label} (its event or road does not allow it)")
    print(f"{estimate['quota']:6d}  clips of {estimate['clip_s']:.1f} s in {len(estimate['cells'])} cells")
    reasons = ", ".join(f"{name} {count}" for name, count in sorted(measured["reasons"].items(), key=lambda r: -r[1]))
    print(
        f"calibration: {measured['accepted']} of {measured['attempts']} accepted"
        f"{f' (refused: {reasons})' if reasons else ''}, {measured['seconds_per_attempt']:.1f} s "
        f"and {measured['bytes_per_attempt'] / 1e3:.0f} kB per attempt"
    )
    for name in ("expected", "at_best", "at_worst"):
        e = estimate[name]
        cost = f", cost {e['cost']:.2f}" if recipe.cost_per_hour else ""
        print(
            f"{name.replace('_', ' '):9s} acceptance {e['acceptance']:.0%}: {e['attempts']} attempts, "
            f"{_hours(e['hours'])} on {_workers(args.workers)}, "
            f"{e['disk_bytes'] / 1e6:.0f} MB{cost}"
        )
    return 0


def _hours(hours: float) -> str:
    return f"{hours:.1f} h" if hours >= 2 else f"{max(hours * 60, 1):.0f} min"


def _workers(count: int) -> str:
    return f"{count} worker{'s' if count > 1 else ''}"


def _run(args: argparse.Namespace, recipe: Recipe, config: str) -> int:
    from worldgen.api.generate_set import campaign_runner
    from worldgen.cli.terminal import log_line
    from worldgen.generation.campaign.campaign import Campaign

    runner = campaign_runner(recipe, workers=args.workers, ray=args.ray, gpus=args.gpus_per_worker)
    try:
        work = Campaign(recipe, runner, log_line, config, page=not args.no_report)
        for _ in _shown(work.steps(), work.grid.quota):
            pass
    finally:
        runner.close()
    report = work.report
    if args.json:
        print(json.dumps({"output": recipe.output, **report}))
    else:
        for line in summary(recipe.output, report):
            print(line)
        if work.shown:
            print(f"report: {work.shown}")
    return 0 if report["met"] else EXIT_SHORT


def summary(url: str, report: dict) -> list[str]:
    """The outcome in words: totals, cells that stopped short, and reasons of refusals."""
    lines = [
        f"{url}: {report['accepted']} of {report['quota']} clips accepted after {report['attempts']} attempts"
        + (f", {report['minutes_per_accepted']:.2f} worker minutes per accepted clip" if report["accepted"] else "")
    ]
    for cell in report["cells"]:
        if cell["state"] != "met":
            lines.append(f"stopped short: {cell['label']}: {cell['accepted']} of {cell['quota']}; {cell['why']}")
    reasons = sorted(report["reasons"].items(), key=lambda each: -each[1])
    if reasons:
        lines.append("refused for: " + ", ".join(f"{name} ({count})" for name, count in reasons))
    if report["faults"]:
        lines.append(f"{report['faults']} failures were recorded in ledger.json")
    return lines


def _shown(steps: Iterator[Status], quota: int) -> Iterator[Status]:
    """The steps unchanged, with a bar of accepted clips on a terminal, and elsewhere a line every ``LINE_EVERY_S``."""
    from worldgen.cli.terminal import LINE_EVERY_S, log_line

    if sys.stderr.isatty():
        from tqdm import tqdm

        with tqdm(total=quota, desc="accepted", dynamic_ncols=True, file=sys.stderr) as bar:
            for status in steps:
                bar.n = status.accepted
                bar.set_postfix_str(_words(status))
                yield status
        return
    last_s = time.monotonic()
    for status in steps:
        if time.monotonic() - last_s >= LINE_EVERY_S:
            log_line(f"accepted {status.accepted} of {quota}, {_words(status)}")
            last_s = time.monotonic()
        yield status


def _words(status: Status) -> str:
    left = "" if status.left_s is None else f", about {_hours(status.left_s / 3600)} left"
    return f"{status.attempts} attempts, {status.open_cells} cells open, {_hours(status.seconds / 3600)} so far{left}"
