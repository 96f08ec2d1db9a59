"""What a recipe will need: time, cost and disk for its cells, measured on a few generated clips."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from dataclasses import dataclass

from worldgen.core.wilson import wilson_interval
from worldgen.generation.campaign.cell import CellGrid, grid_of
from worldgen.generation.campaign.job import Job, JobRecord
from worldgen.generation.campaign.quota import most_attempts
from worldgen.generation.campaign.recipe import Recipe
from worldgen.generation.campaign.runner import WorkerFactory

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


def calibrate(recipe: Recipe, make: WorkerFactory, clips: int) -> Calibration:
    """Generate about ``clips`` clips of cells spread over the recipe, in a temporary folder."""
    grid = grid_of(recipe)
    start_s = time.perf_counter()
    worker = make()
    load_s = time.perf_counter() - start_s
    attempts = min(recipe.work.attempts, clips)
    jobs = max(1, round(clips / attempts))
    records: list[JobRecord] = []
    with tempfile.TemporaryDirectory(prefix="worldgen-plan-") as folder:
        for number in range(jobs):
            cell = grid.cells[number * len(grid.cells) // jobs]
            records.append(worker.run(Job(cell, number, attempts, folder)))
    tries = [t for record in records for t in record.tries]
    reasons = Counter(reason for t in tries if not t.accepted for reason in t.reasons)
    seconds: dict[str, float] = {}
    for record in records:
        for part, value in record.seconds.items():
            seconds[part] = seconds.get(part, 0.0) + value
    return Calibration(
        len(tries), sum(t.accepted for t in tries), seconds, sum(r.size_bytes for r in records), load_s, dict(reasons)
    )


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
