"""Put rare road users into labelled pictures or clips: rendered for camera and light, with exact labels.

  worldgen insert camvid --what "pedestrian crossing" --out with_people
  worldgen insert bdd --what "cyclist, deer" --count 500 --per-picture 2 --judge yolox_nano.onnx --out with_rare
  worldgen insert fleet --cells misses.yaml --out with_misses
  worldgen insert data/drives --what jaywalker --judge verifier --out with_jaywalkers

SET: stills in the format of COCO, KITTI object or YOLO, or a set of shards, whose clips get actors with tracks (road
users, or an event such as jaywalker) under their own ego motion and camera. Only the pixels of the inserts, their
shadows and rims change; old labels stay, new ones are added in the same format. Horizon and camera height of stills
come from the labels of each picture and of similar ones. With --judge an insert that is not found is taken out again.
The same command continues a run that was stopped.
Output: the set with PNG pictures or shards, its labels, insert_report.json and, for stills, report.html.
Exit codes: 0 done, 1 nothing was inserted, 2 bad input or an output that cannot be written, 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from worldgen.generation.insert.labelled_sets.insert_config import InsertCell, InsertConfig

EXIT_NONE = 1
STEPS = ("exposure", "colour", "contrast", "haze", "shadow", "blur", "rain", "noise", "jpeg")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``worldgen insert``."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("input", metavar="SET", help="labelled stills (COCO, KITTI object, YOLO), or shards of clips")
    parser.add_argument("--what", default="", metavar="WORDS", help='road users, e.g. "pedestrian crossing, cyclist"')
    parser.add_argument(
        "--cells", default="", metavar="FILE", help="YAML: insert: cells of what, light, height_px, count"
    )
    parser.add_argument("--out", required=True, metavar="DIR", help="new folder, or one to continue")
    parser.add_argument("--count", type=int, default=0, metavar="N", help="inserts in all (default: no limit)")
    parser.add_argument("--per-picture", type=int, default=1, metavar="N", help="most inserts of a picture (default 1)")
    parser.add_argument("--height", default="24-240", metavar="PX-PX", help="range of heights (default 24-240)")
    parser.add_argument("--light", default="", choices=["", "day", "night"], help="only pictures of this light")
    parser.add_argument("--split", default="train", metavar="NAME", help="split that gets inserts (default train)")
    parser.add_argument("--judge", default="", metavar="NAME", help="verifier, or YOLOX in ONNX: takes out misses")
    parser.add_argument("--masks", default="", metavar="DIR", help="maps of classes, a PNG of the name of each picture")
    parser.add_argument(
        "--mask-value", action="append", default=[], metavar="NAME=N",
        help="value of road, sidewalk, sky, unknown or a class in these maps; others stand upright; repeated",
    )  # fmt: skip
    parser.add_argument("--fov", type=float, default=0.0, metavar="DEG", help="horizontal field of view (default 60)")
    parser.add_argument("--horizon", type=float, default=0.0, metavar="SHARE", help="of the height, from the top")
    parser.add_argument("--camera-height", type=float, default=0.0, metavar="M", help="with --horizon: known ground")
    parser.add_argument(
        "--weather", default="", metavar="WORD", help="rain, wet, fog or dry: of all pictures (default: as COCO says)"
    )
    parser.add_argument("--image", default="png", choices=["png", "source"], help="source: JPEG stays so (default png)")
    parser.add_argument("--without", action="append", default=[], choices=STEPS, help="leave out a step of fitting")
    parser.add_argument("--seed", type=int, default=0, help="other places and looks for each (default 0)")
    parser.add_argument("--limit", type=int, default=0, metavar="N", help="only the first N pictures")
    parser.add_argument("--category", action="append", default=[], metavar="NAME=CLASS", help='class, or "ignore"')
    parser.add_argument("--plan", action="store_true", help="say what would be done and how long; write nothing")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")


def run(args: argparse.Namespace) -> int:
    """Insert and print the outcome."""
    from worldgen.api.insert_set import InsertSource, holds_shards, insert_config, insert_run
    from worldgen.cli.terminal import log_line, progress
    from worldgen.core.errors import InputError

    categories = {}
    for word in args.category:
        name, equals, target = word.partition("=")
        if not equals:
            raise InputError("--category", word, "NAME=CLASS")
        categories[name] = target
    reading = InsertSource(args.masks, tuple(args.mask_value), categories, args.judge, args.limit, args.weather)
    config = insert_config(args.what, args.cells, *_settings(args))
    work = insert_run(args.input, config, args.out, reading, log_line)
    if args.plan:
        for line in work.plan().lines():
            print(line)
        return 0
    clips = holds_shards(args.input)
    for _ in progress(work.steps(), desc="clips" if clips else "pictures"):
        pass
    page = "" if clips else _page(args.out)
    if args.json:
        print(json.dumps({"output": args.out, **work.report}))
    else:
        print_report(args.out, work.report, page)
    return 0 if work.report["inserts"] else EXIT_NONE


def _page(out: str) -> str:
    from pathlib import Path

    from worldgen.generation.insert.labelled_sets.insert_report import write_page

    return write_page(Path(out))


def _settings(args: argparse.Namespace) -> tuple[InsertCell | None, InsertConfig]:
    """The cell of the words, None without words, and everything else of the config."""
    from worldgen.core.errors import InputError
    from worldgen.generation.insert.fitting import fit_steps
    from worldgen.generation.insert.labelled_sets.insert_config import InsertCell, InsertConfig

    low, dash, high = args.height.partition("-")
    try:
        heights = (float(low), float(high if dash else low))
    except ValueError as error:
        raise InputError("--height", args.height, "two numbers of pixels, such as 24-240") from error
    only = InsertCell(args.what, args.light, heights, args.count) if args.what else None
    return only, InsertConfig(
        (only or InsertCell("car"),), args.per_picture, args.seed, args.split, args.image, args.fov, args.horizon,
        args.camera_height, fit_steps(args.without),
    )  # fmt: skip


def print_report(out: str, report: dict, page: str) -> None:
    """Print the outcome of a run in words: counts, reasons of refusals, and cells that have less than they want."""
    from worldgen.generation.insert.labelled_sets.insert_recipe import unmet

    of, what = (report["clips"], "clips") if "clips" in report else (report["pictures"], "pictures")
    print(f"{report['inserts']} inserts in {report['with_inserts']} of {of} {what}: {out}")
    for name, count in report["classes"].items():
        print(f"{count:6} {name}")
    for reason, count in report["removed"].items():
        print(f"{count:6} taken out: {reason}")
    if report["no_ground"]:
        print(f"{report['no_ground']:6} {what} without a sure ground")
    for note in report.get("notes", {}):
        print(f"       {note}")
    for line in unmet(report):
        print(f"stopped short: {line}")
    if not report["judged"]:
        print("not judged: --judge verifier, or an ONNX file, takes out what a detector does not find")
    if page:
        print(f"report: {page}")
