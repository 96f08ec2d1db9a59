"""Attribute reader: what counts as present, what it is fed, and that it only judges what it reads well."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from worldgen.core.clip import Clip
from worldgen.core.errors import InputError
from worldgen.core.labels import CLASSES, Labels
from worldgen.core.scenario import LIGHTS, WEATHERS, Scenario
from worldgen.instruments.attributes.attribute_reader import (
    ABSENT,
    ATTRIBUTES,
    GROUPS,
    PRESENT,
    UNJUDGED,
    AttributeConfig,
    AttributeNetwork,
    AttributeReader,
    AttributeTruth,
    config_record,
    presence,
    window_input,
    windows,
)
from worldgen.instruments.instrument_files import save_accuracy, save_weights

TINY = AttributeConfig(widths=(4, 8, 8), features=8)


def labels(rows: list[tuple], size=(224, 128), frames: int = 2) -> Labels:
    """Rows of (frame, class, box, visible fraction, ignore)."""
    box = np.array([r[2] for r in rows], float).reshape(-1, 4)
    count = len(rows)
    return Labels(
        frames, *size, "scene", np.array([r[0] for r in rows], int), np.arange(count),
        np.array([CLASSES.index(r[1]) for r in rows], int), box, box, np.array([r[3] for r in rows], float),
        np.zeros(count), np.zeros(count), np.full((count, 7), np.nan), np.array([r[4] for r in rows], bool),
    )  # fmt: skip


def column(group: str) -> int:
    return list(GROUPS).index(group)


def test_clear_objects_are_present_specks_are_not_judged_and_nothing_is_absent():
    shown = presence(labels([
        (0, "pedestrian", (10, 10, 20, 40), 1.0, False),
        (0, "car", (50, 50, 54, 53), 1.0, True),
        (1, "truck", (50, 50, 90, 90), 1.0, False),
        (1, "pedestrian", (10, 10, 20, 40), 0.2, False),
    ]))  # fmt: skip
    assert shown.shape == (2, len(GROUPS))
    assert shown[0, column("pedestrian")] == PRESENT and shown[0, column("vehicle")] == UNJUDGED
    assert shown[1, column("vehicle")] == PRESENT and shown[1, column("pedestrian")] == UNJUDGED
    assert (shown[:, column("cyclist")] == ABSENT).all()


def test_hidden_objects_are_absent_and_one_clear_object_is_enough():
    shown = presence(labels([
        (0, "cyclist", (30, 30, 30, 30), 0.0, True),  # fully hidden: no box
        (1, "cyclist", (0, 0, 4, 5), 1.0, True), (1, "cyclist", (30, 30, 50, 70), 0.9, False),
    ]))  # fmt: skip
    assert shown[0, column("cyclist")] == ABSENT and shown[1, column("cyclist")] == PRESENT


def test_sizes_count_at_the_size_of_the_reader():
    box = (20, 20, 40, 40)  # 20 px tall in a picture of twice the size is 10 px to the reader
    assert presence(labels([(0, "car", box, 1.0, False)]))[0, 0] == PRESENT
    assert presence(labels([(0, "car", box, 1.0, False)], size=(448, 256)))[0, 0] == UNJUDGED


def test_truth_takes_the_frames_asked_for():
    scenario = Scenario(weather="fog", light="dusk")
    truth = AttributeTruth.of(scenario, labels([(1, "car", (10, 10, 50, 50), 1.0, False)]), [1, 0, 1])
    assert WEATHERS[truth.weather] == "fog" and LIGHTS[truth.light] == "dusk"
    assert truth.present[:, 0].tolist() == [PRESENT, ABSENT, PRESENT]


def test_the_network_is_shown_colour_and_what_moves():
    frames = np.zeros((3, 128, 224, 3), np.uint8)
    frames[1] = 100
    frames[2] = 100
    given = window_input(frames)
    assert given.shape == (5, 128, 224) and given.dtype == np.float32
    assert given[:3] == pytest.approx(100 / 127.5 - 1) and given[4] == pytest.approx(0) and given[3].max() < -1
    assert window_input(np.repeat(np.repeat(frames, 2, 1), 2, 2)) == pytest.approx(given)


def test_windows_at_the_ends_move_inside():
    frames = np.arange(5, dtype=np.uint8)[:, None, None, None] * np.ones((1, 128, 224, 3), np.uint8)
    first, last = (w for w in windows(frames, [0, 4]))
    assert first[0, 0, 0] == pytest.approx(1 / 127.5 - 1) and last[0, 0, 0] == pytest.approx(3 / 127.5 - 1)
    with pytest.raises(InputError, match="at least 3"):
        list(windows(frames[:2], [0]))


def saved(folder, accuracy: dict[str, float]) -> None:
    torch.manual_seed(0)
    save_weights(folder, config_record(TINY), AttributeNetwork(TINY).state_dict())
    save_accuracy(folder, {"accuracy": {name: {"value": value} for name, value in accuracy.items()}})


def test_only_attributes_over_the_bar_are_judged(tmp_path, rng):
    saved(tmp_path, dict.fromkeys(ATTRIBUTES, 0.96) | {"cyclist": 0.9})
    reader = AttributeReader.load(tmp_path)
    assert reader.judged == tuple(a for a in ATTRIBUTES if a != "cyclist")
    clip = Clip(rng.integers(0, 256, (6, 128, 224, 3), np.uint8), 8.0)
    reading = reader.read(clip, [1, 4])
    assert reading.weather.shape == (2, len(WEATHERS)) and reading.weather.sum(1) == pytest.approx(1)
    assert reading.present.shape == (2, len(GROUPS)) and (reading.present >= 0).all() and (reading.present <= 1).all()
    assert reader.features(clip, [1, 2, 3]).shape == (3, TINY.features)


def test_a_reader_that_reads_nothing_well_is_refused(tmp_path):
    saved(tmp_path, dict.fromkeys(ATTRIBUTES, 0.6))
    with pytest.raises(InputError, match="under its bar"):
        AttributeReader.load(tmp_path)
    assert AttributeReader.load(tmp_path, check=False).judged == ATTRIBUTES


def test_the_default_network_is_small():
    assert sum(p.numel() for p in AttributeNetwork(AttributeConfig()).parameters()) < 600_000
