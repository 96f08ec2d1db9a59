"""Fixtures of the tests of this folder."""

from __future__ import annotations

import functools

import pytest

from worldgen.generation.campaign import worker
from worldgen.rendering import model_conditions


@pytest.fixture
def quick_scenes(monkeypatch):
    """Scenes and their labels are computed once per test run, also when jobs are repeated."""
    simulate_attempt, labels_of = worker.simulate_attempt, model_conditions.labels_of

    def cached(recipe, cell, attempt):
        return _cached_attempt(simulate_attempt, recipe.name, recipe.seed, recipe.clip, cell, attempt, recipe)

    monkeypatch.setattr(worker, "simulate_attempt", cached)
    monkeypatch.setattr(model_conditions, "labels_of", lambda scene: _labels(labels_of, scene))


_STAGED: dict = {}


def _cached_attempt(simulate_attempt, name, seed, clip, cell, attempt, recipe):
    key = (name, seed, clip, cell.key, attempt)
    if key not in _STAGED:
        _STAGED[key] = simulate_attempt(recipe, cell, attempt)
    return _STAGED[key]


@functools.cache
def _labels(labels_of, scene):
    return labels_of(scene)
