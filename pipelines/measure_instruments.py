"""Accuracy of the instruments on held-out drawn windows, by light and weather, for several versions side by side.

Purpose: says whether new weights read the pictures of `sample` better and the earlier pictures no worse.
Hardware: one CPU core. Time: about a minute of CPU for each set of 40 scenes and version of the instruments.

    python pipelines/instrument_sets.py --count 40 --seed 7800000 --look shipped --split test --out held_out_shipped
    python pipelines/instrument_sets.py --count 40 --seed 7810000 --look sketch --split test --out held_out_sketch
    python pipelines/measure_instruments.py held_out_shipped held_out_sketch \\
        --instruments before=DIR after=assets/instruments

Writes benchmarks/results/instruments.json. A version is a folder with the folders verifier, attributes, detector and
motion; those that are missing are left out.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
import torch
from instrument_training.rendered_samples import at_size, samples_of, window_middles

from worldgen.cli.terminal import progress
from worldgen.core.clip import Clip
from worldgen.core.labels import LAYOUT_CLASSES
from worldgen.core.samples import Sample
from worldgen.evaluation.measures.attributes_score import judge as judge_attributes
from worldgen.evaluation.measures.average_precision import Slice, judge
from worldgen.evaluation.measures.intervals import mean_interval, ratio_interval
from worldgen.files.storage import write_bytes
from worldgen.instruments.attributes.attribute_reader import ATTRIBUTES, AttributeReader, AttributeTruth, network_of
from worldgen.instruments.detector.detector import GROUPS, load_detector
from worldgen.instruments.detector.pictures import find_in, pictures_of
from worldgen.instruments.instrument_files import stored_instrument
from worldgen.instruments.motion.motion_reader import MotionReader
from worldgen.instruments.motion.motion_reader import network_of as motion_network
from worldgen.instruments.verifier.verifier import NONE, Verifier, load_verifier

READ_PX = (224, 128)
SLICES: dict[str, tuple[str, ...]] = {
    "all": (), "day": ("dawn", "day", "low_sun", "dusk"), "night": ("night_lit", "night_unlit"),
    "rain": ("light_rain", "heavy_rain"), "snow": ("snow",), "fog": ("fog",),
}  # fmt: skip
PERSONS = ("pedestrian", "cyclist", "motorcycle")
LEAST_PX, LEAST_VISIBLE = (4.0, 10.0), 0.4
"""Boxes that the gate judges: at least this wide and high at 224 px, and visible to this share."""


def verifier_rows(verifier: Verifier, sample: Sample) -> dict[str, tuple[float, float]]:
    """Sums and counts over the boxes of a sample that the gate judges: right class, called nothing, agreement."""
    small = at_size(sample, *READ_PX)
    labels = small.labels
    assert labels is not None
    size = labels.box_px[:, 2:] - labels.box_px[:, :2]
    good = ~labels.ignore & (labels.class_id < NONE) & (labels.visible_fraction >= LEAST_VISIBLE)
    good &= (size >= LEAST_PX).all(1) & np.isin(labels.frame_index, list(window_middles(small)))
    if not good.any():
        return {}
    frames, names = labels.frame_index[good], labels.class_id[good]
    answers = verifier.read(small.clip).verify(frames, labels.box_px[good]).classes
    angle = np.arange(len(names)) * 2.4  # the golden angle: directions spread evenly
    step = np.stack([np.cos(angle), np.sin(angle)], 1) * size[good]
    beside = verifier.read(small.clip).verify(frames, labels.box_px[good] + np.tile(step, 2)).classes
    agreement = answers[np.arange(len(names)), names]
    rows = {
        "right": (answers.argmax(1) == names), "called_nothing": answers.argmax(1) == NONE, "agreement": agreement,
        "agreement_at_a_box_beside": beside[np.arange(len(names)), names],
    }  # fmt: skip
    out = {name: (float(values.sum()), float(len(names))) for name, values in rows.items()}
    for person in PERSONS:
        mine = names == LAYOUT_CLASSES.index(person)
        if mine.any():
            out[f"{person}_right"] = (float(rows["right"][mine].sum()), float(mine.sum()))
            out[f"{person}_from_half"] = (float((agreement[mine] >= 0.5).sum()), float(mine.sum()))
    return out


def attribute_rows(reader: AttributeReader, sample: Sample) -> dict[str, tuple[float, float]]:
    """Windows of a sample whose weather and light are read right, of all its windows."""
    frames = list(window_middles(sample))
    assert sample.scenario is not None and sample.labels is not None
    truth = AttributeTruth.of(sample.scenario, sample.labels, frames)
    judged = judge_attributes(reader.read(sample.clip, frames), truth)
    return {name: (float(judged.right[name].sum()), float(len(frames))) for name in ("weather", "light")}


def motion_errors(reader: MotionReader, sample: Sample) -> dict[str, list[float]]:
    """Errors of speed and yaw rate of every pair of frames."""
    assert sample.ego is not None and sample.camera is not None
    out: dict[str, list[float]] = {"speed_error_mps": [], "yaw_rate_error_radps": []}
    for middle in window_middles(sample):
        rows = slice(middle - 1, middle + 2)
        found = reader.read(Clip(sample.clip.frames[rows], sample.clip.fps), sample.camera)
        out["speed_error_mps"] += np.abs(found.speed_mps - sample.ego.speed_mps[rows])[1:].tolist()
        out["yaw_rate_error_radps"] += np.abs(found.yaw_rate_radps - sample.ego.yaw_rate_radps[rows])[1:].tolist()
    return out


def by_slice(parts: list[dict[str, tuple[float, float]]], samples: list[Sample]) -> dict:
    """Ratios of sums with intervals over scenes, by slice and name."""
    out = {}
    for word, tags in SLICES.items():
        mine = [part for part, s in zip(parts, samples, strict=True) if not tags or set(tags) & set(s.tags)]
        names = sorted({name for part in mine for name in part})
        out[word] = {
            name: {
                "of": int(sum(part[name][1] for part in mine if name in part)),
                **ratio_interval(
                    [part[name][0] for part in mine if name in part], [part[name][1] for part in mine if name in part]
                ).to_json(),
            }
            for name in names
        }  # fmt: skip
    return out


def detector_rows(folder: Path, samples: list[Sample]) -> dict:
    """AP50 of each group from 12 px of height at 224 px, by slice."""
    pictures = pictures_of(samples, first=1, every=3, size=READ_PX)
    pieces = [Slice(word, tags, low_px=12.0) for word, tags in SLICES.items()]
    judged = judge(pictures, find_in(load_detector(folder), pictures), slices=pieces)
    return {
        word: {
            f"ap50_{group}": judged.interval(word, group).to_json() | {"of": judged.objects(word, group)}
            for group in GROUPS
        }
        for word in SLICES
    }


def motion_rows(reader: MotionReader, samples: list[Sample]) -> dict:
    errors = [motion_errors(reader, sample) for sample in samples]
    out = {}
    for word, tags in SLICES.items():
        mine = [e for e, s in zip(errors, samples, strict=True) if not tags or set(tags) & set(s.tags)]
        names = errors[0] if mine else ()
        out[word] = {name: mean_interval([float(np.mean(e[name])) for e in mine]).to_json() for name in names}
    return out


def measured(folder: Path, samples: list[Sample]) -> dict:
    """The readings of one version of the instruments on one set."""
    out: dict = {}
    if (folder / "verifier").is_dir():
        verifier = load_verifier(folder / "verifier")
        parts = [verifier_rows(verifier, sample) for sample in progress(samples, desc="verifier")]
        out["verifier"] = {"hash": stored_instrument(folder / "verifier").hash, **by_slice(parts, samples)}
    if (folder / "attributes").is_dir():
        instrument = stored_instrument(folder / "attributes")
        reader = AttributeReader(network_of(instrument), instrument, ATTRIBUTES)
        parts = [attribute_rows(reader, sample) for sample in samples]
        out["attributes"] = {"hash": instrument.hash, **by_slice(parts, samples)}
    if (folder / "detector").is_dir():
        found = detector_rows(folder / "detector", samples)
        out["detector"] = {"hash": stored_instrument(folder / "detector").hash, **found}
    if (folder / "motion").is_dir():
        instrument = stored_instrument(folder / "motion")
        rows = motion_rows(MotionReader(motion_network(instrument), instrument), samples)
        out["motion"] = {"hash": instrument.hash, **rows}
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", help="as written by instrument_sets.py with --split test")
    parser.add_argument("--instruments", nargs="+", required=True, metavar="NAME=DIR")
    parser.add_argument("--out", default="benchmarks/results/instruments.json")
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    record: dict = {"read_at_px": READ_PX, "sets": {}}
    for url in args.sets:
        samples = list(samples_of([url], ("test",)))
        row: dict = {"scenes": len(samples), "windows": sum(len(s.clip) // 3 for s in samples)}
        for word in args.instruments:
            name, _, folder = word.partition("=")
            row[name] = measured(Path(folder), samples)
        record["sets"][Path(url).name] = row
        write_bytes(args.out, (json.dumps(record, indent=1) + "\n").encode())
    print(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()
