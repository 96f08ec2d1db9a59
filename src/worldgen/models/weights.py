"""Reading weights with every tensor accounted for, and naming weights by their content."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

from worldgen.core.errors import InputError, Received
from worldgen.files.json_files import read_object

PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
LISTED = 3
"""How many offending names an error lists."""


def weights_hash(tensors: Mapping[str, torch.Tensor]) -> str:
    """32 hexadecimal digits that name weights: BLAKE2b over sorted names, dtypes, shapes and bytes."""
    digest = hashlib.blake2b(digest_size=16)
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def refuse_pickles(folder: Path) -> None:
    """Raise InputError when weights are offered as a pickle, which could run any code on loading."""
    if folder.is_file():
        expected = "a folder with .safetensors weights"
        if folder.suffix in PICKLES:
            raise InputError("weights", Received(f"the pickle {folder}"), f"{expected}; pickles are refused")
        raise InputError("weights", str(folder), expected)
    if not folder.is_dir():
        raise InputError("weights folder", str(folder), "an existing folder")
    pickled = sorted(path for path in folder.rglob("*") if path.suffix in PICKLES)
    safe = {path.parent for path in folder.rglob("*.safetensors")}
    for path in pickled:
        if path.parent not in safe:
            raise InputError("weights", Received(f"the pickle {path}"), "a .safetensors file; pickles are refused")


def variant_of(folder: Path) -> str | None:
    """The variant of the weights to read from a component's folder, such as "fp16"; None for weights without one.

    ``save_pretrained(variant="fp16")`` names files ``NAME.fp16.safetensors``. Weights without a variant come first.

    Raises:
        InputError: several variants and none without.
    """
    found = {_variant(path) for path in folder.glob("*.safetensors")}
    if None in found or not found:
        return None
    if len(found) > 1:
        raise InputError(f"weights {folder}", sorted(map(str, found)), "one variant, or weights without a variant")
    return found.pop()


def _variant(path: Path) -> str | None:
    """Of ``NAME[.VARIANT][-00001-of-00002].safetensors`` or ``NAME.safetensors.index[.VARIANT].json``."""
    name = path.name.removesuffix(".json").replace(".safetensors.index", "").removesuffix(".safetensors")
    parts = name.split(".", 1)
    return parts[1].split("-")[0] or None if len(parts) > 1 else None


def read_tensors(folder: Path) -> dict[str, torch.Tensor]:
    """All tensors of the ``.safetensors`` files directly inside a component's folder (shards with an index
    included)."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    refuse_pickles(folder)
    variant = variant_of(folder)
    files = [path for path in sorted(folder.glob("*.safetensors")) if _variant(path) == variant]
    indices = [path for path in sorted(folder.glob("*.safetensors.index*.json")) if _variant(path) == variant]
    if indices:
        table = read_object(indices[0]).get("weight_map")
        if not isinstance(table, dict) or not all(isinstance(name, str) for name in table.values()):
            raise InputError(f"weight_map of {indices[0]}", table, "an object: tensor name to file name")
        names = set(table.values())
        absent = sorted(names - {path.name for path in files})
        if absent:
            raise InputError(
                f"weights {folder}", Received(f"missing shards {absent[:LISTED]}"), "every shard of the index"
            )
        files = [path for path in files if path.name in names]
    elif len(files) != 1:
        raise InputError(
            f"weights {folder}", [path.name for path in files], "exactly one .safetensors file, or an index"
        )
    tensors: dict[str, torch.Tensor] = {}
    for path in files:
        try:
            tensors.update(load_file(path))
        except (SafetensorError, OSError, ValueError, KeyError) as error:  # KeyError: a type that torch lacks
            raise InputError(f"weights {path}", Received(str(error)), "a whole .safetensors file") from error
    refuse_not_finite(tensors, str(folder))
    return tensors


def refuse_not_finite(tensors: Mapping[str, torch.Tensor], where: str) -> None:
    """Raise InputError when a tensor holds NaN or infinite values: every frame made with it would be empty."""
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise InputError(f"weights {where}, tensor {name}", Received("NaN or infinite values"), "finite numbers")


def account(name: str, wanted: Mapping[str, torch.Tensor], given: Mapping[str, torch.Tensor]) -> None:
    """Raise InputError unless ``given`` has exactly the names and shapes of ``wanted``."""
    complaints = []
    for word, names in (("missing", wanted.keys() - given.keys()), ("extra", given.keys() - wanted.keys())):
        if names:
            complaints.append(f"{len(names)} {word} ({_listed(names)})")
    shapes = [
        f"{key} {tuple(given[key].shape)} instead of {tuple(wanted[key].shape)}"
        for key in sorted(wanted.keys() & given.keys())
        if wanted[key].shape != given[key].shape
    ]
    if shapes:
        complaints.append(f"{len(shapes)} of another shape ({_listed(shapes)})")
    if complaints:
        raise InputError(
            f"weights of {name}", Received("; ".join(complaints)), f"the {len(wanted)} tensors of the model"
        )


def load_exactly(module: nn.Module, folder: Path, name: str) -> None:
    """Fill ``module`` from a component's folder; every tensor must be there, none may be left over."""
    given = read_tensors(folder)
    wanted = module.state_dict()
    account(name, _untied(wanted, given), given)
    module.load_state_dict(given, strict=False)  # names were accounted for; tied twins follow their first name


def check_component(module: nn.Module, folder: Path, name: str) -> None:
    """As :func:`load_exactly`, for a module that a library has already filled from the folder."""
    given = read_tensors(folder)
    account(name, _untied(module.state_dict(), given), given)


def _untied(wanted: Mapping[str, torch.Tensor], given: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Leave out names that share their storage with a name that is given: files store a tied tensor once."""
    present = {wanted[name].data_ptr() for name in wanted.keys() & given.keys() if wanted[name].numel()}
    return {name: t for name, t in wanted.items() if name in given or not t.numel() or t.data_ptr() not in present}


def _listed(names) -> str:
    names = sorted(names)
    return ", ".join(names[:LISTED]) + (", ..." if len(names) > LISTED else "")
