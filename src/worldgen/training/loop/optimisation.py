"""One optimiser step of a run: gradients over micro-steps and processes, then new weights and their average."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from accelerate import Accelerator

from worldgen.core.seeds import stable_hash
from worldgen.training.loop.checkpoints import RunState
from worldgen.training.loop.data_order import StepSplit, noise_seed
from worldgen.training.loop.schedule import Ema, lr_factor, parameter_groups
from worldgen.training.loop.task import Batch, Task
from worldgen.training.train_config import TrainConfig


class TrainingError(RuntimeError):
    """A run that failed its own rules: its set-up was good enough to start, but training does not work."""


@dataclass(frozen=True)
class StepResult:
    """One step, averaged over micro-steps and processes.

    stop: some process was asked to stop. elapsed_s: wall clock of the main process. keys: clips of this process.
    """

    loss: float
    grad_norm: float
    metrics: dict[str, float]
    stop: bool
    elapsed_s: float
    keys: tuple[str, ...]

    @property
    def is_finite(self) -> bool:
        return math.isfinite(self.loss) and math.isfinite(self.grad_norm)


class Optimisation:
    """The network of a task with its optimiser and averaged weights, on the processes of ``accelerator``."""

    def __init__(self, config: TrainConfig, task: Task, accelerator: Accelerator) -> None:
        self.config, self.accelerator, self.device = config, accelerator, accelerator.device
        self.split = StepSplit(config.batch, config.accumulate, accelerator.num_processes, accelerator.process_index)
        module = task.module.to(self.device)
        parameters = {name: p for name, p in module.named_parameters() if p.requires_grad}
        persistent = set(module.state_dict())
        buffers = {name: b for name, b in module.named_buffers() if name in persistent}
        optimizer = torch.optim.AdamW(
            parameter_groups(parameters, config.optim.weight_decay, lr_scales=task.lr_scales),
            lr=config.optim.lr,
            betas=config.optim.betas,
            eps=config.optim.eps,
        )
        self.ema = Ema(parameters, config.optim.ema_decay) if config.optim.ema_decay > 0 else None
        self.live = RunState(parameters, buffers, optimizer, self.ema)
        accelerator.ddp_handler.find_unused_parameters = task.unused_parameters
        self.model, self.optimizer = accelerator.prepare(module, optimizer)

    def gradients(
        self, batches: Iterator[Batch], step: int, *, stop: Callable[[], bool], elapsed_s: Callable[[], float]
    ) -> StepResult:
        """Gradients of one step, over all micro-steps and processes. Weights do not change.

        stop, elapsed_s: of this process, asked when the gradients are there; the result says what they are for all
        processes.

        Raises:
            TrainingError: when the loss depends on no trained weight.
        """
        accumulate = self.config.accumulate
        self.model.train()
        self.optimizer.zero_grad()
        keys: list[str] = []
        names: list[str] = []
        total = torch.zeros((), device=self.device)
        for micro in range(accumulate):
            batch = next(batches).to(self.device)
            keys.extend(batch.keys)
            last = micro == accumulate - 1
            with nullcontext() if last else self.accelerator.no_sync(self.model):
                loss, metrics = self._loss(batch, self.split.positions(step, micro))
                self.accelerator.backward(loss / accumulate)
            names = sorted(metrics)
            total = total + torch.stack([loss.detach(), *(metrics[name].detach() for name in names)]).float()
        norm = self.accelerator.clip_grad_norm_(self.live.parameters.values(), self.config.optim.grad_clip or math.inf)
        clock = elapsed_s() if self.accelerator.is_main_process else 0.0
        extra = torch.tensor([float(stop()), clock], device=self.device, dtype=torch.float32)
        shared = self.accelerator.reduce(torch.cat([total / accumulate, extra]), "sum").tolist()
        mean = [value / self.split.processes for value in shared[:-2]]
        values = dict(zip(names, mean[1:], strict=True))
        return StepResult(mean[0], float(norm), values, shared[-2] > 0, shared[-1], tuple(keys))

    def advance(self, step: int, fraction_done: float) -> float:
        """Apply the gradients of step ``step`` (counted from 0); returns the learning rate of most parameters."""
        optim = self.config.optim
        lr = optim.lr * lr_factor(step, fraction_done, warmup=optim.warmup, final=optim.final_lr)
        for group in self.live.optimizer.param_groups:
            group["lr"] = lr * group["lr_scale"]
        self.optimizer.step()
        if self.ema is not None:
            self.ema.update(step)
        return lr

    def averaged(self) -> AbstractContextManager[None]:
        """Inside the block the network carries the averaged weights, where the run has them."""
        return self.ema.applied() if self.ema is not None else nullcontext()

    def _loss(self, batch: Batch, positions: list[int]) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        seed = self.config.seed
        generators = [torch.Generator(self.device).manual_seed(noise_seed(seed, p)) for p in positions]
        # Dropout layers draw from the global generator; a seed derived from the position makes a resumed run repeat.
        torch.manual_seed(stable_hash("dropout", seed, positions[0]))
        loss, metrics = self.model(batch, generators)
        if not loss.requires_grad:
            raise TrainingError("the loss does not depend on any trained weight: what is trained is not on its path")
        return loss, metrics
