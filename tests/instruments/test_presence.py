"""Presence by detector: thresholds, and readings that are one half at them."""

from __future__ import annotations

import numpy as np
import pytest

from worldgen.core.clip import Clip
from worldgen.instruments.detector import presence as module
from worldgen.instruments.detector.detector import GROUPS
from worldgen.instruments.detector.presence import PresenceReader, best_threshold


def test_the_threshold_parts_what_can_be_parted():
    cut = best_threshold(np.array([0.4, 0.5, 0.9]), np.array([0.0, 0.1, 0.2]))
    assert 0.2 < cut <= 0.4
    assert best_threshold(np.array([]), np.array([0.2])) == 0.5


def test_both_kinds_weigh_the_same():
    """One missed of two present costs more than one of ten absent."""
    absent = np.array([0.0] * 9 + [0.45])
    assert best_threshold(np.array([0.4, 0.9]), absent) <= 0.4


def test_the_best_box_of_a_frame_decides(monkeypatch):
    found = [
        (np.array([0, 0, 1]), np.zeros((3, 4)), np.array([0.9, 0.3, 0.2])),
        (np.array([2]), np.zeros((1, 4)), np.array([0.6])),
    ]
    sizes = []

    def fake(detector, pictures, *, threshold):
        sizes.append(pictures.shape)
        return found

    monkeypatch.setattr(module, "find", fake)
    reader = PresenceReader(None, "h", dict(zip(GROUPS, (0.5, 0.2, 0.8), strict=True)))
    read = reader.read(Clip(np.zeros((3, 64, 112, 3), np.uint8), 8.0), [0, 2])
    assert sizes == [(2, 128, 224, 3)]
    assert read["vehicle"] == pytest.approx([0.9, 0.0]) and read["pedestrian"] == pytest.approx([0.5, 0.0])
    assert read["cyclist"][1] < 0.5  # 0.6 is under its threshold of 0.8


def test_without_a_detector_there_is_no_reader(tmp_path):
    assert PresenceReader.load(folder=tmp_path / "none") is None
