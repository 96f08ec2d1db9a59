"""Instruments on disk: nothing judges under its bar, nor with the accuracy of other weights."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

import pytest
import torch
from torch import nn

from worldgen.core.errors import InputError
from worldgen.instruments.attributes import attribute_reader
from worldgen.instruments.instrument_files import (
    build_network,
    load_instrument,
    save_accuracy,
    save_weights,
    stored_instrument,
)  # fmt: skip
from worldgen.instruments.motion import motion_reader


@pytest.fixture
def folder(tmp_path):
    save_weights(tmp_path, {"kind": "test", "width": 3}, {"a": torch.arange(4.0), "n": torch.tensor(7)})
    save_accuracy(tmp_path, {"accuracy": {"speed": {"value": 0.97}, "turn": {"value": 0.8}, "none": {"value": None}}})
    return tmp_path


def test_round_trip(folder):
    instrument = load_instrument(folder)
    assert instrument.config["width"] == 3 and instrument.tensors["a"].dtype == torch.float32
    assert torch.equal(instrument.tensors["a"], torch.arange(4.0)) and int(instrument.tensors["n"]) == 7
    assert instrument.summary() == {"name": folder.name, "hash": instrument.hash, "accuracy": instrument.accuracy}
    assert stored_instrument(folder).hash == instrument.hash


def test_the_bar_is_held(folder):
    instrument = load_instrument(folder)
    instrument.require({"speed": 0.95})
    for metric in ("turn", "none", "never measured"):
        with pytest.raises(InputError, match=f"{metric}.*at least 0.95"):
            instrument.require({"speed": 0.95, metric: 0.95})
    assert not instrument.passes("turn", 0.95) and instrument.passes("speed", 0.97)


def test_accuracy_of_other_weights_is_refused(folder):
    save_weights(folder, {"kind": "test", "width": 3}, {"a": torch.arange(4.0) + 1, "n": torch.tensor(7)})
    with pytest.raises(InputError, match="measured on these weights"):
        load_instrument(folder)


def test_without_accuracy_nothing_loads_for_judging(folder):
    (folder / "accuracy.json").unlink()
    with pytest.raises(InputError, match="existing JSON object"):
        load_instrument(folder)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("config.json", "{"),
        ("config.json", "[]"),
        ("accuracy.json", "[]"),
        ("config.json", '{"instrument_version": 9}'),
    ],
)
def test_damaged_files_are_one_line(folder, name, text):
    (folder / name).write_text(text)
    with pytest.raises(InputError):
        load_instrument(folder)


def test_damaged_weights_are_one_line(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(InputError):
        load_instrument(folder)


def test_accuracy_is_plain_json_with_the_hash(folder):
    record = json.loads((folder / "accuracy.json").read_text())
    assert record["weights_hash"] == load_instrument(folder).hash


@dataclass(frozen=True)
class TwoSizes:
    width: int = 3
    layers: tuple[int, ...] = (2,)


class Stack(nn.Module):
    """Linear layers of given sizes."""

    def __init__(self, sizes: TwoSizes):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(sizes.width, size) for size in sizes.layers)


def written(folder, **changes):
    config = {"kind": "stack", **asdict(TwoSizes(4, (2, 5)))} | changes
    save_weights(folder, {k: v for k, v in config.items() if v is not None}, Stack(TwoSizes(4, (2, 5))).state_dict())
    return stored_instrument(folder)


def test_a_network_is_built_as_it_was_stored(tmp_path):
    instrument = written(tmp_path)
    network = build_network(instrument, Stack, TwoSizes, required={"kind": "stack"})
    assert [layer.out_features for layer in network.layers] == [2, 5] and not network.training
    assert all(torch.equal(tensor, instrument.tensors[name]) for name, tensor in network.state_dict().items())


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"kind": "heap"}, "kind of instrument .*'heap'; expected stack"),
        ({"kind": None}, "kind of instrument .*expected stack"),
        ({"width": None}, "width of instrument .*expected a whole number"),
        ({"width": "4"}, "width of instrument .*'4'"),
        ({"width": True}, "width of instrument .*True"),
        ({"width": [4]}, r"width of instrument .*\[4\]"),
        ({"layers": 2}, "layers of instrument .*expected a list of whole numbers"),
        ({"layers": [2.5, 5]}, "layers of instrument .*expected a list of whole numbers"),
        ({"layers": [2]}, "2 extra"),
        ({"width": 6}, "2 of another shape"),
    ],
)
def test_what_does_not_describe_the_network_is_refused(tmp_path, changes, text):
    with pytest.raises(InputError, match=text):
        build_network(written(tmp_path, **changes), Stack, TwoSizes, required={"kind": "stack"})


def test_one_instrument_is_not_taken_for_another(tmp_path):
    save_weights(tmp_path, motion_reader.config_record(motion_reader.MotionConfig()), {"a": torch.zeros(1)})
    with pytest.raises(InputError, match=r"kind of instrument .*'motion'; expected attributes"):
        attribute_reader.network_of(stored_instrument(tmp_path))
    with pytest.raises(InputError, match="missing"):
        motion_reader.network_of(stored_instrument(tmp_path))
    with pytest.raises(InputError, match="sizes of the motion reader"):
        motion_reader.MotionConfig(width=6)
