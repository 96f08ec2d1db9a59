"""Training from Python: ``train``, and merging what it left."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from worldgen.api.arguments import ConfigValues
from worldgen.core.errors import InputError, Received
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


def merge(adapter: str | Path, out: str | Path, *, model: str = "") -> Path | None:
    """Write a whole model with an adapter merged into its weights, as ``worldgen train merge`` does.

    Args:
        adapter: folder of the adapter, as :func:`train` leaves it. out: a new folder.
        model: the base model; "" for the one that the adapter states.

    Returns:
        The folder of what stays an adapter, ego motion of a pretrained model; None where nothing does.

    Raises:
        InputError: an adapter that cannot be merged, another base, or an ``out`` that exists.
    """
    for name, value in (("adapter", adapter), ("out", out)):
        if not str(value):
            raise InputError(f"--{name}", Received("nothing"), "a folder")
    if Path(out).expanduser().exists():
        raise InputError("folder of the merged model", str(out), "a name that is free")
    from worldgen.models.backbones.tuned.tuned_adapter import is_tuned_adapter

    if is_tuned_adapter(adapter):
        from worldgen.models.backbones.tuned.merging import merge_tuned

        return merge_tuned(adapter, out, model=model)
    _merge_native(Path(adapter).expanduser(), Path(out).expanduser(), model)
    return None


def _merge_native(adapter: Path, out: Path, model: str) -> None:
    from worldgen.files.atomic import replace_folder
    from worldgen.files.json_files import read_object
    from worldgen.models.native.adapters import load_adapter
    from worldgen.models.native.loading import load_pipeline

    base = model or str(read_object(adapter / "adapter.json").get("base") or "shipped")
    pipeline = load_pipeline(base)
    load_adapter(pipeline.transformer, adapter)
    pipeline.transformer.fuse_lora()
    pipeline.transformer.unload_lora()
    with replace_folder(out) as folder:
        pipeline.save_pretrained(folder)
