"""Early stop: a run ends when its held-out loss stops falling, and keeps the weights of its best validation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save

from worldgen.core.errors import InputError, Received
from worldgen.files.storage import write_bytes

BEST_FILE = "best.safetensors"


def best_validation(values: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The validation of the smallest held-out loss, the earliest of equal ones; one that is not finite loses."""
    return min(values, key=lambda row: float("inf") if row.get("loss") is None else row["loss"])


def is_stale(values: Sequence[dict[str, Any]], patience: int) -> bool:
    """Whether the last ``patience`` validations were all no better than the best before them; never for 0."""
    if not patience or not values:
        return False
    best = best_validation(values)["step"]
    return sum(row["step"] > best for row in values) >= patience


def keep_best(folder: Path, step: int, weights: dict[str, torch.Tensor]) -> None:
    """Write the weights of the best validation so far into the folder of a run."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    write_bytes(folder / BEST_FILE, save(plain, metadata={"step": str(step)}))


@torch.no_grad()
def restore_best(folder: Path, weights: dict[str, torch.Tensor]) -> None:
    """Copy the kept weights into ``weights``. Raises: InputError where they are gone or those of another network."""
    path = folder / BEST_FILE
    if not path.is_file():
        raise InputError(f"best weights in {folder}", Received(f"no {BEST_FILE}"), "the file as the run wrote it")
    kept = load(path.read_bytes())
    if {name: t.shape for name, t in kept.items()} != {name: t.shape for name, t in weights.items()}:
        raise InputError(f"best weights {path}", Received("other tensors"), "those of this run")
    for name, tensor in weights.items():
        tensor.copy_(kept[name])
