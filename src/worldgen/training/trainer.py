"""The training loop: steps, watching them, and everything that must be true for a run to be believed."""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list, gather_object
from safetensors.torch import load_file, save
from torch import nn

from worldgen.core.errors import InputError, Received
from worldgen.core.seeds import stable_hash
from worldgen.training import preflight
from worldgen.training.config import MAY_CHANGE, TrainConfig
from worldgen.training.files import new_folder, sweep, write_bytes, write_json
from worldgen.training.order import Draw, Layout, StepOrder, draw_at, noise_seed
from worldgen.training.record import Launch, Metrics, finish_run, write_png, write_run
from worldgen.training.schedule import Ema, lr_factor, progress_of
from worldgen.training.state import Live, Progress, load_state, newest_whole, read_record, save_state
from worldgen.training.task import Batch, Items, Task
from worldgen.training.weights import weights_hash

UNCHANGED = 1e-6
"""Relative change of the output below which training is taken to have done nothing (float32 rounding is 1e-7)."""
LINE_EVERY_S = 10.0


class TrainingError(RuntimeError):
    """A run that failed by its own rules: it was set up well enough to start, and did not do what it must."""


@dataclass(frozen=True)
class Outcome:
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
        draw: Draw = draw_at(self.seed, position, len(self.items))
        return self.items.load(draw)


class Trainer:
    """Trains ``task.module`` as ``config`` says, and leaves a folder from which the run can go on."""

    def __init__(self, config: TrainConfig, task: Task, *, launch: Launch, accelerator: Accelerator) -> None:
        self.config, self.task, self.launch, self.accelerator = config, task, launch, accelerator
        self.output = Path(config.output).expanduser()
        self.product = self.output / task.product
        self.device = accelerator.device
        self.layout = Layout(config.batch, config.accumulate, accelerator.num_processes, accelerator.process_index)
        module = task.module.to(self.device)
        parameters = {name: p for name, p in module.named_parameters() if p.requires_grad}
        persistent = set(module.state_dict())
        buffers = {name: b for name, b in module.named_buffers() if name in persistent}
        self.need = preflight.check(module, self.output, keep=config.keep, ema=config.optim.ema_decay > 0)
        optimizer = torch.optim.AdamW(
            parameter_groups(parameters, config.optim.weight_decay),
            lr=config.optim.lr,
            betas=config.optim.betas,
            eps=config.optim.eps,
        )
        self.ema = Ema(parameters, config.optim.ema_decay) if config.optim.ema_decay > 0 else None
        self.live = Live(parameters, buffers, optimizer, self.ema)
        accelerator.ddp_handler.find_unused_parameters = task.partial
        self.model, self.optimizer = accelerator.prepare(module, optimizer)
        self.identity = self._identity()
        self.progress = Progress()
        self.metrics: Metrics | None = None
        self._born_s = time.monotonic()
        self._earlier_s = 0.0

    # -- the whole run -------------------------------------------------------------------------------------------

    def run(self) -> Outcome:
        """Train to the end, or until asked to stop.

        Raises InputError for a folder that belongs to another run, TrainingError when the run fails its own rules.
        """
        done_before = self._start()
        if done_before and self.product.is_dir():
            line = f"already finished: {self.progress.step} steps in {self.output}; raise steps or max_minutes to go on"
            return Outcome(True, self.progress.step, line)
        batches = self._batches()
        pace = Pace(self)
        while not self._done():
            result = self._step(batches)
            self._refuse_non_finite(result)
            self._advance(result)
            pace.tell(result)
            self._watch()
            if result.stop and not self._done():
                self._save()
                line = f"interrupted after step {self.progress.step}; state saved in {self.output}; run the same command to go on"
                return Outcome(False, self.progress.step, line)
        del batches
        self._finish()
        return Outcome(
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
            self.launch.report(line)
        if self.progress.step:
            self.launch.report(f"resuming at step {self.progress.step}")
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
            self.launch.report(line)

    def _identity(self) -> dict:
        """What a continued run must share with the run it continues."""
        config = dataclasses.asdict(self.config)
        for name in (*MAY_CHANGE, "batch", "accumulate"):
            del config[name]
        frozen = {n: p for n, p in self.task.module.named_parameters() if not p.requires_grad}
        return json.loads(
            json.dumps(
                {
                    "config": config,
                    "items_per_step": self.layout.per_step,
                    "data": self.task.items.data_hash,
                    "frozen_weights": weights_hash(frozen),
                }
            )
        )

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
                    raise TrainingError("the loss does not depend on any trained weight: what is trained is not on its path")
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
            group["lr"] = optim.lr * factor
        self.optimizer.step()
        if self.ema is not None:
            self.ema.update(self.progress.step)
        step = self.progress.step + 1
        first = self.progress.first_loss if self.progress.first_loss is not None else result.loss
        self.progress = Progress(step, result.elapsed_s, step * self.layout.per_step, first, result.loss)
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

    def _averaged(self):
        return self.ema.applied() if self.ema is not None else nullcontext()

    def _validate(self) -> None:
        if self.accelerator.is_main_process:
            self.model.eval()
            with self._averaged(), torch.no_grad():
                values = self.task.validate()
            if values:
                self._log("val", values)
                shown = ", ".join(f"{name} {value:.4g}" for name, value in values.items())
                self.launch.report(f"step {self.progress.step}: held out: {shown}")
        self.accelerator.wait_for_everyone()

    def _sheet(self) -> None:
        if self.accelerator.is_main_process:
            self.model.eval()
            with self._averaged(), torch.no_grad():
                image = self.task.sheet()
            if image is not None:
                path = self.output / "sheets" / f"step_{self.progress.step:08d}.png"
                write_png(path, image)
                self.launch.report(f"step {self.progress.step}: {path}")
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
                verdict = [self._overfit_verdict() or self._change_verdict()]
                if verdict[0] is None:
                    self._write_model()
        if self.layout.processes > 1:
            broadcast_object_list(verdict)
        if verdict[0] is not None:
            raise TrainingError(verdict[0])

    def _overfit_verdict(self) -> str | None:
        if not self.config.overfit_one:
            return None
        first, last = self.progress.first_loss, self.progress.last_loss
        assert first is not None and last is not None, self.progress
        target = self.config.overfit_loss or self.config.overfit_fraction * first
        if last <= target:
            self.launch.report(f"overfit-one: loss {first:.4g} -> {last:.4g}, target {target:.4g}: the set-up learns")
            return None
        return (
            f"the set-up is broken: one fixed batch was trained on for {self.progress.step} steps and its loss went "
            f"{first:.4g} -> {last:.4g}; expected at most {target:.4g}"
        )

    def _change_verdict(self) -> str | None:
        """A reason to reject weights that make the same output as before training, or None."""
        pair = self.task.adapter_probe()
        if pair is not None:
            change = relative_change(*pair)
            self.launch.report(f"output with the adapter on and off differs by {change:.3g} of its size")
            if change <= UNCHANGED:
                return (
                    "the adapter does not change the output: on and off give the same; its modules are not on the path"
                )
        path = self.output / "probe.safetensors"
        if not path.is_file():
            self.launch.report(f"{path} is gone: whether training changed the output is not known")
            return None
        before = load_file(path)["output"]
        change = relative_change(self.task.probe().cpu(), before)
        self.launch.report(f"training changed the output by {change:.3g} of its size")
        return (
            None
            if change > UNCHANGED
            else "training did not change the output: the trained weights are not on its path"
        )

    def _write_model(self) -> None:
        with new_folder(self.product) as folder:
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


class Pace:
    """Tells the user how fast the run goes: an estimate after a few steps, then a line every few seconds."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer
        self.start_step = trainer.progress.step
        self.start_s = self.last_line_s = time.monotonic()
        self.warm_s: float | None = None

    def tell(self, result: StepResult) -> None:
        trainer = self.trainer
        if not trainer.accelerator.is_main_process:
            return
        now, done = time.monotonic(), trainer.progress.step - self.start_step
        if self.warm_s is None:
            self.warm_s = now  # the first step also starts loaders and warms caches
            return
        per_step_s = (now - self.warm_s) / (done - 1)
        left_s = self._left_s(per_step_s)
        if done == preflight.MEASURED_STEPS + 1:
            rate = trainer.layout.per_step / per_step_s
            peak = preflight.peak_memory_mib(trainer.device)
            trainer.launch.report(
                f"pace: {per_step_s:.3g} s a step, {rate:.3g} items a second, peak memory {peak:,.0f} MiB, "
                f"about {preflight.duration_text(left_s)} to go"
            )
        if now - self.last_line_s >= LINE_EVERY_S:
            self.last_line_s = now
            trainer.launch.report(
                f"step {trainer.progress.step}/{trainer.config.steps}: loss {result.loss:.4g}, "
                f"gradient {result.grad_norm:.3g}, {per_step_s:.3g} s a step, {preflight.duration_text(left_s)} to go"
            )

    def _left_s(self, per_step_s: float) -> float:
        config, progress = self.trainer.config, self.trainer.progress
        by_steps = (config.steps - progress.step) * per_step_s
        return min(by_steps, 60 * config.max_minutes - progress.elapsed_s) if config.max_minutes else by_steps


def parameter_groups(parameters: dict[str, nn.Parameter], weight_decay: float) -> list[dict]:
    """AdamW groups: matrices and kernels decay, vectors and scalars do not."""
    decayed = [p for p in parameters.values() if p.ndim >= 2]
    plain = [p for p in parameters.values() if p.ndim < 2]
    groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": plain, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


def relative_change(now: torch.Tensor, before: torch.Tensor) -> float:
    """Distance of two outputs over the size of the second."""
    return float((now - before).norm() / before.norm().clamp_min(1e-12))


def compare_identity(saved: dict, current: dict, output: Path) -> None:
    """Raise InputError naming what differs when the run in ``output`` is not the one that is asked for."""
    saved_flat, current_flat = _flat(saved), _flat(current)
    names = sorted(saved_flat.keys() | current_flat.keys())
    differing = [name for name in names if saved_flat.get(name) != current_flat.get(name)]
    if differing:
        shown = ", ".join(f"{n} {current_flat.get(n)!r}" for n in differing[:3])
        wanted = ", ".join(f"{n} {saved_flat.get(n)!r}" for n in differing[:3])
        raise InputError(
            f"output {output} holds another run", Received(shown), f"{wanted} as in that run, or another output"
        )


def _flat(tree: dict, prefix: str = "") -> dict[str, object]:
    flat: dict[str, object] = {}
    for name, value in tree.items():
        if isinstance(value, dict):
            flat.update(_flat(value, f"{prefix}{name}."))
        else:
            flat[f"{prefix}{name}".removeprefix("config.")] = value
    return flat
