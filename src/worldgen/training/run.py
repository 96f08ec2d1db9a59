"""A training run from its config to its end: the lock on the folder, the process group, the stages of the task, the
trainer."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import DistributedDataParallelKwargs
from diffusers.utils import logging as diffusers_logging
from transformers.utils import logging as transformers_logging

from worldgen.core.errors import InputError, MissingDependencyError, Received
from worldgen.core.progress import no_log, no_progress
from worldgen.files.lock import locked
from worldgen.training.launch import Launch, PreparationContext
from worldgen.training.loop.identity import check_continues
from worldgen.training.loop.task import Prepared, Task
from worldgen.training.loop.trainer import Trainer, TrainingOutcome
from worldgen.training.train_config import TrainConfig, output_folder

PreparedT = TypeVar("PreparedT", bound=Prepared)


@dataclass(frozen=True)
class TaskStages(Generic[PreparedT]):
    """The two stages before step 1: costly preparation, kept on disk; then the task, from what was prepared."""

    prepare: Callable[[TrainConfig, PreparationContext], PreparedT]
    build: Callable[[TrainConfig, PreparedT, PreparationContext], Task]


def train(config: TrainConfig, *, launch: Launch, stages: TaskStages[Any] | None = None) -> TrainingOutcome:
    """Train as ``config`` says, or go on with the run that is in its output folder.

    stages: of the task; by default those of ``config.task``.

    Raises:
        InputError: for anything the user must change.
        TrainingError: when the run fails its own rules.
        KeyboardInterrupt: when the launch asks to stop during the preparation.
    """
    with _started(config, launch) as context:
        return _train(config, stages or stages_of(config), context)


def prepare(config: TrainConfig, *, launch: Launch, stages: TaskStages[Any] | None = None) -> dict[str, Path]:
    """Make what training needs before step 1, and stop. A later :func:`train` with the same config finds it.

    Returns:
        What lies on disk -> where; empty when the task prepares nothing that is worth keeping.

    Raises:
        InputError: for anything the user must change.
        KeyboardInterrupt: when the launch asks to stop; finished parts are kept.
    """
    with _started(config, launch) as context:
        return dict((stages or stages_of(config)).prepare(config, context).kept)


def stages_of(config: TrainConfig) -> TaskStages[Any]:
    """The stages of ``config.task``."""
    if config.task == "codec":
        from worldgen.training.tasks.codec_task import build_codec_task, prepare_codec

        return TaskStages(prepare_codec, build_codec_task)
    if config.task == "painter":
        from worldgen.training.tasks.painter_task import build_painter_task, prepare_painter

        return TaskStages(prepare_painter, build_painter_task)
    if config.task == "adversarial":
        from worldgen.training.tasks.adversarial_task import build_adversarial_task, prepare_adversarial

        return TaskStages(prepare_adversarial, build_adversarial_task)
    if config.task == "backbone":
        from worldgen.training.backbones.backbone_task import build_backbone_task, prepare_backbone

        return TaskStages(prepare_backbone, build_backbone_task)
    from worldgen.training.tasks.preparation import prepare_world

    if config.task == "student":
        from worldgen.training.tasks.student_task import build_student_task

        return TaskStages(prepare_world, build_student_task)
    from worldgen.training.tasks.world_task import build_world_task

    return TaskStages(prepare_world, build_world_task)


def _train(config: TrainConfig, stages: TaskStages[Any], context: PreparationContext) -> TrainingOutcome:
    """Prepare, build the task and train it. No reference to the network outlives this function."""
    task = stages.build(config, stages.prepare(config, context), context)
    trainer = Trainer(config, task, launch=context.launch, accelerator=context.accelerator)
    try:
        return trainer.run()
    finally:
        trainer.close()


@contextlib.contextmanager
def _started(config: TrainConfig, launch: Launch) -> Iterator[PreparationContext]:
    """The folder locked and the processes started, until the block ends. Only the main process speaks."""
    output = output_folder(config)
    if output.exists() and not output.is_dir():
        raise InputError("output", config.output, "a folder or a new name; this is a file")
    if config.tensorboard:
        _require_tensorboard()
    if config.wandb:
        _require_wandb()
    output.mkdir(parents=True, exist_ok=True)
    # Gradients below 1e-38 made the codec's convolutions on a CPU ten times slower. This comes before any other thread
    # starts, because a thread inherits the setting from the one that starts it.
    torch.set_flush_denormal(True)
    diffusers_logging.disable_progress_bar()
    transformers_logging.disable_progress_bar()
    with _exclusive(output, launch) as main_launch:
        accelerator = _accelerator(config, output)
        quiet = replace(main_launch, log=no_log, progress=no_progress)
        own_launch = main_launch if accelerator.is_main_process else quiet
        try:
            check_continues(config, items_per_step=config.batch * config.accumulate * accelerator.num_processes)
            yield PreparationContext(accelerator, config.workers, own_launch)
        finally:
            # The order matters: a network that outlives its process group waits for it for ever when it is freed.
            accelerator.free_memory()
            accelerator.end_training()
            # The state is a process-wide singleton; a second run in this process may want another precision.
            AcceleratorState._reset_state(reset_partial_state=True)


def _accelerator(config: TrainConfig, output: Path) -> Accelerator:
    if config.device == "cuda" and not torch.cuda.is_available():
        raise InputError("device", "cuda", "cpu or auto: this machine has no CUDA device")
    refuse_sharding(os.environ)
    return Accelerator(
        # Several processes without a GPU talk over gloo, which accelerate chooses only when told to stay on the CPU.
        cpu=config.device == "cpu" or (not torch.cuda.is_available() and int(os.environ.get("WORLD_SIZE", "1")) > 1),
        mixed_precision="bf16" if config.precision == "bf16" else "no",
        log_with=(["tensorboard"] * config.tensorboard + ["wandb"] * bool(config.wandb)) or None,
        project_dir=str(output),
        kwargs_handlers=[DistributedDataParallelKwargs()],
    )


def refuse_sharding(environment: Mapping[str, str]) -> None:
    """Raises InputError for launchers whose processes share one copy of the weights: a checkpoint is written by one
    process here, from whole tensors, so a shard would be saved as if it were all of them.

    environment: of the process, in which ``accelerate launch`` says what it was asked for.
    """
    for kind in ("FSDP", "DEEPSPEED", "MEGATRON_LM"):
        if environment.get(f"ACCELERATE_USE_{kind}", "false").lower() == "true":
            expected = "processes with a whole model each, as accelerate starts them without sharding"
            raise InputError("accelerate launch", Received(f"{kind}, which shards the weights"), expected)


def _require_tensorboard() -> None:
    import importlib.util

    if importlib.util.find_spec("tensorboard") is None:
        raise MissingDependencyError("tensorboard", "tensorboard", "tensorboard=true")


def _require_wandb() -> None:
    import importlib.util

    if importlib.util.find_spec("wandb") is None:
        raise InputError("wandb", Received("a project, without the package wandb"), '"", or pip install wandb')


@contextlib.contextmanager
def _exclusive(output: Path, launch: Launch) -> Iterator[Launch]:
    """Keep a second run out of the folder; the main process holds the lock for all of them.

    Yields ``launch`` with a ``stop`` that raises InputError once another run has taken the lock over.
    """
    if os.environ.get("RANK", "0") != "0":
        yield launch
        return
    try:
        with locked(str(output), launch.log) as lock:

            def stop() -> bool:
                lock.check()
                return launch.stop()

            yield replace(launch, stop=stop)
    finally:
        with contextlib.suppress(OSError):
            output.rmdir()  # succeeds only when the run was refused before anything was written
