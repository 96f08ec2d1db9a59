"""Training from Python: ``train``."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from worldgen.api.arguments import ConfigValues
from worldgen.core.progress import LogLine, ProgressReporter, no_log, no_progress
from worldgen.files.config_files import config_yaml, read_config
from worldgen.training.launch import Launch
from worldgen.training.loop.trainer import TrainingOutcome
from worldgen.training.train_config import TrainConfig


def train(
    config: TrainConfig | ConfigValues,
    overrides: Sequence[str] = (),
    *,
    log: LogLine = no_log,
    progress: ProgressReporter = no_progress,
    stop: Callable[[], bool] = lambda: False,
) -> TrainingOutcome:
    """Train or fine-tune a world model or its codec, as ``worldgen train`` does.

    The folder ``output`` of the config holds checkpoints, metrics.jsonl, config.yaml, run.json, sheets and, at the end,
    ``model/`` or ``adapter/``. A run that is in that folder already is continued exactly.

    Args:
        config: a YAML file or several, a dict of values, or a ``TrainConfig``.
        overrides: ``key=value`` words on top, as in ``["steps=20", "data.urls=[data/fleet]"]``.
        log: receives each line that the run has to say, as in ``log=print``.
        progress: shows how far a preparation is.
        stop: asked after every step; True ends the run with its state saved.

    Returns:
        Whether the run finished, its last step, and a line in words.

    Raises:
        InputError: a config, data set or model that cannot be used.
        TrainingError: a run that fails its own rules, such as a loss that is not a number.
        KeyboardInterrupt: ``stop`` was True in a preparation, before the first step; there is no state to save then.
    """
    # Loader processes are forked after the tokenizer was used; its threads would warn about it.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    resolved = read_config(TrainConfig, config, overrides)
    from worldgen.training.run import train as run

    launch = Launch("worldgen.train(...)", config_yaml(resolved), log, progress, stop)
    return run(resolved, launch=launch)
