"""Reading a pipeline of diffusers from its folder, with every part accounted for, and putting it on a device."""

from __future__ import annotations

import importlib
import importlib.util
import re
from pathlib import Path
from typing import Any

import torch

from worldgen.core.errors import InputError, MissingDependencyError, Received
from worldgen.models.backbones.hub import ModelSource, download, refuse_foreign_homes
from worldgen.models.backbones.memory_check import meta_network, resolved_dtype
from worldgen.models.backbones.options import BackboneConfig
from worldgen.models.backbones.quantisation import quantise
from worldgen.models.weights import refuse_pickles

LISTED = 3
"""How many offending names an error lists."""
FOREIGN_ERRORS = (OSError, ValueError, TypeError, LookupError, AttributeError, RuntimeError, NotImplementedError)
"""What the libraries raise when files of a model are missing, cut or of another version."""


def refuse_missing_package(package: str, extra: str, feature: str) -> None:
    """Raises MissingDependencyError where a package is not installed."""
    if importlib.util.find_spec(package) is None:
        raise MissingDependencyError(package, extra, feature)


def library_class(source: ModelSource, name: str) -> Any:
    """The class that reads a part. Raises: InputError where the installed library has no such class."""
    component = source.components[name]
    cls = getattr(importlib.import_module(component.home), component.class_name, None)
    if cls is None:
        version = getattr(importlib.import_module(component.home), "__version__", "of unknown version")
        raise InputError(
            f"class of {name} in {source.name}", f"{component.home}.{component.class_name}",
            f"a class of the installed {component.home} {version}; a newer one may have it",
        )  # fmt: skip
    return cls


def read_pipeline(
    source: ModelSource, cls: Any, config: BackboneConfig, device: torch.device, *, without: tuple[str, ...] = ()
) -> Any:
    """A pipeline of class ``cls`` with the weights of its folder: denoiser in the config's type, codec in its own.

    without: parts that are not read, as a text encoder whose output is cached.

    Raises: InputError for pickles, for parts of other packages, and for files that are missing or do not fit.
    """
    refuse_pickles(source.folder)
    refuse_foreign_homes(source)
    source.require(*(name for name in source.components if name not in without))
    for name in source.components:
        if name not in without:
            _account_weights(source, name, library_class(source, name))
    types = {"default": getattr(torch, resolved_dtype(config, device)), "vae": getattr(torch, config.vae_dtype)}
    absent = {name: None for name in without if name in source.components}
    try:
        pipeline = cls.from_pretrained(
            source.folder, local_files_only=True, use_safetensors=True, **{_dtype_argument(): types}, **absent
        )
    except FOREIGN_ERRORS as error:
        reason = f"{type(error).__name__}: {error}"
        raise InputError(f"model {source.name}", Received(reason), f"the files of a {source.class_name}") from error
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _dtype_argument() -> str:
    """Name of the argument of number types: diffusers renamed it, and the old name warns."""
    from diffusers.utils import deprecation_utils

    return "dtype" if hasattr(deprecation_utils, "_resolve_dtype") else "torch_dtype"


def _account_weights(source: ModelSource, name: str, cls: Any) -> None:
    """Compare the tensors in the files of a part with those of its network, by name, before anything is read.

    diffusers leaves a network without its missing tensors, and transformers fills them with random numbers; both only
    log a warning. Raises: InputError.
    """
    folder = source.folder / name
    if not (folder / "config.json").is_file():
        return
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise InputError(f"weights of {name} in {source.name}", Received("no .safetensors file"), "the whole model")
    if source.components[name].home != "diffusers":
        return
    wanted = set(meta_network(cls, source, name).state_dict())
    ignored = [re.compile(pattern) for pattern in getattr(cls, "_keys_to_ignore_on_load_unexpected", None) or ()]
    given = {key for path in files for key in _names(path) if not any(pattern.search(key) for pattern in ignored)}
    for word, names in (("missing", wanted - given), ("extra", given - wanted)):
        if names:
            shown = ", ".join(sorted(names)[:LISTED])
            received = Received(f"{len(names)} {word} tensors, as {shown}")
            raise InputError(f"weights of {name} in {source.name}", received, f"the {len(wanted)} of its config")


def _names(path: Path) -> list[str]:
    """Names of the tensors in a file. Raises: InputError for a file that is cut."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            return list(file.keys())
    except (SafetensorError, OSError) as error:
        raise InputError(f"weights {path}", Received(str(error)), "a whole .safetensors file") from error


def place(pipeline: Any, config: BackboneConfig, device: torch.device, *, denoisers: tuple[str, ...]) -> None:
    """Put a pipeline on its device, with the quantisation, memory savers, attention and compilation of the config.

    denoisers: names of the parts that take most of the time. Raises: InputError for options that this device or
    installation does not have.
    """
    networks = [getattr(pipeline, name) for name in denoisers if getattr(pipeline, name, None) is not None]
    quantise(networks, config)
    if config.vae_tiling:
        pipeline.vae.enable_tiling()
    if config.vae_slicing:
        pipeline.vae.enable_slicing()
    _set_attention(networks, config.attention)
    if config.offload == "none":
        pipeline.to(device)
    elif device.type == "cpu":
        raise InputError("backbone.offload", config.offload, "none on a CPU, whose memory is host memory already")
    elif config.offload == "model":
        pipeline.enable_model_cpu_offload(device=device)
    elif config.offload == "sequential":
        pipeline.enable_sequential_cpu_offload(device=device)
    else:
        for network in networks:
            network.enable_group_offload(
                onload_device=device, offload_device=torch.device("cpu"), offload_type="block_level",
                num_blocks_per_group=config.group_blocks, use_stream=device.type == "cuda",
            )  # fmt: skip
        pipeline.vae.to(device)
    if config.compile:
        for network in networks:
            network.compile_repeated_blocks()


def _set_attention(networks: list[Any], backend: str) -> None:
    for network in networks if backend else ():
        try:
            network.set_attention_backend(backend)
        except (ValueError, RuntimeError, ImportError, KeyError) as error:
            raise InputError("backbone.attention", backend, f"an installed backend ({error})") from error


def add_lora(pipeline: Any, config: BackboneConfig, *, second: str = "") -> Path | None:
    """Fuse the LoRA of the config into the denoiser; returns its file, None where the config names none.

    second: name of a second denoiser that takes the same LoRA.

    Raises: InputError for a folder or repository without the file, and for one that fits no layer.
    """
    if not config.lora:
        return None
    folder = Path(config.lora).expanduser()
    if not folder.is_dir():
        folder = download(config.lora, revision="", patterns=("*.safetensors", "*/*.safetensors"))
    files = sorted(folder.rglob(config.lora_file or "*.safetensors"))
    if len(files) != 1:
        found = ", ".join(path.name for path in files) or "none"
        raise InputError(f"LoRA {config.lora}", Received(found), "one .safetensors file; lora_file names it")
    try:
        pipeline.load_lora_weights(files[0].parent, weight_name=files[0].name, local_files_only=True)
        if second and getattr(pipeline, second, None) is not None:
            pipeline.load_lora_weights(
                files[0].parent, weight_name=files[0].name, local_files_only=True, load_into_transformer_2=True
            )
        adapters = pipeline.get_list_adapters()
        if not adapters:
            raise InputError(f"LoRA {config.lora}", Received("no layer of it fits"), "a LoRA of this family")
        pipeline.fuse_lora(components=sorted(adapters), lora_scale=config.lora_scale)
        pipeline.unload_lora_weights()
    except FOREIGN_ERRORS as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"LoRA {config.lora}", Received(str(error)), "a LoRA of this family") from error
    return files[0]
