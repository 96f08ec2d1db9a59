"""``worldgen eval gain``: from a config and data sets to a result, a plot and a table."""

from __future__ import annotations

import json
import shlex

import pytest

from tests.evaluation.gain.test_study import data  # noqa: F401  (a fixture)
from worldgen.api.measures.measure_gain import GainOptions, gain_command
from worldgen.cli.eval.eval_clips import options_from
from worldgen.cli.main import build_parser, main

pytest.importorskip("pycocotools", reason="average precision is judged by pycocotools")


def options(url, folder):
    return [
        "eval", "gain", "--folder", str(folder), f"real.url={url}", "real.split=train", "real.without=[night_lit]",
        "real.every=1", f"rare.url={url}", "rare.split=train", "rare.with_any=[night_lit]", "rare.every=1",
        f"test.url={url}", "test.split=test", "test.every=1", "width_px=64", "height_px=64", "steps=2", "batch=2",
        "seeds=2", "arms=[real,oracle]", "name=blocks", "model={widths: [8,8,8,8], neck: 8}",
    ]  # fmt: skip


def test_a_study_writes_its_result_a_plot_and_a_table(data, tmp_path, capsys):  # noqa: F811
    out = tmp_path / "gain.json"
    assert main([*options(data, tmp_path / "runs"), "--out", str(out)]) == 0
    shown = capsys.readouterr()
    assert "early note" in shown.err and "run 4 of 4" in shown.err
    assert "oracle" in shown.out and "AP50 points on rare clips" in shown.out
    record = json.loads(out.read_text())
    assert set(record["arms"]) == {"real", "oracle"} and record["missing"] == []
    assert out.with_suffix(".png").read_bytes()[:4] == b"\x89PNG"
    assert str(tmp_path) not in out.read_text()
    assert main([*options(data, tmp_path / "runs"), "--report-only", "--json"]) == 0
    shown = capsys.readouterr()
    assert "run " not in shown.err, "nothing is trained again"
    assert json.loads(shown.out)["arms"] == record["arms"]


def test_the_command_names_what_was_changed_and_no_folder_of_this_machine():
    words = [
        "--config",
        "/home/me/configs/eval/a.yaml",
        "--folder",
        "/tmp/runs",
        "real.url=/home/me/sets/real",
        "steps=2",
    ]
    words += [
        "synthetic.url=s3://bucket/made",
        "arms=[real,oracle]",
        "model={widths: [8,8], neck: 8}",
        "urls=[/a/b,c/d]",
    ]
    args = build_parser("eval").parse_args(["eval", "gain", *words])
    command = gain_command(options_from(args, GainOptions))
    again = build_parser("eval").parse_args(shlex.split(command)[1:])
    assert again.config == ["a.yaml"]
    assert again.overrides == [
        "real.url=real",
        "steps=2",
        "synthetic.url=made",
        "arms=[real,oracle]",
        "model={widths: [8,8], neck: 8}",
        "urls=[b,d]",
    ]


def test_user_errors_are_one_line(data, tmp_path, capsys):  # noqa: F811
    assert main([*options(data, tmp_path / "none"), "--report-only"]) == 2
    assert "a larger budget" in capsys.readouterr().err.splitlines()[-1]
    assert main([*options(data, tmp_path), "--budget", "-1"]) == 2
    assert "minutes" in capsys.readouterr().err
    assert main(["eval", "gain"]) == 2
    assert "real.url" in capsys.readouterr().err


def test_the_shipped_configs_resolve(capsys):
    for name in ("gain_controlled", "gain_camvid"):
        assert main(["eval", "gain", "--config", f"configs/eval/{name}.yaml", "--show-config"]) == 0
        assert "ratios" in capsys.readouterr().out
