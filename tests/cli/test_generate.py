"""``worldgen generate``: plan, run, go on, stop short honestly, and refuse in one line."""

from __future__ import annotations

import json
import sys

import pytest

from tests.models.build import noisy_weights
from worldgen.api.generate_set import resolved_recipe, worker_factory
from worldgen.cli.main import main
from worldgen.data.dataset.index import DataSet
from worldgen.generation.campaign.estimate import calibrate
from worldgen.generation.campaign.worker import SampleWorker
from worldgen.models.native.sizes import build_pipeline

RECIPE = """
name: tiny
cells:
  - {{count: 2, weather: [clear], light: [day], road: [rural], manoeuvre: [keep]}}
  - {{count: 1, weather: [fog], light: [night_lit], road: [rural], manoeuvre: [keep]}}
clip: {{frames: 3, width_px: 48, height_px: 32}}
model: {{pipeline: {model}, start: noise, steps: 1, batch: 2}}
scorer: {{verifier: "", detector: "", attributes: "", motion: "", training: ""}}
gate: {{bounds: {{blank: {{high: 1.0}}}}}}
work: {{attempts: 2, retry_wait_s: 0}}
cost_per_hour: 2.5
"""


@pytest.fixture(scope="module")
def recipe(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("recipe")
    pipeline = build_pipeline("tiny", words=["a car in fog"])
    noisy_weights(pipeline.transformer, 0.05)
    pipeline.save_pretrained(folder / "model")
    (folder / "recipe.yaml").write_text(RECIPE.format(model=folder / "model"))
    return str(folder / "recipe.yaml")


def test_a_recipe_becomes_a_data_set_that_exports(recipe, tmp_path, capsys):
    out = tmp_path / "set"
    assert main(["generate", "--config", recipe, f"output={out}", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["met"] and report["accepted"] == 3 and report["minutes_per_accepted"] > 0 and report["cost"] > 0
    data = DataSet(str(out))
    assert len(data.select(accepted=True)) == 3 and len(data.select(tags=["fog"], accepted=True)) == 1
    sample = data.load(0)
    assert sample.provenance["recipe"] == "tiny" and sample.scorecard["blank"] <= 1.0
    assert "candidates: 1" in (out / "config.yaml").read_text()
    assert "3 of 3" in (out / "report" / "index.html").read_text()
    assert main(["data", "validate", str(out)]) == 0
    assert main(["data", "export", str(out), "--format", "coco", "--out", str(tmp_path / "coco")]) == 0
    # Again: nothing to do. With other values: refused by name.
    assert main(["generate", "--config", recipe, f"output={out}"]) == 0
    assert main(["generate", "--config", recipe, f"output={out}", "candidates=2"]) == 2
    assert "candidates was 1 and is 2" in capsys.readouterr().err


def test_the_plan_says_cells_time_cost_and_disk(recipe, capsys):
    assert (
        main(["generate", "plan", "--config", recipe, "--clips", "2", "--scale", "10", "--workers", "2", "--json"]) == 0
    )
    out, err = capsys.readouterr()
    assert err.startswith("30 clips wanted, 30 attempts or more: about 1 min on 2 workers") and "on 2 clips" in err
    plan = json.loads(out)
    assert plan["quota"] == 30 and [cell["count"] for cell in plan["cells"]] == [20, 10]
    expected, worst = plan["expected"], plan["at_worst"]
    assert 30 <= expected["attempts"] <= worst["attempts"]
    assert expected["hours"] > 0 and expected["disk_bytes"] > 0
    assert expected["cost"] == pytest.approx(2.5 * expected["worker_hours"], abs=1e-3)
    assert plan["calibration"]["attempts"] == 2 and plan["calibration"]["seconds"]["model"] > 0
    assert main(["generate", "plan", "--config", recipe, "--clips", "2"]) == 0
    text = capsys.readouterr().out
    assert "fog x night_lit x rural" in text and "attempts" in text and "MB" in text


def test_a_plan_shows_how_far_measuring_is_and_spreads_it_over_the_cells(recipe, monkeypatch):
    jobs, seen, run = [], [], SampleWorker.run

    def kept(self, job):
        jobs.append((job.cell.label, job.attempts, len(seen)))
        return run(self, job)

    def counted(items, /, total=None, desc=""):
        for item in items:
            seen.append(total)
            yield item

    monkeypatch.setattr(SampleWorker, "run", kept)
    resolved = resolved_recipe(recipe)
    assert calibrate(resolved, worker_factory(resolved), 3, counted).attempts == 4  # whole batches
    assert seen == [4] * 4 and [(attempts, before) for _, attempts, before in jobs] == [(2, 0), (2, 2)]
    assert len({label for label, _, _ in jobs}) == 2


def test_a_plan_of_a_model_that_is_not_there_is_refused_before_measuring(recipe, capsys):
    assert main(["generate", "plan", "--config", recipe, "model.pipeline=nowhere"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_cell_that_stops_short_is_exit_code_1(recipe, tmp_path, capsys):
    arguments = [
        "generate",
        "--config",
        recipe,
        f"output={tmp_path / 'set'}",
        "gate.bounds.blank.high=-1.0",
        "work.max_attempts=2",
    ]
    assert main(arguments) == 1
    text = capsys.readouterr().out
    assert "0 of 3 clips accepted" in text and "stopped short" in text and "refused for: blank (4)" in text


def test_interrupted_and_started_again(recipe, tmp_path, capsys, monkeypatch):
    run, calls = SampleWorker.run, []

    def interrupted(self, job):
        calls.append(job.name)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return run(self, job)

    monkeypatch.setattr(SampleWorker, "run", interrupted)
    arguments = ["generate", "--config", recipe, f"output={tmp_path / 'set'}"]
    assert main(arguments) == 130
    assert not (tmp_path / "set" / "lock.json").exists() and not (tmp_path / "set" / "dataset.json").exists()
    assert main(arguments) == 0
    assert len(calls) == len(set(calls)) + 1  # only the one in flight was done twice
    assert "3 of 3 clips accepted" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--config FILE"),
        (["plam"], "plan, or key=value"),
        (["--workers", "0"], "--workers"),
        (["--scale", "0"], "scale: received"),
        (["cells=[{count: 1, weather: [rainy]}]", "output=x"], "weather of a cell: received 'rainy'"),
        (["gate.bounds.sharpnes.low=1"], "sharpness"),
        (["modle.steps=1"], "did you mean model"),
        (["gate_from=configs/gate/no.yaml"], "configs/gate/no.yaml"),
        ([], "output of the recipe"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(recipe, arguments, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = [] if words == "--config FILE" else ["--config", recipe]
    assert main(["generate", *config, *arguments]) == 2
    error = capsys.readouterr().err
    assert words in error and error.startswith("worldgen: error:") and error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_ray_that_is_not_installed_is_named_with_its_extra(recipe, capsys, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main(["generate", "--config", recipe, "--ray", "local", f"output={tmp_path / 'x'}"]) == 2
    assert "worldgen[ray]" in capsys.readouterr().err


def test_a_model_that_is_broken_leaves_no_begun_folder(tmp_path, capsys, repository):
    """Its model_index.json can be read; what it names cannot."""
    from worldgen.models.native.adapters import attach_lora, save_adapter
    from worldgen.models.native.sizes import build_pipeline, build_transformer

    recipe = str(repository / "configs/generate/night_rain_pedestrians.yaml")
    model, adapter = tmp_path / "model", tmp_path / "adapter"
    build_pipeline("tiny", words=["rain"]).save_pretrained(model)
    adapter.mkdir()
    other = build_transformer("tiny", blocks=2)
    attach_lora(other, ["to_q"], rank=2, alpha=2.0)
    save_adapter(other, adapter)
    tokens = model / "tokenizer/tokenizer.json"
    faults = {
        "tokenizer": (tokens, tokens.read_bytes()[:100], f"model.pipeline={model}"),
        "weights": (next((model / "codec").glob("*.safetensors")), b"", f"model.pipeline={model}"),
        "adapter": (adapter / "README.md", b"whole, but of another model", f"model.adapter={adapter}"),
    }
    for name, (path, damage, word) in faults.items():
        whole = path.read_bytes() if path.exists() else b""
        path.write_bytes(damage)
        assert main(["generate", "--config", recipe, f"output={tmp_path / 'out'}", word]) == 2, name
        assert capsys.readouterr().err.count("\n") == 1, name
        path.write_bytes(whole)
    assert not (tmp_path / "out").exists()


def test_a_model_that_is_not_there_leaves_no_begun_folder(tmp_path, capsys, repository):
    recipe = str(repository / "configs/generate/night_rain_pedestrians.yaml")
    for word in ("model.pipeline=no/model", "model.adapter=no/adapter"):
        assert main(["generate", "--config", recipe, f"output={tmp_path / 'out'}", word]) == 2
        assert word.replace("=", " ") in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
