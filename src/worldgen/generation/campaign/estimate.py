"""What a recipe will need: time, cost and disk for its cells, measured on a few generated clips."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from worldgen.core.progress import ProgressReporter, no_progress
from worldgen.core.wilson import wilson_interval
from worldgen.generation.campaign.cell import CellGrid, grid_of
from worldgen.generation.campaign.job import Job, JobRecord
from worldgen.generation.campaign.quota import most_attempts
from worldgen.generation.campaign.recipe import Recipe
from worldgen.generation.campaign.runner import WorkerFactory

SECONDS_PER_MEGAPIXEL, LOAD_S = 10.5, 3.0
"""An attempt with the shipped model and all instruments takes 7.5 s of a core for 25 frames of 224x128 (0.72 million
pixels); other models, sizes and machines differ, which is why a plan measures."""
COPIES = 2
"""Every clip is stored in its job's shard and, if it counts, in the data set."""


@dataclass(frozen=True)
class Calibration:
    """Measurements of a few attempts. seconds: by part of the work. load_s: to load the models, once per process."""

    attempts: int
    accepted: int
    seconds: dict[str, float]
    size_bytes: int
    load_s: float
    reasons: dict[str, int]

    @property
    def acceptance(self) -> float:
        """Share of accepted attempts, with half an attempt added to each side, so that it is never 0 or 1."""
        return (self.accepted + 0.5) / (self.attempts + 1)


def calibrate(recipe: Recipe, make: WorkerFactory, clips: int, progress: ProgressReporter = no_progress) -> Calibration:
    """Generate ``clips`` clips, whole batches, of cells spread over the recipe, in a temporary folder.

    progress: shows the number of clips done.
    """
    grid = grid_of(recipe)
    start_s = time.perf_counter()
    worker = make()
    load_s = time.perf_counter() - start_s
    attempts = min(recipe.model.batch, recipe.work.attempts, clips)  # the batches of a run: their size decides the time
    jobs = max(1, -(-clips // attempts))
    records: list[JobRecord] = []

    def single_clips(folder: str) -> Iterator[None]:
        for number in range(jobs):
            cell = grid.cells[number * len(grid.cells) // jobs]
            records.append(worker.run(Job(cell, number, attempts, folder)))
            yield from (None for _ in range(attempts))

    with tempfile.TemporaryDirectory(prefix="worldgen-plan-") as folder:
        for _ in progress(single_clips(folder), jobs * attempts, "measure clips"):
            pass
    tries = [t for record in records for t in record.tries]
    reasons = Counter(reason for t in tries if not t.accepted for reason in t.reasons)
    seconds: dict[str, float] = {}
    for record in records:
        for part, value in record.seconds.items():
            seconds[part] = seconds.get(part, 0.0) + value
    return Calibration(
        len(tries), sum(t.accepted for t in tries), seconds, sum(r.size_bytes for r in records), load_s, dict(reasons)
    )


@dataclass(frozen=True)
class RoughCost:
    """What is known before any clip is generated.

    quota: clips wanted. attempts: when each of them is accepted, in whole jobs. measuring_s: seconds of measuring on
    some clips. hours: wall clock of the run. Both at ``SECONDS_PER_MEGAPIXEL``.
    """

    quota: int
    attempts: int
    measuring_s: float
    hours: float


def rough_cost(recipe: Recipe, clips: int, workers: int) -> RoughCost:
    """The cost of a recipe before anything is measured: an order of magnitude for the shipped model on a CPU core."""
    grid = grid_of(recipe)
    clip_s = SECONDS_PER_MEGAPIXEL * recipe.clip.frames * recipe.clip.width_px * recipe.clip.height_px / 1e6
    attempts = _attempts(grid, recipe, 1.0)
    return RoughCost(grid.quota, attempts, LOAD_S + clips * clip_s, (LOAD_S + attempts * clip_s / workers) / 3600)


def plan(recipe: Recipe, calibration: Calibration, workers: int) -> dict:
    """The plan as JSON values: cells, attempts, hours, cost and bytes, for the measured acceptance and its interval.

    hours: wall clock of ``workers`` processes that do not slow each other down.
    """
    grid = grid_of(recipe)
    measured = calibration.acceptance
    lower, upper = wilson_interval(calibration.accepted, calibration.attempts)
    per_attempt_s = calibration.seconds.get("all", 0.0) / max(calibration.attempts, 1)
    per_attempt_bytes = calibration.size_bytes / max(calibration.attempts, 1)

    def expected(acceptance: float) -> dict:
        attempts = _attempts(grid, recipe, acceptance)
        worker_hours = (attempts * per_attempt_s + workers * calibration.load_s) / 3600
        return {
            "acceptance": round(acceptance, 4), "attempts": attempts, "hours": round(worker_hours / workers, 4),
            "worker_hours": round(worker_hours, 4), "cost": round(worker_hours * recipe.cost_per_hour, 4),
            "disk_bytes": round(COPIES * attempts * per_attempt_bytes),
        }  # fmt: skip

    return {
        "recipe": recipe.name, "recipe_hash": recipe.hash, "output": recipe.output, "workers": workers,
        "cells": [{"label": cell.label, "key": cell.key, "count": cell.count} for cell in grid.cells],
        "left_out": list(grid.left_out), "quota": grid.quota, "clip_s": recipe.clip.frames / recipe.clip.fps,
        "calibration": {
            "attempts": calibration.attempts, "accepted": calibration.accepted, "reasons": calibration.reasons,
            "seconds_per_attempt": round(per_attempt_s, 3), "bytes_per_attempt": round(per_attempt_bytes),
            "load_s": round(calibration.load_s, 2),
            "seconds": {name: round(value, 3) for name, value in calibration.seconds.items()},
        },
        "expected": expected(measured), "at_best": expected(max(upper, measured)),
        "at_worst": expected(min(lower, measured)),
    }  # fmt: skip


def _attempts(grid: CellGrid, recipe: Recipe, acceptance: float) -> int:
    """Attempts until every cell is met or stopped, in whole jobs."""
    size = recipe.work.attempts
    total = 0
    for cell in grid.cells:
        wanted = min(cell.count / max(acceptance, 1e-6), most_attempts(cell.count, recipe.work))
        total += -int(-wanted // size) * size
    return total
