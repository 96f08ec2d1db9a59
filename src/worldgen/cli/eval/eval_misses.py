"""Which labelled objects does a detector miss: by class, height and light, with insert quotas for the worst of them.

  worldgen eval misses bdd/coco.json --detector yolox_nano.onnx --quotas misses.yaml
  worldgen eval misses fleet/coco --detector runs/detector --share 0.03 --class pedestrian --quotas misses.yaml

The quotas are "insert:" cells (what, light, height, count); all together are at most --share of the labelled objects.
'worldgen cutouts paste --quotas misses.yaml' puts them in."""

from __future__ import annotations

import argparse
from typing import Any


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``worldgen eval misses``."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "url", metavar="SET", help="a data set, a COCO file with its pictures, or a KITTI or YOLO folder"
    )
    parser.add_argument(
        "--detector", required=True, metavar="FILE",
        help='a YOLOX file in ONNX with COCO classes, the folder of a detector of worldgen, or "shipped"',
    )  # fmt: skip
    parser.add_argument(
        "--share", type=float, default=0.05, metavar="P", help="most inserts, as a share of the objects (default 0.05)"
    )
    parser.add_argument(
        "--least", type=int, default=10, metavar="N", help="objects of a cell that gets inserts (default 10)"
    )
    parser.add_argument(
        "--class", action="append", default=[], dest="classes", metavar="CLASS", help="only these get inserts; repeated"
    )
    parser.add_argument("--size", default="", metavar="WxH", help="bring pictures to this size (default: their own)")
    parser.add_argument("--limit", type=int, default=0, metavar="N", help="at most N clips or pictures")
    parser.add_argument(
        "--split", default="", choices=["", "train", "val", "test"], help="only this split of data sets"
    )
    parser.add_argument(
        "--category", action="append", default=[], metavar="NAME=CLASS", help='class of a name in the set, or "ignore"'
    )
    parser.add_argument("--min-height", type=float, default=8.0, metavar="PX", help="of a label (default 8)")
    parser.add_argument("--overlap", type=float, default=0.5, metavar="IOU", help="of a match (default 0.5)")
    parser.add_argument("--score", type=float, default=0.3, metavar="P", help="of a detection (default 0.3)")
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="CPU threads (default: all)")
    parser.add_argument("--quotas", default="", metavar="FILE", help="write the insert cells as YAML")
    parser.add_argument("--out", default="", metavar="FILE", help="write the result as JSON")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def run(args: argparse.Namespace) -> int:
    """Measure, and write the quotas."""
    from worldgen.api.measures.measure_misses import MissOptions, measure_misses
    from worldgen.cli.eval import eval_clips
    from worldgen.cli.terminal import progress
    from worldgen.evaluation.realism.misses import InsertQuota, InsertQuotas
    from worldgen.files.config_files import config_yaml
    from worldgen.files.storage import write_bytes

    record = measure_misses(eval_clips.options_from(args, MissOptions), progress=progress)
    if args.quotas:
        cells = [InsertQuota(**(row | {"height_px": tuple(row["height_px"])})) for row in record["quotas"]]
        write_bytes(args.quotas, f"# {record['command']}\n{config_yaml(InsertQuotas(cells))}".encode())
    return eval_clips.finish(args, record, miss_table(record))


def miss_table(record: dict[str, Any]) -> list[str]:
    """Lines of a table: the cells with misses, those with inserts first."""
    lines = [f"{'class':14} {'light':6} {'height px':>11} {'objects':>7} {'missed':>6}  {'recall':22} {'insert':>6}"]
    for cell in record["cells"]:
        low, high = cell["height_px"]
        height = f"{low:g}-{high:g}" if high < 10_000 else f"{low:g} up"
        recall = cell["recall"]
        shown = f"{recall['value']:.2f}"
        if recall["low"] is not None:
            shown += f" [{max(0, recall['low']):.2f}, {min(1, recall['high']):.2f}]"
        lines.append(
            f"{cell['what']:14} {cell['light']:6} {height:>11} {cell['objects']:7} {cell['missed']:6}  {shown:22} "
            f"{cell['insert'] or '-':>6}"
        )
    lines.append(
        f"{record['missed']} of {record['objects']} objects missed in {record['pictures']} pictures; "
        f"{record['inserts']} inserts"
    )
    return lines
