"""``worldgen eval drift``: refusals, and a whole run of the shipped model on short rollouts."""

from __future__ import annotations

import json

import pytest

from worldgen.cli.main import main
from worldgen.files.shipped import assets_dir


@pytest.fixture
def readers():
    for name in ("attributes", "motion"):
        if not (assets_dir() / "instruments" / name / "accuracy.json").is_file():
            pytest.skip(f"no {name} reader is shipped")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--window", "5"], "window: received 5"),
        (["--frames", "60", "--window", "40"], "window: received 40"),
        (["--data", "somewhere"], "drift needs its scenes"),
        (["--model", "rendered"], "drift needs its scenes"),
    ],
)
def test_bad_requests_are_one_line(words, complaint, capsys):
    assert main(["eval", "drift", *words]) == 2
    text = capsys.readouterr().err
    assert complaint in text and text.count("\n") == 1


@pytest.mark.slow
def test_a_short_rollout_of_the_shipped_model(readers, capsys):
    words = ["--clips", "2", "--frames", "34", "--window", "17", "--steps", "1", "--json"]
    assert main(["eval", "drift", *words]) == 0
    record = json.loads(capsys.readouterr().out)
    assert [w["first_frame"] for w in record["windows"]] == [0, 17] == [w["first_frame"] for w in record["rendered"]]
    assert set(record["leaves_band_at_frame"]) == set(record["bands"])
    assert record["rendered"][0]["frechet"]["value"] == pytest.approx(0, abs=1e-6)
    assert record["rendered"][0]["sharpness_ratio"]["value"] == pytest.approx(1)
    assert record["windows"][0]["frechet"]["value"] > 0
    first, second = (record["windows"][k]["frechet"]["value"] for k in (0, 1))
    assert record["frechet_growth"] == {"frechet": {"0": pytest.approx(second / first, abs=1e-3), "17": 1.0}}
