"""The training loop: start or resume, steps, what is due beside them, and the judgement at the end."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list, gather_object
from safetensors.torch import save

from worldgen.core.seeds import stable_key
from worldgen.files.atomic import replace_folder, sweep
from worldgen.files.storage import write_bytes, write_json
from worldgen.models.weights import weights_hash
from worldgen.training.launch import Launch
from worldgen.training.loop import preflight
from worldgen.training.loop.checkpoints import (
    TrainingProgress,
    load_state,
    newest_whole,
    read_record,
    refusals_as_os_errors,
    save_state,
)
from worldgen.training.loop.data_order import StepOrder, draw_at
from worldgen.training.loop.early_stop import best_validation, is_stale, keep_best, restore_best
from worldgen.training.loop.identity import compare_identity, identity_of
from worldgen.training.loop.optimisation import Optimisation, StepResult, TrainingError
from worldgen.training.loop.record import Metrics, finish_run, read_metrics, write_png, write_run
from worldgen.training.loop.schedule import progress_of
from worldgen.training.loop.task import Batch, Items, JudgingTask, Task
from worldgen.training.loop.timing import StepTimer
from worldgen.training.loop.verdict import change_verdict, held_out_table, overfit_verdict, own_verdict
from worldgen.training.train_config import TrainConfig, output_folder


@dataclass(frozen=True)
class TrainingOutcome:
    """How a run ended: finished, or stopped on request with its state saved. line: for the user."""

    finished: bool
    step: int
    line: str


class DrawnItems(torch.utils.data.Dataset):
    """The training set, indexed by position in the run."""

    def __init__(self, items: Items, seed: int) -> None:
        self.items, self.seed = items, seed

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, position: int) -> object:
        return self.items.load(draw_at(self.seed, position, len(self.items)))


class Trainer:
    """Trains ``task.module`` as ``config`` says, and leaves a folder from which the run can go on.

    Raises:
        InputError: when nothing is trainable, or the disk is too small.
    """

    def __init__(self, config: TrainConfig, task: Task, *, launch: Launch, accelerator: Accelerator) -> None:
        self.config, self.task, self.launch, self.accelerator = config, task, launch, accelerator
        self.output = output_folder(config)
        self.product = self.output / task.product
        self.need = preflight.check(
            task.module, self.output, keep=config.keep, ema=config.optim.ema_decay > 0, whole=task.product != "adapter"
        )
        self.optimisation = Optimisation(config, task, accelerator)
        self.split = self.optimisation.split
        self.identity = identity_of(config, task, items_per_step=self.split.per_step)
        self.progress = TrainingProgress()
        self.metrics: Metrics | None = None
        self._begun_s = launch.clock()
        self._earlier_s = 0.0
        self._is_stale = False

    # -- the whole run -------------------------------------------------------------------------------------------

    def run(self) -> TrainingOutcome:
        """Train to the end, or until asked to stop.

        Raises:
            InputError: for a folder that belongs to another run.
            TrainingError: when the run fails its own rules.
        """
        done_before = self._start()
        if done_before and self.product.is_dir():
            line = (
                f"already finished: {self.progress.step} steps, {self.task.product} in {self.product}; "
                "raise steps or max_minutes to go on"
            )
            return TrainingOutcome(True, self.progress.step, line)
        self.timer = StepTimer(
            self.config, self.launch.log, per_step=self.split.per_step, start_step=self.progress.step
        )
        if self.progress.step == 0:
            self._look_before()
        batches = self._batches()
        while not self._done():
            result = self._step(batches)
            self.timer.after_step(self.progress, grad_norm=result.grad_norm, device=self.accelerator.device)
            self._do_what_is_due()
            if result.stop and not self._done():
                self._save()
                line = (
                    f"interrupted after step {self.progress.step}; state saved in {self.output}; "
                    "run the same command to go on"
                )
                return TrainingOutcome(False, self.progress.step, line)
        del batches
        self._finish()
        return TrainingOutcome(
            True, self.progress.step, f"finished: {self.progress.step} steps, {self.task.product} in {self.product}"
        )

    def close(self) -> None:
        """Close what is open, and drop the references to the network."""
        del self.optimisation
        if self.metrics is not None:
            self.metrics.close()

    def _start(self) -> bool:
        """Load the newest checkpoint if there is one, and record the start; True when nothing is left to do."""
        checkpoint, damaged = newest_whole(self.output / "checkpoints")
        start_hash = weights_hash(self.task.module.state_dict())
        if checkpoint is not None:
            compare_identity(read_record(checkpoint)["identity"], self.identity, self.output)
            self.progress = load_state(checkpoint, self.optimisation.live)
            self._earlier_s = self.progress.elapsed_s
        self.accelerator.wait_for_everyone()
        if self.accelerator.is_main_process:
            self._write_start(start_hash, damaged)
        self._note_staleness()
        if self._is_tracked:
            options = {
                "tensorboard": {"purge_step": self.progress.step + 1},
                "wandb": {
                    "dir": str(self.output),
                    "id": stable_key("wandb", str(self.output.resolve())),
                    "resume": "allow",
                },
            }
            project = self.config.wandb or "tensorboard"
            self.accelerator.init_trackers(project, init_kwargs=options)
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
            output = self.task.fixed_output().cpu().contiguous()
            write_bytes(self.output / "probe.safetensors", save({"output": output}))
        if self.launch.config_text:
            write_bytes(self.output / "config.yaml", self.launch.config_text.encode())
        facts = {
            "step": self.progress.step, "device": str(self.accelerator.device), "processes": self.split.processes,
            "start_weights": start_hash, "data": self.identity["data"],
            "trainable": self.need.trainable, "frozen": self.need.frozen,
        }  # fmt: skip
        write_run(self.output / "run.json", self.launch, facts)
        self.metrics = Metrics(self.output / "metrics.jsonl", self.progress.step)
        for line in preflight.describe(
            self.need,
            self.config,
            clips=len(self.task.items),
            per_step=self.split.per_step,
            processes=self.split.processes,
        ):
            self.launch.log(line)

    def _batches(self) -> Iterator[Batch]:
        order = StepOrder(self.split, self.progress.step, frozen=self.config.overfit_one)
        loader = torch.utils.data.DataLoader(
            DrawnItems(self.task.items, self.config.seed),
            batch_sampler=order,
            num_workers=self.config.workers,
            collate_fn=self.task.items.collate,
        )
        return iter(loader)

    @property
    def _is_tracked(self) -> bool:
        """Whether metrics go to TensorBoard or Weights and Biases too."""
        return self.config.tensorboard or bool(self.config.wandb)

    def _elapsed_s(self) -> float:
        return self._earlier_s + self.launch.clock() - self._begun_s

    def _fraction_done(self) -> float:
        return progress_of(
            self.progress.step, self.progress.elapsed_s, steps=self.config.steps, max_minutes=self.config.max_minutes
        )

    def _done(self) -> bool:
        return self._is_stale or self._fraction_done() >= 1.0

    # -- one step ------------------------------------------------------------------------------------------------

    def _step(self, batches: Iterator[Batch]) -> StepResult:
        """One optimiser step, recorded in ``progress`` and in the metrics."""
        before = self.progress
        seen_as = 0 if self.config.overfit_one else before.step
        result = self.optimisation.gradients(batches, seen_as, stop=self.launch.stop, elapsed_s=self._elapsed_s)
        if not result.is_finite:
            self._fail(result)
        lr = self.optimisation.advance(before.step, self._fraction_done())
        step = before.step + 1
        first = before.first_loss if before.first_loss is not None else result.loss
        self.progress = TrainingProgress(step, result.elapsed_s, step * self.split.per_step, first, result.loss)
        if step % self.config.log_every == 0 or self._done():
            values = {
                "loss": result.loss, **result.metrics, "grad_norm": result.grad_norm, "lr": lr,
                "epoch": self.progress.positions / len(self.task.items), "elapsed_s": round(result.elapsed_s, 3),
            }  # fmt: skip
            self._log("train", values)
        return result

    def _fail(self, result: StepResult) -> None:
        """Save the state before a step whose loss or gradient is not finite, and raise TrainingError."""
        keys = gather_object(list(result.keys)) if self.split.processes > 1 else list(result.keys)
        self._save()
        facts = {"step": self.progress.step, "loss": str(result.loss), "grad_norm": str(result.grad_norm), "keys": keys}
        if self.accelerator.is_main_process:
            write_json(self.output / "failure.json", facts)
        what, value = ("gradient norm", result.grad_norm) if math.isfinite(result.loss) else ("loss", result.loss)
        raise TrainingError(
            f"{what} is {value} in step {self.progress.step + 1}, batch {', '.join(keys)}; "
            f"the state before it is saved in {self.output}"
        )

    def _log(self, kind: str, values: dict[str, float]) -> None:
        if self.metrics is not None:
            self.metrics.write(kind, self.progress.step, values)
        if self._is_tracked:
            self.accelerator.log({f"{kind}/{name}": value for name, value in values.items()}, step=self.progress.step)

    def _look_before(self) -> None:
        """Validation and sheet of the network as it starts, which the end of the run is compared with."""
        if self.config.validate_every:
            with self.timer.beside("validate"):
                self._validate(is_first=True)
        if self.config.sheet_every and not self.config.overfit_one:
            with self.timer.beside("sheet"):
                self._sheet()

    # -- beside the steps ----------------------------------------------------------------------------------------

    def _do_what_is_due(self) -> None:
        """Validation, sheets and checkpoints, each every so many steps and at the end."""
        step, config, done = self.progress.step, self.config, self._done()
        if done:
            after = [
                name
                for name, every in (("validation", config.validate_every), ("contact sheet", config.sheet_every))
                if every
            ]
            self.launch.log(
                f"step {step}: the last one; now {', '.join([*after, 'checkpoint'])} and {self.task.product}"
            )
        if config.validate_every and (step % config.validate_every == 0 or done):
            with self.timer.beside("validate"):
                self._validate()
            done = self._done()
        if config.sheet_every and (step % config.sheet_every == 0 or done):
            with self.timer.beside("sheet"):
                self._sheet()
        if step % config.save_every == 0 or done:
            with self.timer.beside("save"):
                self._save()

    def _validate(self, *, is_first: bool = False) -> None:
        """is_first: before the first step; a stopped start of the run may have it already."""
        if self.accelerator.is_main_process and not (is_first and self._held_out()):
            self.task.module.eval()
            with self.optimisation.averaged(), torch.no_grad():
                values = self.task.validate()
            if values:
                self._keep_if_best(values)
                self._log("val", values)
                shown = ", ".join(f"{name} {value:.4g}" for name, value in values.items())
                self.launch.log(f"step {self.progress.step}: held out: {shown}")
        self.accelerator.wait_for_everyone()
        self._note_staleness()

    def _note_staleness(self) -> None:
        """Whether the held-out loss fell lately, for all processes alike."""
        if not self.config.patience:
            return
        found = [self.accelerator.is_main_process and is_stale(self._held_out(), self.config.patience)]
        if self.split.processes > 1:
            broadcast_object_list(found)
        if found[0] and not self._is_stale:
            self.launch.log(f"the held-out loss did not fall in {self.config.patience} validations: the run ends")
        self._is_stale = found[0]

    def _keep_if_best(self, values: dict[str, float]) -> None:
        """Before the values are recorded, so that a killed run has no best validation without its weights."""
        step = self.progress.step
        if self.config.patience and best_validation([*self._held_out(), {"step": step, **values}])["step"] == step:
            keep_best(self.output, step, self._kept_weights())

    def _kept_weights(self) -> dict[str, torch.Tensor]:
        """The trained weights that are saved: averaged ones where the run has them."""
        live = self.optimisation.live
        return live.ema.shadow if live.ema is not None else {name: p.data for name, p in live.parameters.items()}

    def _sheet(self) -> None:
        if self.accelerator.is_main_process:
            self.task.module.eval()
            with self.optimisation.averaged(), torch.no_grad():
                image = self.task.sheet()
            if image is not None:
                path = self.output / "sheets" / f"step_{self.progress.step:08d}.png"
                write_png(path, image)
                self.launch.log(f"step {self.progress.step}: {path}")
        self.accelerator.wait_for_everyone()

    def _save(self) -> None:
        if self.accelerator.is_main_process:
            folder, live = self.output / "checkpoints", self.optimisation.live
            save_state(folder, live, self.progress, identity=self.identity, keep=self.config.keep)
        self.accelerator.wait_for_everyone()

    def _held_out(self) -> list[dict]:
        """The validations of this run so far."""
        return read_metrics(self.output / "metrics.jsonl", "val")

    # -- the end -------------------------------------------------------------------------------------------------

    def _finish(self) -> None:
        """Judge the run, and write the model only when the run passes."""
        verdict: list[str | None] = [None]
        if self.accelerator.is_main_process:
            verdict = [self._take_best()]
            self.task.module.eval()
            with self.optimisation.averaged(), torch.no_grad():
                verdict[0] = (
                    verdict[0]
                    or overfit_verdict(self.config, self.progress, self.launch.log)
                    or change_verdict(self.task, self.output / "probe.safetensors", self.launch.log)
                    or own_verdict(self.task, self.launch.log)
                )
                if verdict[0] is None:
                    self._write_model()
        if self.split.processes > 1:
            broadcast_object_list(verdict)
        if verdict[0] is not None:
            raise TrainingError(verdict[0])

    def _take_best(self) -> str | None:
        """Go back to the weights of the best validation, where early stop is asked for; why the run is rejected where
        these are the untrained ones."""
        if not self.config.patience or not self._held_out():
            return None
        step = best_validation(self._held_out())["step"]
        if step == 0:
            return "no validation was better than the model as it was: train with a lower optim.lr, or on more clips"
        self.launch.log(f"the weights of step {step}, the best validation, are kept")
        restore_best(self.output, self._kept_weights())
        return None

    def _write_model(self) -> None:
        with replace_folder(self.product) as folder, refusals_as_os_errors():
            self.task.save(folder)
        facts: dict[str, object] = {
            "step": self.progress.step, "elapsed_s": round(self.progress.elapsed_s, 1), "loss": self.progress.last_loss,
            "weights": weights_hash(self.task.module.state_dict()),
            "peak_memory_mib": round(preflight.peak_memory_mib(self.accelerator.device), 1),
        }  # fmt: skip
        if isinstance(self.task, JudgingTask):
            facts |= self.task.findings
        held_out = self._held_out()
        if len(held_out) > 1 and held_out[0]["step"] == 0:
            after = best_validation(held_out) if self.config.patience else held_out[-1]
            facts["held_out"] = {"before": held_out[0], "after": after}
            for line in held_out_table(held_out[0], after):
                self.launch.log(line)
        finish_run(self.output / "run.json", facts)
