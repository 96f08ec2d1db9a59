"""Change weather or light of labelled clips and keep their labels. Clips that do not show their labels are quarantined.

  worldgen restyle sets/day --to "night, rain" --out sets/night_rain
  worldgen restyle kitti/training --to fog --out sets/fog --fps 10 --licence CC-BY-NC-SA-3.0
  worldgen restyle sets/day --to snow --out sets/snow --strength 0.6 --config configs/restyle/default.yaml

INPUT: a data set of worldgen, or a folder of labelled pictures in the format of COCO, KITTI (tracking or object) or
YOLO. The strength is the noise level at which sampling starts (0: the original, 1: pure noise). A change of weather
needs a high strength; labels survive at a low one. "auto" takes for each clip the highest strength that keeps the
labels and passes the gate. The same command continues a run that was stopped.
Output: shards (accepted-*.tar, quarantine-*.tar), index.parquet, restyle.json, and the page report/index.html.
Exit codes: 0 done, 1 no clip was accepted, 2 bad input or an output that cannot be written, 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from worldgen.core.samples import Sample
    from worldgen.generation.restyle.restyler import RestyleConfig

EXIT_NONE = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``worldgen restyle``."""
    parser.add_argument("input", metavar="INPUT", help="data set of shards, or a folder of labelled pictures")
    parser.add_argument("--to", default="", metavar="WORDS", help='wanted weather and light, e.g. "night, rain"')
    parser.add_argument("--out", required=True, metavar="DIR", help="output folder or URL")
    parser.add_argument(
        "--strength", default="", metavar="auto|S", help="auto (default), or a number above 0 and up to 1"
    )
    parser.add_argument(
        "--config", action="append", default=[], metavar="FILE", help="YAML file of settings; later files win"
    )
    parser.add_argument(
        "--model",
        default="",
        metavar="DIR|ID",
        help="folder of a model of any family, or hub repository (model.pipeline)",
    )
    parser.add_argument("--limit", type=int, default=None, metavar="N", help="restyle the first N clips only")
    parser.add_argument("--split", choices=("train", "val", "test"), help="data sets: only this split")
    parser.add_argument(
        "--tag", action="append", default=[], help="data sets: only clips with this tag; may be repeated"
    )
    parser.add_argument("--fps", type=float, help="pictures: frames per second (default 10)")
    parser.add_argument("--frames", type=int, metavar="N", help="pictures: longest clip (default 25)")
    parser.add_argument("--licence", metavar="TEXT", help="pictures: their licence (default unknown)")
    parser.add_argument(
        "--class", dest="classes", action="append", default=[], metavar="NAME=CLASS",
        help="pictures: map their class NAME to one of worldgen's classes or to ignore; may be repeated",
    )  # fmt: skip
    parser.add_argument("--no-report", action="store_true", help="do not write OUT/report/index.html at the end")
    parser.add_argument("--json", action="store_true", help="print the outcome as one JSON object on stdout")
    parser.add_argument("overrides", nargs="*", default=[], metavar="key=value", help="settings, e.g. keep=0.9")


def run(args: argparse.Namespace) -> int:
    """Restyle and print the outcome."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    config = _config(args)
    samples, source = _samples(args)
    from worldgen.cli.terminal import log_line, progress
    from worldgen.generation.restyle.restyle_run import RestyleRun
    from worldgen.generation.restyle.restyler import parse_look
    from worldgen.models.native.loading import quiet_libraries

    quiet_libraries()
    parse_look(config.to)  # before anything is written or loaded
    work = RestyleRun(
        config, args.out.rstrip("/"), samples, source, log_line, page=not args.no_report, inputs=(args.input,)
    )
    for _ in progress(work.steps(), desc="clips"):
        pass
    report = work.report
    if args.json:
        print(json.dumps({"output": args.out, **report}))
    else:
        for line in summary(args.out, report):
            print(line)
        if work.shown:
            print(f"report: {work.shown}")
    return 0 if report["accepted"] else EXIT_NONE


def _config(args: argparse.Namespace) -> RestyleConfig:
    import dataclasses

    from worldgen.core.errors import InputError
    from worldgen.files.config_files import load_config
    from worldgen.generation.quality.gate import GateConfig
    from worldgen.generation.restyle.restyler import RestyleConfig

    overrides = list(args.overrides)
    if args.to:
        overrides.append(f"to={json.dumps(args.to)}")
    if args.model:
        overrides.append(f"model.pipeline={json.dumps(args.model)}")
    if args.limit is not None:
        overrides.append(f"limit={args.limit}")
    if args.strength:
        try:
            strength = 0.0 if args.strength == "auto" else float(args.strength)
        except ValueError as error:
            raise InputError("--strength", args.strength, "auto, or a number above 0 and up to 1") from error
        if args.strength != "auto" and not 0 < strength <= 1:
            raise InputError("--strength", args.strength, "auto, or a number above 0 and up to 1")
        overrides.append(f"strength={strength}")
    config = load_config(RestyleConfig, args.config or ["configs/restyle/default.yaml"], overrides)
    if not config.to:
        raise InputError("look to restyle to", "", '--to WORDS, as in --to "night, rain"')
    if not config.gate_from:
        return config
    return dataclasses.replace(config, gate=config.gate.over(load_config(GateConfig, [config.gate_from])))


def _samples(args: argparse.Namespace) -> tuple[Callable[[], Iterable[Sample]], str]:
    """A function that reads the samples anew, and a description of them."""
    from worldgen.core.errors import InputError, Received
    from worldgen.data.dataset.index import INDEX_NAME, DataSet
    from worldgen.data.ingest.labelled.labelled_samples import find_format, read_labelled
    from worldgen.data.ingest.labelled.picture_set import PictureSet
    from worldgen.files.storage import join, resolve

    fs, path = resolve(join(args.input, INDEX_NAME))
    if fs.exists(path):
        _refuse_given(args, ("fps", "frames", "licence", "classes"), "a data set", "a folder of labelled pictures")
        data = DataSet(args.input).select(args.split, args.tag, accepted=True)
        if not len(data):
            received = Received("no accepted clips with this split and these tags")
            raise InputError(f"data set {args.input}", received, "clips to restyle")
        return lambda: iter(data), f"data set {args.input}, split {args.split or 'all'}, tags {sorted(args.tag)}"
    _refuse_given(args, ("split", "tag"), "not a data set", "a data set, which has them")
    classes: dict[str, str] = {}
    for pair in args.classes:
        name, equals, target = pair.partition("=")
        if not equals or not name:
            raise InputError("--class", pair, "NAME=CLASS")
        classes[name] = target
    given = {name: getattr(args, name) for name in ("fps", "frames", "licence") if getattr(args, name) is not None}
    config = PictureSet(**given, classes=classes)
    kind = find_format(args.input)
    return lambda: read_labelled(args.input, config), f"{kind} pictures {args.input}, {config}"


def _refuse_given(args: argparse.Namespace, names: Sequence[str], kind: str, expected: str) -> None:
    """Refuse options that this kind of input would ignore. Raises: InputError."""
    from worldgen.core.errors import InputError, Received

    given = ["--class" if name == "classes" else f"--{name}" for name in names if getattr(args, name) not in (None, [])]
    if given:
        raise InputError(f"{', '.join(given)} with {args.input}", Received(kind), expected)


def summary(url: str, report: dict) -> list[str]:
    """The outcome in words."""
    lines = [f"{url}: {report['accepted']} of {report['attempts']} clips restyled with their labels kept"]
    if report["accepted"]:
        lines[0] += f", {report['minutes_per_accepted']:.2f} minutes per accepted clip"
        strengths = sorted(report["strengths"].items(), key=lambda each: -float(each[0]))
        lines.append("strengths: " + ", ".join(f"{name} ({count})" for name, count in strengths))
    reasons = sorted(report["reasons"].items(), key=lambda each: -each[1])
    if reasons:
        lines.append("refused for: " + ", ".join(f"{name} ({count})" for name, count in reasons))
    return lines
