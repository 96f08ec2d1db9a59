"""Do detectors of the real world recognise what clips show? Recall, class agreement and precision of a detector that
you bring, on rendered, generated and real sets side by side, by class, height of the label, weather and light.

The detector is an ONNX file in the layout of YOLOX with the 80 COCO classes; neither a renderer nor a model should have
seen it. Boxes are compared at one picture size (--size), and recall also at the heights that the labels of the
reference have. Two controls must be near 0: labels moved by their own width, and labels in frames of other clips.

  worldgen eval realism --detector yolox_nano.onnx --set drawn=sets/drawn --set real=bdd/coco.json --size 224x128"""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``worldgen eval realism``."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    what = parser.add_argument_group("what is compared")
    what.add_argument("--detector", required=True, metavar="ONNX", help="a detector: YOLOX layout, COCO classes")
    what.add_argument(
        "--set", action="append", default=[], required=True, dest="sets", metavar="NAME=URL",
        help="a data set, a COCO file with its pictures, or a KITTI or YOLO folder; repeated, also for one NAME",
    )  # fmt: skip
    what.add_argument("--size", default="", metavar="WxH", help="bring all frames to this size (default: their own)")
    what.add_argument(
        "--reference", default="", metavar="NAME",
        help='compare at the heights of the labels of this set (default: the first whose name begins with "real")',
    )  # fmt: skip
    what.add_argument(
        "--frames-per-clip", type=int, default=5, metavar="N", help="of clips of data sets; 0: all (default 5)"
    )
    what.add_argument("--limit", type=int, default=0, metavar="N", help="at most N clips or pictures of each URL")
    what.add_argument(
        "--distances", action="store_true",
        help="also how far the frames of each set are from the reference's, as the detector's backbone sees them",
    )  # fmt: skip
    what.add_argument("--split", default="", choices=["", "train", "val", "test"], help="only this split of data sets")
    how = parser.add_argument_group("what counts")
    how.add_argument(
        "--category", action="append", default=[], metavar="NAME=CLASS",
        help='class of a name in annotations, or "ignore"; names that are not known are left out and listed',
    )  # fmt: skip
    how.add_argument(
        "--accept", action="append", default=[], metavar="CLASS=NAMES",
        help="COCO names that are right for a class, comma-separated, as in car=car,truck; none: it is not judged",
    )  # fmt: skip
    how.add_argument("--min-height", type=float, default=8.0, metavar="PX", help="of a label (default 8)")
    how.add_argument("--min-visible", type=float, default=0.5, metavar="P", help="of a label (default 0.5)")
    how.add_argument("--overlap", type=float, default=0.5, metavar="IOU", help="of a match (default 0.5)")
    how.add_argument("--score", type=float, default=0.3, metavar="P", help="of a detection (default 0.3)")
    how.add_argument(
        "--input-px", type=int, default=0, metavar="N", help="side of the detector's input, if its file leaves it open"
    )
    how.add_argument("--seed", type=int, default=0, help="of the frames that the control exchanges (default 0)")
    how.add_argument("--threads", type=int, default=0, metavar="N", help="CPU threads (default: all)")
    out = parser.add_argument_group("output")
    out.add_argument(
        "--out", default="", metavar="FILE", help="write the result as JSON, and its tables beside it (.md)"
    )
    out.add_argument("--json", action="store_true", help="print the result as JSON instead of tables")


def run(args: argparse.Namespace) -> int:
    """Measure and report."""
    from worldgen.api.measures.measure_realism import RealismOptions, measure_realism
    from worldgen.cli.eval import eval_clips
    from worldgen.cli.terminal import progress
    from worldgen.evaluation.realism.realism_markdown import realism_markdown
    from worldgen.files.storage import write_bytes

    record = measure_realism(eval_clips.options_from(args, RealismOptions), progress=progress)
    lines = realism_markdown(record)
    if args.out:
        head = ["# Realism", "", f"`{record['command']}`", ""]
        write_bytes(args.out.removesuffix(".json") + ".md", ("\n".join([*head, *lines]).rstrip() + "\n").encode())
    return eval_clips.finish(args, record, lines)
