"""Instruments on disk: weights, config and the accuracy they were measured to have. Under its bar, one judges nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from worldgen.core.errors import InputError, Received
from worldgen.files.shipped import assets_dir
from worldgen.files.storage import write_bytes
from worldgen.models.weights import account, read_tensors, weights_hash

Sizes = TypeVar("Sizes")
Network = TypeVar("Network", bound=nn.Module)

CONFIG_NAME, WEIGHTS_NAME, ACCURACY_NAME = "config.json", "model.safetensors", "accuracy.json"
INSTRUMENT_VERSION = 1


class UnderBarError(InputError):
    """An instrument that is whole, but not sure enough to judge by."""


@dataclass(frozen=True, eq=False)
class Instrument:
    """An instrument as it lies on disk.

    name: its folder's name. config: what its network is built from. tensors: its weights in float32. hash: names the
    weights as stored. accuracy: metric -> {"value", ...} measured on rendered test clips. record: the whole of
    ``accuracy.json`` (date, command, data).
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
    """An instrument from its folder, or a shipped one by name ("attributes", "motion").

    Raises: InputError when a file is missing or damaged, and when the recorded accuracy is of other weights.
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
    """Weights and config of a folder whose accuracy is still to be measured. Raises: InputError as above."""
    folder = Path(folder)
    config = _read(folder / CONFIG_NAME)
    if config.get("instrument_version") != INSTRUMENT_VERSION:
        raise InputError(f"instrument_version of {folder}", config.get("instrument_version"), str(INSTRUMENT_VERSION))
    stored = read_tensors(folder)
    tensors = {key: t.float() if t.is_floating_point() else t for key, t in stored.items()}
    return Instrument(folder.name, config, tensors, weights_hash(stored), {}, {})


def build_network(
    instrument: Instrument, make: Callable[[Sizes], Network], sizes: type[Sizes], *, says: dict[str, Any]
) -> Network:
    """The network that an instrument describes, filled with its weights, in evaluation mode.

    make: its class. sizes: the dataclass it is made from; every field is a whole number or a tuple of them, and stands in
    ``config.json`` under its name. says: what ``config.json`` must say besides, such as the classes it was trained on.

    Raises: InputError for the config of something else, sizes that are missing or no numbers, and weights that do not fit.
    """
    for name, wanted in says.items():
        if instrument.config.get(name) != wanted:
            expected = ", ".join(wanted) if isinstance(wanted, list) else str(wanted)
            raise InputError(f"{name} of instrument {instrument.name}", instrument.config.get(name), expected)
    values = {}
    for field in fields(sizes):  # type: ignore[arg-type]
        value, several = instrument.config.get(field.name), isinstance(field.default, tuple)
        numbers = value if isinstance(value, list) else [value]
        if several != isinstance(value, list) or not all(type(number) is int for number in numbers):
            expected = "a list of whole numbers" if several else "a whole number"
            raise InputError(f"{field.name} of instrument {instrument.name}", value, expected)
        values[field.name] = tuple(value) if several else value
    network = make(sizes(**values))
    account(f"instrument {instrument.name}", network.state_dict(), instrument.tensors)
    network.load_state_dict(instrument.tensors)
    return network.eval()


def save_weights(folder: str | Path, config: dict, tensors: dict[str, torch.Tensor]) -> str:
    """Write weights (float16) and config of an instrument; returns the hash of what is stored.

    Its accuracy is written by :func:`save_accuracy` once it is measured; until then nothing loads it for judging.
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
    """Write ``accuracy.json``: the hash of the weights is added to ``record``, which has "accuracy" by metric."""
    record = record | {"weights_hash": weights_hash(read_tensors(Path(folder)))}
    text = json.dumps(record, indent=1, sort_keys=True, allow_nan=False)
    write_bytes(str(Path(folder) / ACCURACY_NAME), (text + "\n").encode())


def _read(path: Path) -> dict:
    try:
        record = json.loads(path.read_text())
    except OSError as error:
        raise InputError("instrument file", str(path), "an existing JSON file") from error
    except ValueError as error:
        raise InputError(f"instrument file {path}", Received(str(error)), "JSON") from error
    if not isinstance(record, dict):
        raise InputError(f"instrument file {path}", Received(type(record).__name__), "an object")
    return record
