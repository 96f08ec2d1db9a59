"""``ingest``, ``open_dataset``, ``train`` and ``generate``: configs in every form, and what the commands make."""

from __future__ import annotations

import json

import pytest

import worldgen
from worldgen.api.generate_set import resolved_recipe
from worldgen.cli.main import main
from worldgen.generation.campaign.recipe import CellGroup, Recipe
from worldgen.training.train_config import TrainConfig

SMALL = ["num_frames=3", "stride_frames=60", "width_px=64", "height_px=32"]
TINY = [
    "device=cpu", "seed=3", "steps=2", "batch=1", "save_every=2", "validate_every=0", "data.num_frames=3",
    "data.width_px=64", "data.height_px=32", "optim.warmup=0",
]  # fmt: skip


@pytest.fixture(scope="module")
def fleet(tmp_path_factory, repository) -> worldgen.DataSet:
    clips = repository / "assets" / "clips"
    return worldgen.ingest([clips / "downtown.mp4"], tmp_path_factory.mktemp("data") / "fleet", overrides=SMALL)


def test_ingesting_gives_the_data_set_of_the_command(fleet, tmp_path, repository, capsys):
    clip = str(repository / "assets" / "clips" / "downtown.mp4")
    assert main(["ingest", clip, "--out", str(tmp_path / "fleet"), *SMALL]) == 0
    capsys.readouterr()
    again = worldgen.open_dataset(tmp_path / "fleet")
    assert again.rows == fleet.rows and len(fleet) >= 1
    for row in fleet.summary["shards"]:
        with open(f"{fleet.url}/{row['name']}", "rb") as one, open(f"{again.url}/{row['name']}", "rb") as other:
            assert one.read() == other.read()
    sample = fleet.load(0)
    assert sample.clip.frames.shape == (3, 32, 64, 3) and sample.ego is not None


def test_training_takes_a_dict_and_overrides_and_goes_on(fleet, tmp_path):
    values = {"task": "codec", "output": str(tmp_path / "run"), "data": {"urls": [str(fleet.url)]}}
    lines: list[str] = []
    outcome = worldgen.train(values, TINY, log=lines.append)
    assert outcome.finished and outcome.step == 2 and lines
    assert json.loads((tmp_path / "run" / "run.json").read_text())["starts"][0]["command"] == "worldgen.train(...)"
    assert worldgen.train(values, TINY).finished  # a finished run is found and left as it is


def test_training_stops_on_request(fleet, tmp_path):
    config = {"task": "codec", "output": str(tmp_path / "run"), "data": {"urls": [str(fleet.url)]}}
    stop = (tmp_path / "run" / "metrics.jsonl").exists  # it is there once the steps begin
    outcome = worldgen.train(config, [*TINY, "steps=50"], stop=stop)
    assert not outcome.finished and outcome.step < 50


def test_configs_are_taken_in_every_form(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text("name: small\ncells: [{count: 4, weather: [fog]}]\n")
    cells = (CellGroup(count=4, weather=("fog",)),)
    from_file = resolved_recipe(path, ["clip.frames=8"])
    from_values = resolved_recipe({"name": "small", "cells": [{"count": 4, "weather": ["fog"]}]}, ["clip.frames=8"])
    from_object = resolved_recipe(Recipe(name="small", cells=cells), ["clip.frames=8"])
    assert from_file == from_values == from_object == resolved_recipe([path], ["clip.frames=8"])
    assert from_file.clip.frames == 8 and tuple(from_file.cells) == cells
    assert resolved_recipe(path, scale=0.5).cells[0].count == 2


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: worldgen.train(3), "config: received int"),
        (lambda: worldgen.train("no-such.yaml"), "no-such.yaml"),
        (lambda: worldgen.train({"stepz": 3}), "steps"),
        (lambda: worldgen.train(TrainConfig(), "steps=3"), 'a list of "key=value" words'),
        (lambda: worldgen.train({"steps": "many"}), "steps"),
        (lambda: worldgen.generate({"name": "x"}, workers=0), "workers"),
        (lambda: worldgen.generate({"name": "x"}, workers="2"), "workers"),
        (lambda: worldgen.generate({"nam": "x"}), "name"),
        (lambda: worldgen.open_dataset(5), "data set: received int 5"),
        (lambda: worldgen.open_dataset("no-such-folder"), "no-such-folder"),
        (lambda: worldgen.ingest(5, "out"), "sources: received int 5"),
        (lambda: worldgen.ingest([5], "out"), "source: received int 5"),
        (lambda: worldgen.ingest("no-such.mp4", "out"), "no-such.mp4"),
    ],
)
def test_wrong_arguments_are_one_clear_line(call, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(worldgen.InputError) as error:
        call()
    assert words in str(error.value) and "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


def test_generating_gives_the_report_of_the_command(tmp_path, monkeypatch):
    """The work itself is tested with the command; here only that everything arrives."""
    made: dict[str, object] = {}

    class Recorded:
        def __init__(self, recipe, runner, log, config, *, page):
            made.update(recipe=recipe, config=config, page=page)
            self.report = {"met": True}

        def steps(self):
            yield None

    monkeypatch.setattr("worldgen.generation.campaign.campaign.Campaign", Recorded)
    recipe = {"name": "small", "cells": [{"count": 4, "weather": ["fog"]}], "output": str(tmp_path / "set")}
    assert worldgen.generate(recipe, scale=0.5, page=False) == {"met": True}
    assert made["recipe"].cells[0].count == 2 and made["page"] is False and "weather" in made["config"]
