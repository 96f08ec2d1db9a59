"""Objects cut from labelled pictures, and pasted into pictures of the same split."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from worldgen.core.samples import Sample
    from worldgen.evaluation.realism.misses import InsertQuota

EXAMPLES = """examples:
  worldgen cutouts make camvid --masks camvid/masks --mask-value pedestrian=9 --mask-value cyclist=10 --out cut_outs
  worldgen cutouts make fleet/coco --class pedestrian --out cut_outs
  worldgen cutouts paste fleet/coco --library cut_outs --what pedestrian,cyclist --out pasted
  worldgen cutouts paste fleet/coco --library cut_outs --how anywhere --out copy_paste"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The sub-commands of ``worldgen cutouts``."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EXAMPLES
    commands = parser.add_subparsers(dest="cutouts_command", metavar="COMMAND", required=True, title="commands")
    make = commands.add_parser(
        "make", help="cut objects from labelled pictures into a library",
        description="Cut single, whole, sharp objects from labelled pictures. Masks come from maps of classes where "
        "given, otherwise from the boxes by GrabCut.",
    )  # fmt: skip
    _set_options(make)
    make.add_argument(
        "--class", action="append", default=[], dest="names", metavar="CLASS", help="repeated; default all"
    )
    make.add_argument("--masks", default="", metavar="DIR", help="maps of classes, a PNG of the name of each picture")
    make.add_argument(
        "--mask-value", action="append", default=[], metavar="CLASS=N", help="value of a class in these maps; repeated"
    )
    make.add_argument("--min-height", type=float, default=24.0, metavar="PX", help="of a mask (default 24)")
    make.add_argument("--min-sharpness", type=float, default=0.25, metavar="S", help="of an object (default 0.25)")
    paste = commands.add_parser(
        "paste", help="labelled pictures with cut-outs in them",
        description="Paste cut-outs into labelled pictures: where and as large as the ground says (matched), or "
        "anywhere (plain copy-paste, the baseline). Pictures are PNG and labels COCO; old labels stay.",
    )  # fmt: skip
    _set_options(paste)
    paste.add_argument("--library", required=True, metavar="DIR", help="cut-outs that 'worldgen cutouts make' wrote")
    paste.add_argument("--what", default="pedestrian,cyclist", metavar="CLASSES", help="default pedestrian,cyclist")
    paste.add_argument("--how", default="matched", choices=["matched", "anywhere"], help="default matched")
    paste.add_argument("--quotas", default="", metavar="FILE", help="insert cells that 'worldgen eval misses' wrote")
    paste.add_argument("--masks", default="", metavar="DIR", help="maps of classes: objects stand on --ground only")
    paste.add_argument("--ground", default="", metavar="N,N", help="values of road and pavement in these maps")
    paste.add_argument("--per-picture", type=int, default=3, metavar="N", help="1 to N in each picture (default 3)")
    paste.add_argument("--seed", type=int, default=0, help="other places and objects for each (default 0)")


def _set_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("input", metavar="SET", help="folder of labelled pictures: COCO, KITTI or YOLO")
    parser.add_argument("--out", required=True, metavar="DIR", help="new folder")
    parser.add_argument("--drive", action="append", default=[], metavar="NAME", help="only this drive; repeated")
    parser.add_argument("--licence", default="unknown", metavar="TEXT", help="of the pictures")
    parser.add_argument(
        "--category", action="append", default=[], metavar="NAME=CLASS", help='class of a name in the set, or "ignore"'
    )


def run(args: argparse.Namespace) -> int:
    """Run the chosen sub-command."""
    return {"make": _make, "paste": _paste}[args.cutouts_command](args)


def _reader(args: argparse.Namespace) -> Callable[[], Iterator[Sample]]:
    from worldgen.core.errors import InputError
    from worldgen.data.ingest.labelled.labelled_samples import read_labelled
    from worldgen.data.ingest.labelled.picture_set import PictureSet

    classes = {}
    for word in args.category:
        name, equals, target = word.partition("=")
        if not equals:
            raise InputError("category", word, "NAME=CLASS")
        classes[name] = target
    config = PictureSet(frames=1, licence=args.licence, classes=classes)

    def read() -> Iterator[Sample]:
        for sample in read_labelled(args.input, config):
            if not args.drive or sample.drive.removeprefix("images_") in args.drive:
                yield sample

    return read


def _make(args: argparse.Namespace) -> int:
    from worldgen.cli.terminal import progress
    from worldgen.generation.insert.cut_outs.cut_out_library import save_library
    from worldgen.generation.insert.cut_outs.cut_out_making import CutOutRules, Refusals
    from worldgen.generation.insert.cut_outs.mask_sources import cut_outs_of_set, mask_values

    rules = CutOutRules(tuple(args.names), args.min_height, min_sharpness=args.min_sharpness)
    refused = Refusals()
    found = cut_outs_of_set(
        progress(_reader(args)(), desc="pictures"),
        rules,
        refused,
        masks=args.masks,
        values=mask_values(args.mask_value),
    )
    facts = {"set": args.input.rstrip("/").rsplit("/", 1)[-1], "drives": args.drive}
    library = save_library(args.out, found, facts)
    for name, count in library.counts().items():
        print(f"{name:14} {count}")
    print("left out: " + ", ".join(f"{count} {reason}" for reason, count in refused.counts.most_common()))
    print(f"{len(library)} cut-outs written to {args.out}")
    return 0 if len(library) else 1


def _paste(args: argparse.Namespace) -> int:
    from worldgen.cli.terminal import progress
    from worldgen.generation.insert.cut_outs.cut_out_library import load_library
    from worldgen.generation.insert.cut_outs.mask_sources import ground_of
    from worldgen.generation.insert.cut_outs.pasted_set import PasteConfig, PasteWork, write_pasted_set

    names = tuple(word.strip() for word in args.what.split(",") if word.strip())
    config = PasteConfig(names, args.per_picture, args.how, args.seed)
    report: dict = {"counts": {}, "pictures": 0}
    work = PasteWork(load_library(args.library), config, ground_of(args.masks, args.ground), _quotas(args))
    steps = write_pasted_set(_reader(args), work, args.out)
    for step in progress(steps, desc="pictures"):
        report = step
    for reason, count in sorted(report["counts"].items()):
        print(f"{count:6} {reason}")
    print(f"{report['pictures']} pictures written to {args.out}")
    return 0


def _quotas(args: argparse.Namespace) -> tuple[InsertQuota, ...]:
    from worldgen.core.errors import InputError, Received
    from worldgen.evaluation.realism.misses import InsertQuotas
    from worldgen.files.config_files import load_config

    if not args.quotas:
        return ()
    if args.how != "matched":
        raise InputError("how to paste", args.how, "matched, where quotas give heights")
    cells = load_config(InsertQuotas, [args.quotas]).insert
    if not cells:
        raise InputError(f"quotas {args.quotas}", Received("no insert cell"), "at least one")
    return tuple(cells)
