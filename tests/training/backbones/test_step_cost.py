"""The command that measures a LoRA step on a GPU runs at tiny size on a CPU, and says so where there is no GPU."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "benchmarks" / "finetune_step.py"


def call(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_a_tiny_step_is_timed_and_its_work_counted(tmp_path):
    done = call("--tiny", "--device", "cpu", "--steps", "2", "--out", str(tmp_path / "step.json"))
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "step.json").read_text())
    assert len(record["seconds"]) == 2 and min(record["seconds"]) > 0 and record["tokens"] == 8
    assert record["model_tflop_a_step"] > 0 and record["planned_gb"] > 0 and record["peak_gb"] is None
