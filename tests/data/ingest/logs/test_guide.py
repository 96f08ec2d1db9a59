"""Every public format in the guide: its log, read with its lines of config, gives the motion that the guide states."""

from __future__ import annotations

import re

import numpy as np
import pytest

from worldgen.data.ingest.ingest_config import IngestConfig
from worldgen.files.config_files import load_config
from worldgen.generation.sample.log_request import log_motion

PAGE = "docs/guides/ingest-logs.md"
EXAMPLE = re.compile(
    r"### (?P<name>[^\n]+)\n(?:(?!###).)*?```text (?P<file>\S+)\n(?P<log>.*?)```\n```yaml\n(?P<config>.*?)```\n"
    r"Gives (?P<speed>[-\d.]+) m/s and (?P<rate>[-\d.]+) rad/s\.",
    re.DOTALL,
)


def examples(repository):
    text = (repository / PAGE).read_text(encoding="utf-8")
    found = {match["name"]: match for match in EXAMPLE.finditer(text)}
    assert len(found) == text.count("### ") == 11, "every format has a log, a config and a result"
    return found


@pytest.mark.parametrize("number", range(11))
def test_the_lines_of_the_guide_give_what_it_says(repository, tmp_path, number):
    match = list(examples(repository).values())[number]
    log = tmp_path / match["file"]
    log.write_text(match["log"], encoding="utf-8")
    (tmp_path / "fleet.yaml").write_text(match["config"], encoding="utf-8")
    settings = load_config(IngestConfig, [tmp_path / "fleet.yaml"]).defaults
    starts = {"comma": "time_s\n46408.590\n46408.690", "nuscenes": "time_us\n1532402927600000\n1532402927900000"}
    times = starts.get(str(settings.ego.axes), "time_ns\n315978406000000000\n315978406200000000")
    (tmp_path / "times.csv").write_text(times)
    (tmp_path / "frame_times.csv").write_text(times)
    begin_s = 1.0 if "phones" in match["name"] else 0.0
    ego, _ = log_motion(log, settings, times_s=begin_s + np.array([0.0, 0.05, 0.1]), fps=20.0)
    np.testing.assert_allclose(ego.speed_mps, float(match["speed"]), atol=0.03)
    np.testing.assert_allclose(ego.yaw_rate_radps, float(match["rate"]), atol=1e-3)
