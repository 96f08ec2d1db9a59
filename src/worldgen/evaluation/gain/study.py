"""The detector-gain study: every arm trained with every seed, resumable, each run kept as one file."""

from __future__ import annotations

import hashlib
import io
import json
import time
import zipfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

import numpy as np

from worldgen.core.errors import InputError, Received
from worldgen.evaluation.gain.arms import Arm, build_arms, check_apart, load_source
from worldgen.evaluation.gain.gain_config import GainStudy
from worldgen.evaluation.gain.gain_detectors import TrainingRun, base_training, train_and_find, train_base, training_of
from worldgen.evaluation.measures.average_precision import ALL, Judged, Slice, judge
from worldgen.files.storage import atomic_file
from worldgen.instruments.detector.detector import Detections
from worldgen.instruments.detector.pictures import Pictures

RARE, COMMON = "rare", "common"


@dataclass(frozen=True, eq=False)
class ArmResult:
    """One arm trained with one seed. found: detections in the test pictures. seconds: of training and detecting."""

    arm: str
    seed: int
    found: Detections
    seconds: float


@dataclass(frozen=True, eq=False)
class StudyData:
    """A study in memory.

    arms: those that can run. waiting: arm -> why it cannot run yet. real, test: pictures. folder: where runs are kept.
    known: runs that were judged already.
    """

    study: GainStudy
    arms: dict[str, Arm]
    waiting: dict[str, str]
    real: Pictures
    test: Pictures
    folder: Path
    known: dict[tuple[str, int], Judged] = field(default_factory=dict)

    def jobs(self) -> list[tuple[str, int]]:
        """Arm and seed of every run: all arms with one seed, then the next seed, so that a study cut short is
        balanced."""
        return [
            (name, seed) for seed in range(self.study.seeds) for name in self.arms if seed < self.study.seeds_of(name)
        ]

    def path(self, arm: str, seed: int) -> Path:
        """File of a run. Its name changes with every setting that would change the result."""
        what = {
            "pictures": self.arms[arm].digest(), "test": self.test.digest(),
            "training": asdict(training_of(self.study, steps=self.steps(arm), seed=seed)),
            "detector": self.study.detector, "checkpoint": self.study.checkpoint,
        }  # fmt: skip
        if self.study.base_steps:
            what["base"] = self.base_path(seed).name
        return self.folder / f"{arm}-s{seed}-{_name(what)}.npz"

    def base_path(self, seed: int) -> Path:
        """File of the weights from which the arms of a seed start."""
        what = {"pictures": self.real.digest(), "training": asdict(base_training(self.study, seed))}
        if self.study.checkpoint:
            what["checkpoint"] = self.study.checkpoint
        return self.folder / f"base-s{seed}-{_name(what)}.safetensors"

    def steps(self, arm: str) -> int:
        """Optimiser steps of an arm."""
        return max(1, round(self.study.steps * self.arms[arm].length))

    def slices(self) -> tuple[Slice, ...]:
        """The parts of the test that are reported; "rare" is the subject of the study."""
        low = self.study.min_height_px
        rare = self.study.rare_tags
        parts = [Slice(RARE, rare, low), Slice(ALL, low_px=low)]
        known = {tag for tags in self.test.tags for tag in tags}
        for name, tags in (
            ("night", ("night_lit", "night_unlit")), ("rain", ("light_rain", "heavy_rain")), ("fog", ("fog",)),
            ("dusk", ("dusk",)),
        ):  # fmt: skip
            if known & set(tags):
                parts.append(Slice(name, tags, low))
        parts += [Slice("small", rare, low, 2 * low), Slice("far", rare, low, far_m=25.0)]
        if rare and any(not set(tags) & set(rare) for tags in self.test.tags):
            parts.append(Slice(COMMON, without=rare, low_px=low))
        return tuple(parts)

    def judged(self, run: ArmResult) -> Judged:
        """A run's detections matched to the test, by slice and group."""
        key = (run.arm, run.seed)
        if key not in self.known:  # matching takes seconds each time
            self.known[key] = judge(self.test, run.found, slices=self.slices())
        return self.known[key]


def prepare(study: GainStudy, folder: str | Path) -> StudyData:
    """Read all sources, or what was kept of them, and build the arms.

    Raises: InputError when a source is missing or a clip of the test is trained on.
    """
    folder = Path(folder)
    check_apart(study)
    arms, waiting = build_arms(study, lambda source: load_source(source, study, folder))
    test = load_source(study.test, study, folder)
    if not (~test.boxes.ignore).any():
        raise InputError("objects of the test", 0, f"at least one of {study.min_height_px:g} pixels or more")
    return StudyData(study, arms, waiting, load_source(study.real, study, folder), test, folder / "runs")


def run_study(
    bench: StudyData, *, budget_s: float = float("inf"), after_run: Callable[[ArmResult, int, int], None] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> list[ArmResult]:  # fmt: skip
    """Every run that is not kept yet, until the next run would not fit in ``budget_s`` seconds; returns all runs.

    after_run: called after each new run with it, its number and how many there are in all.
    """
    start_s, jobs = clock(), bench.jobs()
    runs: list[ArmResult] = []
    for number, (arm, seed) in enumerate(jobs):
        path = bench.path(arm, seed)
        kept = load_run(path, arm, seed)
        if kept is None:
            expected_s = _expected(bench, arm, runs)
            if clock() - start_s + expected_s >= budget_s:
                continue  # a shorter arm may still fit, and kept runs take no time
            kept = _train(bench, arm, seed, clock=clock)
            save_run(path, kept)
            if after_run:
                after_run(kept, number + 1, len(jobs))
        runs.append(kept)
    return runs


def _expected(bench: StudyData, arm: str, runs: list[ArmResult]) -> float:
    """Expected seconds of a run: the median seconds per step of the finished runs, times its steps."""
    rates = [run.seconds / bench.steps(run.arm) for run in runs]
    return float(np.median(rates)) * bench.steps(arm) if rates else 0.0


def _train(bench: StudyData, arm: str, seed: int, *, clock: Callable[[], float]) -> ArmResult:
    base = _base(bench, seed, clock=clock)
    start_s = clock()
    pictures, shares = bench.arms[arm].pictures()
    found = train_and_find(bench.study, TrainingRun(pictures, shares, bench.steps(arm), seed, base), bench.test)
    return ArmResult(arm, seed, found, clock() - start_s)


def _base(bench: StudyData, seed: int, *, clock: Callable[[], float]) -> dict | None:
    """The weights from which all arms of a seed start, trained once and kept."""
    if not bench.study.base_steps:
        return None
    from safetensors import SafetensorError
    from safetensors.torch import load, save

    path = bench.base_path(seed)
    if path.exists():
        try:
            return load(path.read_bytes())
        except SafetensorError as error:
            raise InputError(f"kept weights {path}", Received(str(error)), "a whole file; delete it") from error
    start_s = clock()
    weights = train_base(bench.study, bench.real, seed)
    data = {name: tensor.contiguous() for name, tensor in weights.items()}
    with atomic_file(str(path)) as file:
        file.write(save(data, {"seconds": f"{clock() - start_s:.3f}"}))
    return weights


def base_seconds(bench: StudyData) -> float:
    """Seconds that the training of the kept base weights took."""
    from safetensors import safe_open

    total_s = 0.0
    for path in {bench.base_path(seed) for seed in range(bench.study.seeds)} if bench.study.base_steps else ():
        if path.exists():
            with safe_open(str(path), "np") as file:
                total_s += float(file.metadata()["seconds"])
    return total_s


def _name(what: dict) -> str:
    return hashlib.blake2b(json.dumps(what, sort_keys=True).encode(), digest_size=8).hexdigest()


def save_run(path: Path, run: ArmResult) -> None:
    """Write a run, atomically."""
    columns = {each.name: getattr(run.found, each.name) for each in fields(Detections)}
    with atomic_file(str(path)) as file:
        np.savez(file, seconds=np.array(run.seconds), **columns)


def load_run(path: Path, arm: str, seed: int) -> ArmResult | None:
    """A kept run, or None. Raises: InputError for a damaged file, which the user may delete."""
    if not path.exists():
        return None
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as kept:  # np.load leaves damaged files open
            found = Detections(*(kept[each.name] for each in fields(Detections)))
            return ArmResult(arm, seed, found, float(kept["seconds"]))
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"kept run {path}", Received(str(error)), "a whole file; delete it to run it again") from error
