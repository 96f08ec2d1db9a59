"""Instruments on disk: nothing judges under its bar, nor with the accuracy of other weights."""

from __future__ import annotations

import json

import pytest
import torch

from worldgen.core.errors import InputError
from worldgen.evaluation.instruments import load_instrument, save_accuracy, save_weights, stored_instrument


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
    with pytest.raises(InputError, match="existing JSON file"):
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
