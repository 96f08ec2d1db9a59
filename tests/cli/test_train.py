"""worldgen train: what a user sees, and how it ends."""

from __future__ import annotations

import json

import pytest

from tests.training.conftest import write_dataset
from worldgen.cli.main import main
from worldgen.files.config_files import load_config
from worldgen.training.train_config import TrainConfig

FAST = ["task=codec", "device=cpu", "steps=3", "batch=2", "save_every=2", "validate_every=3", "optim.warmup=1"]
SMALL = ["data.width_px=32", "data.height_px=32", "data.num_frames=2"]


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> str:
    return write_dataset(tmp_path_factory.mktemp("data"), range(5))


def test_a_run_tells_what_it_needs_and_leaves_a_folder_to_read(tmp_path, data, capsys):
    output = tmp_path / "run"
    assert main(["train", *FAST, *SMALL, f"data.urls=[{data}]", f"output={output}", "--json"]) == 0
    said = capsys.readouterr()
    for words in ("trainable", "MiB", "3 steps = 2.0 epochs", "held out: mse", "finished: 3 steps"):
        assert words in said.err
    assert json.loads(said.out) == {"finished": True, "step": 3, "output": str(output)}
    assert {"checkpoints", "config.yaml", "metrics.jsonl", "model", "run.json"} <= {p.name for p in output.iterdir()}
    assert load_config(TrainConfig, [output / "config.yaml"]).data.urls == (data,)
    assert main(["train", "--config", str(output / "config.yaml")]) == 0
    assert "already finished" in capsys.readouterr().err


def test_a_broken_set_up_exits_1(tmp_path, data, capsys):
    words = [*FAST, *SMALL, f"data.urls=[{data}]", f"output={tmp_path / 'run'}", "validate_every=0", "--overfit-one"]
    assert main(["train", *words]) == 1
    assert "worldgen: failed: the set-up is broken" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["stepz=4"], "did you mean steps?"),
        (["optim.learning_rate=1"], "unknown config key"),
        (["steps=0"], "steps: received 0; expected at least 1"),
        (["batch=many"], "batch"),
        (["data.urls=[nowhere]"], "nowhere"),
        (["--config", "configs/train/wrld.yaml"], "did you mean configs/train/world.yaml?"),
        (["task=world", "data.urls=[DATA]"], "init.codec"),
        (["task=world", "data.urls=[DATA]", "init.codec=DATA"], "no config.json"),
        (["task=world", "adapter.kind=lora"], "init.pipeline"),
        (["output=s3://bucket/run"], "a local folder"),
        (["output=FILE"], "this is a file"),
        (["device=cuda"], "no CUDA device"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else None,
)
def test_bad_input_is_one_line_and_exit_2(tmp_path, data, capsys, monkeypatch, words, message):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    (tmp_path / "file").write_text("")
    places = {"DATA": data, "FILE": str(tmp_path / "file")}
    for name, value in places.items():
        words = [word.replace(name, value) for word in words]
    assert main(["train", *FAST, *SMALL, f"output={tmp_path / 'run'}", *words]) == 2
    said = capsys.readouterr()
    errors = [line for line in said.err.splitlines() if line.startswith("worldgen: error: ")]
    assert len(errors) == 1 and message in errors[0] and "Traceback" not in said.err
    assert not (tmp_path / "run").exists()


def test_show_config_prints_what_would_run_and_runs_nothing(tmp_path, capsys):
    assert main(["train", "--show-config", "steps=7", f"output={tmp_path / 'run'}"]) == 0
    assert "steps: 7" in capsys.readouterr().out and not (tmp_path / "run").exists()
