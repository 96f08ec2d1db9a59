"""The training loop: steps, watching them, and everything that must be true for a run to be believed."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list, gather_object
from safetensors.torch import save

from worldgen.core.seeds import stable_hash
from worldgen.files.atomic import replace_folder, sweep
from worldgen.files.storage import write_bytes, write_json
from worldgen.models.weights import weights_hash
from worldgen.training.loop import preflight
from worldgen.training.loop.checkpoints import (
    RunState,
    TrainingProgress,
    load_state,
    newest_whole,
    read_record,
    save_state,
)
from worldgen.training.loop.data_order import Layout, StepOrder, draw_at, noise_seed
from worldgen.training.loop.identity import compare_identity, identity_of
from worldgen.training.loop.record import Launch, Metrics, finish_run, write_png, write_run
from worldgen.training.loop.schedule import Ema, lr_factor, parameter_groups, progress_of
from worldgen.training.loop.task import Batch, Items, Task
from worldgen.training.loop.timing import StepTimer
from worldgen.training.loop.verdict import change_verdict, overfit_verdict
from worldgen.training.train_config import TrainConfig, output_folder


class TrainingError(RuntimeError):
    """A run that failed by its own rules: it was set up well enough to start, and did not do what it must."""


@dataclass(frozen=True)
class TrainingOutcome:
    """How a run ended: finished, or stopped on request with its state saved. line: for the user."""

    finished: bool
    step: int
    line: str


@dataclass(frozen=True)
class StepResult:
    """One step, averaged over micro-steps and processes. keys: clips of this process."""

    loss: float
    grad_norm: float
    metrics: dict[str, float]
    stop: bool
    elapsed_s: float
    keys: tuple[str, ...]


class DrawnItems(torch.utils.data.Dataset):
    """The training set, indexed by position in the run."""

    def __init__(self, items: Items, seed: int) -> None:
        self.items, self.seed = items, seed

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, position: int) -> object:
        return self.items.load(draw_at(self.seed, position, len(self.items)))


class Trainer:
    """Trains ``task.module`` as ``config`` says, and leaves a folder from which the run can go on."""

    def __init__(self, config: TrainConfig, task: Task, *, launch: Launch, accelerator: Accelerator) -> None:
        self.config, self.task, self.launch, self.accelerator = config, task, launch, accelerator
        self.output = output_folder(config)
        self.product = self.output / task.product
        self.device = accelerator.device
        self.layout = Layout(config.batch, config.accumulate, accelerator.num_processes, accelerator.process_index)
        module = task.module.to(self.device)
        parameters = {name: p for name, p in module.named_parameters() if p.requires_grad}
        persistent = set(module.state_dict())
        buffers = {name: b for name, b in module.named_buffers() if name in persistent}
        self.need = preflight.check(module, self.output, keep=config.keep, ema=config.optim.ema_decay > 0)
        optimizer = torch.optim.AdamW(
            parameter_groups(parameters, config.optim.weight_decay, lr_scales=task.lr_scales),
            lr=config.optim.lr,
            betas=config.optim.betas,
            eps=config.optim.eps,
        )
        self.ema = Ema(parameters, config.optim.ema_decay) if config.optim.ema_decay > 0 else None
        self.live = RunState(parameters, buffers, optimizer, self.ema)
        accelerator.ddp_handler.find_unused_parameters = task.partial
        self.model, self.optimizer = accelerator.prepare(module, optimizer)
        self.identity = identity_of(config, task, items_per_step=self.layout.per_step)
        self.progress = TrainingProgress()
        self.metrics: Metrics | None = None
        self._born_s = time.monotonic()
        self._earlier_s = 0.0

    # -- the whole run -------------------------------------------------------------------------------------------

    def run(self) -> TrainingOutcome:
        """Train to the end, or until asked to stop.

        Raises InputError for a folder that belongs to another run, TrainingError when the run fails its own rules.
        """
        done_before = self._start()
        if done_before and self.product.is_dir():
            line = f"already finished: {self.progress.step} steps in {self.output}; raise steps or max_minutes to go on"
            return TrainingOutcome(True, self.progress.step, line)
        batches = self._batches()
        options = {"per_step": self.layout.per_step, "start_step": self.progress.step}
        lr_scale = StepTimer(self.config, self.launch.log, **options)
        while not self._done():
            result = self._step(batches)
            self._refuse_non_finite(result)
            self._advance(result)
            lr_scale.tell(self.progress, grad_norm=result.grad_norm, device=self.device)
            self._watch()
            if result.stop and not self._done():
                self._save()
                line = f"interrupted after step {self.progress.step}; state saved in {self.output}; run the same command to go on"
                return TrainingOutcome(False, self.progress.step, line)
        del batches
        self._finish()
        return TrainingOutcome(
            True, self.progress.step, f"finished: {self.progress.step} steps, {self.task.product} in {self.product}"
        )

    def _start(self) -> bool:
        """Resume where there is something to resume, write down what is run; True when nothing is left to do."""
        checkpoint, damaged = newest_whole(self.output / "checkpoints")
        start_hash = weights_hash(self.task.module.state_dict())
        if checkpoint is not None:
            compare_identity(read_record(checkpoint)["identity"], self.identity, self.output)
            self.progress = load_state(checkpoint, self.live)
            self._earlier_s = self.progress.elapsed_s
        self.accelerator.wait_for_everyone()
        if self.accelerator.is_main_process:
            self._write_start(start_hash, damaged)
        if self.config.tensorboard:
            options = {"tensorboard": {"purge_step": self.progress.step + 1}}
            self.accelerator.init_trackers("tensorboard", init_kwargs=options)
        return self._done()

    def _write_start(self, start_hash: str, damaged: list[str]) -> None:
        for folder in (self.output, self.output / "checkpoints"):
            folder.mkdir(parents=True, exist_ok=True)
            sweep(folder)
        for line in damaged:
            self.launch.log(line)
        if self.progress.step:
            self.launch.log(f"resuming at step {self.progress.step}")
        else:
            write_bytes(self.output / "probe.safetensors", save({"output": self.task.probe().cpu().contiguous()}))
        if self.launch.config_text:
            write_bytes(self.output / "config.yaml", self.launch.config_text.encode())
        facts = {
            "step": self.progress.step, "device": str(self.device), "processes": self.layout.processes,
            "start_weights": start_hash, "data": self.identity["data"], "trainable": self.need.trainable, "frozen": self.need.frozen,
        }  # fmt: skip
        write_run(self.output / "run.json", self.launch, facts)
        self.metrics = Metrics(self.output / "metrics.jsonl", self.progress.step)
        limits = {"steps": self.config.steps, "max_minutes": self.config.max_minutes}
        shape = {"per_step": self.layout.per_step, "processes": self.layout.processes}
        for line in preflight.describe(self.need, clips=len(self.task.items), **shape, **limits):
            self.launch.log(line)

    def _batches(self) -> Iterator[Batch]:
        order = StepOrder(self.layout, self.progress.step, frozen=self.config.overfit_one)
        loader = torch.utils.data.DataLoader(
            DrawnItems(self.task.items, self.config.seed),
            batch_sampler=order,
            num_workers=self.config.workers,
            collate_fn=self.task.items.collate,
        )
        return iter(loader)

    def _elapsed_s(self) -> float:
        return self._earlier_s + time.monotonic() - self._born_s

    def _fraction_done(self) -> float:
        limits = {"steps": self.config.steps, "max_minutes": self.config.max_minutes}
        return progress_of(self.progress.step, self.progress.elapsed_s, **limits)

    def _done(self) -> bool:
        return self._fraction_done() >= 1.0

    # -- one step ------------------------------------------------------------------------------------------------

    def _step(self, batches: Iterator[Batch]) -> StepResult:
        """Gradients of one step, all micro-steps and processes together; weights are not touched."""
        config, step = self.config, 0 if self.config.overfit_one else self.progress.step
        self.model.train()
        self.optimizer.zero_grad()
        keys: list[str] = []
        names: list[str] = []
        total = torch.zeros((), device=self.device)
        for micro in range(config.accumulate):
            batch = next(batches).to(self.device)
            keys.extend(batch.keys)
            positions = self.layout.positions(step, micro)
            generators = [torch.Generator(self.device).manual_seed(noise_seed(config.seed, p)) for p in positions]
            # Dropout layers draw from the global generator; deriving it anew makes a resumed run repeat.
            torch.manual_seed(stable_hash("dropout", config.seed, positions[0]))
            last = micro == config.accumulate - 1
            with nullcontext() if last else self.accelerator.no_sync(self.model):
                loss, metrics = self.model(batch, generators)
                if not loss.requires_grad:
                    raise TrainingError(
                        "the loss does not depend on any trained weight: what is trained is not on its path"
                    )
                self.accelerator.backward(loss / config.accumulate)
            names = sorted(metrics)
            total = total + torch.stack([loss.detach(), *(metrics[name].detach() for name in names)]).float()
        norm = self.accelerator.clip_grad_norm_(self.live.parameters.values(), config.optim.grad_clip or math.inf)
        stop = float(self.launch.stop())
        clock = self._elapsed_s() if self.accelerator.is_main_process else 0.0
        extra = torch.tensor([stop, clock], device=self.device, dtype=torch.float32)
        shared = self.accelerator.reduce(torch.cat([total / config.accumulate, extra]), "sum").tolist()
        mean = [value / self.layout.processes for value in shared[:-2]]
        metrics = dict(zip(names, mean[1:], strict=True))
        return StepResult(mean[0], float(norm), metrics, shared[-2] > 0, shared[-1], tuple(keys))

    def _refuse_non_finite(self, result: StepResult) -> None:
        """Stop, with the state before the step saved, when the loss or a gradient is not a number."""
        if math.isfinite(result.loss) and math.isfinite(result.grad_norm):
            return
        keys = gather_object(list(result.keys)) if self.layout.processes > 1 else list(result.keys)
        self._save()
        what = "loss" if not math.isfinite(result.loss) else "gradient norm"
        facts = {"step": self.progress.step, "loss": str(result.loss), "grad_norm": str(result.grad_norm), "keys": keys}
        if self.accelerator.is_main_process:
            write_json(self.output / "failure.json", facts)
        value = result.loss if what == "loss" else result.grad_norm
        raise TrainingError(
            f"{what} is {value} in step {self.progress.step + 1}, batch {', '.join(keys)}; "
            f"the state before it is saved in {self.output}"
        )

    def _advance(self, result: StepResult) -> None:
        """Apply the gradients."""
        optim = self.config.optim
        factor = lr_factor(self.progress.step, self._fraction_done(), warmup=optim.warmup, final=optim.final_lr)
        for group in self.live.optimizer.param_groups:
            group["lr"] = optim.lr * factor * group["pace"]
        self.optimizer.step()
        if self.ema is not None:
            self.ema.update(self.progress.step)
        step = self.progress.step + 1
        first = self.progress.first_loss if self.progress.first_loss is not None else result.loss
        self.progress = TrainingProgress(step, result.elapsed_s, step * self.layout.per_step, first, result.loss)
        if step % self.config.log_every == 0 or self._done():
            values = {
                "loss": result.loss, **result.metrics, "grad_norm": result.grad_norm, "lr": optim.lr * factor,
                "epoch": self.progress.positions / len(self.task.items), "elapsed_s": round(result.elapsed_s, 3),
            }  # fmt: skip
            self._log("train", values)

    def _log(self, kind: str, values: dict[str, float]) -> None:
        if self.metrics is not None:
            self.metrics.write(kind, self.progress.step, values)
        if self.config.tensorboard:
            self.accelerator.log({f"{kind}/{name}": value for name, value in values.items()}, step=self.progress.step)

    # -- beside the steps ----------------------------------------------------------------------------------------

    def _watch(self) -> None:
        """Validation, sheets and checkpoints where they are due."""
        step, config, done = self.progress.step, self.config, self._done()
        if config.validate_every and (step % config.validate_every == 0 or done):
            self._validate()
        if config.sheet_every and (step % config.sheet_every == 0 or done):
            self._sheet()
        if step % config.save_every == 0 or done:
            self._save()

    def _averaged(self) -> AbstractContextManager[None]:
        return self.ema.applied() if self.ema is not None else nullcontext()

    def _validate(self) -> None:
        if self.accelerator.is_main_process:
            self.model.eval()
            with self._averaged(), torch.no_grad():
                values = self.task.validate()
            if values:
                self._log("val", values)
                shown = ", ".join(f"{name} {value:.4g}" for name, value in values.items())
                self.launch.log(f"step {self.progress.step}: held out: {shown}")
        self.accelerator.wait_for_everyone()

    def _sheet(self) -> None:
        if self.accelerator.is_main_process:
            self.model.eval()
            with self._averaged(), torch.no_grad():
                image = self.task.sheet()
            if image is not None:
                path = self.output / "sheets" / f"step_{self.progress.step:08d}.png"
                write_png(path, image)
                self.launch.log(f"step {self.progress.step}: {path}")
        self.accelerator.wait_for_everyone()

    def _save(self) -> None:
        if self.accelerator.is_main_process:
            folder = self.output / "checkpoints"
            save_state(folder, self.live, self.progress, identity=self.identity, keep=self.config.keep)
        self.accelerator.wait_for_everyone()

    # -- the end -------------------------------------------------------------------------------------------------

    def _finish(self) -> None:
        """Judge the run, and only then write the model."""
        verdict: list[str | None] = [None]
        if self.accelerator.is_main_process:
            self.model.eval()
            with self._averaged(), torch.no_grad():
                verdict = [
                    overfit_verdict(self.config, self.progress, self.launch.log)
                    or change_verdict(self.task, self.output / "probe.safetensors", self.launch.log)
                ]
                if verdict[0] is None:
                    self._write_model()
        if self.layout.processes > 1:
            broadcast_object_list(verdict)
        if verdict[0] is not None:
            raise TrainingError(verdict[0])

    def _write_model(self) -> None:
        with replace_folder(self.product) as folder:
            self.task.save(folder)
        facts = {
            "step": self.progress.step, "elapsed_s": round(self.progress.elapsed_s, 1), "loss": self.progress.last_loss,
            "weights": weights_hash(self.task.module.state_dict()),
            "peak_memory_mib": round(preflight.peak_memory_mib(self.device), 1),
        }  # fmt: skip
        finish_run(self.output / "run.json", facts)

    def close(self) -> None:
        """Close what is open, and let go of the network."""
        del self.model, self.optimizer
        if self.metrics is not None:
            self.metrics.close()
