"""What was recorded before is made again, bit for bit on the recording machine, else within a tolerance
(``tests/golden``)."""

from __future__ import annotations

import dataclasses
import json

import pytest

from tests.golden import record


@dataclasses.dataclass(frozen=True)
class Known:
    """The recorded traces, and whether this machine computes as the recording one."""

    traces: dict
    exact: bool


@pytest.fixture(scope="module")
def known() -> Known:
    traces = json.loads(record.TRACES.read_text(encoding="utf-8"))
    return Known(traces, traces["machine"] == record.machine())


def test_every_prompt_is_understood_as_recorded(known):
    now = record.record_parses()
    assert now.keys() >= known.traces["parses"].keys()
    assert not [prompt for prompt, value in known.traces["parses"].items() if now[prompt] != value]


@pytest.mark.slow
@pytest.mark.parametrize("name", record.REQUESTS)
def test_requests_give_the_recorded_frames_labels_and_motion(name, known, tmp_path):
    sample, pictures = record.record_sample(name, tmp_path / "sample")
    assert not record.sample_differences(name, known.traces["samples"][name], sample, known.exact)
    assert not record.picture_differences(name, record.recorded_thumbnails()[name], pictures)


@pytest.mark.slow
def test_every_training_task_takes_the_recorded_steps(known, tmp_path):
    losses = record.record_losses(tmp_path)
    assert losses.keys() == known.traces["losses"].keys()
    found = [record.loss_differences(n, v, losses[n], known.exact) for n, v in known.traces["losses"].items()]
    assert not [line for lines in found for line in lines]


@pytest.mark.slow
def test_a_generated_set_has_the_recorded_bytes(known, tmp_path):
    now = record.record_set(tmp_path / "generate")
    assert now.keys() == known.traces["set"].keys()
    if known.exact:
        assert now == known.traces["set"]


def test_a_changed_pixel_a_changed_loss_and_a_changed_label_are_seen(known):
    """The comparison can fail."""
    sample = known.traces["samples"]["prompt"]
    assert record.sample_differences("prompt", sample, {**sample, "frames": "0"}, True)
    assert not record.sample_differences("prompt", sample, {**sample, "frames": "0"}, False)
    assert record.sample_differences("prompt", sample, {**sample, "labels.json": "0"}, False)
    pictures = record.recorded_thumbnails()["prompt"]
    darker = pictures.copy()
    darker[3] = darker[3] * 0.5
    assert record.picture_differences("prompt", pictures, darker) and not record.picture_differences(
        "prompt", pictures, pictures
    )
    losses = known.traces["losses"]["world"]
    assert record.loss_differences("world", losses, [*losses[:-1], losses[-1] * 1.2], False)
    assert record.loss_differences("world", losses, [*losses[:-1], losses[-1] + 1e-7], True)
