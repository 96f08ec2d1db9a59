"""Instruments on disk: weights, config and measured accuracy. An instrument whose accuracy is too low judges
nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import torch
from torch import nn

from worldgen.core.errors import InputError, Received
from worldgen.files.json_files import read_object
from worldgen.files.shipped import assets_dir
from worldgen.files.storage import write_bytes
from worldgen.models.weights import account, read_tensors, weights_hash

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Sizes = TypeVar("Sizes")
Network = TypeVar("Network", bound=nn.Module)

CONFIG_NAME, WEIGHTS_NAME, ACCURACY_NAME = "config.json", "model.safetensors", "accuracy.json"
INSTRUMENT_VERSION = 1


class UnderBarError(InputError):
    """An instrument that is complete, but not accurate enough to judge with."""


@dataclass(frozen=True, eq=False)
class Instrument:
    """An instrument as it lies on disk.

    name: of its folder. config: sizes of its network. tensors: its weights in float32. hash: of the weights as stored.
    accuracy: metric -> {"value", ...} measured on rendered test clips. record: the whole of ``accuracy.json`` (date,
    command, data).
    """

    name: str
    config: dict
    tensors: dict[str, torch.Tensor]
    hash: str
    accuracy: dict[str, dict]
    record: dict

    def passes(self, metric: str, bar: float) -> bool:
        """Whether ``metric`` was measured and reaches ``bar``."""
        row = self.accuracy.get(metric)
        return row is not None and row.get("value") is not None and row["value"] >= bar

    def require(self, bars: dict[str, float]) -> None:
        """Raise UnderBarError unless every metric of ``bars`` was measured and reaches its bar."""
        for metric, bar in bars.items():
            if not self.passes(metric, bar):
                row = self.accuracy.get(metric)
                got = "not measured" if row is None else str(row.get("value"))
                raise UnderBarError(
                    f"instrument {self.name}: {metric} on rendered test clips", Received(got),
                    f"at least {bar}; an instrument under its bar judges nothing",
                )  # fmt: skip

    def summary(self) -> dict:
        """For results: name, hash and accuracy."""
        return {"name": self.name, "hash": self.hash, "accuracy": self.accuracy}


def load_instrument(folder: str | Path) -> Instrument:
    """An instrument from its folder, or a shipped one by name ("attributes", "detector", "motion").

    Raises: InputError when a file is missing or damaged, and when the accuracy was measured with other weights.
    """
    folder = Path(folder)
    if len(folder.parts) == 1 and not folder.is_dir():
        folder = assets_dir() / "instruments" / folder
    instrument, record = stored_instrument(folder), _read(folder / ACCURACY_NAME)
    if record.get("weights_hash") != instrument.hash:
        raise InputError(
            f"accuracy of instrument {folder}", Received(f"measured on weights {record.get('weights_hash')}"),
            f"measured on these weights, {instrument.hash}",
        )  # fmt: skip
    if not isinstance(record.get("accuracy"), dict):
        raise InputError(f"accuracy of instrument {folder}", record.get("accuracy"), "metrics with their values")
    return replace(instrument, accuracy=record["accuracy"], record=record)


def stored_instrument(folder: str | Path) -> Instrument:
    """Weights and config of a folder, without its accuracy. Raises: InputError when one is missing or damaged."""
    folder = Path(folder)
    config = _read(folder / CONFIG_NAME)
    if config.get("instrument_version") != INSTRUMENT_VERSION:
        raise InputError(f"instrument_version of {folder}", config.get("instrument_version"), str(INSTRUMENT_VERSION))
    stored = read_tensors(folder)
    tensors = {key: t.float() if t.is_floating_point() else t for key, t in stored.items()}
    return Instrument(folder.name, config, tensors, weights_hash(stored), {}, {})


def build_network(
    instrument: Instrument, make: Callable[[Sizes], Network], sizes: type[Sizes], *, required: dict[str, Any]
) -> Network:
    """The network that an instrument describes, filled with its weights, in evaluation mode.

    make: its class. sizes: the dataclass of its sizes; every field is a whole number or a tuple of them, and
    ``config.json`` has it under the same name. required: other entries that ``config.json`` must have, such as the
    classes that it was trained on.

    Raises: InputError for the config of another instrument, sizes that are missing or no numbers, and weights that do
    not fit.
    """
    for name, value in required.items():
        if instrument.config.get(name) != value:
            expected = ", ".join(value) if isinstance(value, list) else str(value)
            raise InputError(f"{name} of instrument {instrument.name}", instrument.config.get(name), expected)
    values = {}
    for field in fields(cast("type[DataclassInstance]", sizes)):
        value, several = instrument.config.get(field.name), isinstance(field.default, tuple)
        numbers = value if isinstance(value, list) else [value]
        if value is None or several != isinstance(value, list) or not all(type(number) is int for number in numbers):
            expected = "a list of whole numbers" if several else "a whole number"
            raise InputError(f"{field.name} of instrument {instrument.name}", value, expected)
        values[field.name] = tuple(value) if several else value
    network = make(sizes(**values))
    account(f"instrument {instrument.name}", network.state_dict(), instrument.tensors)
    network.load_state_dict(instrument.tensors)
    return network.eval()


def save_weights(folder: str | Path, config: dict, tensors: dict[str, torch.Tensor]) -> str:
    """Write weights (float16) and config of an instrument; returns the hash of what is stored.

    :func:`save_accuracy` writes the accuracy once it is measured; :func:`load_instrument` refuses the folder until
    then.
    """
    from safetensors.torch import save

    half = {
        key: (t.detach().cpu().half() if t.is_floating_point() else t.detach().cpu()).contiguous()
        for key, t in tensors.items()
    }
    write_bytes(str(Path(folder) / WEIGHTS_NAME), save(half))
    text = json.dumps({"instrument_version": INSTRUMENT_VERSION, **config}, indent=1, sort_keys=True)
    write_bytes(str(Path(folder) / CONFIG_NAME), (text + "\n").encode())
    return weights_hash(half)


def save_accuracy(folder: str | Path, record: dict) -> None:
    """Write ``accuracy.json``: ``record``, which has "accuracy" by metric, and the hash of the weights in the
    folder."""
    record = record | {"weights_hash": weights_hash(read_tensors(Path(folder)))}
    text = json.dumps(record, indent=1, sort_keys=True, allow_nan=False)
    write_bytes(str(Path(folder) / ACCURACY_NAME), (text + "\n").encode())


def _read(path: Path) -> dict:
    return read_object(path, f"instrument file {path}", "an existing JSON object")
