"""An adapter merged into its model: a folder of the whole model, which needs no adapter any more.

Ego motion has no place in the classes of diffusers, so an adapter with an injector leaves a smaller one beside the
merged model, which holds the injector alone and belongs to the merged weights.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections import Counter
from pathlib import Path

import torch

from worldgen.core.errors import InputError, Received
from worldgen.files.atomic import replace_folder
from worldgen.models.backbones.digests import content_name
from worldgen.models.backbones.hub import ModelSource, find_model
from worldgen.models.backbones.pipeline_loading import FOREIGN_ERRORS, _dtype_argument, library_class
from worldgen.models.backbones.registry import family_of
from worldgen.models.backbones.text_encoding import TEXT_FOLDERS
from worldgen.models.backbones.tuned.tuned_adapter import (
    EGO_FILE,
    LORA_FILE,
    fuse_into_network,
    read_tuned_record,
    refuse_lost_tensors,
    write_tuned_record,
)
from worldgen.models.weights import refuse_pickles

EGO_FOLDER = "ego_adapter"
DENOISER = "transformer"


def merge_tuned(adapter: str | Path, out: str | Path, *, model: str = "", revision: str = "") -> Path | None:
    """Write the model of an adapter with the LoRA merged into its weights to the new folder ``out``.

    model, revision: where the base lies; "" takes the name that the adapter states. Returns the folder of the remaining
    adapter inside ``out`` where ego motion was trained, else None.

    Raises: InputError for an adapter without a LoRA, the adapter of another base, and an ``out`` that exists.
    """
    adapter, out = Path(adapter).expanduser(), Path(out).expanduser()
    if out.exists():
        raise InputError("folder of the merged model", str(out), "a name that is free")
    record = read_tuned_record(adapter)
    if not (adapter / LORA_FILE).is_file():
        raise InputError(f"adapter {adapter}", Received(f"no {LORA_FILE}"), "an adapter with a LoRA to merge")
    source = find_model(model or record.base, revision=revision or ("" if model else record.revision))
    parts = _named_parts(source, family_of(source).family)
    if content_name(source.folder, parts) != record.base_weights:
        expected = f"{record.base_weights}, those of {record.base} that it was trained on"
        raise InputError(f"weights of {source.name} under adapter {adapter}", Received("other weights"), expected)
    refuse_pickles(source.folder)
    rest = None
    with replace_folder(out) as folder:
        for path in sorted(source.folder.iterdir()):
            if path.name == DENOISER or path.name.startswith("."):
                continue
            copy = shutil.copytree if path.is_dir() else shutil.copy2
            copy(path, folder / path.name)
        _merged_denoiser(source, adapter / LORA_FILE).save_pretrained(folder / DENOISER, safe_serialization=True)
        if record.ego is not None:
            rest = out / EGO_FOLDER
            (folder / EGO_FOLDER).mkdir()
            shutil.copy2(adapter / EGO_FILE, folder / EGO_FOLDER / EGO_FILE)
            name = content_name(folder, parts)
            of_merged = dataclasses.replace(record, base=str(out), revision="", base_weights=name)
            write_tuned_record(folder / EGO_FOLDER, of_merged)
    return rest


def _named_parts(source: ModelSource, family: str) -> tuple[str, ...]:
    """The folders by whose content a loaded model of a family is named."""
    if family == "ltx2":
        from worldgen.models.backbones.continuing import ltx2

        return (*ltx2.PARTS, *TEXT_FOLDERS)
    if family == "cosmos3":
        from worldgen.models.backbones.cosmos import cosmos3

        return cosmos3.PARTS
    return tuple(source.components)


def _merged_denoiser(source: ModelSource, lora: Path):
    folder = source.folder / DENOISER
    settings = {_dtype_argument(): _stored_dtype(folder)}
    try:
        network = library_class(source, DENOISER).from_pretrained(folder, local_files_only=True, **settings)
    except FOREIGN_ERRORS as error:
        raise InputError(f"{DENOISER} of {source.name}", Received(str(error)), "the files of its network") from error
    refuse_lost_tensors(lora, network)
    fuse_into_network(lora, network)
    return network


def _stored_dtype(folder: Path) -> torch.dtype:
    """The number type of most tensors of a network's files."""
    from safetensors import safe_open

    counts: Counter[torch.dtype] = Counter()
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            counts.update(file.get_tensor(name).dtype for name in file.keys())  # noqa: SIM118  # no dict
    return counts.most_common(1)[0][0] if counts else torch.float32
