"""A data set by quota: ``generate``, and the parts of it that the command shares."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from worldgen.api.arguments import ConfigValues, number, whole, words
from worldgen.api.insert_set import recipe_report, recipe_run
from worldgen.core.errors import InputError, Received
from worldgen.core.progress import LogLine, no_log
from worldgen.files.config_files import config_keys, config_yaml, read_config
from worldgen.files.json_files import read_object
from worldgen.generation.campaign.recipe import Recipe
from worldgen.generation.campaign.runner import InProcessRunner, ProcessRunner, Runner, WorkerFactory
from worldgen.generation.insert.labelled_sets.insert_recipe import InsertRecipe, asks_for_inserts
from worldgen.generation.quality.gate import GateConfig
from worldgen.generation.sample.model_loading import backbone_options, is_native
from worldgen.models.backbones.options import BackboneConfig

MAX_WORKERS = 256


def generate(
    recipe: Recipe | InsertRecipe | ConfigValues,
    overrides: Sequence[str] = (),
    *,
    workers: int = 1,
    ray: str = "",
    gpus_per_worker: float = 0.0,
    scale: float = 1.0,
    page: bool = True,
    log: LogLine = no_log,
) -> dict[str, Any]:
    """Generate a data set by quota, as ``worldgen generate`` does: clips are sampled, checked, and kept or quarantined.

    A recipe with ``insert:`` cells puts rendered road users into a labelled set instead.

    Args:
        recipe: a YAML file or several, a dict of values, a ``Recipe``, or an ``InsertRecipe``.
        overrides: ``key=value`` words on top, as in ``["output=data/night"]``.
        workers: processes of this machine. More than one needs a program whose main part is behind ``if __name__ ==
            "__main__"``, because each process imports it anew.
        ray: address of a Ray cluster to work on, "" for none.
        gpus_per_worker: GPUs of each worker of the cluster, such as 1, or 0.5 for two workers on one GPU.
        scale: multiplies all counts; at least 1 is left per cell.
        page: whether to write the report's page, ``report/index.html``.
        log: receives each line that the run has to say, as in ``log=print``.

    Returns:
        The report, as in ``generate.json``: counts by cell, reasons of refusals, times; ``met`` is True when every cell
        has its quota.

    Raises:
        InputError: a recipe, model or output that cannot be used.
    """
    from worldgen.generation.campaign.campaign import Campaign

    count = whole("workers", workers)
    if not 1 <= count <= MAX_WORKERS:
        raise InputError("workers", count, f"1 to {MAX_WORKERS}")
    address = words("ray", ray, "the address of a Ray cluster")
    inserts = insert_recipe(recipe, overrides, scale=scale)
    if inserts is not None:
        refuse_workers(count, address)
        run = recipe_run(inserts, log)
        for _ in run.steps():
            pass
        return recipe_report(inserts, run, page=page)
    assert not isinstance(recipe, InsertRecipe)
    resolved = resolved_recipe(recipe, overrides, scale=scale)
    runner = campaign_runner(resolved, workers=count, ray=address, gpus=number("gpus_per_worker", gpus_per_worker))
    try:
        campaign = Campaign(resolved, runner, log, config_yaml(resolved), page=page)
        for _ in campaign.steps():
            pass
    finally:
        runner.close()
    return campaign.report


def insert_recipe(
    recipe: Recipe | InsertRecipe | ConfigValues, overrides: Sequence[str] = (), *, scale: float = 1.0
) -> InsertRecipe | None:
    """The recipe of inserts with its counts scaled; None for a recipe of clips. Raises: InputError as a recipe does."""
    if isinstance(recipe, Recipe) or not (
        isinstance(recipe, InsertRecipe) or asks_for_inserts(config_keys(recipe, overrides))
    ):
        return None
    resolved = read_config(InsertRecipe, recipe, overrides)
    return resolved if number("scale", scale) == 1.0 else resolved.scaled(scale)


def refuse_workers(workers: int, ray: str) -> None:
    """Refuse more than one process for a recipe of inserts. Raises: InputError."""
    if workers != 1 or ray:
        raise InputError(
            "workers of a recipe with insert cells", Received(f"{workers} workers{', ray' if ray else ''}"),
            "one: what a picture gets depends on the quotas that the pictures before it left",
        )  # fmt: skip


def resolved_recipe(recipe: Recipe | ConfigValues, overrides: Sequence[str] = (), *, scale: float = 1.0) -> Recipe:
    """A recipe with its gate read, its counts scaled, and the hashes of the instruments that will judge.

    Raises: InputError for a recipe, gate or scale that cannot be used.
    """
    resolved = read_config(Recipe, recipe, overrides)
    if resolved.gate_from:
        resolved = resolved.with_gate(read_config(GateConfig, resolved.gate_from))
    if number("scale", scale) != 1.0:
        resolved = resolved.scaled(scale)
    return resolved.with_instruments()


def worker_factory(recipe: Recipe) -> WorkerFactory:
    """What a process of a campaign calls to load its model, instruments and gate; libraries load quietly."""
    # The tokenizer's threads would warn when worker processes start.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from worldgen.generation.campaign.worker import SampleWorker
    from worldgen.models.native.loading import quiet_libraries

    quiet_libraries()
    return partial(SampleWorker.load, recipe)


def check_model_files(recipe: Recipe) -> None:
    """Refuse a model or adapter that is not there or cannot be loaded, before an output folder is begun.

    A native model of your own is loaded for it and let go again: only then is known that config, weights, tokenizer
    and adapter belong together. Of a pretrained model the index and configs are read. Raises: InputError.
    """
    model = recipe.model
    if not is_native(model.pipeline):
        from worldgen.models.backbones.registry import refuse_unknown_model

        try:
            refuse_unknown_model(model.pipeline, backbone_options(model.backbone_from, "cpu") or BackboneConfig())
        except InputError as error:
            raise InputError(f"model.pipeline {str(error).removeprefix('model ')}") from error
        return
    if model.backbone_from:
        raise InputError("model.backbone_from", model.backbone_from, "none: the native model takes no such options")
    for name, folder, file in (
        ("pipeline", model.pipeline, "model_index.json"), ("adapter", model.adapter, "adapter.json"),
    ):  # fmt: skip
        if folder not in ("", "shipped"):
            read_object(Path(folder).expanduser() / file, f"model.{name} {folder}", f"a folder with {file}")
    if model.adapter or model.pipeline not in ("", "shipped"):
        from worldgen.models.native.adapters import load_adapter
        from worldgen.models.native.loading import load_pipeline, quiet_libraries

        quiet_libraries()
        pipeline = load_pipeline(model.pipeline or "shipped")
        if model.adapter:
            load_adapter(pipeline.transformer, Path(model.adapter).expanduser())


def campaign_runner(recipe: Recipe, *, workers: int = 1, ray: str = "", gpus: float = 0.0) -> Runner:
    """What does the jobs of a recipe: this process, ``workers`` processes, or the Ray cluster at address ``ray``.

    gpus: of each worker of the cluster. Raises: InputError for GPUs without a cluster, and for more than it has.
    """
    if gpus and not ray:
        raise InputError("GPUs of a worker (--gpus-per-worker)", gpus, "a Ray cluster that shares them out (--ray)")
    if not ray:  # a cluster has files of its own
        check_model_files(recipe)
    load_worker = worker_factory(recipe)
    if ray:
        from worldgen.generation.campaign.cluster import RayRunner

        return RayRunner(load_worker, address=ray, workers=workers, gpus=gpus)
    return InProcessRunner(load_worker) if workers == 1 else ProcessRunner(load_worker, workers)
