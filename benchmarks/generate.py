"""Time of each part of a worker of ``worldgen generate``, its accepted clips per hour, and its memory over time.

    python benchmarks/generate.py [--config configs/generate/night_rain_pedestrians.yaml] [--attempts 16]
                                  [--memory-attempts 500] [--out benchmarks/results/generate.json]

The first part generates clips with the model of the recipe in one process with one thread, as each of several workers
does. The second part runs hundreds of attempts with the same scenes but a tiny model and short clips, and records
resident memory.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import torch

from worldgen.cli.terminal import progress
from worldgen.files.config_files import load_config
from worldgen.files.storage import write_bytes
from worldgen.generation.campaign.cell import grid_of
from worldgen.generation.campaign.job import Job
from worldgen.generation.campaign.recipe import ClipConfig, Recipe
from worldgen.generation.campaign.worker import LoadedModels, SampleWorker
from worldgen.generation.quality.gate import GateConfig
from worldgen.models.native.loading import pipeline_hash, quiet_libraries
from worldgen.models.native.sizes import build_pipeline


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def jobs(recipe: Recipe, folder: str, attempts: int):
    """Jobs of one cell after the other."""
    cells = grid_of(recipe).cells
    for number in range(attempts // recipe.work.attempts):
        yield Job(cells[number % len(cells)], number // len(cells), recipe.work.attempts, folder)


def throughput(recipe: Recipe, attempts: int) -> Iterator[dict]:
    """The measurements after each job."""
    start_s = time.perf_counter()
    worker = SampleWorker.load(recipe)
    load_s = time.perf_counter() - start_s
    seconds, reasons, attempted, accepted, candidates = Counter(), Counter(), 0, 0, 0
    cpu_start_s = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        for job in jobs(recipe, folder, attempts):
            record = worker.run(job)
            seconds.update(record.seconds)
            attempted += len(record.tries)
            accepted += sum(t.accepted for t in record.tries)
            candidates += sum(t.candidates for t in record.tries)
            reasons.update(r for t in record.tries if not t.accepted for r in t.reasons)
            cpu_s, whole = time.process_time() - cpu_start_s, seconds["all"]
            yield {
                "recipe": recipe.name,
                "weights_hash": worker.models.weights_hash,
                "instruments": recipe.instruments,
                "clip": dataclasses.asdict(recipe.clip),
                "threads": recipe.model.threads,
                "attempts": attempted,
                "candidates": candidates,
                "accepted": accepted,
                "reasons": dict(reasons),
                "seconds": {name: round(value, 3) for name, value in seconds.items()},
                "load_s": round(load_s, 2),
                "seconds_per_attempt": round(whole / attempted, 3),
                "cpu_seconds_per_attempt": round(cpu_s / attempted, 3),
                "seconds_per_clip": {name: round(value / candidates, 3) for name, value in seconds.items()},
                "cpu_share_of_wall_clock": round(cpu_s / whole, 3),
                "overhead_share": round(1 - seconds["model"] / whole, 4),
                "overhead_share_without_instruments": round(1 - (seconds["model"] + seconds["score"]) / whole, 4),
                "accepted_per_cpu_hour": round(3600 * accepted / cpu_s, 2),
            }


class NoScorer:
    """A scorer that takes no time, because this part measures memory only."""

    def score(self, clip, *, scene, labels, ego, text="", previous=None):
        from worldgen.generation.quality.scorecard import Scorecard

        return Scorecard({"blank": 0.0})


def memory(recipe: Recipe, attempts: int) -> Iterator[dict]:
    """The measurements after each job."""
    from worldgen.generation.quality.gate import Gate

    small = dataclasses.replace(
        recipe, clip=ClipConfig(frames=17, fps=8.0, width_px=48, height_px=32), candidates=1, gate=GateConfig(),
        model=dataclasses.replace(recipe.model, steps=1),
    )  # fmt: skip
    pipeline = build_pipeline("tiny", words=["a car in fog"])
    pipeline.set_progress_bar_config(disable=True)
    worker = SampleWorker(small, LoadedModels(pipeline, NoScorer(), Gate(small.gate), "tiny", pipeline_hash(pipeline)))
    marks = []
    with tempfile.TemporaryDirectory() as folder:
        for number, job in enumerate(jobs(small, folder, attempts)):
            worker.run(job)
            marks.append({"attempts": (number + 1) * small.work.attempts, "resident_mb": round(resident_mb(), 1)})
            yield growth(marks)


def growth(marks: list[dict]) -> dict:
    """Mean resident memory of the second quarter of the attempts, after all models are loaded, and of the last
    quarter."""
    half, quarter = len(marks) // 2, max(len(marks) // 4, 1)
    second, last = (
        statistics.mean(m["resident_mb"] for m in part) for part in (marks[quarter:half] or marks, marks[-quarter:])
    )
    return {
        "attempts": marks[-1]["attempts"], "second_quarter_mb": round(second, 1), "last_quarter_mb": round(last, 1),
        "growth_mb": round(last - second, 1), "marks": marks[:: max(len(marks) // 25, 1)],
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", default="configs/generate/night_rain_pedestrians.yaml")
    parser.add_argument("--attempts", type=int, default=16)
    parser.add_argument("--memory-attempts", type=int, default=500)
    parser.add_argument("--out", default="benchmarks/results/generate.json")
    parser.add_argument("overrides", nargs="*", default=[], metavar="key=value")
    args = parser.parse_args()
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    quiet_libraries()
    torch.set_num_threads(1)
    recipe = load_config(Recipe, [args.config], args.overrides)
    if recipe.gate_from:
        recipe = recipe.with_gate(load_config(GateConfig, [recipe.gate_from]))
    recipe = recipe.with_instruments()
    result = json.loads(Path(args.out).read_text()) if Path(args.out).exists() else {}
    result["machine"] = {
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "torch": torch.__version__,
        "load_average": os.getloadavg()[0],
    }
    parts = {"throughput": (throughput, args.attempts), "memory": (memory, args.memory_attempts)}
    for name, (measure, attempts) in parts.items():
        total = attempts // recipe.work.attempts
        for number, part in enumerate(progress(measure(recipe, attempts), total=total, desc=name), 1):
            # Written after each job: a run that is stopped leaves a result marked as not complete.
            result[name] = {"complete": number == total, "attempts_asked_for": attempts, **part}
            write_bytes(args.out, (json.dumps(result, indent=2) + "\n").encode())
    print(json.dumps(result))


if __name__ == "__main__":
    main()
