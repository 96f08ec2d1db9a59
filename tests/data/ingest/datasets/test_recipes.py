"""Every recipe through the command: written, valid, with licence; a wrong folder is one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.data.ingest.datasets import (
    test_argoverse2,
    test_bdd100k,
    test_comma2k19,
    test_kitti_raw,
    test_lerobot,
    test_nuscenes,
    test_pandaset,
)
from worldgen.cli.ingest import DATASETS
from worldgen.cli.main import main
from worldgen.data.dataset.index import DataSet
from worldgen.data.dataset.validate import validate
from worldgen.data.ingest.datasets.recipes import RECIPES

MAKERS: dict[str, tuple[Callable[[Path], object], str, bool]] = {
    "argoverse2": (lambda root: test_argoverse2.make_log(root / "val", "log-a"), "CC-BY-NC-SA-4.0", True),
    "bdd100k": (lambda root: test_bdd100k.make_video(root, "val", "a1", "ride", 0), "LicenseRef-BDD100K", True),
    "comma2k19": (lambda root: test_comma2k19.make_segment(root, test_comma2k19.ROUTES[0], 3), "MIT", True),
    "kitti_raw": (lambda root: test_kitti_raw.make_drive(root, 1), "CC-BY-NC-SA-3.0", True),
    "lerobot": (lambda root: test_lerobot.make_v3(root, [[0, 1]]), "Apache-2.0", False),  # its units are not stated
    "nuscenes": (test_nuscenes.make_scene, "CC-BY-NC-SA-4.0", True),
    "pandaset": (lambda root: test_pandaset.make_sequence(root, 1, test_pandaset.START_S), "CC-BY-4.0", True),
}
"""Set -> how a miniature of it is made below a folder, its licence, and whether it has ego motion."""
SETTINGS = ["fps=10", "width_px=48", "height_px=32", "num_frames=8", "stride_frames=8"]


@pytest.mark.parametrize("name", DATASETS)
def test_a_set_is_written_and_valid(tmp_path, name, capsys):
    make, licence, moves = MAKERS[name]
    make(tmp_path / name)
    out = str(tmp_path / "out")
    assert main(["ingest", str(tmp_path / name), "--dataset", name, "--out", out, "--json", *SETTINGS]) == 0
    assert json.loads(capsys.readouterr().out)["bad_sources"] == []
    assert validate(out).problems == []
    data = DataSet(out)
    samples = [data.load(i) for i in range(len(data))]
    assert samples and {sample.licence for sample in samples} == {licence}
    assert any((sample.ego is not None) == moves for sample in samples)


@pytest.mark.parametrize("name", DATASETS)
def test_a_wrong_folder_is_one_line(tmp_path, name, capsys):
    (tmp_path / "holiday.jpg").write_bytes(b"")
    assert main(["ingest", str(tmp_path), "--dataset", name, "--check"]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and name in lines[0] and "expected" in lines[0]


def test_the_command_knows_every_recipe():
    assert set(DATASETS) == set(RECIPES) == set(MAKERS)
