"""``worldgen sample`` end to end on a tiny model: the whole folder every time, one line for every wrong request."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from worldgen.cli.main import main
from worldgen.core.clip import Clip
from worldgen.core.scenario import Scenario
from worldgen.data.export.sample_folder import FILES
from worldgen.data.video.encoding import write_clip
from worldgen.data.video.reading import decode_mp4
from worldgen.models.native.sizes import build_pipeline

PROMPT = "pedestrian at night in rain"
QUICK = ("--steps", "1", "--frames", "6", "--size", "64x32")


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    build_pipeline("tiny", words=[PROMPT]).save_pretrained(folder)
    return folder


@pytest.fixture
def drive(tmp_path) -> Path:
    frames = np.random.default_rng(0).integers(0, 256, (24, 72, 128, 3), np.uint8)
    path = tmp_path / "drive.mp4"
    write_clip(path, Clip(frames, 16.0))
    return path


def sample(model: Path, out: Path, *arguments: str) -> int:
    return main(["sample", "--model", str(model), "--out", str(out), *QUICK, *arguments])


def test_prompt_alone_gives_the_whole_folder(tiny_model, tmp_path, capsys):
    assert sample(tiny_model, tmp_path / "out", "--prompt", PROMPT) == 0
    out = tmp_path / "out"
    assert sorted(p.name for p in out.iterdir()) == sorted(FILES)
    clip = decode_mp4((out / "clip.mp4").read_bytes())
    assert clip.frames.shape == (6, 32, 64, 3) and clip.fps == 8.0
    meta = json.loads((out / "meta.json").read_text())
    assert meta["prompt"] == PROMPT and meta["scenario"]["weather"] == "heavy_rain"
    assert (
        meta["conditions_given"] == ["context", "text", "ego", "layout"]
        and meta["notes"]["sketched_frames"] == 2
        and len(meta["weights_hash"]) == 32
    )
    labels = json.loads((out / "labels.json").read_text())
    assert len(labels["images"]) == 6 and "annotations" in labels
    rows = list(csv.DictReader((out / "ego.csv").read_text().splitlines()))
    assert len(rows) == 6 and float(rows[1]["time_s"]) == 0.125
    assert cv2.imread(str(out / "sheet.png")).std() > 5
    assert str(out) in capsys.readouterr().out


def test_same_seed_gives_the_same_bytes_and_another_seed_does_not(tiny_model, tmp_path):
    for name, seed in (("a", "3"), ("b", "3"), ("c", "4")):
        assert sample(tiny_model, tmp_path / name, "--prompt", PROMPT, "--seed", seed) == 0
    for file in ("clip.mp4", "labels.json", "ego.csv", "sheet.png"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes(), file
    assert (tmp_path / "a" / "clip.mp4").read_bytes() != (tmp_path / "c" / "clip.mp4").read_bytes()


@pytest.mark.parametrize("ego", ["brake", "turn_left", "(1, 0), (2, 0), (3, 0.1), (4, 0.2), (5, 0.4)"])
def test_a_real_clip_is_continued_under_each_kind_of_motion(tiny_model, tmp_path, drive, ego):
    out = tmp_path / "out"
    assert sample(tiny_model, out, "--context", str(drive), "--context-frames", "3", "--ego", ego) == 0
    meta = json.loads((out / "meta.json").read_text())
    assert meta["conditions_given"] == ["context", "ego"] and "context_psnr_db" in meta["scorecard"]
    record = json.loads((out / "labels.json").read_text())
    assert meta["labels_source"] is None and record["info"]["labels_source"] == "none" and not record["annotations"]


def test_several_clips_have_a_folder_each(tiny_model, tmp_path, capsys):
    assert sample(tiny_model, tmp_path / "out", "--prompt", PROMPT, "--num", "2", "--json") == 0
    record = json.loads(capsys.readouterr().out)
    assert [s["seed"] for s in record["samples"]] == [0, 1]
    assert all((tmp_path / "out" / name / "meta.json").is_file() for name in ("000", "001"))


def test_unknown_words_are_told(tiny_model, tmp_path, capsys):
    assert sample(tiny_model, tmp_path / "out", "--prompt", "a cyberpunk pedestrian at night") == 0
    assert "cyberpunk" in capsys.readouterr().out


def test_the_old_name_of_scenario_works_and_says_so(tiny_model, tmp_path, capsys):
    path = tmp_path / "scenario.json"
    path.write_text(json.dumps(Scenario(weather="fog").to_json()))
    for option in ("--scenario", "--layout"):
        assert sample(tiny_model, tmp_path / option.strip("-"), option, str(path)) == 0
    assert "--layout is now called --scenario" in capsys.readouterr().err
    for file in FILES:
        assert (tmp_path / "layout" / file).read_bytes() == (tmp_path / "scenario" / file).read_bytes(), file
    refused(capsys, sample(tiny_model, tmp_path / "x", "--layout", str(path), "--scenario", str(path)), "--layout")


def refused(capsys, code: int, *words: str) -> None:
    error = capsys.readouterr().err
    lines = [line for line in error.splitlines() if line]
    assert code == 2 and len(lines) == 1, error
    for word in words:
        assert word in lines[0], lines[0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), ("nothing to make",)),
        (("--prompt", PROMPT, "--frames", "100000"), ("number of frames", "100000")),
        (("--prompt", PROMPT, "--ego", "turn_lft"), ("ego", "turn_left")),
        (("--prompt", PROMPT, "--guidance", "colour=2"), ("guidance", "colour")),
        (("--prompt", PROMPT, "--size", "big"), ("--size", "big")),
        (("--prompt", PROMPT, "--size", "50x50"), ("multiples of 16",)),
        (("--context", "missing.mp4"), ("missing.mp4",)),
        (("--prompt", PROMPT, "--scenario", "missing.json"), ("missing.json",)),
        (("--prompt", PROMPT, "--device", "abacus"), ("device", "abacus")),
        (("--prompt", PROMPT, "--num", "0"), ("--num",)),
        (("--prompt", "day and night"), ("day", "night")),
    ],
)
def test_wrong_requests_are_one_line_and_leave_nothing(tiny_model, tmp_path, capsys, arguments, words):
    refused(capsys, sample(tiny_model, tmp_path / "out", *arguments), *words)
    assert not list(tmp_path.iterdir())


def test_damaged_context_is_one_line(tiny_model, tmp_path, capsys):
    for name, content in (("empty.mp4", b""), ("text.mp4", b"not a video" * 50)):
        (tmp_path / name).write_bytes(content)
        refused(capsys, sample(tiny_model, tmp_path / "out", "--context", str(tmp_path / name)), name)
        assert not (tmp_path / "out").exists()


def test_an_occupied_output_folder_is_kept(tiny_model, tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("mine")
    refused(capsys, sample(tiny_model, tmp_path, "--prompt", PROMPT, "--overwrite"), "output folder")
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_weights_with_missing_extra_or_pickled_tensors_are_refused(tiny_model, tmp_path, capsys):
    import shutil

    from safetensors.torch import load_file, save_file

    file = Path("transformer") / "diffusion_pytorch_model.safetensors"
    for name, change in (
        ("missing", lambda t: t.pop("stem.bias")), ("extra", lambda t: t.update(stowaway=torch.zeros(1))),
    ):  # fmt: skip
        broken = tmp_path / name
        shutil.copytree(tiny_model, broken)
        tensors = load_file(broken / file)
        change(tensors)
        save_file(tensors, broken / file)
        refused(capsys, sample(broken, tmp_path / "out", "--prompt", PROMPT), "transformer", name)
    pickled = tmp_path / "pickled"
    shutil.copytree(tiny_model, pickled)
    (pickled / file).rename(pickled / "transformer" / "diffusion_pytorch_model.bin")
    refused(capsys, sample(pickled, tmp_path / "out", "--prompt", PROMPT), "pickle")
    assert not (tmp_path / "out").exists()
