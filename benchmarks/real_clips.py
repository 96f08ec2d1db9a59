"""Continued real clips against what happened: error and sharpness by time ahead, beside three simple predictions.

Purpose:  how good the shipped model's continuations of unseen real clips are.
Run:      python benchmarks/real_clips.py SHARED/data --work WORK --out benchmarks/results/real_clips.json
Hardware: one CPU core, 2 GB of memory. Time: about 12 minutes. WORK keeps judged windows; the same command goes on.
Expected: sharpness of about 0.9 in the first second; a PSNR that is not below reprojection.

Clips: KITTI 03 and track b of the Udacity simulator with their logs and cameras, and dashcam clips without a log, whose
camera and speed `sample` estimates from the known frames, as it does for every user. No weights were trained on any of
them. Rows: the last known frame repeated (`copy`), that frame blurred (`blurred copy`), that frame moved by the same
motion and estimated depth (`reprojection`), and the shipped model. Measures of the frame at each horizon against the
recorded one: PSNR in dB; SSIM of luma (Wang et al. 2004, Gaussian window of 1.5 px); sharpness, the standard deviation
of the Laplacian over that of the recorded frame.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path

import cv2
import numpy as np
import torch

import worldgen
from worldgen.api.model import Model
from worldgen.core.camera import Camera
from worldgen.core.clip import Clip
from worldgen.core.ego import EgoMotion
from worldgen.core.samples import Conditions, Sample
from worldgen.data.dataset.index import DataSet
from worldgen.data.dataset.splits import SplitConfig
from worldgen.data.ingest.ingest_config import IngestConfig
from worldgen.evaluation.measures.intervals import mean_interval
from worldgen.files.config_files import load_config
from worldgen.models.native.conditions import ClipConditions, batch_conditions
from worldgen.models.native.history.geometry import ClipGeometry
from worldgen.models.native.history.reprojection import reproject
from worldgen.models.native.loading import load_codec
from worldgen.models.native.pixels import video_from_clips

CONFIGS = Path(__file__).resolve().parents[1] / "configs" / "ingest"
KNOWN = 8
HORIZONS_S = (0.125, 0.25, 0.5, 1.0, 2.0, 3.0)
SIZE_PX = (448, 256)
ROWS = ("shipped", "copy", "blurred copy", "reprojection")
MEASURES = ("psnr_db", "ssim", "sharpness")
BLUR_PX = 3.0
SSIM_SPREAD_PX = 1.5


@dataclass(frozen=True)
class Source:
    """folder: of the shared data and of its config. clips: names of those to use. windows: judged of each clip, evenly
    spread. logged: whether the log and the camera of the config are used."""

    folder: str
    clips: tuple[str, ...]
    windows: int
    logged: bool


DASHCAMS = (
    "tmo_seattlestreet1.mp4", "tmo_night.mp4", "tmo_rainy.mp4", "china_1.mp4", "israel.mp4", "mumbai.mp4",
    "freeway_dashcam2.mp4", "uk_residential_dashcam.mp4",
)  # fmt: skip
SOURCES = {
    "kitti03": Source("research", ("kitti03_gray.mp4",), 12, True),
    "simulator": Source("simulator", ("udacity_track_b.mp4",), 10, True),
    "dashcams": Source("research", DASHCAMS, 1, False),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path, help="folder with research/ and simulator/")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/real_clips.json"))
    parser.add_argument("--sets", nargs="+", default=list(SOURCES), choices=SOURCES)
    parser.add_argument("--sheet", default="", help="also write the windows with the largest error as a picture")
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    model, codec = worldgen.load(), load_codec("shipped")
    record: dict = {
        "command": "python benchmarks/real_clips.py SHARED/data --work WORK --sets " + " ".join(args.sets),
        "size_px": SIZE_PX, "known_frames": KNOWN, "weights_hash": model.sampler.model.weights_hash, "sets": {},
    }  # fmt: skip
    for name in args.sets:
        source, rows = SOURCES[name], []
        for number, sample in enumerate(windows(args, name, source)):
            kept = args.work / "judged" / f"{name}-{sample.key}.json"
            if not kept.exists():
                kept.parent.mkdir(parents=True, exist_ok=True)
                found, pictures = judged(model, codec, sample, source, number)
                cv2.imwrite(str(kept.with_suffix(".png")), pictures[..., ::-1])
                kept.write_text(json.dumps(found) + "\n")
            rows.append(json.loads(kept.read_text()))
            print(name, number, rows[-1]["key"], rows[-1]["1 s"]["shipped"], file=sys.stderr, flush=True)
        record["sets"][name] = compared(rows)
        args.out.write_text(json.dumps(record, indent=1) + "\n")
    if args.sheet:
        write_worst(args)
    print(json.dumps({name: means(found) for name, found in record["sets"].items()}, indent=1))


def windows(args: argparse.Namespace, name: str, source: Source) -> Iterator[Sample]:
    """The judged windows of a source, from a data set that is ingested once."""
    out = args.work / name
    if not (out / "dataset.json").exists():
        config = load_config(IngestConfig, [str(CONFIGS / f"{source.folder}.yaml")], ["verify=headers"])
        found = sorted(path.name for path in (args.shared / source.folder).glob("*.mp4"))
        chosen = [clip for clip in found if clip in source.clips]
        frames = KNOWN + 30
        of_chosen = {
            pattern: each for pattern, each in config.sources.items() if any(fnmatch(clip, pattern) for clip in chosen)
        }
        config = replace(
            config, exclude=tuple(clip for clip in found if clip not in chosen), num_frames=frames,
            stride_frames=frames, split=SplitConfig(test=("*",)), width_px=SIZE_PX[0], height_px=SIZE_PX[1],
            sources=of_chosen,
        )  # fmt: skip
        worldgen.ingest(args.shared / source.folder, out, config)
    data = DataSet(str(out))
    clips: dict[str, list[str]] = {}
    for key in sorted(row["key"] for row in data.rows):
        name = key.rsplit("-", 2)[0]
        if f"{name}.mp4" in source.clips:
            clips.setdefault(name, []).append(key)
    for keys in clips.values():
        count = min(source.windows, len(keys))
        for number in range(count):
            yield data.load(keys[number * len(keys) // count])


@torch.no_grad()
def judged(model: Model, codec, sample: Sample, source: Source, seed: int) -> tuple[dict, np.ndarray]:
    """Measures of a window, horizon -> row -> measure, and its pictures: recorded above made, a horizon a column."""
    clip, last = sample.clip, KNOWN - 1
    targets = {f"{h:g} s": last + round(h * clip.fps) for h in HORIZONS_S}
    frames = max(targets.values()) + 1
    if source.logged:
        assert sample.ego is not None and sample.camera is not None, sample.key
        ego, camera = sample.ego[:frames], sample.camera
        request = Conditions(
            num_frames=frames, fps=clip.fps, context=clip[:KNOWN], ego=ego, camera=camera,
            text=sample.caption or None, seed=seed,
        )  # fmt: skip
        sampler = model.sampler
        [made] = sampler.model([request], sampler.options(steps=0, chunk=0, guidance={}))
    else:
        sampled = model.sample(
            context=clip[:KNOWN], frames=frames, context_frames=KNOWN, fps=clip.fps, seed=seed, size=SIZE_PX
        )
        assert sampled.ego is not None and sampled.camera is not None
        made, ego, camera = sampled.clip, sampled.ego, sampled.camera
    moved = reprojected(codec, clip, ego, camera, list(targets.values()))
    copy = clip.frames[last]
    found: dict = {"key": sample.key}
    for horizon, target in targets.items():
        pictures = {
            "shipped": made.frames[target], "copy": copy, "blurred copy": cv2.GaussianBlur(copy, (0, 0), BLUR_PX),
            "reprojection": moved[target],
        }  # fmt: skip
        found[horizon] = {row: measured(picture, clip.frames[target]) for row, picture in pictures.items()}
    rows = [np.concatenate([video.frames[target] for target in targets.values()], 1) for video in (clip, made)]
    return found, np.concatenate(rows)


def reprojected(codec, clip: Clip, ego: EgoMotion, camera: Camera, targets: list[int]) -> dict[int, np.ndarray]:
    """The last known frame moved to each target, with depth from the known frames."""
    known = ClipConditions(max(targets) + 1, clip.fps, None, ego, camera, None)
    conditions, video = batch_conditions([known], None), video_from_clips([clip[:KNOWN]])
    last = KNOWN - 1
    geometry = ClipGeometry.of(video, conditions, last)
    found = {}
    for target in targets:
        _, moved, _ = reproject(codec, video[:, :, last], conditions, source=last, target=target, geometry=geometry)
        found[target] = ((moved[0].clamp(-1, 1) + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
    return found


def measured(made: np.ndarray, true: np.ndarray) -> dict[str, float]:
    """PSNR, SSIM and sharpness of a frame against the recorded one, both ``(H, W, 3)`` uint8 RGB."""
    error = np.square(made.astype(np.float64) - true).mean()
    greys = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float64) for frame in (made, true)]
    sharp = [float(cv2.Laplacian(grey, cv2.CV_64F).std()) for grey in greys]
    return {
        "psnr_db": round(float(10 * np.log10(255**2 / max(error, 1e-9))), 3), "ssim": round(ssim(*greys), 4),
        "sharpness": round(sharp[0] / max(sharp[1], 1e-9), 4),
    }  # fmt: skip


def ssim(one: np.ndarray, other: np.ndarray) -> float:
    """Structural similarity of two grey pictures ``(H, W)`` float64, 0 to 255 (Wang et al. 2004, eq. 13)."""

    def mean(picture: np.ndarray) -> np.ndarray:
        return cv2.GaussianBlur(picture, (11, 11), SSIM_SPREAD_PX)

    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    a, b = mean(one), mean(other)
    variance_a, variance_b, covariance = mean(one**2) - a**2, mean(other**2) - b**2, mean(one * other) - a * b
    return float(
        ((2 * a * b + c1) * (2 * covariance + c2) / ((a**2 + b**2 + c1) * (variance_a + variance_b + c2))).mean()
    )


def compared(rows: list[dict]) -> dict:
    """Means over windows with 95 % intervals, and paired differences of the shipped model to each other row."""
    out: dict = {"windows": len(rows)}
    for horizon in (f"{h:g} s" for h in HORIZONS_S):
        out[horizon] = {}
        for measure in MEASURES:
            values = {row: np.array([found[horizon][row][measure] for found in rows]) for row in ROWS}
            out[horizon][measure] = {row: mean_interval(values[row]).to_json() for row in ROWS} | {
                f"shipped minus {row}": mean_interval(values["shipped"] - values[row]).to_json() for row in ROWS[1:]
            }
    return out


def means(found: dict) -> dict:
    """The mean of each measure, to print."""
    return {
        f"{h:g} s": {m: {row: found[f"{h:g} s"][m][row]["value"] for row in ROWS} for m in MEASURES} for h in HORIZONS_S
    }


def write_worst(args: argparse.Namespace) -> None:
    """The windows of each set whose PSNR after one second is the furthest below that of the best simple prediction."""
    rows = []
    for name in args.sets:
        judged_windows = sorted((args.work / "judged").glob(f"{name}-*.json"))

        def gain(path: Path) -> float:
            found = json.loads(path.read_text())["1 s"]
            return found["shipped"]["psnr_db"] - max(found[row]["psnr_db"] for row in ROWS[1:])

        for path in sorted(judged_windows, key=gain)[:2]:
            pictures = cv2.imread(str(path.with_suffix(".png")))
            assert pictures is not None, path
            rows.append(pictures)
    cv2.imwrite(args.sheet, np.concatenate(rows))


if __name__ == "__main__":
    main()
