"""Verdicts on a finished run: it learnt its one batch, and it changed the network's output."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file

from worldgen.core.progress import LogLine
from worldgen.training.loop.checkpoints import TrainingProgress
from worldgen.training.loop.task import JudgingTask, Task
from worldgen.training.train_config import TrainConfig

UNCHANGED = 1e-6
"""Relative change of the output below which training is taken to have done nothing (float32 rounding is 1e-7)."""


def relative_change(now: torch.Tensor, before: torch.Tensor) -> float:
    """Distance of two outputs over the size of the larger, 0 to 2 (a fresh transformer's output is zero)."""
    size = torch.maximum(now.norm(), before.norm()).clamp_min(1e-30)
    return float((now - before).norm() / size)


def overfit_verdict(config: TrainConfig, progress: TrainingProgress, log: LogLine) -> str | None:
    """Why the set-up is broken; None when one fixed batch was learnt as far as ``config`` asks, or ``overfit_one`` is
    off."""
    if not config.overfit_one:
        return None
    first, last = progress.first_loss, progress.last_loss
    assert first is not None and last is not None, progress
    target = config.overfit_loss or config.overfit_fraction * first
    if last <= target:
        log(f"overfit-one: loss {first:.4g} -> {last:.4g}, target {target:.4g}: the set-up learns")
        return None
    return (
        f"the set-up is broken: one fixed batch was trained on for {progress.step} steps and its loss went "
        f"{first:.4g} -> {last:.4g}; expected at most {target:.4g}"
    )


def own_verdict(task: Task, log: LogLine) -> str | None:
    """A reason to reject a run by the task's own rule, or None."""
    return task.judge(log) if isinstance(task, JudgingTask) else None


def held_out_table(before: Mapping[str, float], after: Mapping[str, float]) -> list[str]:
    """Lines that compare held-out values after training with those before it, without training. Empty where one is
    missing."""
    names = [name for name in after if isinstance(before.get(name), float) and isinstance(after[name], float)]
    if not names:
        return []
    width = max(len("held out"), *(len(name) for name in names))
    lines = [f"{'held out':<{width}}  {'before':>10}  {'after':>10}  {'change':>8}"]
    for name in names:
        change = f"{100 * (after[name] / before[name] - 1):+.1f} %" if before[name] else "-"
        lines.append(f"{name:<{width}}  {before[name]:>10.4g}  {after[name]:>10.4g}  {change:>8}")
    return lines


def change_verdict(task: Task, probe: Path, log: LogLine) -> str | None:
    """A reason to reject weights whose output equals that before training, or None.

    probe: file with the fixed output before training.
    """
    pair = task.adapter_outputs()
    if pair is not None:
        change = relative_change(*pair)
        log(f"output with the adapter on and off differs by {change:.3g} of its size")
        if not change > UNCHANGED:
            return "the adapter does not change the output: with it on and off, the output of the model is the same"
    if not probe.is_file():
        log(f"{probe} is gone: whether training changed the output is not known")
        return None
    change = relative_change(task.fixed_output().cpu(), load_file(probe)["output"])
    log(f"training changed the output by {change:.3g} of its size")
    return None if change > UNCHANGED else "training did not change the output: what was trained is not on its path"
