"""The identity of a run: facts that must be equal when a run is continued."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from worldgen.core.errors import InputError, Received
from worldgen.models.native.losses.loss_options import AdversarialOptions, FlowOptions
from worldgen.models.weights import weights_hash
from worldgen.training.loop.checkpoints import checkpoints, read_record
from worldgen.training.loop.task import Task
from worldgen.training.train_config import MAY_CHANGE, TrainConfig, output_folder

_REPLACED = ("batch", "accumulate")
"""The split of a step may change with the number of processes; ``items_per_step`` may not."""


def config_facts(config: TrainConfig, *, items_per_step: int) -> dict:
    """The part of a run's identity that its config decides, JSON-able."""
    values = dataclasses.asdict(config)
    for name in (*MAY_CHANGE, *_REPLACED):
        del values[name]
    for name in ("student", "adversarial"):
        if config.task != name:
            del values[name]  # of no effect on this run
    if config.task == "backbone":
        values["tune"] = config.tune.facts
    else:
        del values["tune"]
    # Tuples become lists, as they will be when read back.
    return json.loads(json.dumps({"config": values, "items_per_step": items_per_step}))


def identity_of(config: TrainConfig, task: Task, *, items_per_step: int) -> dict:
    """JSON-able facts that a continued run must share with the run it continues."""
    frozen = {name: p for name, p in task.module.named_parameters() if not p.requires_grad}
    facts = config_facts(config, items_per_step=items_per_step)
    return {**facts, "data": task.items.data_hash, "frozen_weights": weights_hash(frozen)}


def check_continues(config: TrainConfig, *, items_per_step: int) -> None:
    """Compare the config with that of the run in its output folder, before hours of preparation.

    Raises:
        InputError: when the folder holds another run.
    """
    output = output_folder(config)
    facts = config_facts(config, items_per_step=items_per_step)
    for _, checkpoint in checkpoints(output / "checkpoints"):
        try:
            saved = read_record(checkpoint)["identity"]
            known = {name: saved[name] for name in facts}
        except (OSError, ValueError, KeyError):
            continue  # damaged; the trainer says so
        compare_identity(known, facts, output)
        return


def compare_identity(saved: dict, current: dict, output: Path) -> None:
    """Compare the run in ``output`` with the one that is asked for.

    Raises:
        InputError: when they differ, with the first fields that do.
    """
    saved_flat, current_flat = _with_new_names(_flat(saved)), _flat(current)
    names = sorted(saved_flat.keys() | current_flat.keys())
    differing = [name for name in names if saved_flat.get(name) != current_flat.get(name)]
    if differing:
        shown = ", ".join(f"{n} {current_flat.get(n)!r}" for n in differing[:3])
        wanted = ", ".join(f"{n} {saved_flat.get(n)!r}" for n in differing[:3])
        raise InputError(
            f"output {output} holds another run", Received(shown), f"{wanted} as in that run, or another output"
        )


def _with_new_names(facts: dict[str, object]) -> dict[str, object]:
    """Facts of a run that was begun before fields of its config were renamed, under today's names."""
    now = {
        f"{section}.{before}": f"{section}.{after}"
        for section, options in (("flow", FlowOptions), ("adversarial", AdversarialOptions))
        for before, after in options.RENAMED.items()
    }
    return {now.get(name, name): value for name, value in facts.items()}


def _flat(tree: dict, prefix: str = "") -> dict[str, object]:
    flat: dict[str, object] = {}
    for name, value in tree.items():
        if isinstance(value, dict):
            flat.update(_flat(value, f"{prefix}{name}."))
        else:
            flat[f"{prefix}{name}".removeprefix("config.")] = value
    return flat
