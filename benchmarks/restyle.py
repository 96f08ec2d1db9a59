"""Agreement of labels after restyling, and the change of appearance, by strength.

  worldgen scenes render --renderer sketch --prompt "by day" --count 24 --grid road --seed 960000 --out day
  python benchmarks/restyle.py day --to "night, rain" [--sheets sheets]

Per strength: the agreement of labels with the restyled clip over that with the original (1: nothing lost), the
probability of the new light and weather by the attribute reader, and the share that the gate accepts; means with 95 %
intervals over clips. The seed is the same at every strength, so clips differ in strength alone.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from dataclasses import replace
from pathlib import Path

import cv2
import torch

from worldgen.cli.terminal import progress
from worldgen.core.clip import Clip
from worldgen.core.samples import Sample
from worldgen.data.dataset.index import DataSet
from worldgen.data.view.page import spread
from worldgen.data.view.sheet import contact_sheet
from worldgen.evaluation.measures.intervals import mean_interval
from worldgen.files.config_files import load_config
from worldgen.files.storage import write_bytes
from worldgen.generation.quality.examination import describe_instruments
from worldgen.generation.quality.gate import GateConfig
from worldgen.generation.restyle.restyler import RestyleConfig, Restyler

MEASURES = ("label_agreement", "label_fit", "weather", "light", "sharpness", "flicker")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", help="labelled data set")
    parser.add_argument("--to", default="night, rain")
    parser.add_argument("--strengths", default="0.2,0.4,0.55,0.7,0.85,0.95")
    parser.add_argument("--limit", type=int, default=24)
    parser.add_argument("--config", default="configs/restyle/default.yaml")
    parser.add_argument("--sheets", default="", help="folder for a contact sheet of the first clips at every strength")
    parser.add_argument("--out", default="benchmarks/results/restyle.json")
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    config = replace(load_config(RestyleConfig, [args.config]), to=args.to)
    if config.gate_from:
        config = replace(config, gate=load_config(GateConfig, [config.gate_from]))
    restyler = Restyler.load(config)
    data = DataSet(args.clips)
    samples = [data.load(i) for i in spread(len(data), args.limit)]
    strengths = [float(word) for word in args.strengths.split(",")]
    rows = []
    start_s = time.process_time()
    for number, sample in enumerate(progress(samples, desc="restyle")):
        task = restyler.task(sample)
        before = restyler._agreement(task)
        candidates = [restyler._candidate(task, (n, strength), before, {}) for n, strength in enumerate(strengths)]
        rows.append([
            {"kept": each.agreement, "accepted": float(each.verdict.accepted), "reasons": list(each.verdict.reasons)}
            | {name: each.card.values.get(name) for name in MEASURES}
            for each in candidates
        ])  # fmt: skip
        if args.sheets and number < 4:
            write_sheet(
                Path(args.sheets) / f"restyle_{number}.jpg",
                sample,
                [each.clip for each in candidates],
                strengths,
            )
        cpu_s = (time.process_time() - start_s) / (len(rows) * len(strengths))
        record = {
            "to": args.to,
            "clips": len(rows),
            "clips_asked_for": len(samples),
            "complete": len(rows) == len(samples),
            "instruments": dict(describe_instruments(restyler.scorer)),
            "weights_hash": restyler.sampler.weights_hash,
            "start": config.model.start,
            "cpu_seconds_per_rollout": round(cpu_s, 2),
            "strengths": curve(rows, strengths),
        }
        # Written after each clip: a run that is stopped leaves the result so far.
        write_bytes(args.out, (json.dumps(record, indent=1) + "\n").encode())
    print(json.dumps(record, indent=1))


def curve(rows: list[list[dict]], strengths: list[float]) -> dict:
    """Strength -> means over all clips."""
    return {
        f"{strength:g}": {name: interval([row[i][name] for row in rows]) for name in ("kept", "accepted", *MEASURES)}
        | {"reasons": counted([reason for row in rows for reason in row[i]["reasons"]])}
        for i, strength in enumerate(strengths)
    }


def interval(values: list[float | None]) -> dict:
    """Mean and 95 % interval over clips; None where nothing was measured."""
    return mean_interval([math.nan if value is None else value for value in values]).to_json()


def counted(words: list[str]) -> dict[str, int]:
    return {word: words.count(word) for word in sorted(set(words))}


def write_sheet(path: Path, sample: Sample, clips: list[Clip], strengths: list[float]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    shown = [sample.clip, *clips]
    words = ["original", *(f"strength {strength:g}" for strength in strengths)]
    picture = contact_sheet(shown, words, labels=[sample.labels] * len(shown), frames_per_clip=4, columns=4)
    cv2.imwrite(str(path), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 88])


if __name__ == "__main__":
    main()
