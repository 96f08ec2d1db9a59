"""Speed of the steps of a run: an estimate after a few steps, then a line every few seconds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from worldgen.core.progress import LogLine
from worldgen.training.launch import duration_text
from worldgen.training.loop import preflight
from worldgen.training.loop.checkpoints import TrainingProgress
from worldgen.training.train_config import TrainConfig

LINE_EVERY_S = 10.0


class StepTimer:
    """Times the steps of a run since its last start. per_step: items in one step. start_step: steps done before this
    start."""

    def __init__(self, config: TrainConfig, log: LogLine, *, per_step: int, start_step: int) -> None:
        self.config, self.log, self.per_step, self.start_step = config, log, per_step, start_step
        self.last_line_s = time.monotonic()
        self.warm_s: float | None = None
        self.beside_s = 0.0
        self.durations: dict[str, float] = {}

    @contextmanager
    def beside(self, kind: str) -> Iterator[None]:
        """Times work beside the steps, such as "validate": it is part of the time to go, not of the time of a step."""
        began = time.monotonic()
        yield
        self.durations[kind] = time.monotonic() - began
        if self.warm_s is not None:
            self.beside_s += self.durations[kind]

    def after_step(self, progress: TrainingProgress, *, grad_norm: float, device: torch.device) -> None:
        """Call after every step; logs a line when one is due."""
        now = time.monotonic()
        if self.warm_s is None:
            self.warm_s = now  # the first step also starts loaders and warms caches
            return
        steps = progress.step - self.start_step
        per_step_s = (now - self.warm_s - self.beside_s) / (steps - 1)
        left = duration_text(max(0.0, self._left_s(progress, per_step_s)))
        if steps == preflight.MEASURED_STEPS + 1:
            rate = self.per_step / per_step_s
            peak = preflight.peak_memory_mib(device)
            self.log(
                f"speed: {per_step_s:.3g} s a step, {rate:.3g} items a second, peak memory {peak:,.0f} MiB, "
                f"about {left} to go"
            )
        if now - self.last_line_s >= LINE_EVERY_S:
            self.last_line_s = now
            self.log(
                f"step {progress.step}/{self.config.steps}: loss {progress.last_loss:.4g}, gradient {grad_norm:.3g}, "
                f"{per_step_s:.3g} s a step, {left} to go"
            )

    def _left_s(self, progress: TrainingProgress, per_step_s: float) -> float:
        config, step = self.config, progress.step
        by_steps = (config.steps - step) * per_step_s
        due = {"validate": config.validate_every, "sheet": config.sheet_every, "save": config.save_every}
        for kind, every in due.items():
            if every:  # at every multiple, and at the end
                times = config.steps // every - step // every + (config.steps % every > 0)
                by_steps += times * self.durations.get(kind, 0.0)
        if not self.config.max_minutes:
            return by_steps
        return min(by_steps, 60 * self.config.max_minutes - progress.elapsed_s)
