"""``worldgen restyle``: from a data set or a folder of labelled pictures to shards, and one line for what is wrong."""

from __future__ import annotations

import json
import os
import shutil

import pytest

from tests.data.samples import make_sample
from tests.models.build import noisy_weights
from worldgen.cli.main import build_parser, main
from worldgen.cli.restyle import _config
from worldgen.data.dataset.index import DataSet, build_index
from worldgen.data.dataset.shards import ShardWriter
from worldgen.data.export.exporting import ExportConfig, export_data
from worldgen.models.native.sizes import build_pipeline

CONFIG = """
model: {{pipeline: {model}, steps: 1, start: noise}}
scorer: {{verifier: "", detector: "", attributes: "", motion: "", training: ""}}
gate: {{bounds: {{blank: {{high: 1.0}}}}}}
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("model")
    pipeline = build_pipeline("tiny", words=["a car in fog at night in rain"])
    noisy_weights(pipeline.transformer, 0.05)
    pipeline.save_pretrained(folder / "model")
    (folder / "restyle.yaml").write_text(CONFIG.format(model=folder / "model"))
    return str(folder / "restyle.yaml")


@pytest.fixture(scope="module")
def url(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("set")
    with ShardWriter(str(folder), "s0") as writer:
        for i in range(3):
            sample = make_sample(f"k{i}", 2 * i, drive=f"d{i}")
            writer.write(sample)
    build_index(str(folder))
    return str(folder)


def pictures(url, folder, kind):
    folder.mkdir()
    export_data(DataSet(url), folder, ExportConfig(kind, suffix=".png"))
    return str(folder)


@pytest.mark.parametrize("kind", ["coco", "kitti", "yolo"])
def test_labelled_pictures_become_restyled_clips(config, url, tmp_path, capsys, kind):
    source, out = pictures(url, tmp_path / kind, kind), str(tmp_path / "out")
    assert (
        main(["restyle", source, "--to", "fog", "--out", out, "--strength", "0.5", "--config", config, "--limit", "2"])
        == 0
    )
    assert "2 of 2 clips restyled with their labels kept" in capsys.readouterr().out
    data = DataSet(out)
    assert len(data) == 2 and all(row["accepted"] for row in data.rows)
    sample = data.load(0)
    assert sample.tags[0] == "fog" and sample.provenance["strength"] == 0.5 and len(sample.labels)
    assert (sample.clip.width_px, sample.clip.height_px) == (64, 48)
    # The same command has nothing left to do, and says the same.
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").glob("*.tar")}
    assert (
        main(
            [
                "restyle",
                source,
                "--to",
                "fog",
                "--out",
                out,
                "--strength",
                "0.5",
                "--config",
                config,
                "--limit",
                "2",
                "--json",
            ]
        )
        == 0
    )
    assert json.loads(capsys.readouterr().out)["accepted"] == 2
    assert before == {path.name: path.read_bytes() for path in (tmp_path / "out").glob("*.tar")}


def test_the_report_of_a_restyled_set_opens(config, url, tmp_path, capsys):
    source, out = pictures(url, tmp_path / "coco", "coco"), str(tmp_path / "out")
    assert (
        main(
            ["restyle", source, "--to", "night", "--out", out, "--strength", "0.3", "--config", config, "--limit", "1"]
        )
        == 0
    )
    assert main(["data", "view", out, "--out", str(tmp_path / "page")]) == 0
    text = (tmp_path / "page/index.html").read_text("utf-8")
    assert "Where the time went" in text and "worldgen restyle" in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--to", "a bus"], "look to restyle to"),
        (["--to", ""], "--to WORDS"),
        (["--to", "fog", "--strength", "much"], "--strength"),
        (["--to", "fog", "--strength", "1.5"], "--strength"),
        (["--to", "fog", "--strength", "0"], "--strength"),
        (["--to", "fog", "--fps", "5", "--class", "a=car"], "--fps, --class with"),
        (["--to", "fog", "--tag", "nowhere"], "no accepted clips"),
        (["--to", "fog", "keeep=1"], "keep"),
    ],
)
def test_bad_requests_are_one_line_and_leave_nothing(config, url, tmp_path, capsys, words, message):
    out = tmp_path / "out"
    assert main(["restyle", url, "--out", str(out), "--config", config, *words]) == 2
    error = capsys.readouterr().err
    assert message in error and error.strip().count("\n") == 0
    assert not out.exists() or not list(out.glob("*.tar"))


def test_a_folder_without_labels_is_refused(config, tmp_path, capsys):
    assert main(["restyle", str(tmp_path), "--to", "fog", "--out", str(tmp_path / "o"), "--config", config]) == 2
    assert "known layouts" in capsys.readouterr().err


def test_pictures_have_no_splits_and_tags(config, url, tmp_path, capsys):
    source = pictures(url, tmp_path / "coco", "coco")
    words = ["restyle", source, "--to", "fog", "--out", str(tmp_path / "o"), "--config", config, "--split", "val"]
    assert main(words) == 2
    assert "--split with" in capsys.readouterr().err and not (tmp_path / "o").exists()


def test_the_shipped_config_is_the_default_and_words_change_it(url):
    words = ["restyle", url, "--to", "fog", "--out", "out", "--strength", "0.4", "--limit", "7", "gate.object_low=0.22"]
    config = _config(build_parser("restyle").parse_args(words))
    assert (config.to, config.strength, config.limit) == ("fog", 0.4, 7)
    assert config.gate.bounds["sharpness"].low > 0 and config.gate.object_low == 0.22
    assert _config(build_parser("restyle").parse_args([*words, "--strength", "auto"])).strength == 0


@pytest.mark.parametrize("spelling", ["SET", "SET/", "SET/sub", "file://SET", "LINK"])
def test_the_input_is_no_output(config, url, tmp_path, capsys, spelling):
    (tmp_path / "link").symlink_to(url)
    before = sorted(os.listdir(url))
    out = spelling.replace("SET", url).replace("LINK", str(tmp_path / "link"))
    assert main(["restyle", url, "--to", "fog", "--out", out, "--config", config]) == 2
    error = capsys.readouterr().err
    assert "the input" in error and error.count("\n") == 1 and sorted(os.listdir(url)) == before


def test_another_data_set_is_no_output(config, url, tmp_path, capsys):
    shutil.copytree(url, tmp_path / "other")
    assert main(["restyle", url, "--to", "fog", "--out", str(tmp_path / "other"), "--config", config]) == 2
    assert "another data set (dataset.json is there)" in capsys.readouterr().err
    assert sorted(os.listdir(tmp_path / "other")) == sorted(os.listdir(url))
