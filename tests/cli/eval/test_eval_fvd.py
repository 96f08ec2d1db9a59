from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from worldgen.cli.eval import eval_fvd
from worldgen.cli.main import main
from worldgen.core.clip import Clip
from worldgen.data.video.encoding import write_clip
from worldgen.evaluation.distances.clip_sets import ClipSet
from worldgen.evaluation.distances.features import EXTRACTORS
from worldgen.evaluation.distances.resize import MODES
from worldgen.evaluation.distances.selfsupervised import ClipEncoder, EncoderConfig, save_encoder


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("fd")
    save_encoder(
        ClipEncoder(EncoderConfig(frames=4, height_px=16, width_px=24, widths=(4, 6, 8, 8), features=5)), folder
    )
    return folder


def _folder(path, count, *, level, fps=8.0, seed=0):
    rng = np.random.default_rng(seed)
    path.mkdir()
    for i in range(count):
        grain = rng.normal(0, 20, (9, 32, 48, 3)) + rng.normal(level, 12)
        write_clip(path / f"clip{i:02}.mp4", Clip(np.clip(grain, 0, 255).astype(np.uint8), fps))
    return str(path)


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    root = tmp_path_factory.mktemp("sets")
    return (
        _folder(root / "real", 12, level=90),
        _folder(root / "same", 10, level=90, seed=1),
        _folder(root / "off", 10, level=170, seed=2),
    )


def _run(capsys, *arguments):
    code = main(["eval", "fvd", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_options_name_what_there_is():
    """The parser starts without torch, so it holds copies of the names."""
    assert eval_fvd.EXTRACTORS == EXTRACTORS and set(eval_fvd.RESIZES) == set(MODES)


def test_folders_of_videos(capsys, tmp_path, sets, weights):
    real, same, off = sets
    common = ("--weights", weights, "--frames", 4, "--draws", 20)
    code, out, err = _run(
        capsys, "--reference", real, "--generated", off, *common, "--json", "--out", tmp_path / "card.json"
    )
    far = json.loads(out)
    assert code == 0, err
    assert json.loads((tmp_path / "card.json").read_text()) == far
    code, out, _ = _run(capsys, "--reference", real, "--generated", same, *common, "--json")
    near = json.loads(out)
    assert code == 0 and far["value"] > 5 * near["value"] and far["floor"]["clips"] == 6
    assert far["generated"]["clips"] == 10 and far["protocol"]["frames"] == 4 and far["cost"]["peak_memory_mb"] > 10
    code, out, _ = _run(capsys, "--reference", real, "--generated", off, *common)
    assert out.splitlines()[0] == far["line"] and "fd-worldgen" in out and str(tmp_path) not in out


def test_folders_below_a_folder_count_and_the_card_names_the_decoder(capsys, tmp_path, sets, weights):
    """Clips of the same name in two folders are two clips; hidden folders are left out."""
    real, same, _ = sets
    for number in range(8):
        folder = tmp_path / "nested" / f"run{number}" / "out"
        folder.mkdir(parents=True)
        (folder / "clip.mp4").write_bytes((Path(same) / f"clip{number:02}.mp4").read_bytes())
    (tmp_path / "nested" / ".hidden").mkdir()
    (tmp_path / "nested" / ".hidden" / "clip.mp4").write_bytes(b"no video")
    nested = ClipSet(str(tmp_path / "nested"))
    assert len({item.key for item in nested}) == len(nested) == 8 and nested.item(0).key == "run0/out/clip"
    common = ("--weights", weights, "--frames", 4, "--draws", 0, "--json")
    code, out, err = _run(capsys, "--reference", real, "--generated", tmp_path / "nested", *common)
    assert code == 0, err
    card = json.loads(out)
    assert card["generated"]["clips"] == 8 and "PyAV" in card["protocol"]["decoder"]


def test_kept_features_give_the_same_card(capsys, tmp_path, sets, weights):
    """What workers keep can be compared later, in parts."""
    real, _, off = sets
    common = ("--weights", weights, "--frames", 4, "--draws", 10, "--json")
    _, out, _ = _run(capsys, "--reference", real, "--generated", off, *common, "--save-features", tmp_path)
    kept = (tmp_path / "reference.safetensors", tmp_path / "generated.safetensors")
    code, again, err = _run(capsys, "--reference", kept[0], "--generated", kept[1], *common)
    assert code == 0, err
    first, second = json.loads(out), json.loads(again)
    for record in (first, second):
        record.pop("cost"), record.pop("command")
    assert first == second


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--reference", "REAL"], "one of the two"),
        (["--reference", "nowhere", "--generated", "REAL"], "nowhere"),
        (["--reference", "REAL", "--generated", "REAL", "--extractor", "i3d"], "i3d_torchscript.pt"),
        (["--reference", "REAL", "--generated", "REAL", "--extractor", "videomae"], "--weights FOLDER"),
        (["--reference", "REAL", "--generated", "REAL", "--frames", "40"], "at least 40"),
        (["--reference", "REAL", "--generated", "REAL", "--fps", "30"], "never interpolated"),
        (["--reference", "REAL", "--generated", "REAL", "--split", "val"], "a data set, which has them"),
        (["--reference", "REAL", "--generated", "REAL", "--draws", "-1"], "counts"),
    ],
)
def test_wrong_requests_are_one_line_and_exit_2(capsys, sets, weights, arguments, word):
    words = [sets[0] if each == "REAL" else each for each in arguments]
    extra = [] if "--extractor" in words else ["--weights", str(weights)]
    code, out, err = _run(capsys, *words, *extra)
    assert code == 2 and out == "" and err.count("\n") == 1 and word in err, err


def test_two_rates_are_not_compared(capsys, tmp_path, sets, weights):
    slow = _folder(tmp_path / "slow", 4, level=90, fps=5.0)
    code, _, err = _run(capsys, "--reference", sets[0], "--generated", slow, "--weights", weights, "--frames", 4)
    assert code == 2 and "fps of the two sets" in err
    code, _, err = _run(
        capsys,
        "--reference",
        sets[0],
        "--generated",
        slow,
        "--weights",
        weights,
        "--frames",
        4,
        "--fps",
        5,
        "--draws",
        5,
    )
    assert code == 0, err


def test_a_broken_clip_is_named_and_can_be_left_out(capsys, tmp_path, sets, weights):
    folder = tmp_path / "some"
    folder.mkdir()
    for path in Path(sets[1]).glob("*.mp4"):
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "clip03.mp4").write_bytes(b"no video")
    arguments = ("--reference", sets[0], "--generated", folder, "--weights", weights, "--frames", 4, "--draws", 20)
    code, _, err = _run(capsys, *arguments)
    assert code == 2 and "clip03.mp4" in err and "--skip-broken" in err and len(err.splitlines()) == 1
    code, out, err = _run(capsys, *arguments, "--skip-broken", "--json")
    card = json.loads(out)
    assert code == 0 and card["generated"]["clips"] == 9, err
    assert len(card["broken"]) == 1 and "clip03.mp4" in card["broken"][0]
    code, out, _ = _run(capsys, *arguments, "--skip-broken")
    assert "left out: clip clip03.mp4" in out
