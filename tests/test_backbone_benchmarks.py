"""The benchmark of published sizes: its configs have the published counts, and it runs at tiny size on a CPU."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("name", "billions"), [("wan_vace_1.3b", 2.15), ("wan_vace_14b", 17.34), ("wan_i2v_a14b", 14.29)]
)
def test_published_configs_have_the_published_counts(monkeypatch, name, billions):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from backbone_models.published_sizes import SIZES, WanTransformer3DModel, WanVACETransformer3DModel

    cls = WanVACETransformer3DModel if name.startswith("wan_vace") else WanTransformer3DModel
    with torch.device("meta"):
        network = cls(**SIZES[name])
    assert sum(p.numel() for p in network.parameters()) / 1e9 == pytest.approx(billions, abs=0.01)


@pytest.mark.parametrize("name", ["wan_vace_tiny", "wan_i2v_tiny"])
def test_the_command_times_both_ways_and_their_frames_are_equal(tmp_path, name):
    out = tmp_path / "record.json"
    words = ["--model", name, "--size", "64x48", "--frames", "9", "--rounds", "1", "--out", str(out)]
    subprocess.run([sys.executable, str(BENCHMARKS / "backbone_sizes.py"), *words], check=True, capture_output=True)
    record = json.loads(out.read_text())
    assert record["equal_frames"] is True and record["tokens"] == 3 * 4 * 3
    assert record["tokens_per_s"]["worldgen"] > 0 and record["memory_gb"]["estimated"] > 0
