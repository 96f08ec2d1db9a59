"""Configs of saved networks, checked against the weights beside them before a network is built.

Building takes time and memory by the sizes a config asks for. A network never has more layers than its weights have
tensors, nor wider ones than they have numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from worldgen.core.errors import InputError
from worldgen.core.samples import CONDITIONS
from worldgen.files.json_files import read_object

DEPTHS: dict[str, tuple[str, ...]] = {
    "transformer": ("blocks", "detail_blocks"), "codec": (), "text_encoder": ("n_layers",), "painter": ("blocks",),
}  # fmt: skip
"""Fields that count layers, by network."""

AREAS: dict[str, tuple[tuple[str, ...], ...]] = {
    "transformer": (
        ("latent_channels",), ("detail_width",), ("width",), ("heads",), ("frame_width",), ("text_width",),
        ("layout_channels",),
    ),
    "codec": (("latent_channels",), ("width",)),
    "painter": (("width", "width"),),
    "text_encoder": (("vocab_size", "dim"), ("max_position_embeddings", "dim"), ("hidden_dim", "dim"), ("n_heads",)),
}  # fmt: skip
"""Fields whose product is at most the size of one tensor, by network."""


def saved_config(folder: Path, name: str, class_name: str) -> dict[str, Any]:
    """The config of network ``name`` (a key of ``DEPTHS``) in its folder.

    class_name: of the network. Raises InputError for a file that is no JSON object and for another class.
    """
    config = read_object(
        folder / "config.json", f"config of {name} in {folder}", "the JSON object that save_pretrained writes"
    )
    found = config.get("_class_name")
    if name == "text_encoder":
        architectures = config.get("architectures")
        found = architectures[0] if isinstance(architectures, list) and len(architectures) == 1 else architectures
    if found != class_name:
        raise InputError(f"class of {name} in {folder}", found, class_name)
    return config


def refuse_other_sizes(
    config: Mapping[str, Any], tensors: Mapping[str, torch.Tensor], *, name: str, folder: Path
) -> None:
    """Raise InputError for sizes that cannot be those of ``tensors``. Values that are no integers are not judged."""
    whole = lambda fields: [v for f in fields if type(v := config.get(f)) is int]  # noqa: E731
    numbers = sum(tensor.numel() for tensor in tensors.values())
    for field in DEPTHS[name]:
        if any(value > len(tensors) for value in whole([field])):
            expected = f"at most {len(tensors)}, the number of tensors in its weights"
            raise InputError(f"{field} of {name} in {folder}", config[field], expected)
    for fields in AREAS[name]:
        if math.prod(values := whole(fields)) > numbers:
            expected = f"at most {numbers}, the number of values in its weights"
            raise InputError(f"{' x '.join(fields)} of {name} in {folder}", " x ".join(map(str, values)), expected)


def refuse_other_values(config: Mapping[str, Any], folder: Path) -> None:
    """Raise InputError for values of a transformer's config that no tensor shows: they are used long after loading."""
    accepts = config.get("accepts", [])
    if not isinstance(accepts, (list, tuple)) or any(name not in CONDITIONS for name in accepts):
        raise InputError(f"accepts of transformer in {folder}", accepts, "a list of " + ", ".join(CONDITIONS))
    for field, least in (("context_window", 1), ("height_px", 16), ("width_px", 16)):
        value = config.get(field, least)
        if type(value) is not int or value < least:
            raise InputError(f"{field} of transformer in {folder}", value, f"an integer from {least}")
    fps = config.get("fps", 8.0)
    if isinstance(fps, bool) or not isinstance(fps, (int, float)) or not 0.5 <= fps <= 60:
        raise InputError(f"fps of transformer in {folder}", fps, "a number from 0.5 to 60")
    if not isinstance(config.get("reads_noise", False), bool):
        raise InputError(f"reads_noise of transformer in {folder}", config["reads_noise"], "true or false")
