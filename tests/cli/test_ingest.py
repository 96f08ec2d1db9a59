from __future__ import annotations

import json
from typing import get_args, get_type_hints

import pytest

from tests.data.drives import make_video, write_log
from worldgen.cli.ingest import DATASETS
from worldgen.cli.main import main
from worldgen.core.errors import InputError
from worldgen.data.dataset.index import DataSet
from worldgen.data.ingest.datasets.recipes import RECIPES
from worldgen.data.ingest.ingest_config import IngestConfig
from worldgen.files.config_files import load_config

SMALL = ["fps=10", "width_px=48", "height_px=32", "num_frames=8", "stride_frames=8", "split.rest=train"]


@pytest.fixture
def fleet(tmp_path):
    make_video(tmp_path / "fleet" / "a.mp4", 40)
    write_log(tmp_path / "fleet" / "a.csv", 2.0)
    return tmp_path / "fleet"


def test_check_reports_and_writes_nothing(fleet, tmp_path, capsys):
    before = sorted(path.name for path in tmp_path.rglob("*"))
    assert main(["ingest", str(fleet), "--check", "--out", str(tmp_path / "out"), *SMALL]) == 0
    text = capsys.readouterr().out
    for words in (
        "a.mp4",
        "40 frames, 96x64, 20 fps",
        "windows: 2 at 10 fps",
        "speed_kmh as speed",
        "speed from column speed_kmh",
        "2 windows (2 train",
    ):
        assert words in text
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


def test_check_of_a_bad_source_says_why_and_exits_1(fleet, capsys):
    (fleet / "b.mp4").write_bytes(b"")
    assert main(["ingest", str(fleet), "--check", "--json", *SMALL]) == 1
    record = json.loads(capsys.readouterr().out)
    assert [bad["source"] for bad in record["bad_sources"]] == ["b.mp4"]
    assert "an empty file" in record["bad_sources"][0]["reason"]
    assert [source["source"] for source in record["sources"]] == ["a.mp4"]


def test_ingest_writes_a_data_set_with_its_config(fleet, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["ingest", str(fleet), "--out", str(out), "--json", *SMALL]) == 0
    assert json.loads(capsys.readouterr().out)["data_set"]["num_samples"] == 2
    assert len(DataSet(str(out))) == 2
    assert load_config(IngestConfig, [out / "config.yaml"]) == load_config(IngestConfig, (), SMALL)
    assert json.loads((out / "ingest.json").read_text())["windows"] == 2


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--check", "num_frame=3"], "did you mean num_frames?"),
        (["--check", "defaults.ego.wheel_base_m=3"], "did you mean defaults.ego.wheelbase_m?"),
        ([], "--out: received nothing"),
        (["--check", "split.val=[z]"], "split.val"),
        (["--check", "defaults.ego.columns={speed_kmh: ignore}", "on_bad_source=leave"], "on_bad_source"),
    ],
)
def test_user_errors_are_one_line_and_exit_2(fleet, capsys, arguments, expected):
    assert main(["ingest", str(fleet), *arguments]) == 2
    error = capsys.readouterr().err.splitlines()
    assert len(error) == 1
    assert expected in error[0]


def test_sources_in_a_yaml_are_typed_and_hinted(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(
        "sources:\n  a.mp4:\n    tags: [fog]\n    ego: {path: x.csv, valid_s: [1, 2], columns: {v: speed_mps}}\n"
    )
    source = load_config(IngestConfig, [path]).sources["a.mp4"]
    assert (source.tags, source.ego.valid_s, source.ego.columns) == (("fog",), (1.0, 2.0), {"v": "speed_mps"})
    path.write_text("sources:\n  a.mp4:\n    licenc: MIT\n")
    with pytest.raises(InputError, match=r"sources\.a\.mp4\.licenc.*did you mean sources\.a\.mp4\.licence"):
        load_config(IngestConfig, [path])


def test_shipped_configs_load(repository):
    files = sorted((repository / "configs" / "ingest").glob("*.yaml"))
    assert len(files) >= 4
    for file in files:
        config = load_config(IngestConfig, [file])
        assert config.defaults.licence
        assert file.read_text().startswith("# Purpose:")


def test_an_output_that_is_a_file_is_refused(fleet, tmp_path, capsys):
    (tmp_path / "taken").write_text("mine")
    assert main(["ingest", str(fleet), "--out", str(tmp_path / "taken"), *SMALL]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert (tmp_path / "taken").read_text() == "mine"


def test_other_settings_in_the_same_folder_are_refused_by_name(fleet, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["ingest", str(fleet), "--out", str(out), *SMALL]) == 0
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    capsys.readouterr()
    assert main(["ingest", str(fleet), "--out", str(out), *SMALL, "num_frames=4"]) == 2
    error = capsys.readouterr().err
    assert "num_frames of output" in error and "received 4; expected 8" in error and error.count("\n") == 1
    (out / "ingest-config.json").unlink()  # as an earlier version left it
    assert main(["ingest", str(fleet), "--out", str(out), *SMALL, "crf=30"]) == 2
    assert "crf of output" in capsys.readouterr().err
    assert main(["ingest", str(fleet), "--out", str(out), *SMALL, "verify=headers"]) == 0
    assert {path.name: path.read_bytes() for path in out.iterdir() if path.name != "config.yaml"} == {
        name: data for name, data in before.items() if name != "config.yaml"
    }


def test_a_damaged_shard_is_written_again(fleet, tmp_path):
    out = tmp_path / "out"
    assert main(["ingest", str(fleet), "--out", str(out), *SMALL]) == 0
    [shard] = out.glob("*.tar")
    whole = shard.read_bytes()
    for damage in (whole[: len(whole) // 2], bytes([*whole[:3000], whole[3000] ^ 1, *whole[3001:]])):
        shard.write_bytes(damage)
        assert main(["ingest", str(fleet), "--out", str(out), *SMALL]) == 0
        assert shard.read_bytes() == whole


@pytest.mark.parametrize("out", ["fleet", "fleet/set", "."])
def test_the_sources_are_no_output(fleet, tmp_path, monkeypatch, capsys, out):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert main(["ingest", "fleet", "--out", out, *SMALL]) == 2
    assert "the input fleet" in capsys.readouterr().err and sorted(tmp_path.rglob("*")) == before


def test_a_bad_source_is_listed_and_the_others_are_written(fleet, tmp_path, capsys):
    (fleet / "b.mp4").write_bytes(b"")
    assert main(["ingest", str(fleet), "--out", str(tmp_path / "out"), "--json", *SMALL]) == 1
    record = json.loads(capsys.readouterr().out)
    assert [bad["source"] for bad in record["bad_sources"]] == ["b.mp4"]
    assert len(DataSet(str(tmp_path / "out"))) == record["windows"] > 0
    assert main(["ingest", str(fleet), "--out", str(tmp_path / "no"), *SMALL, "on_bad_source=stop"]) == 2
    assert not (tmp_path / "no").exists()


def test_the_data_sets_of_the_command_are_those_of_the_config():
    config = get_args(get_args(get_type_hints(IngestConfig)["dataset"])[0])
    assert set(DATASETS) == set(RECIPES) == set(config)
