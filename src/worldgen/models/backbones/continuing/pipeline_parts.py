"""Parts of a pipeline from its folder, read one by one: for pipelines that are built of less or more than it names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

from worldgen.core.errors import InputError, Received
from worldgen.models.backbones.hub import ModelSource, refuse_foreign_homes
from worldgen.models.backbones.memory_check import resolved_dtype
from worldgen.models.backbones.options import BackboneConfig
from worldgen.models.backbones.pipeline_loading import FOREIGN_ERRORS, _dtype_argument, library_class
from worldgen.models.backbones.wan_memory import WanSizes, wan_working_bytes
from worldgen.models.weights import refuse_pickles


def read_parts(
    source: ModelSource, names: Iterable[str], config: BackboneConfig, device: torch.device
) -> dict[str, Any]:
    """Name -> part, on the CPU: networks in the config's number types, the codec in its own.

    Raises: InputError for pickles, for classes of other packages, and for files that are missing or do not fit.
    """
    names = tuple(names)
    refuse_pickles(source.folder)
    source.require(*names)
    refuse_foreign_homes(source)  # importing one would run code that a file names
    return {name: _read(source, name, config, device) for name in names}


def _read(source: ModelSource, name: str, config: BackboneConfig, device: torch.device) -> Any:
    cls, folder = library_class(source, name), source.folder / name
    settings: dict[str, Any] = {"local_files_only": True}
    network = isinstance(cls, type) and issubclass(cls, torch.nn.Module)
    if network:
        if not any(folder.glob("*.safetensors")):
            raise InputError(f"weights of {name} in {source.name}", Received("no .safetensors file"), "the whole model")
        dtype = config.vae_dtype if name == "vae" else resolved_dtype(config, device)
        settings |= {"use_safetensors": True, _dtype_argument(): getattr(torch, dtype)}
        if source.components[name].home == "transformers":
            settings["dtype"] = settings.pop(_dtype_argument())
    try:
        part = cls.from_pretrained(folder, **settings)
    except FOREIGN_ERRORS as error:
        reason = f"{type(error).__name__}: {error}"
        raise InputError(f"{name} of {source.name}", Received(reason), f"the files of a {cls.__name__}") from error
    return part.eval() if network else part


def check_diffusers(family: str, name: str, since: str) -> Any:
    """A class of the installed diffusers. Raises: InputError where it is too old to have it."""
    import diffusers

    cls = getattr(diffusers, name, None)
    if cls is None or getattr(cls, "_backends", None):  # a placeholder for a class whose packages are missing
        version = diffusers.__version__
        raise InputError(
            f"diffusers for the family {family}", Received(version), f"diffusers>={since}, which has {name}"
        )
    return cls


def codec_multiple(source: ModelSource) -> int:
    """Pixels of one side of a latent cell. Raises: InputError for a config without it."""
    try:
        return int(str(source.config("vae")["scale_factor_spatial"]))
    except (KeyError, ValueError) as error:
        raise InputError(f"config of vae in {source.name}", str(error), "scale_factor_spatial") from error


def transfer_working_bytes(
    config: BackboneConfig, size_px: tuple[int, int], frames: int, *, width: int, feed_forward: int, codec: dict
) -> int:
    """Bytes that a chunk with one control works with. width, feed_forward: of the transformer. codec: its config.

    The control is a second sequence of the same length beside the clip, so a token of the clip counts twice.
    """
    patch = codec.get("patch_size") or 1
    sizes = WanSizes(
        2 * width, 2 * feed_forward, 0, codec["scale_factor_spatial"], codec["scale_factor_temporal"], 2,
        (codec.get("decoder_base_dim") or codec["base_dim"]) // patch**2,
    )  # fmt: skip
    return wan_working_bytes(sizes, config, size_px, frames)
