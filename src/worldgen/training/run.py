"""A training run from its config to its end: the process group, the lock on the folder, the task, the trainer."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import DistributedDataParallelKwargs
from diffusers.utils import logging as diffusers_logging
from transformers.utils import logging as transformers_logging

from worldgen.core.errors import InputError, MissingDependencyError, Received
from worldgen.training.loop.record import Launch
from worldgen.training.loop.task import Task
from worldgen.training.loop.trainer import Trainer, TrainingOutcome
from worldgen.training.train_config import TrainConfig, output_folder

TaskBuilder = Callable[[TrainConfig, Accelerator, Launch], Task]


def train(config: TrainConfig, *, launch: Launch, build: TaskBuilder | None = None) -> TrainingOutcome:
    """Train as ``config`` says, or go on with the run that is in its output folder.

    build: makes the task (by default the one that ``config.task`` names).
    Raises InputError for anything the user must change, TrainingError when the run fails its own rules.
    """
    output = output_folder(config)
    if output.exists() and not output.is_dir():
        raise InputError("output", config.output, "a folder or a new name; this is a file")
    if config.tensorboard:
        _require_tensorboard()
    output.mkdir(parents=True, exist_ok=True)
    # Gradients below 1e-38 made the codec's convolutions on a CPU ten times slower. Before any other thread starts,
    # since threads inherit this from the one that starts them.
    torch.set_flush_denormal(True)
    diffusers_logging.disable_progress_bar()
    transformers_logging.disable_progress_bar()
    with _lock(output, held=os.environ.get("RANK", "0") == "0"):
        accelerator = _accelerator(config, output)
        try:
            return _run(config, build or _builder(config), launch, accelerator)
        finally:
            # In this order: a network that outlives its process group waits for it for ever when it is freed.
            accelerator.free_memory()
            accelerator.end_training()
            # The state is a process-wide singleton; a second run in this process may want another precision.
            AcceleratorState._reset_state(reset_partial_state=True)


def _run(config: TrainConfig, build: TaskBuilder, launch: Launch, accelerator: Accelerator) -> TrainingOutcome:
    """Build the task and train it; nothing of it outlives this function."""
    quiet = launch if accelerator.is_main_process else Launch(launch.command, launch.config_text, stop=launch.stop)
    trainer = Trainer(config, build(config, accelerator, quiet), launch=quiet, accelerator=accelerator)
    try:
        return trainer.run()
    finally:
        trainer.close()


def _builder(config: TrainConfig) -> TaskBuilder:
    from worldgen.training.tasks.adversarial_task import build_adversarial_task
    from worldgen.training.tasks.codec_task import build_codec_task
    from worldgen.training.tasks.student_task import build_student_task
    from worldgen.training.tasks.world_task import build_world_task

    builders = {
        "codec": build_codec_task, "world": build_world_task, "student": build_student_task,
        "adversarial": build_adversarial_task,
    }  # fmt: skip
    return builders[config.task]


def _accelerator(config: TrainConfig, output: Path) -> Accelerator:
    if config.device == "cuda" and not torch.cuda.is_available():
        raise InputError("device", "cuda", "cpu or auto: this machine has no CUDA device")
    return Accelerator(
        # Several processes without a GPU talk over gloo, which accelerate chooses only when told to stay on the CPU.
        cpu=config.device == "cpu" or (not torch.cuda.is_available() and int(os.environ.get("WORLD_SIZE", "1")) > 1),
        mixed_precision="bf16" if config.precision == "bf16" else "no",
        log_with="tensorboard" if config.tensorboard else None,
        project_dir=str(output),
        kwargs_handlers=[DistributedDataParallelKwargs()],
    )


def _require_tensorboard() -> None:
    import importlib.util

    if importlib.util.find_spec("tensorboard") is None:
        raise MissingDependencyError("tensorboard", "tensorboard", "tensorboard=true")


@contextmanager
def _lock(output: Path, *, held: bool) -> Iterator[None]:
    """Keep a second run out of the folder; the lock dies with the process, however it dies."""
    if not held:
        yield
        return
    with (output / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(
                "output", Received(f"{output}, where another run is writing"), "another folder, or wait"
            ) from error
        try:
            yield
        finally:
            if [path.name for path in output.iterdir()] == [".lock"]:  # refused before anything was written
                (output / ".lock").unlink()
                output.rmdir()
