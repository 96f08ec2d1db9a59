"""Checkpoints: everything a run needs to go on as if it had never stopped, without pickle.

A checkpoint is a folder ``step_00000100`` with ``weights``, ``optimizer`` and ``average`` as safetensors and a
``state.json`` that names each file with its size and BLAKE2b digest. It is written beside its place and renamed, so a
folder with that name is complete; the digests find files that changed later. Random states are not stored, because all
randomness is derived from (seed, position), see :mod:`worldgen.training.loop.data_order`.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from worldgen.core.errors import InputError, Received
from worldgen.files.atomic import replace_folder
from worldgen.files.digest import file_digest
from worldgen.files.json_files import read_object
from worldgen.files.storage import write_json
from worldgen.models.weights import account
from worldgen.training.loop.schedule import Ema

STATE_VERSION = 1
_NAME = re.compile(r"step_(\d{8})")


@dataclass(frozen=True)
class TrainingProgress:
    """How far a run is. step: optimiser steps done. elapsed_s: wall clock used, over all starts of the run.

    positions: items seen, which is the place in the data order. first_loss, last_loss: of the steps done (None before
    the first).
    """

    step: int = 0
    elapsed_s: float = 0.0
    positions: int = 0
    first_loss: float | None = None
    last_loss: float | None = None


@dataclass(frozen=True, eq=False)
class RunState:
    """The parts of a run that steps change. parameters: trainable ones by name. buffers: persistent ones by name."""

    parameters: dict[str, nn.Parameter]
    buffers: dict[str, torch.Tensor]
    optimizer: torch.optim.Optimizer
    ema: Ema | None

    def weights(self) -> dict[str, torch.Tensor]:
        return {
            **{k: p.data for k, p in self.parameters.items()},
            **{f"buffer.{k}": b for k, b in self.buffers.items()},
        }


@contextlib.contextmanager
def refusals_as_os_errors() -> Iterator[None]:
    """Let a full disk be an OSError, as it is elsewhere, where the library of safetensors has a word of its own for it.

    Raises: OSError in place of a SafetensorError that names the number of an error of the system.
    """
    try:
        yield
    except SafetensorError as error:
        number = re.search(r"os error (\d+)", str(error))
        if number is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1]))) from error


def save_state(folder: Path, live: RunState, progress: TrainingProgress, *, identity: dict, keep: int) -> Path:
    """Write the checkpoint of ``progress.step`` into ``folder`` and drop all but the ``keep`` newest.

    identity: JSON-able facts that a later run must share (config, data set, frozen weights). Returns its folder.
    """
    target = folder / f"step_{progress.step:08d}"
    parts = {"weights": live.weights(), "optimizer": _optimizer_tensors(live)}
    if live.ema is not None:
        parts["average"] = live.ema.shadow
    with replace_folder(target) as place, refusals_as_os_errors():
        files = {}
        for name, tensors in parts.items():
            path = place / f"{name}.safetensors"
            save_file({k: t.detach().cpu().contiguous().clone() for k, t in tensors.items()}, path)
            files[path.name] = {"bytes": path.stat().st_size, "blake2b": file_digest(path)}
        record = {"state_version": STATE_VERSION, "progress": vars(progress), "identity": identity, "files": files}
        write_json(place / "state.json", record)
    for _, old in checkpoints(folder)[keep:]:
        shutil.rmtree(old, ignore_errors=True)
    return target


def checkpoints(folder: Path) -> list[tuple[int, Path]]:
    """(step, folder) of the checkpoints in ``folder``, newest first."""
    if not folder.is_dir():
        return []
    found = [
        (int(m.group(1)), path) for path in folder.iterdir() if (m := _NAME.fullmatch(path.name)) and path.is_dir()
    ]
    return sorted(found, reverse=True)


def newest_whole(folder: Path) -> tuple[Path | None, list[str]]:
    """The newest checkpoint whose files are as they were written, and a line for each newer one that is not.

    Raises:
        InputError: when there are checkpoints and none of them is whole. Starting again from nothing would hide the
        loss.
    """
    damaged: list[str] = []
    for _, path in checkpoints(folder):
        reason = _damage(path)
        if reason is None:
            return path, damaged
        damaged.append(f"checkpoint {path.name} is damaged ({reason}); looking further back")
    if damaged:
        raise InputError(
            f"checkpoints in {folder}", Received("; ".join(damaged)), "one that is whole, or an empty folder"
        )
    return None, []


def read_record(checkpoint: Path) -> dict:
    """state.json of a checkpoint.

    Raises:
        InputError: when another version of worldgen wrote it.
    """
    record = read_object(checkpoint / "state.json")
    if record.get("state_version") != STATE_VERSION:
        raise InputError(f"state_version of {checkpoint}", record.get("state_version"), str(STATE_VERSION))
    return record


def load_state(checkpoint: Path, live: RunState) -> TrainingProgress:
    """Fill ``live`` in place from a checkpoint; returns how far the run was.

    Raises:
        InputError: when tensors are missing, extra or of another shape.
    """
    record = read_record(checkpoint)
    weights = load_file(checkpoint / "weights.safetensors")
    account(f"checkpoint {checkpoint.name}", live.weights(), weights)
    with torch.no_grad():
        for name, tensor in live.weights().items():
            tensor.copy_(weights[name])
    _fill_optimizer(live, load_file(checkpoint / "optimizer.safetensors"), checkpoint.name)
    if live.ema is not None:
        average = load_file(checkpoint / "average.safetensors")
        account(f"averaged weights of {checkpoint.name}", live.ema.shadow, average)
        for name, tensor in live.ema.shadow.items():
            tensor.copy_(average[name])
    return TrainingProgress(**record["progress"])


def _optimizer_tensors(live: RunState) -> dict[str, torch.Tensor]:
    """Optimiser state as ``MOMENT/PARAMETER`` -> tensor; empty before the first step."""
    state = live.optimizer.state
    tensors = {}
    for name, parameter in live.parameters.items():
        for moment, value in state.get(parameter, {}).items():
            tensors[f"{moment}/{name}"] = torch.as_tensor(value)
    return tensors


def _fill_optimizer(live: RunState, tensors: dict[str, torch.Tensor], where: str) -> None:
    known = {f"{moment}/{name}" for moment in ("step", "exp_avg", "exp_avg_sq") for name in live.parameters}
    stray = sorted(tensors.keys() - known)
    if stray:
        raise InputError(
            f"optimiser state of {where}", Received(f"extra tensors {stray[:3]}"), "only those of trained parameters"
        )
    for key, tensor in tensors.items():
        moment, name = key.split("/", 1)
        parameter = live.parameters[name]
        if moment != "step" and tensor.shape != parameter.shape:
            raise InputError(f"optimiser state {key} of {where}", tuple(tensor.shape), str(tuple(parameter.shape)))
        # AdamW keeps its counters on the CPU unless it is capturable; moments live with their parameter, in its layout.
        value = tensor.clone() if moment == "step" else torch.empty_like(parameter, requires_grad=False).copy_(tensor)
        live.optimizer.state[parameter][moment] = value


def _damage(checkpoint: Path) -> str | None:
    """How a checkpoint is damaged, or None."""
    try:
        record = read_object(checkpoint / "state.json")
        files = record["files"].items()
    except (ValueError, KeyError, AttributeError) as error:
        return f"state.json: {type(error).__name__}"
    for name, facts in files:
        path = checkpoint / name
        if not path.is_file():
            return f"{name} is missing"
        if path.stat().st_size != facts["bytes"]:
            return f"{name} has {path.stat().st_size} bytes instead of {facts['bytes']}"
        if file_digest(path) != facts["blake2b"]:
            return f"{name} has other content than was written"
    return None
