"""Contact sheets of the shipped model: its best and its worst held-out clips, and real drives that it continues.

  python pipelines/model_sheets.py [--clips 32] [--cache outputs/eval-cache] [--real URL --real-out DIR]

Best and worst are by mean squared error against the rendered clip of the same scene, over the generated frames. A sheet
has at most one clip per road and light, so that it shows different scenes. Real clips are continued as ``worldgen
sample --context`` does: from eight frames, without a layout, each with the next of the manoeuvres, from the speed
recovered from the frames (the cameras of these clips are not known well enough to use the speeds of the logs). They are
kept in DIR, for ``worldgen eval control --data DIR``. Writes docs/samples_{good,bad,real}.jpg and
eval/results/samples.json.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

import cv2
import numpy as np

from worldgen.cli.terminal import progress
from worldgen.core.clip import Clip
from worldgen.core.manoeuvres import MANOEUVRES
from worldgen.core.samples import Conditions, Sample
from worldgen.core.start import STARTS
from worldgen.data.dataset.index import DataSet, build_index
from worldgen.data.dataset.shards import ShardWriter
from worldgen.data.view.sheet import contact_sheet
from worldgen.evaluation.measures.trials import GenerationOptions, generated, held_out, num_context_frames, rendered
from worldgen.generation.sample.continuation import manoeuvre_from, recovered_motion
from worldgen.models.native.loading import load_pipeline, quiet_libraries

ROWS, COLUMNS, CELL_PX, CONTEXT = 4, 6, 224, 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="shipped")
    parser.add_argument("--clips", type=int, default=32)
    parser.add_argument("--start", default=GenerationOptions.start, choices=STARTS, help="how generated clips begin")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--cache", default="")
    parser.add_argument("--real", default="", help="data set of real clips")
    parser.add_argument("--per-drive", type=int, default=6)
    parser.add_argument("--real-out", default="", help="where continued real clips are kept")
    parser.add_argument("--docs", default="docs")
    parser.add_argument("--out", default="eval/results/samples.json")
    args = parser.parse_args()
    quiet_libraries()
    pipeline = load_pipeline(args.model)
    trials = held_out(args.clips)
    how = GenerationOptions(start=args.start, batch=args.batch, cache=args.cache)
    clips = list(progress(generated(pipeline, trials, how), total=len(trials), desc="clips"))
    truth = rendered(trials)
    scores = [
        _psnr(found, true, num_context_frames(t.scene, how.start))
        for t, found, true in zip(trials, clips, truth, strict=True)
    ]
    order = np.argsort(scores)[::-1].tolist()
    shown = {"good": _varied(order, trials), "bad": _varied(order[::-1], trials)}
    for name, chosen in shown.items():
        rows = [(trials[i].text, truth[i], clips[i]) for i in chosen]
        start = "every frame" if how.start == "noise" else "from two rendered frames"
        _write(rows, Path(args.docs) / f"samples_{name}.jpg", first="rendered", second=f"generated, {start}")
    record = {
        "clips": len(trials),
        "start": how.start,
        "psnr_db": {"median": _round(np.median(scores)), "best": _round(max(scores)), "worst": _round(min(scores))},
        "shown": {
            name: [{"trial": trials[i].key, "psnr_db": _round(scores[i])} for i in chosen]
            for name, chosen in shown.items()
        },
    }
    if args.real:
        record["real"] = _continue_real(pipeline, args)
    Path(args.out).write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    print(json.dumps(record, indent=1))


def _continue_real(pipeline, args: argparse.Namespace) -> dict:
    """Continue real clips from their first frames, each with the next of the manoeuvres."""
    data = DataSet(args.real)
    drives: dict[str, list[int]] = {}
    for i, row in enumerate(data.rows):
        drives.setdefault(row["drive"], []).append(i)
    numbers = [
        n
        for of_drive in drives.values()
        for n in of_drive[:: max(1, len(of_drive) // args.per_drive)][: args.per_drive]
    ]
    rows, continued = [], []
    for turn, number in enumerate(progress(numbers, total=len(numbers), desc="real")):
        sample = data.load(number)
        real, manoeuvre = sample.clip, MANOEUVRES[turn % len(MANOEUVRES)]
        motion = recovered_motion(real[:CONTEXT], sample.camera)
        ego = manoeuvre_from(manoeuvre, motion, given=CONTEXT, frames=len(real), fps=real.fps)
        request = Conditions(
            num_frames=len(real), fps=real.fps, context=real[:CONTEXT], ego=ego, camera=sample.camera,
            text=(sample.caption or None) if "text" in pipeline.accepts else None, seed=number,
        )  # fmt: skip
        clip = pipeline([request])[0]
        rows.append((f"{sample.drive}, at {motion[0]:.0f} m/s, commanded: {manoeuvre}", real, clip))
        continued.append(
            dataclasses.replace(
                sample, clip=clip, ego=ego, labels=None, provenance={"tool": "model_sheets", "drawn_frames": CONTEXT}
            )
        )
    shown = rows[:: max(1, len(rows) // ROWS)][:ROWS]
    second = f"generated, from {CONTEXT} recorded frames"
    _write(shown, Path(args.docs) / "samples_real.jpg", first="recorded", second=second)
    if args.real_out:
        _keep(continued, args.real_out)
    return {"data": Path(args.real).name, "drives": sorted(drives), "clips": len(rows), "context_frames": CONTEXT}


def _keep(samples: list[Sample], url: str) -> None:
    with ShardWriter(url, "continued") as writer:
        for sample in samples:
            writer.write(sample)
    build_index(url)


def _varied(order: list[int], trials) -> list[int]:
    """The first ``ROWS`` of the order, no two with the same road and light."""
    chosen, seen = [], set()
    for i in order:
        kind = (trials[i].scenario.road, trials[i].scenario.light)
        if kind not in seen:
            seen.add(kind)
            chosen.append(i)
    return chosen[:ROWS]


def _psnr(found: Clip, true: Clip, context: int) -> float:
    error = np.square(found.frames[context:].astype(np.float32) - true.frames[context:]).mean()
    return float(10 * np.log10(255**2 / max(error, 1e-6)))


def _write(rows: list[tuple[str, Clip, Clip]], path: Path, *, first: str, second: str) -> None:
    clips = [clip for _, one, other in rows for clip in (one, other)]
    captions = [line for text, _, _ in rows for line in (f"{first}: {text}", second)]
    sheet = contact_sheet(clips, captions, frames_per_clip=COLUMNS, columns=COLUMNS, cell_width_px=CELL_PX)
    cv2.imwrite(str(path), cv2.cvtColor(np.asarray(sheet), cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 88])


def _round(value: float) -> float:
    return round(float(value), 2)


if __name__ == "__main__":
    main()
