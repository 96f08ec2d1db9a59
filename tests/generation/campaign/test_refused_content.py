"""A model whose content check refuses words or clips loses attempts, not the data set."""

from __future__ import annotations

import dataclasses

from tests.generation import rig
from tests.generation.quality.test_faults import go
from worldgen.data.dataset.index import DataSet
from worldgen.generation.campaign.cell import grid_of
from worldgen.generation.campaign.cell_attempt import draw_attempt
from worldgen.models.interface import ContentRefused

REASON = "refused by the guardrail"


def refusing(recipe, attempts, candidates=(0,)):
    """A worker whose model refuses some noise seeds of the first cell, alone or in a batch."""
    worker = rig.noise_worker(recipe)
    drawn = [draw_attempt(recipe, grid_of(recipe).cells[0], attempt) for attempt in attempts]
    seeds = {one.noise_seed(candidate) for one in drawn for candidate in candidates}

    class Guarded(rig.NoiseModel):
        def __call__(self, requests, options=None):
            if seeds & {request.seed for request in requests}:
                raise ContentRefused("generated clip", "a clip", "another prompt or seed")
            return super().__call__(requests, options)

    worker.models = dataclasses.replace(worker.models, model=Guarded())
    return worker


def test_a_refused_attempt_is_counted_once_and_its_batch_survives(tmp_path):
    report, said = go(rig.recipe(tmp_path / "out"), lambda r: refusing(r, [0, 3]))
    data = DataSet(str(tmp_path / "out"))
    assert report["met"] and len(data.select(accepted=True)) == 5
    assert report["reasons"][REASON] == report["cells"][0]["without_clip"] >= 1
    attempts = {s.provenance["attempt"] for s in data if "clear" in s.tags}
    assert 1 in attempts and 0 not in attempts
    assert any("generated clip" in line for line in said)


def test_other_noise_is_tried_for_a_refused_clip(tmp_path):
    report, _ = go(rig.recipe(tmp_path / "out", candidates=2), lambda r: refusing(r, [0]))
    assert report["met"] and REASON not in report["reasons"]
