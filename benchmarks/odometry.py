"""Motion from pixels against logs of real and simulated drives, and faults of logs that are found.

Purpose:  accuracy and calibration of `worldgen ingest --ego from-video`, and of `--check-motion`.
Run:      python benchmarks/odometry.py SHARED/data --out benchmarks/results/odometry.json
Hardware: one CPU core. Time: about 15 s of CPU time a minute of driving and camera setting.
Expected: rank correlations of the yaw rate of about 0.8 and more on drives with turns; no note on a log as it is, but
          for the speed of calgary, which was read from an overlay and comes 1.5 s after the pixels.

Each logged source is read twice: with the camera of its config, where it states one, and with none. Faults are made in
its log one by one: the yaw rate turned round, the speed in km/h or mph read as m/s, the clock shifted.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import takewhile
from pathlib import Path

import cv2
import numpy as np

from worldgen.core.camera import Camera
from worldgen.data.ingest.ingest_config import IngestConfig
from worldgen.data.ingest.logs.ego_config import EgoLogConfig
from worldgen.data.ingest.logs.log_motion import LogMotion
from worldgen.data.ingest.pixels.motion_check import motion_notes
from worldgen.data.ingest.pixels.pixel_motion import PixelMotion
from worldgen.data.ingest.source_config import CameraConfig
from worldgen.data.ingest.source_frames import iter_source_frames
from worldgen.data.ingest.source_plan import SourcePlan, plan_source
from worldgen.data.ingest.sources import find_sources
from worldgen.evaluation.measures.intervals import spearman
from worldgen.files.config_files import load_config
from worldgen.instruments.odometry.odometry_reader import read_odometry

DRIVES = {
    "kitti03_gray.mp4": "research", "udacity_track_a.mp4": "simulator", "udacity_track_b.mp4": "simulator",
    "calgary.mp4": "shippable",
}  # fmt: skip
"""Logged clips -> folder and config. Nothing was trained on them, but settings and deviations of the reader were chosen
while looking at their numbers: they are development drives, and none is held out."""
DRIVES_ARE = "development drives: settings of the reader were chosen while looking at their numbers"
NORMAL = {"50": 0.6745, "80": 1.2816, "95": 1.96}
SHIFTS_S = (-2.0, -1.0, -0.5, 0.5, 1.0, 2.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shared", type=Path, help="folder with research/, simulator/, shippable/")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/odometry.json"))
    parser.add_argument("--configs", type=Path, default=Path(__file__).resolve().parents[1] / "configs" / "ingest")
    parser.add_argument("--seconds", type=float, default=90.0, help="of each drive")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    rows = []
    for name, folder in DRIVES.items():
        if not (args.shared / folder / name).exists():
            print(f"no {folder}/{name}, skipped", file=sys.stderr)
            continue
        plan = planned(args.shared / folder / name, args.configs / f"{folder}.yaml")
        for given in (True, False) if plan.source.config.camera is not None else (False,):
            rows.append(
                {"drive": name, "camera": "given" if given else "unknown"} | measured(plan, given, args.seconds)
            )
            print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
            record = {
                "command": f"python benchmarks/odometry.py SHARED/data --seconds {args.seconds:g}",
                "drives": DRIVES_ARE, "seconds": args.seconds, "rows": rows,
            }  # fmt: skip
            args.out.write_text(json.dumps(record, indent=1) + "\n")


def planned(path: Path, config_file: Path) -> SourcePlan:
    """The plan of one source with the config of its folder."""
    config = load_config(IngestConfig, [str(config_file)], ["verify=headers"])
    entry = {key: value for key, value in config.sources.items() if key == path.name}
    return plan_source(find_sources([str(path)], entry, config.defaults, ()).sources[0], config)


def measured(plan: SourcePlan, given: bool, seconds: float) -> dict:
    """Accuracy, calibration and found faults of one drive."""
    assert plan.motion is not None
    size = (plan.info.width_px, plan.info.height_px)
    stated = plan.source.config.camera or CameraConfig()
    start_s = max(plan.motion.valid_s[0], 0.0)
    camera = stated.camera(*size) if given else Camera.from_fov(*size)

    def frames() -> Iterator[tuple[float, np.ndarray]]:
        pairs = ((float(plan.frame_times_s[k]), pixels) for k, pixels in iter_source_frames(plan.source))
        pairs = takewhile(lambda pair: pair[0] < start_s + seconds, pairs)
        return (pair for pair in pairs if pair[0] >= start_s)

    began = time.process_time()
    pixels = read_odometry(frames(), camera, camera_given=given and plan.source.config.camera is not None)
    cpu_s = time.process_time() - began
    if pixels.unknown:
        return {"unknown": pixels.unknown}
    return {
        "notes": list(pixels.notes), "cpu_s": round(cpu_s, 1), "driven_s": round(float(np.ptp(pixels.times_s)), 1),
        **accuracy(plan.motion, pixels), "check": faults(plan, pixels),
    }  # fmt: skip


def accuracy(log: LogMotion, pixels: PixelMotion) -> dict:
    """Rank correlations, scale, errors and coverage of the intervals, at the times at which the log is known."""
    half = 0.05
    known = log.covers(pixels.times_s - half) & log.covers(pixels.times_s + half)
    seconds = np.diff(log.times_s)
    out: dict = {"rows": int(known.sum())}
    measures = (
        ("speed", pixels.speed_mps, pixels.speed_sigma_mps),
        ("yaw_rate", pixels.yaw_rate_radps, pixels.yaw_rate_sigma_radps),
    )  # fmt: skip
    for (name, seen, sigma), rates in zip(measures, log.step_rates(), strict=True):
        if name == "yaw_rate" and log.yaw_rate_from.startswith("assumed"):
            continue
        ways = np.concatenate([[0.0], np.cumsum(rates * seconds)])
        low, high = (np.interp(pixels.times_s + end, log.times_s, ways) for end in (-half, half))
        told, error = ((high - low) / (2 * half))[known], seen[known] - ((high - low) / (2 * half))[known]
        out[name] = {
            "spearman": round(spearman(seen[known], told), 4),
            "scale": round(float((seen[known] * told).sum() / (told**2).sum()), 4),
            "median_abs_error": round(float(np.median(np.abs(error))), 4),
            "median_sigma": round(float(np.median(sigma[known])), 4),
            "coverage": {
                level: round(float((np.abs(error) < factor * sigma[known]).mean()), 3)
                for level, factor in NORMAL.items()
            },
        }  # fmt: skip
    return out


def faults(plan: SourcePlan, pixels: PixelMotion) -> dict:
    """What the check says of the log as it is, and which faults it names."""
    log, config = plan.motion, plan.source.config.ego or EgoLogConfig()
    assert log is not None
    speed, yaw_rate = log.step_rates()
    at_s = (log.times_s[1:] + log.times_s[:-1]) / 2
    rates = replace(log, times_s=at_s, speed_mps=speed, yaw_rate_radps=yaw_rate, poses=None)
    wrong = {
        "yaw turned round": (replace(rates, yaw_rate_radps=-yaw_rate), "other way"),
        "km/h as m/s": (replace(rates, speed_mps=3.6 * speed), "km/h read as m/s"),
        "mph as m/s": (replace(rates, speed_mps=2.237 * speed), "mph read as m/s"),
        **{
            f"clock {shift:+g} s": (
                replace(rates, times_s=at_s + shift, valid_s=(log.valid_s[0] + shift, log.valid_s[1] + shift)),
                "against the pixels: ego.clock_offset_s",
            )
            for shift in SHIFTS_S
        },
    }
    named = {
        fault: any(word in note for note in motion_notes(motion, pixels, config))
        for fault, (motion, word) in wrong.items()
    }
    return {"said_of_the_log": motion_notes(rates, pixels, config), "named": named}


if __name__ == "__main__":
    main()
