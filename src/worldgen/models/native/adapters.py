"""Low-rank adapters of a transformer: attached, saved and loaded in the format of diffusers and peft.

An adapter is a folder with ``pytorch_lora_weights.safetensors`` (peft's names, its LoraConfig in the file's metadata)
and ``adapter.json``, which holds the hash of the weights it was trained on.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn

from worldgen.core.errors import InputError, Received
from worldgen.files.json_files import read_object
from worldgen.models.native.transformer import WorldTransformer
from worldgen.models.weights import refuse_not_finite

ADAPTER_VERSION = 1
WEIGHTS_NAME = "pytorch_lora_weights.safetensors"
ADAPTABLE = (nn.Linear, nn.Conv2d, nn.Conv3d)
_HALVES = (".lora_A.weight", ".lora_B.weight")


def base_hash(transformer: nn.Module) -> str:
    """32 hexadecimal digits that name a transformer's own weights, whatever adapters it has."""
    digest = hashlib.blake2b(digest_size=16)
    for name, tensor in sorted(_own_tensors(transformer)):
        plain = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {plain.dtype} {tuple(plain.shape)}\n".encode())
        digest.update(plain.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _own_tensors(transformer: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    for name, tensor in transformer.state_dict().items():
        if ".lora_" not in name:
            yield name.replace(".base_layer.", "."), tensor


def check_targets(transformer: nn.Module, targets: Sequence[str]) -> list[str]:
    """Names of the modules that ``targets`` (ends of module names) match.

    Raises InputError for a target that matches no linear or convolution layer, with the nearest names that exist.
    """
    names = [name for name, module in transformer.named_modules() if isinstance(module, ADAPTABLE)]
    matched = []
    for target in targets:
        found = [name for name in names if name == target or name.endswith("." + target)]
        if not found:
            leaves = sorted({name.rsplit(".", 1)[-1] for name in names} | set(names))
            near = difflib.get_close_matches(target, leaves, 3, 0.4) or leaves[:3]
            raise InputError("adapter target", target, f"the end of a layer's name, such as {', '.join(near)}")
        matched += found
    return sorted(set(matched))


def attach_lora(
    transformer: WorldTransformer, targets: Sequence[str], *, rank: int, alpha: float, dropout: float = 0.0
) -> list[str]:
    """Add fresh low-rank adapters to a transformer, which leave its output unchanged, and freeze everything else.

    Returns the names of the adapted layers.
    """
    from peft import LoraConfig

    names = check_targets(transformer, targets)
    transformer.requires_grad_(False)
    # Full names, because peft's own matching of ends could reach layers that were not checked here.
    # peft divides alpha by the rank, so it may be a fraction, which its annotation leaves out.
    config = LoraConfig(r=rank, lora_alpha=alpha, lora_dropout=dropout, target_modules=names)  # type: ignore[arg-type]
    transformer.add_adapter(config)
    return names


def save_adapter(transformer: WorldTransformer, folder: str | Path, *, notes: dict | None = None) -> None:
    """Write the active adapter into an existing folder. notes: JSON-able facts for people."""
    folder = Path(folder)
    transformer.save_lora_adapter(folder, weight_name=WEIGHTS_NAME)
    record = {
        "adapter_version": ADAPTER_VERSION, "kind": "lora", "base_class": type(transformer).__name__,
        "base_weights": base_hash(transformer), **(notes or {}),
    }  # fmt: skip
    (folder / "adapter.json").write_text(json.dumps(record, indent=1) + "\n")


def load_adapter(
    transformer: WorldTransformer, folder: str | Path, *, scale: float = 1.0, any_base: bool = False
) -> None:
    """Add a saved adapter to ``transformer``; its effect is multiplied by ``scale``.

    any_base: accept an adapter that was trained on other weights.
    Raises InputError for a folder that holds no adapter, a pickle, other base weights, and tensors that do not fit.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    folder = Path(folder)
    _check_folder(folder)
    try:
        record = read_object(folder / "adapter.json", f"adapter {folder}", "adapter.json with the facts of an adapter")
        tensors = load_file(folder / WEIGHTS_NAME)
    except (ValueError, SafetensorError) as error:
        raise InputError(f"adapter {folder}", Received(str(error)), "a whole adapter") from error
    if record.get("adapter_version") != ADAPTER_VERSION:
        raise InputError(f"adapter_version of {folder}", record.get("adapter_version"), str(ADAPTER_VERSION))
    own = base_hash(transformer)
    if record.get("base_weights") != own and not any_base:
        raise InputError(
            f"adapter {folder}",
            Received(f"trained on weights {record.get('base_weights')}"),
            f"{own}, the weights of this model",
        )
    refuse_not_finite(tensors, str(folder))
    _check_tensors(transformer, tensors, folder)
    try:
        transformer.load_lora_adapter(
            str(folder), prefix=None, weight_name=WEIGHTS_NAME, use_safetensors=True, local_files_only=True
        )
    except (TypeError, ValueError, LookupError, AttributeError) as error:  # a config that peft cannot use
        raise InputError(f"adapter {folder}", Received(str(error)), "a whole adapter") from error
    if scale != 1.0:
        transformer.set_adapters(list(transformer.peft_config), scale)


def _check_folder(folder: Path) -> None:
    if folder.is_file() or not folder.is_dir():
        raise InputError("adapter", str(folder), f"a folder with {WEIGHTS_NAME} and adapter.json; pickles are refused")
    if not (folder / WEIGHTS_NAME).is_file():
        pickled = sorted(p.name for p in folder.iterdir() if p.suffix in (".bin", ".pt", ".pth", ".ckpt", ".pkl"))
        received = f"the pickle {pickled[0]}" if pickled else f"no {WEIGHTS_NAME}"
        raise InputError(f"adapter {folder}", Received(received), f"{WEIGHTS_NAME}; pickles are refused")
    if not (folder / "adapter.json").is_file():
        raise InputError(f"adapter {folder}", Received("no adapter.json"), "an adapter written by worldgen train")


def _check_tensors(transformer: nn.Module, tensors: dict[str, torch.Tensor], folder: Path) -> None:
    """Check that every tensor is half of a pair that fits a layer of the transformer."""
    layers = {name: module for name, module in transformer.named_modules() if isinstance(module, ADAPTABLE)}
    stray = []
    for name, tensor in tensors.items():
        half = next((h for h in _HALVES if name.endswith(h)), None)
        layer = layers.get(name.removesuffix(half)) if half else None
        partner = name.removesuffix(half) + _HALVES[1 - _HALVES.index(half)] if half else ""
        if layer is None or partner not in tensors:
            stray.append(name)
            continue
        axis = 1 if half == _HALVES[0] else 0
        wanted, got = layer.weight.shape[axis], tensor.shape[axis]
        if wanted != got:
            stray.append(f"{name} with size {got} instead of {wanted}")
    if stray or not tensors:
        received = f"{len(stray)} tensors without a place ({', '.join(sorted(stray)[:3])})" if stray else "no tensors"
        raise InputError(f"adapter {folder}", Received(received), "pairs that fit layers of the model")


@contextmanager
def adapters_off(transformer: WorldTransformer) -> Iterator[None]:
    """Switch the adapters of the transformer off inside the block."""
    transformer.disable_adapters()
    try:
        yield
    finally:
        transformer.enable_adapters()
