"""How time and memory grow with the size of a data set: driver, publishing, index, kernel distance.

The driver is the campaign's own, with quotas, ledger and lock; only the worker is a dummy that returns records. For
publishing and the index the dummy writes real shards with small files in the place of videos, so that the time of the
code is seen and not that of the disk. Every size runs in a process of its own, for its peak memory.

    python benchmarks/scale.py driver --sizes 100000 1000000 10000000 --output benchmarks/results/scale_driver.json
    python benchmarks/scale.py publish --sizes 1000 4000 16000
    python benchmarks/scale.py kernel --sizes 1000 2000 4000

Times are CPU seconds of the process, so that other work on the machine does not change them. ``slope`` is that of the
logarithm of time or memory against the logarithm of the size, from each size to the next: 1 is linear.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from worldgen.core.samples import SAMPLE_VERSION
from worldgen.core.seeds import stable_hash
from worldgen.data.dataset.sample_files import canonical_json
from worldgen.data.dataset.shards import ShardWriter
from worldgen.generation.campaign.campaign import Campaign
from worldgen.generation.campaign.job import AttemptRecord, EncodedSample, Job, JobRecord, digest_of, write_record
from worldgen.generation.campaign.recipe import CellGroup, ClipConfig, Recipe, WorkConfig
from worldgen.generation.campaign.runner import JobOutcome

ACCEPTANCE = 0.7
IN_FLIGHT = 64
FAULTS_EVERY = 1000
"""One job in so many reports a fault, as on a network that now and then refuses."""
VIDEO_BYTES = 14000
"""Of a clip of 25 frames of 224x128."""
FEATURES = 768


def recipe(output: str, quota: int, cells: int, attempts: int) -> Recipe:
    """A recipe of up to 36 cells with ``quota`` accepted clips in all."""
    lights, roads = ("day", "dusk", "night_lit"), ("urban", "suburban", "rural")
    weathers = ("clear", "overcast", "fog", "snow")
    kinds = [(w, li, r) for w in weathers for li in lights for r in roads][:cells]
    groups = [
        CellGroup(count=quota // cells, weather=(w,), light=(li,), road=(r,), manoeuvre=("keep",)) for w, li, r in kinds
    ]
    return Recipe(
        name="scale", output=output, cells=groups, clip=ClipConfig(frames=25, fps=10.0, width_px=224, height_px=128),
        work=WorkConfig(attempts=attempts, retry_wait_s=0.0),
    )  # fmt: skip


class DummyRunner:
    """Finishes jobs in a random order. shards: whether it writes them."""

    capacity = IN_FLIGHT

    def __init__(self, *, shards: bool):
        self.shards, self.rng = shards, random.Random(0)
        self.jobs: deque[Job] = deque()
        self.done = 0

    def submit(self, job: Job) -> None:
        """Queue a job."""
        self.jobs.append(job)

    def wait(self) -> list[JobOutcome]:
        """The outcome of any job in flight."""
        self.jobs.rotate(self.rng.randrange(len(self.jobs)))
        job = self.jobs.popleft()
        self.done += 1
        return [JobOutcome(job, "done", self._record(job))]

    def close(self) -> None:
        """Nothing to end."""

    def _record(self, job: Job) -> JobRecord:
        draw = random.Random(stable_hash(job.name)) if self.shards else self.rng
        tries = tuple(_attempt(job, number, draw) for number in range(job.first, job.first + job.attempts))
        samples = [_sample(job, each) for each in tries] if self.shards else []
        faults = ("read of a weight file: refused once",) if self.done % FAULTS_EVERY == 0 else ()
        seconds = {"all": 1.0, "model": 0.6, "score": 0.2}
        record = JobRecord(job.cell.key, job.number, tries, "w" * 32, digest_of(samples), 0, seconds, faults, "here:1")
        if self.shards:
            with ShardWriter(job.url, job.name) as writer:
                for key, members in samples:
                    writer.write_members(key, members)
            write_record(job, record)
        return record


def _attempt(job: Job, number: int, draw: random.Random) -> AttemptRecord:
    accepted = draw.random() < ACCEPTANCE
    return AttemptRecord(number, f"gen_{job.cell.key}_{number}", accepted, () if accepted else ("sharpness",))


def _sample(job: Job, attempt: AttemptRecord) -> EncodedSample:
    record = {
        "sample_version": SAMPLE_VERSION, "key": attempt.key, "caption": job.cell.label, "drive": attempt.key,
        "split": "train", "tags": [*job.cell.weather, *job.cell.light], "licence": "CC0-1.0", "fps": 10.0,
        "num_frames": 25, "width_px": 224, "height_px": 128, "camera": None, "scenario": None, "conditions_used": [],
        "provenance": {"weights_hash": "w" * 32}, "has_ego": False, "has_labels": False,
        "scorecard": {"accepted": attempt.accepted, "reasons": list(attempt.reasons), "sharpness": 0.5},
    }  # fmt: skip
    video = stable_hash(attempt.key).to_bytes(8, "big") * (VIDEO_BYTES // 8)
    return attempt.key, {"mp4": video, "json": canonical_json(record, "record")}


class Unpublished(Campaign):
    """A campaign that ends when its cells are met."""

    def _publish(self) -> None:
        self.report = self._report(0.0)


def measured(work: Callable[[], object]) -> dict:
    """CPU seconds of a call and peak memory of the process until its end."""
    start_s = time.process_time()
    value = work()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"cpu_s": round(time.process_time() - start_s, 3), "peak_mb": round(peak / 1e6, 1), "value": value}


def driver(size: int, cells: int) -> dict:
    """About ``size`` attempts of the driver, without shards."""
    with tempfile.TemporaryDirectory() as folder:
        asked = recipe(f"{folder}/set", round(size * ACCEPTANCE), cells, 8)
        run = Unpublished(asked, DummyRunner(shards=False), lambda line: None, page=False)
        found = measured(lambda: deque(run.steps(), maxlen=0).maxlen)
        return found | {"attempts": run.report["attempts"], "met": run.report["met"], "faults": run.report["faults"]}


def publish(size: int, cells: int) -> dict:
    """A set of about ``size`` samples, published; then 1 % more of it; then opened."""
    from worldgen.data.dataset.index import DataSet

    with tempfile.TemporaryDirectory() as folder:
        asked = recipe(f"{folder}/set", round(size * ACCEPTANCE), cells, 8)
        out: dict = {}
        for name, factor in (("first", 1.0), ("more", 1.01)):
            groups = [replace(group, count=math.ceil(group.count * factor)) for group in asked.cells]
            runner = DummyRunner(shards=True)
            run = Campaign(replace(asked, cells=groups), runner, lambda line: None, page=False)
            spent: list[dict] = []
            publishing = run._publish
            run._publish = lambda spent=spent, publishing=publishing: spent.append(measured(publishing))  # type: ignore
            before = {path.name: path.stat().st_mtime_ns for path in Path(folder, "set").glob("*.tar")}
            deque(run.steps(), maxlen=0)
            shards = {path.name: path.stat().st_mtime_ns for path in Path(folder, "set").glob("*.tar")}
            out[name] = {
                "jobs": runner.done, "publish_cpu_s": spent[0]["cpu_s"], "shards": len(shards),
                "shards_rewritten": sum(shards[name] != stamp for name, stamp in before.items()),
            }  # fmt: skip
        opened: list[DataSet] = []
        found = measured(lambda: opened.append(DataSet(f"{folder}/set")))
        table = opened[0].rows.table
        return out | {
            "samples": len(opened[0]), "open_cpu_s": found["cpu_s"], "index_mb": round(table.nbytes / 1e6, 2),
            "cpu_s": out["first"]["publish_cpu_s"], "peak_mb": found["peak_mb"],
        }  # fmt: skip


def kernel(size: int, cells: int) -> dict:
    """The kernel distance of two sets of ``size`` features, with its interval."""
    from worldgen.evaluation.distances.kernel_distance import kernel_interval

    rng = np.random.default_rng(0)
    one, two = (rng.standard_normal((size, FEATURES)).astype(np.float32) for _ in range(2))
    return measured(lambda: kernel_interval(one, two).value)


PARTS = {"driver": driver, "publish": publish, "kernel": kernel}


def main() -> None:
    """Run the sizes of a part one after another and write what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--cells", type=int, default=36)
    parser.add_argument("--output", default="")
    parser.add_argument("--one", action="store_true", help="one size in this process, as JSON")
    args = parser.parse_args()
    if args.one:
        print(json.dumps(PARTS[args.part](args.sizes[0], args.cells)))
        return
    rows: list[dict] = []
    for size in args.sizes:
        command = [sys.executable, __file__, args.part, "--one", "--cells", str(args.cells), "--sizes", str(size)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        row = {"size": size, **json.loads(done.stdout.splitlines()[-1])}
        if rows:
            grown = math.log(size / rows[-1]["size"])
            for name in ("cpu_s", "peak_mb"):
                row[f"slope_{name}"] = round(math.log(row[name] / max(rows[-1][name], 1e-3)) / grown, 3)
        rows.append(row)
        print(json.dumps(row), flush=True)
    if args.output:
        record = {"part": args.part, "cells": args.cells, "python": sys.version.split()[0], "sizes": rows}
        Path(args.output).write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
