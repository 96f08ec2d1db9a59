"""Saved models and adapters with damaged configs and weights: refused in one line, and no code of theirs runs."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest

from tests.fuzz.mutation import damaged_bytes, damaged_value
from tests.fuzz.outcomes import outcomes, surprises
from worldgen.models.native.adapters import attach_lora, load_adapter, save_adapter
from worldgen.models.native.loading import load_pipeline
from worldgen.models.native.sizes import build_pipeline, build_transformer

pytestmark = pytest.mark.slow
COUNT = int(os.environ.get("WORLDGEN_FUZZ_COUNT", "600")) // 3
VALUES = (
    None,
    True,
    -1,
    0,
    0.5,
    1e308,
    float("nan"),
    10**7,
    10**300,
    "",
    "x",
    "../x",
    "\x00",
    "\ud800",
    [],
    {},
    [None],
    {"a": 1},
)
"""Odd values of configs, counts of layers that would take minutes to build among them."""
FILES = ("transformer", "codec", "text_encoder")


def test_model_folders(tmp_path):
    folder = tmp_path / "model"
    build_pipeline("tiny", words=["a car at night"]).save_pretrained(folder)
    paths = [folder / "model_index.json", *(folder / name / "config.json" for name in FILES)]
    paths += [next((folder / name).glob("*.safetensors")) for name in FILES]
    whole = {path: path.read_bytes() for path in paths}

    def one(rng: np.random.Generator) -> None:
        path = paths[int(rng.integers(len(paths)))]
        if path.suffix == ".json" and rng.random() < 0.7:
            changed = json.dumps(damaged_value(json.loads(whole[path]), rng, VALUES)).encode()
        else:
            changed = damaged_bytes(whole[path], rng)
        path.write_bytes(changed)
        try:
            load_pipeline(folder)
        finally:
            path.write_bytes(whole[path])

    found = outcomes(COUNT, 23, one)
    print(f"\nmodel folders: {COUNT} inputs, {found['read']} read, {found['refused']} refused")
    assert not surprises(found), surprises(found)


def test_adapters(tmp_path):
    trained = build_transformer("tiny")
    attach_lora(trained, ["to_q"], rank=2, alpha=2.0)
    save_adapter(trained, tmp_path)
    paths = sorted(path for path in tmp_path.iterdir() if path.is_file())
    whole = {path: path.read_bytes() for path in paths}

    def one(rng: np.random.Generator) -> None:
        path = paths[int(rng.integers(len(paths)))]
        changed = damaged_bytes(whole[path], rng)
        if path.suffix == ".json" and rng.random() < 0.7:
            changed = json.dumps(damaged_value(json.loads(whole[path]), rng, VALUES)).encode()
        path.write_bytes(changed)
        try:
            load_adapter(build_transformer("tiny"), tmp_path, any_base=True)
        finally:
            path.write_bytes(whole[path])

    found = outcomes(COUNT, 29, one)
    print(f"\nadapters: {COUNT} inputs, {found['read']} read, {found['refused']} refused")
    assert not surprises(found), surprises(found)
