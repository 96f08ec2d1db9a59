"""Set the thresholds of the gate on clean rendered clips and on clips with planted faults.

  worldgen scenes render --size 448x256 --paint --count 216 --seed 900000 --grid weather,light,event --out calibration
  python pipelines/calibrate_gate.py calibration --training scenes --out configs/gate/default.yaml

  worldgen scenes render --size 448x256 --paint --count 132 --seed 910000 --grid event --out ordered
  python pipelines/calibrate_gate.py ordered --presence-of configs/gate/default.yaml \\
    --evidence benchmarks/results/gate_presence_calibration.json

The second form sets the bound of presence of a gate and keeps its other thresholds, on clips in which something was
ordered. Several sets may be named; --split val --split test leaves out the training clips of instruments. Writes the
thresholds as YAML, their evidence to benchmarks/results/gate_calibration.json, and the description of the training
clips into assets/instruments/training. It takes about 9 s per clip on one core. benchmarks/gate.py measures the result
on other clips.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch

from worldgen.cli.terminal import progress
from worldgen.core.samples import Sample
from worldgen.data.dataset.index import DataSet
from worldgen.data.view.page import spread
from worldgen.files.config_files import config_yaml, load_config
from worldgen.generation.quality.calibration import Allowance, calibrate, subject_bound
from worldgen.generation.quality.examination import (
    describe_instruments,
    examine,
    examine_subjects,
    results,
    values_of_faults,
)
from worldgen.generation.quality.gate import Bound, Gate, GateConfig
from worldgen.generation.quality.novelty import TrainingClips
from worldgen.generation.quality.scorer import Scorer, ScorerConfig
from worldgen.generation.quality.subject_faults import SUBJECT_FAULTS
from worldgen.generation.quality.tuning import tune

HEADER = """# Purpose: thresholds of the gate for clips from 224 px of width. Written by a calibration; do not edit.
# Hardware: one core.
# Time: about 9 s for each clip of the calibration set.
# Expected: benchmarks/results/gate.json says which share of other clean clips is refused, and of each fault caught.
# Run: worldgen generate --config configs/generate/weather_grid.yaml gate_from=configs/gate/default.yaml output=data/set
# Written by: python pipelines/calibrate_gate.py, {clips} clips; refused of these: {refused}.
"""
MIN_OTHER, MAX_OTHER = 0.2, 0.9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clean", nargs="+", help="rendered data sets on which no instrument was trained")
    parser.add_argument(
        "--training", action="append", default=[], help="data sets on which the model was trained (train split)"
    )
    parser.add_argument(
        "--copies-of", default="", help="instead: data set of training clips that are described already"
    )
    parser.add_argument("--out", default="configs/gate/default.yaml")
    parser.add_argument("--evidence", default="benchmarks/results/gate_calibration.json")
    parser.add_argument(
        "--describe", default="assets/instruments/training", help="folder for the description of training clips"
    )
    parser.add_argument(
        "--split", action="append", default=[], choices=("train", "val", "test"), help="only these splits"
    )
    parser.add_argument(
        "--seams", default="benchmarks/results/seams.json", help="limits that benchmarks/seams.py found"
    )
    parser.add_argument("--presence-of", default="", help="only set the bound of presence of this gate, and save it")
    parser.add_argument(
        "--no-subject-faults", action="store_true", help="do not draw each clip again without its subject (slow)"
    )
    parser.add_argument("--limit", type=int, default=216)
    parser.add_argument("--false-rejection", type=float, default=0.03)
    for name in ("verifier", "detector", "attributes", "motion"):
        parser.add_argument(f"--{name}", default=name)
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    if args.presence_of:
        return set_presence(args)
    copies = []
    if args.copies_of:
        train = DataSet(args.copies_of).select("train")
        copies = [train.load(i) for i in spread(len(train), args.limit)]
    if args.training:
        copies = describe_training(args.training, Path(args.describe))
    training = str(Path(args.describe).resolve()) if (Path(args.describe) / "training.safetensors").is_file() else ""
    scorer = Scorer.load(ScorerConfig(args.verifier, args.detector, args.attributes, args.motion, training))
    samples = list(calibration_samples(args))
    parts = examine(scorer, samples, training=copies, subject_faults=not args.no_subject_faults)
    examined = list(progress(parts, total=len(samples), desc="examine"))
    base = GateConfig(object_other=object_other(examined))
    allowance = Allowance(args.false_rejection)
    config = calibrate([one.clean for one in examined], values_of_faults(examined), allowance, base)
    apart = results(Gate(config), examined)["all_labels"]
    config = with_seams(tune(config, examined, allowance), Path(args.seams))
    measured = results(Gate(config), examined)
    write((Path(args.out), Path(args.evidence)), config, {
        "instruments": dict(describe_instruments(scorer)), "clips": len(examined), "allowance": args.false_rejection,
        "on_calibration_clips": measured, "label_faults_before_tuning": apart, "clean": distribution(examined),
        "spoilt": {name: quantiles(values) for name, values in values_of_faults(examined).items()},
    })  # fmt: skip
    print(json.dumps(measured, indent=1))


def calibration_samples(args: argparse.Namespace) -> Iterator[Sample]:
    sets = [DataSet(url) for url in args.clean]
    places = [(d, i) for d in sets for i, row in enumerate(d.rows) if not args.split or row["split"] in args.split]
    return (data.load(number) for data, number in (places[i] for i in spread(len(places), args.limit)))


def set_presence(args: argparse.Namespace) -> None:
    """Set the bound of presence in a gate that was calibrated before; needs the verifier alone."""
    path = Path(args.presence_of)
    before = path.read_text("utf-8")
    config, scorer = load_config(GateConfig, [str(path)]), Scorer.load(ScorerConfig(args.verifier, "", "", "", ""))
    examined = list(progress(examine_subjects(scorer, calibration_samples(args)), desc="examine"))
    bound = subject_bound([one.clean for one in examined], values_of_faults(examined), args.false_rejection)
    config = dataclasses.replace(config, bounds={**config.bounds, **bound})
    header = "".join(line for line in before.splitlines(keepends=True) if line.startswith("#"))
    path.write_text(header + config_yaml(config), "utf-8")
    of_kind = {
        kind: [f.card.values["presence"] for one in examined for f in one.faulty if f.kind == kind]
        for kind in SUBJECT_FAULTS
    }
    evidence = {
        "verifier": describe_instruments(scorer)["verifier"], "allowance": args.false_rejection,
        "presence": dataclasses.asdict(config.bounds["presence"]), "clean": distribution(examined)["presence"],
        **{kind: quantiles(values) for kind, values in of_kind.items()},
        "on_calibration_clips": results(Gate(GateConfig(bounds=bound)), examined),
    }  # fmt: skip
    Path(args.evidence).write_text(json.dumps(evidence, indent=1) + "\n", "utf-8")
    print(json.dumps(evidence, indent=1))


def with_seams(config: GateConfig, measured: Path) -> GateConfig:
    """The gate with the measured limits of seams, of which clips of one run have none (``benchmarks/seams.py``)."""
    limits = json.loads(measured.read_text("utf-8"))["limits"]
    bounds = {name: Bound(high=limit) for name, limit in limits.items()}
    return dataclasses.replace(config, bounds={**config.bounds, **bounds})


def describe_training(urls: list[str], folder: Path) -> list:
    """Describe the train split of the data sets; returns some of these clips, to be planted as copies."""
    clips, kept = [], []
    for url in urls:
        data = DataSet(url).select("train")
        for number in progress(range(len(data)), desc="describe"):
            sample = data.load(number)
            clips.append(sample.clip)
            if number % 8 == 0:
                kept.append(sample)
    folder.mkdir(parents=True, exist_ok=True)
    TrainingClips.of(clips).save(folder)
    return kept


def object_other(examined: list) -> float:
    """Evidence of another object above which removing a track is no repair: 9 in 10 tracks without an object stay
    below."""
    others = [
        track.other
        for one in examined for faulty in one.faulty if faulty.kind == "added"
        for track in faulty.card.tracks if track.track_id == faulty.fault.track
    ]  # fmt: skip
    return round(float(np.clip(np.quantile(others, 0.9), MIN_OTHER, MAX_OTHER)), 3) if others else MIN_OTHER


def distribution(examined: list) -> dict:
    names = sorted({name for one in examined for name in one.clean.values})
    return {name: quantiles([one.clean.values[name] for one in examined if name in one.clean.values]) for name in names}


def quantiles(values: list[float]) -> dict:
    marks = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)
    return {"clips": len(values)} | {
        f"q{mark:g}": round(float(v), 4) for mark, v in zip(marks, np.quantile(values, marks), strict=True)
    }


def write(paths: tuple[Path, Path], config: GateConfig, evidence: dict) -> None:
    clean = evidence["on_calibration_clips"]["clean"]
    text = HEADER.format(clips=evidence["clips"], refused=clean["refused"]) + config_yaml(config)
    evidence = {"gate": dataclasses.asdict(config), **evidence}
    for path, content in zip(paths, (text, json.dumps(evidence, indent=1) + "\n"), strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, "utf-8")


if __name__ == "__main__":
    main()
