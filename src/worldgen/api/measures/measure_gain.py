"""Whether generated data helps a detector: one detector trained many times, equally long, with paired intervals."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from worldgen.api.measures.measure_result import result_head
from worldgen.api.measures.measured_clips import set_threads
from worldgen.core.errors import InputError, Received
from worldgen.core.progress import LogLine, no_log
from worldgen.evaluation.gain.gain_config import REAL, GainStudy
from worldgen.evaluation.gain.gain_result import power, subject_of, summarise
from worldgen.evaluation.gain.study import RARE, ArmResult, StudyData, prepare, run_study
from worldgen.files.config_files import load_config


@dataclass(frozen=True, kw_only=True)
class GainOptions:
    """Options of ``worldgen eval gain``.

    config: YAML files, later ones win. overrides: ``key=value`` of the study. folder: where runs are kept. budget:
    minutes; no run is started that would end later; 0 for no limit. report_only: train nothing, report the runs that
    are kept. threads: of the CPU, 0 for torch's own choice.
    """

    config: Sequence[str] = ()
    overrides: Sequence[str] = ()
    folder: str = "outputs/gain"
    budget: float = 0.0
    report_only: bool = False
    threads: int = 0


def gain_study(options: GainOptions) -> GainStudy:
    """The study that the options describe. Raises: InputError for a budget or a config that is refused."""
    if not (math.isfinite(options.budget) and options.budget >= 0):
        raise InputError("budget", options.budget, "minutes, 0 for no limit")
    return load_config(GainStudy, options.config, options.overrides)


def measure_gain(options: GainOptions, *, log: LogLine = no_log) -> dict[str, Any]:
    """Train the runs of the study that are not kept yet, and compare every arm with real pictures only.

    log: receives what is trained, what waits, and a line for each new run.

    Raises: InputError for a config that is refused, missing data, and fewer than two runs of the real-only arm.
    """
    study = gain_study(options)
    set_threads(options.threads)
    bench = prepare(study, options.folder)
    log(f"{study.name}: {len(bench.arms)} arms, {study.seeds} seeds, {len(bench.test)} test pictures")
    for name, reason in bench.waiting.items():
        log(f"arm {name} waits: {reason}")
    budget_s = 0.0 if options.report_only else 60 * options.budget or math.inf
    runs = run_study(bench, budget_s=budget_s, after_run=_run_lines(bench, log))
    if sum(run.arm == REAL for run in runs) < 2:
        raise InputError("runs of the real-only arm", Received("fewer than two"), "a larger budget, or none")
    return result_head("gain", gain_command(options)) | summarise(bench, runs)


def gain_command(options: GainOptions) -> str:
    """The command that gives the same numbers; files and folders are named by their last part."""
    words = [*(f"--config {file}" for file in options.config), *map(shlex.quote, options.overrides)]
    return " ".join(["worldgen eval gain", *(re.sub(r"[^\s=\[,'\"]*/(?=[^\s/])", "", word) for word in words)])


def _run_lines(bench: StudyData, log: LogLine) -> Callable[[ArmResult, int, int], None]:
    """Logs a line for each new run; after the second real-only run also how small a gain the study can detect."""
    real: list[float] = []

    def report(run: ArmResult, number: int, total: int) -> None:
        value = bench.judged(run).value(RARE, subject_of(bench.study))
        log(f"run {number} of {total}: {run.arm} seed {run.seed}, AP50 {value:.3f} on rare clips, {run.seconds:.0f} s")
        if run.arm == REAL:
            real.append(value)
            if len(real) == 2:
                note = power(real, bench.study.seeds, bench.study.smallest_gain)["note"]
                log(f"early note, from two runs: {note}")

    return report
