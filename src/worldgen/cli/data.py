"""Inspect, check or index a data set, view it in a browser, or export its labels for detectors and trackers."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from worldgen.data.export.exporting import ExportConfig

EXAMPLES = """examples:
  worldgen data inspect sets/drive
  worldgen data validate sets/drive
  worldgen data view sets/drive --out page && open page/index.html
  worldgen data export sets/drive --format yolo --every 5 --out yolo
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Sub-commands of ``worldgen data``."""
    parser.epilog = EXAMPLES
    commands = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    help_lines = {
        "inspect": "print counts, hours, splits, sizes, tags, classes and ranges of ego motion",
        "validate": "decode and check every sample, the index and the splits; exit 1 when anything is wrong",
        "index": "scan the shards and write index.parquet and dataset.json",
        "view": "write a page with clips, captions, boxes and plots; for generated sets also quotas, scores and cost",
        "export": "write pictures and labels as COCO, KITTI or YOLO",
    }
    parsers = {}
    for name, line in help_lines.items():
        parsers[name] = commands.add_parser(name, help=line, description=f"{line[0].upper()}{line[1:]}.")
        parsers[name].add_argument("url", metavar="URL", help="folder of shards: a path or any fsspec URL")
        parsers[name].add_argument("--json", action="store_true", help="print one JSON object")
    view, export = parsers["view"], parsers["export"]
    for command in (view, export):
        command.add_argument("--out", metavar="FOLDER", required=True, help="new folder to write")
        command.add_argument("--overwrite", action="store_true", help="replace a folder that worldgen wrote")
        command.add_argument("--split", choices=("train", "val", "test"), help="only this split")
    view.add_argument(
        "--limit", type=int, default=60, metavar="N", help="show at most N samples, spread evenly (default 60)"
    )
    view.add_argument("--tag", action="append", default=[], help="only samples with this tag; may be repeated")
    export.add_argument(
        "--format",
        required=True,
        choices=("coco", "kitti", "kitti_tracking", "yolo"),
        help="format of the labels",
    )
    export.add_argument("--every", type=int, default=1, metavar="N", help="export each N-th frame (default 1)")
    export.add_argument("--images", choices=("jpg", "png"), help="picture format (default jpg; png for KITTI)")
    export.add_argument("--quarantined", action="store_true", help="also export samples that the gate refused")
    export.add_argument(
        "--classes",
        metavar="MAP",
        help="categories: worldgen, coco80, kitti, bdd100k, nuscenes, or a JSON file with class -> name, or null to "
        "leave the class out (default worldgen; kitti for KITTI)",
    )
    export.add_argument("--animals", metavar="NAME", help="category of animals, such as dog (default: as in --classes)")
    export.add_argument(
        "--min-height",
        type=float,
        default=6.0,
        metavar="PX",
        help="objects whose visible box is lower than this are ignore regions (default 6)",
    )
    export.add_argument(
        "--min-visible",
        type=float,
        default=0.1,
        metavar="SHARE",
        help="objects of which a smaller share is visible are ignore regions (default 0.1)",
    )
    export.add_argument(
        "--val",
        type=float,
        metavar="SHARE",
        help="share of the train samples that become val when the set has no val samples; whole drives move (default "
        "0.1 where there are two drives or more; 0 for none)",
    )


def run(args: argparse.Namespace) -> int:
    """Run one sub-command."""
    actions = {"inspect": _inspect, "validate": _validate, "index": _index, "view": _view, "export": _export}
    return actions[args.action](args)


def _print_json(record: dict) -> None:
    import json

    print(json.dumps(record, indent=2, ensure_ascii=False))


def _inspect(args: argparse.Namespace) -> int:
    from worldgen.data.dataset.index import DataSet
    from worldgen.data.dataset.summary import summarise

    summary = summarise(DataSet(args.url))
    if args.json:
        _print_json(summary)
        return 0
    for name, value in _summary_lines(summary):
        print(f"{name:<12} {value}".rstrip())
    return 0


def _summary_lines(summary: dict) -> list[tuple[str, str]]:
    """Name and value of each line of ``inspect``."""
    ego, labels = summary["ego_motion"], summary["labels"]
    lines = [
        ("data set", summary["url"]),
        (
            "samples",
            f"{summary['samples']:,} in {summary['shards']} shards, {summary['size_bytes'] / 1e6:,.1f} MB, "
            f"{summary['frames']:,} frames, {_duration(summary['hours'])}, {summary['drives']} drives",
        ),
    ]
    for split, part in summary["splits"].items():
        lines.append(
            (f"  {split}", f"{part['samples']:,} samples, {_duration(part['hours'])}, {part['drives']} drives")
        )
    lines += [
        ("size", _counts(summary["sizes_px"])),
        ("fps", ", ".join(f"{rate} ({count:,} samples)" for rate, count in summary["fps"].items())),
        ("frames", _span(summary["frames_per_sample"], "")),
    ]
    lines += [("tags", _counts(summary["tags"])), ("licences", _counts(summary["licences"]))]
    lines.append(("captions", f"{summary['captions']:,} different"))
    if summary["quarantined"]:
        lines.append(("quarantined", f"{summary['quarantined']:,} ({_counts(summary['reasons'])})"))
    if ego["samples"]:
        lines.append(("ego motion", f"{ego['samples']:,} samples, {ego['distance_km']:.2f} km"))
        lines += [("  speed", _span(ego["speed_mps"], " m/s")), ("  yaw rate", _span(ego["yaw_rate_radps"], " rad/s"))]
    else:
        lines.append(("ego motion", "none"))
    if labels["samples"]:
        lines.append(("labels", f"{labels['samples']:,} samples ({_counts(labels['sources'])})"))
        lines.append(("  boxes", f"{_counts(labels['boxes'])}, and {labels['ignored_boxes']:,} ignored"))
        lines.append(("  tracks", _counts(labels["tracks"])))
    else:
        lines.append(("labels", "none"))
    return lines


def _counts(counts: dict[str, int], most: int = 12) -> str:
    """``"fog 12, rain 3"``."""
    words = [f"{name} {count:,}" for name, count in list(counts.items())[:most]]
    rest = len(counts) - most
    return ", ".join(words + ([f"{rest} more"] if rest > 0 else [])) or "none"


def _span(values: dict[str, float] | None, unit: str) -> str:
    if values is None:
        return "none"
    return f"{values['min']:g} to {values['max']:g}{unit}, median {values['median']:g}{unit}"


def _duration(hours: float) -> str:
    seconds = hours * 3600
    return f"{hours:.2f} h" if hours >= 1 else f"{seconds / 60:.1f} min" if seconds >= 60 else f"{seconds:.1f} s"


def _validate(args: argparse.Namespace) -> int:
    from worldgen.cli.terminal import progress
    from worldgen.data.dataset.validate import validate

    report = validate(args.url, progress=progress)
    if args.json:
        _print_json(report.to_json())
    else:
        for problem in report.problems:
            print(problem)
        for note in report.notes:
            print(f"note: {note}")
        looked = f"{report.num_samples:,} samples in {report.num_shards} shards, {report.num_frames:,} frames decoded"
        print(f"{looked}: {f'{len(report.problems)} problems' if report.problems else 'no problems'}")
    return 1 if report.problems else 0


def _index(args: argparse.Namespace) -> int:
    from worldgen.data.dataset.index import build_index

    summary = build_index(args.url)
    if args.json:
        _print_json(summary)
    else:
        print(f"indexed {summary['num_samples']:,} samples in {len(summary['shards'])} shards of {args.url}")
    return 0


def _view(args: argparse.Namespace) -> int:
    from worldgen.cli.terminal import progress
    from worldgen.data.dataset.index import DataSet
    from worldgen.files.folders import output_folder
    from worldgen.generation.report.report import write_report

    data = DataSet(args.url).select(args.split, args.tag)
    with output_folder(args.out, kind="page", inputs=[args.url], overwrite=args.overwrite) as folder:
        keys = write_report(args.url, folder, limit=args.limit, progress=progress, data=data)
        record = {"command": "data view", "url": args.url, "shown": keys, "page": "index.html", "sheet": "sheet.png"}
        _write_meta(folder, record)
    if args.json:
        _print_json(record)
    else:
        print(f"{len(keys)} of {len(data)} samples in {args.out.rstrip('/')}/index.html and sheet.png")
    return 0


def _export(args: argparse.Namespace) -> int:
    from worldgen.cli.terminal import progress
    from worldgen.data.dataset.index import DataSet
    from worldgen.data.export.exported_objects import ObjectLimits
    from worldgen.data.export.exporting import ExportConfig, export_data
    from worldgen.files.folders import output_folder

    suffix = None if args.images is None else f".{args.images}"
    config = ExportConfig(
        args.format, args.every, suffix, args.split, args.quarantined, ObjectLimits(args.min_height, args.min_visible),
        args.classes, args.animals, args.val,
    )  # fmt: skip
    data = DataSet(args.url)
    with output_folder(args.out, kind="export", inputs=[args.url], overwrite=args.overwrite) as folder:
        counts = export_data(data, folder, config, progress=progress)
        record = {
            "command": "data export",
            "url": args.url,
            "format": args.format,
            "every": args.every,
            **_object_choice(config),
        }
        record.update(counts)
        _write_meta(folder, record)
    if args.json:
        _print_json(record)
        return 0
    print(
        f"{counts['samples']} samples, {counts['images']} pictures, {counts['boxes']} boxes "
        f"as {args.format} in {args.out}"
    )
    notes = {
        "samples_without_labels": "samples without labels left out",
        "samples_quarantined": "quarantined samples left out (--quarantined includes them)",
        "invisible": "boxes of objects nobody can see left out",
        "ignored": f"boxes lower than {args.min_height:g} px, visible by less than {args.min_visible:g} or otherwise "
        "flagged: ignore regions, or left out where the format has none",
        "without_category": "boxes of classes without a category left out",
        "samples_moved_to_val": "samples moved from train to val, whole drives (--val 0 moves none)",
        "without_camera": "samples without a camera: no calibration, no 3-D boxes",
    }
    for name, line in notes.items():
        if counts.get(name):
            print(f"  {counts[name]} {line}")
    print(f"  licences: {_counts(counts['licences'])}; origins in provenance.jsonl")
    return 0


def _object_choice(config: ExportConfig) -> dict:
    """What decides which objects an export holds."""
    return {
        "classes": list(config.class_map().names), "min_height_px": config.limits.min_height_px,
        "min_visible": config.limits.min_visible,
    }  # fmt: skip


def _write_meta(folder: Path, record: dict) -> None:
    """``meta.json`` marks a folder that worldgen wrote."""
    import json

    (folder / "meta.json").write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", "utf-8")
