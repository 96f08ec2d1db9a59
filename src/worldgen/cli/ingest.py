"""Convert your own clips and ego logs to a sharded data set.

SOURCE is a video (mp4, avi, mkv, hevc, ...), a folder of frames (jpg, png), a COCO file (*.coco.json) or a folder of
these. An ego log beside a clip (clip.ego.csv, clip.csv, .json or .parquet) is found by its name; its units are
read from its column names (speed_kmh, yaw_rate_degps, time_ms, ...) or from the config, and are never guessed. Shards
that exist with the same content are skipped, so the same command continues an interrupted run.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from worldgen.core.english import counted

if TYPE_CHECKING:
    from worldgen.data.ingest.ingest_plan import IngestPlan

DATASETS = ("argoverse2", "bdd100k", "comma2k19", "kitti_raw", "lerobot", "nuscenes", "pandaset")
"""Those of ``IngestConfig.dataset``."""

EXAMPLES = """examples:
  worldgen ingest drives/ --check                               what would be written, and what is wrong
  worldgen ingest drives/ --out data/drives fps=10 num_frames=33 stride_frames=16
  worldgen ingest drives/ --out data/drives --config fleet.yaml
  worldgen ingest drives/ --check --check-motion                and whether each log fits the pixels
  worldgen ingest clips/ --out data/clips --ego from-video      clips without logs: motion from their pixels
  worldgen ingest kitti/ --dataset kitti_raw --out data/kitti   a public data set in its own layout
  worldgen ingest drives/ --check defaults.ego.columns.speed=speed_kmh defaults.ego.assume_yaw_rate_radps=0.0
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``worldgen ingest``."""
    parser.add_argument("sources", metavar="SOURCE", nargs="+", help="clips, frame folders, or folders of them")
    parser.add_argument("--out", metavar="URL", help="folder or URL of the data set")
    parser.add_argument(
        "--config",
        metavar="FILE",
        action="append",
        default=[],
        help="YAML file of settings; later files win",
    )
    parser.add_argument(
        "--dataset", choices=DATASETS, help="SOURCE is the folder of this public data set, in its own layout"
    )
    parser.add_argument(
        "--check", action="store_true", help="report on every source and write nothing; exit 1 if one cannot be used"
    )
    parser.add_argument(
        "--ego",
        choices=["from-video"],
        help="measure speed and yaw rate of sources without a log from their pixels, with uncertainty",
    )
    parser.add_argument(
        "--check-motion",
        action="store_true",
        help="compare each log with the motion of the pixels: sign of yaw, unit of speed, clock (15 CPU s a minute)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
    parser.set_defaults(overrides=[])
    parser.epilog = EXAMPLES


def run(args: argparse.Namespace) -> int:
    """Plan, report, and write unless ``--check`` is given.

    Returns 0, or 1 when a source cannot be used; the others are written.
    """
    from worldgen.api.datasets import motion_reader
    from worldgen.cli.terminal import progress
    from worldgen.core.errors import InputError, Received
    from worldgen.data.ingest.ingest_config import IngestConfig
    from worldgen.data.ingest.ingest_plan import plan_ingest
    from worldgen.data.ingest.ingest_report import ingest_report
    from worldgen.data.ingest.ingest_writing import REPORT_NAME
    from worldgen.files.config_files import load_config
    from worldgen.files.json_files import parse_object
    from worldgen.files.storage import join, read_bytes

    overrides = list(args.overrides)
    places: list[str] = []
    for word in args.sources:  # argparse hands key=value words to the list of sources
        (overrides if _is_override(word) else places).append(word)
    if not args.check and not args.out:
        raise InputError("--out", Received("nothing"), "the folder or URL of the data set, or --check")
    if args.dataset:
        overrides.append(f"dataset={args.dataset}")
    if args.ego:
        overrides.append("defaults.ego.from_video=true")
    if args.check_motion:
        overrides.append("check_motion=true")
    config = load_config(IngestConfig, args.config, overrides)
    plan = plan_ingest(places, config, progress=progress, reader=motion_reader(config))
    record = ingest_report(plan)
    if args.check:
        _show(record, as_json=args.json)
        return 1 if plan.bad else 0
    record["data_set"] = _write(plan, args.out, places)
    record["out"] = args.out
    report = join(args.out, REPORT_NAME)
    record["bad_sources"] = parse_object(read_bytes(report), report)["bad_sources"]  # those that broke later, too
    _show(record, as_json=args.json)
    return 1 if record["bad_sources"] else 0


def _is_override(word: str) -> bool:
    key, equals, _ = word.partition("=")
    return bool(equals) and all(part.isidentifier() for part in key.split("."))


def _write(plan: IngestPlan, out: str, places: list[str]) -> dict:
    """Write the shards under a progress bar, then the index; returns the data set's summary."""
    from worldgen.api.datasets import write_dataset
    from worldgen.cli.terminal import progress

    return write_dataset(plan, out, inputs=places, progress=progress)


def _show(record: dict, *, as_json: bool) -> None:
    import json

    if as_json:
        print(json.dumps(record, indent=1))
        return
    for source in record["sources"]:
        for line in _source_lines(source):
            print(line)
    for bad in record["bad_sources"]:
        print(f"{bad['source']}\n  cannot be used: {bad['reason']}")
    splits = ", ".join(f"{count} {split}" for split, count in record["windows_per_split"].items())
    print(f"{counted(record['windows'], 'window')} ({splits}) in {counted(record['shards'], 'shard')}")
    for note in record["notes"]:
        print(f"note: {note}")
    if "out" in record:
        total = record["data_set"]
        print(f"{record['out']}: {counted(total['num_samples'], 'sample')}, {total['duration_s']:.1f} s of video")
        print(f"splits {_counts(total['splits'])}; licences {_counts(total['licences'])}")


def _counts(table: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in table.items())


def _source_lines(source: dict) -> list[str]:
    size = f"{source['width_px']}x{source['height_px']}"
    rate = f"{'variable rate, mean ' if source['variable_rate'] else ''}{source['fps']:g} fps"
    lines = [
        source["source"],
        f"  {source['kind']}: {counted(source['frames'], 'frame')}, {size}, {rate}; "
        f"drive {source['drive']} ({source['split']}), licence {source['licence']}",
        f"  windows: {source['windows']} at {source['target_fps']:g} fps, "
        f"{100 * source['usable_share']:.1f} % of {counted(source['ticks'], 'tick')} usable, "
        f"frames within {source['frame_error_ms']:g} ms; camera {source['camera']}",
    ]
    log = source["log"]
    if log:
        used = ", ".join(f"{column} as {quantity}" for quantity, column in log["columns"].items())
        unused = f"; not used: {', '.join(log['unused'])}" if log["unused"] else ""
        span = (
            f"{counted(log['rows'], 'row')}, {log['start_s']:.2f} to {log['end_s']:.2f} s, "
            f"{counted(len(log['gaps']), 'gap')}"
        )
        origin = f"speed from {log['speed']}, yaw rate from {log['yaw_rate']}"
        lines.append(f"  log {log['file']}: {span}; {used}{unused}")
        lines.append(f"  {origin}; {counted(log['windows_with_motion'], 'window')} with motion")
    elif "pixels" in source:
        pixels = source["pixels"]
        lines.append(
            f"  no ego log: speed and yaw rate from pixels ({pixels['reader']}), "
            f"{counted(pixels['windows_with_motion'], 'window')} with motion"
        )
    else:
        way = "" if source["kind"] == "images" else " (--ego from-video measures it)"
        lines.append(f"  no ego log: ego motion unknown{way}")
    if source["labels"] is not None:
        lines.append(f"  {counted(source['labels'], 'annotated box', 'annotated boxes')}")
    if source["captions"]:
        lines.append(f"  {counted(source['captions'], 'caption')} in files beside it")
    return [*lines, *(f"  note: {note}" for note in source["notes"])]
