"""What the tests of this folder share."""

from __future__ import annotations

import functools

import pytest

from worldgen.generation.campaign import worker


@pytest.fixture
def quick_scenes(monkeypatch):
    """Scenes and their labels are made once per test run, whatever is killed and repeated."""
    stage, labels_of = worker.stage, worker.labels_of

    def staged(recipe, cell, attempt):
        return _stage(stage, recipe.name, recipe.seed, recipe.clip, cell, attempt, recipe)

    monkeypatch.setattr(worker, "stage", staged)
    monkeypatch.setattr(worker, "labels_of", lambda scene: _labels(labels_of, scene))


_STAGED: dict = {}


def _stage(stage, name, seed, clip, cell, attempt, recipe):
    key = (name, seed, clip, cell.key, attempt)
    if key not in _STAGED:
        _STAGED[key] = stage(recipe, cell, attempt)
    return _STAGED[key]


@functools.cache
def _labels(labels_of, scene):
    return labels_of(scene)
