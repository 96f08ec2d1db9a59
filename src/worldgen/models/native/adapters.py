"""Low-rank adapters of a transformer: attached, saved and loaded in the format of diffusers and peft.

An adapter is a folder with ``pytorch_lora_weights.safetensors`` (peft's names, its LoraConfig in the file's metadata)
and ``adapter.json``, which holds the hash of the weights it was trained on.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import warnings
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
_OTHERS = (".lora_B.bias", ".lora_magnitude_vector")
"""Ends of names of tensors that have one value per output channel: an offset, and the magnitudes of DoRA."""


def base_hash(transformer: nn.Module) -> str:
    """32 hexadecimal digits that name a transformer's own weights, whatever adapters it has.

    Raises InputError where weights are offloaded.
    """
    digest = hashlib.blake2b(digest_size=16)
    for name, tensor in sorted(_own_tensors(transformer)):
        if tensor.is_meta:
            expected = "weights in memory: load adapters before offloading"
            raise InputError("weights of the transformer", Received("offloaded weights"), expected)
        plain = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {plain.dtype} {tuple(plain.shape)}\n".encode())
        digest.update(plain.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _own_tensors(transformer: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    for name, tensor in transformer.state_dict().items():
        if ".lora_" not in name:
            yield name.replace(".base_layer.", "."), tensor


def _layers(transformer: nn.Module) -> dict[str, nn.Linear | nn.Conv2d | nn.Conv3d]:
    """The layers that adapters can reach, by name; those that have adapters under the name they had before."""
    return {
        name.removesuffix(".base_layer"): module
        for name, module in transformer.named_modules()
        if isinstance(module, ADAPTABLE) and ".lora_" not in name
    }


def adapter_names(transformer: nn.Module) -> list[str]:
    """Names of the adapters of a transformer, in the order in which they were added."""
    return list(getattr(transformer, "peft_config", {}))


def check_targets(transformer: nn.Module, targets: Sequence[str]) -> list[str]:
    """Names of the modules that ``targets`` (ends of module names) match.

    Raises InputError for a target that matches no linear or convolution layer, with the nearest names that exist.
    """
    names = list(_layers(transformer))
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

    Returns the names of the adapted layers. Raises InputError for targets that match nothing, and for a transformer
    that has adapters: a new one is trained on weights that others are merged into.
    """
    from peft import LoraConfig

    names = check_targets(transformer, targets)
    if adapter_names(transformer):
        expected = "none: merge them (fuse_lora, then unload_lora) before a new one is trained"
        raise InputError("adapters of the transformer", adapter_names(transformer), expected)
    transformer.requires_grad_(False)
    # Full names, because peft's own matching of ends could reach layers that were not checked here.
    # peft divides alpha by the rank, so it may be a fraction, which its annotation leaves out.
    config = LoraConfig(r=rank, lora_alpha=alpha, lora_dropout=dropout, target_modules=names)  # type: ignore[arg-type]
    transformer.add_adapter(config)
    return names


def save_adapter(
    transformer: WorldTransformer, folder: str | Path, *, notes: dict | None = None, name: str = ""
) -> None:
    """Write an adapter into an existing folder.

    notes: JSON-able facts for people. name: of the adapter; "" for the only one. Raises InputError for another name.
    """
    folder, names = Path(folder), adapter_names(transformer)
    if name not in names and (name or len(names) != 1):
        raise InputError("adapter to save", name, "one of " + ", ".join(names) if names else "a model with an adapter")
    transformer.save_lora_adapter(folder, adapter_name=name or names[0], weight_name=WEIGHTS_NAME)
    record = {
        "adapter_version": ADAPTER_VERSION, "kind": "lora", "base_class": type(transformer).__name__,
        "base_weights": base_hash(transformer), **(notes or {}),
    }  # fmt: skip
    (folder / "adapter.json").write_text(json.dumps(record, indent=1) + "\n")


def load_adapter(
    transformer: WorldTransformer, folder: str | Path, *, scale: float = 1.0, any_base: bool = False, name: str = ""
) -> str:
    """Add a saved adapter to ``transformer``; its effect is multiplied by ``scale``. Returns the adapter's name.

    Adapters that are there stay active with their scales, and the effects add up. The magnitudes of DoRA (Liu et al.
    2024, arXiv:2402.09353) replace those of the base weights, so such an adapter has no scale and stands alone.

    any_base: accept an adapter that was trained on other weights. name: how to call it; "" for one that is free.
    Raises InputError for a folder that holds no adapter, a pickle, other base weights, tensors that do not fit, a
    name that is taken, and DoRA with a scale or beside another adapter.
    """
    folder, earlier = Path(folder), adapter_names(transformer)
    _check_folder(folder)
    if name in earlier:
        raise InputError("name of the adapter", name, "a name that is free, other than " + ", ".join(earlier))
    tensors = _read_checked(transformer, folder, any_base=any_base)
    if dora := [key for key in tensors if key.endswith(_OTHERS[1])]:
        if scale != 1.0:
            raise InputError(f"scale of adapter {folder}", scale, "1: the magnitudes of DoRA have no scale")
        if earlier:
            received = f"DoRA ({dora[0]}) beside {', '.join(earlier)}"
            raise InputError(f"adapter {folder}", Received(received), "DoRA alone: its magnitudes belong to the base")
    elif with_magnitudes := _adapters_with_magnitudes(transformer):
        received = f"an adapter beside DoRA ({', '.join(with_magnitudes)})"
        raise InputError(f"adapter {folder}", Received(received), "DoRA alone: its magnitudes belong to the base")
    active = transformer.active_adapters() if earlier else []
    try:
        with warnings.catch_warnings():  # peft warns of a second adapter, which the caller asked for
            warnings.filterwarnings("ignore", message="Already found a `peft_config`")
            transformer.load_lora_adapter(
                str(folder), prefix=None, weight_name=WEIGHTS_NAME, adapter_name=name or None, use_safetensors=True,
                local_files_only=True,
            )  # fmt: skip
    except (TypeError, ValueError, LookupError, AttributeError) as error:  # a config that peft cannot use
        raise InputError(f"adapter {folder}", Received(str(error)), "a whole adapter") from error
    added = adapter_names(transformer)[-1]
    _activate(transformer, [*active, added], scales={added: scale})
    return added


def _activate(transformer: nn.Module, names: list[str], *, scales: dict[str, float]) -> None:
    """Make ``names`` the active adapters, and set the scales of some."""
    from peft.tuners.lora import LoraLayer

    for module in transformer.modules():
        if isinstance(module, LoraLayer):
            module.set_adapter(names)
            for name, scale in scales.items():
                module.set_scale(name, scale)


def _adapters_with_magnitudes(transformer: nn.Module) -> list[str]:
    return [name for name, config in getattr(transformer, "peft_config", {}).items() if getattr(config, "use_dora", 0)]


def _read_checked(transformer: nn.Module, folder: Path, *, any_base: bool) -> dict[str, torch.Tensor]:
    """The tensors of a folder, after its record and their names, sizes and values were checked."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

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
    return tensors


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
    """Check that every tensor belongs to a pair that fits a layer of the transformer."""
    layers, stray = _layers(transformer), []
    for name, tensor in tensors.items():
        end = next((end for end in (*_HALVES, *_OTHERS) if name.endswith(end)), "")
        layer = layers.get(name.removesuffix(end)) if end else None
        if layer is None or any(name.removesuffix(end) + half not in tensors for half in _HALVES):
            stray.append(name)
            continue
        wanted = layer.weight.shape[1 if end == _HALVES[0] else 0]
        got = tensor.numel() if end in _OTHERS else tensor.shape[1 if end == _HALVES[0] else 0]
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
