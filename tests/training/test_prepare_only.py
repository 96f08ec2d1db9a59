"""worldgen train --prepare-only: training then encodes nothing again and has the same losses; it can be stopped."""

from __future__ import annotations

import json
import os
import signal

import pytest

from tests.training.loop.test_trainer import curve
from worldgen.cli.main import main
from worldgen.cli.terminal import progress

SMALL = [
    "device=cpu", "steps=2", "batch=2", "save_every=2", "validate_every=0", "optim.warmup=1", "data.width_px=32",
    "data.height_px=32", "data.num_frames=3", "data.max_clips=2",
]  # fmt: skip
STARTS = {
    "codec": ["task=codec"],
    "world": ["init.codec={codec}", "text_captions=64"],
    "rollouts": ["init.pipeline={pipeline}", "flow.rollout_history=0.7"],
}
KEPT = {
    "codec": {"patch_statistics"},
    "world": {"latents", "text_encoder"},
    "rollouts": {"latents", "rollout_histories"},
}
PREPARING = ("encoding", "the network continues", "is pretrained on", "transform fitted")
"""Beginnings or parts of the lines that say that something is prepared now."""


@pytest.fixture
def command(dataset, codec_folder, pipeline_folder):
    """Words of a small run of one kind into a folder."""

    def words(kind: str, output) -> list[str]:
        own = [word.format(codec=codec_folder, pipeline=pipeline_folder) for word in STARTS[kind]]
        return ["train", f"data.urls=[{dataset}]", f"output={output}", *SMALL, *own]

    return words


@pytest.mark.parametrize("kind", STARTS)
def test_prepared_once_and_trained_as_if_never_prepared(tmp_path, command, capsys, kind):
    output = tmp_path / "prepared"
    assert main([*command(kind, output), "--prepare-only", "--json"]) == 0
    said = capsys.readouterr()
    assert any(words in said.err for words in PREPARING)
    kept = json.loads(said.out)["prepared"]
    assert kept.keys() == KEPT[kind]
    for name, path in kept.items():
        assert os.path.exists(path) and f"prepared: {name.replace('_', ' ')} in {path}" in said.err
    assert not {"checkpoints", "metrics.jsonl", "model"} & {path.name for path in output.iterdir()}
    assert main(command(kind, output)) == 0
    said = capsys.readouterr()
    assert not any(words in said.err for words in PREPARING), said.err
    assert main(command(kind, tmp_path / "unprepared")) == 0
    assert curve(output) == curve(tmp_path / "unprepared") and len(curve(output)) == 2


def test_an_interrupted_preparation_exits_130_and_goes_on(tmp_path, command, capsys, monkeypatch):
    words = [*command("world", tmp_path / "run"), "--prepare-only"]

    def interrupted(items, total=None, desc=""):
        for count, item in enumerate(progress(items, total, desc), 1):
            if desc == "encode clips" and count == 2:
                os.kill(os.getpid(), signal.SIGINT)
            yield item

    with monkeypatch.context() as patch:
        patch.setattr("worldgen.cli.train.progress", interrupted)
        assert main(words) == 130
    said = capsys.readouterr().err
    assert "encode clips: stopped after 2 of 4; the same command goes on from there" in said and "Traceback" not in said
    assert main(words) == 0
    said = capsys.readouterr().err
    assert "2 clips were encoded before" in said and "is pretrained on" not in said


def test_text_pretraining_of_another_config_is_not_taken_over(tmp_path, command, capsys):
    words = [*command("world", tmp_path / "run"), "--prepare-only"]
    assert main(words) == 0
    assert main([*words, "text_captions=128"]) == 0
    assert "the text encoder is pretrained on 128 captions" in capsys.readouterr().err


def test_the_folder_of_another_run_is_refused_before_anything_is_prepared(tmp_path, command, capsys):
    words = command("world", tmp_path / "run")
    assert main(words) == 0
    before = (tmp_path / "run/words.safetensors").read_bytes()
    capsys.readouterr()
    assert main([*words, "seed=7", "--prepare-only"]) == 2
    said = capsys.readouterr().err
    assert "holds another run: received seed 7; expected seed 0" in said
    assert not any(words in said for words in PREPARING)
    assert (tmp_path / "run/words.safetensors").read_bytes() == before
