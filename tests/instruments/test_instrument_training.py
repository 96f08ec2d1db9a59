"""Training of the two readers: they learn from a few synthetic clips."""

from __future__ import annotations

import numpy as np
import pytest
from pipelines.instrument_training.attributes_accuracy import accuracy_record as attributes_accuracy
from pipelines.instrument_training.attributes_training import AttributeTraining, Windows, train_attributes
from pipelines.instrument_training.degrade import degraded
from pipelines.instrument_training.motion_accuracy import accuracy_record as motion_accuracy
from pipelines.instrument_training.motion_training import MotionTraining, Pairs, train_motion

from tests.instruments.worlds import plane_clip, steady
from worldgen.core.camera import Camera
from worldgen.core.labels import Labels
from worldgen.core.samples import Sample
from worldgen.core.scenario import LIGHTS, WEATHERS, Scenario
from worldgen.core.seeds import numpy_rng
from worldgen.instruments.attributes.attribute_reader import AttributeConfig
from worldgen.instruments.instrument_files import save_weights
from worldgen.instruments.motion.motion_reader import MotionConfig, config_record

CAMERA = Camera.from_fov(224, 128, 70.0, pitch_rad=0.03)


def driven(number: int) -> Sample:
    rng = np.random.default_rng(number)
    ego = steady(float(rng.uniform(0.5, 6)), float(rng.uniform(-0.3, 0.3)))
    clip = plane_clip(ego, CAMERA)
    return Sample(
        f"drive{number}", clip, ego=ego, camera=CAMERA, labels=Labels.empty(4, 224, 128),
        scenario=Scenario(weather=WEATHERS[number % 2], light=LIGHTS[number % 6]),
    )  # fmt: skip


@pytest.mark.slow
def test_the_motion_reader_learns_and_its_record_says_how_well(tmp_path):
    training = MotionTraining(steps=150, frames=4, batch=32, degrade=0.0)
    pairs = Pairs.of([driven(k) for k in range(24)], training)
    assert pairs.features.shape[0] == len(pairs.motion) == 72
    reports = []
    config = MotionConfig(width=8)
    network = train_motion(pairs, training, config=config, after_step=lambda step, loss, _: reports.append(loss))
    assert reports and np.isfinite(reports).all()
    save_weights(tmp_path, config_record(config), network.state_dict())
    record = motion_accuracy(tmp_path, [driven(k) for k in range(100, 112)])
    assert record["accuracy"]["yaw_rate_spearman"]["value"] > 0.9
    assert record["accuracy"]["speed_spearman"]["value"] > 0.7


def test_pairs_name_their_clip_and_scale_their_motion():
    pairs = Pairs.of([driven(0), driven(1)], MotionTraining(frames=3, degrade=1.0))
    assert pairs.clip.tolist() == [0, 0, 1, 1] and pairs.features.dtype == np.float16
    assert pairs.motion[0] == pytest.approx([driven(0).ego.speed_mps[1] / 10, driven(0).ego.yaw_rate_radps[1] / 0.1])


def tinted(number: int) -> Sample:
    """Clips whose brightness gives the light."""
    sample = driven(number)
    shade = (sample.clip.frames * (0.15 + 0.17 * (number % 6))).astype(np.uint8)
    return Sample(
        sample.key,
        type(sample.clip)(shade, 8.0),
        ego=sample.ego,
        camera=CAMERA,
        labels=sample.labels,
        scenario=sample.scenario,
    )


@pytest.mark.slow
def test_the_attribute_reader_learns_and_its_record_says_how_well(tmp_path):
    from worldgen.instruments.attributes.attribute_reader import config_record as attribute_record

    config = AttributeConfig(widths=(8, 8, 16), features=16)
    data = Windows.of([tinted(k) for k in range(24)], 2)
    network = train_attributes(data, AttributeTraining(steps=240, batch=16, degrade=0.0), config=config)
    save_weights(tmp_path, attribute_record(config), network.state_dict())
    record = attributes_accuracy(tmp_path, [], [tinted(k) for k in range(60, 72)], detector=tmp_path / "none")
    assert record["accuracy"]["light"]["value"] > 0.7
    assert record["accuracy"]["cyclist"]["value"] is None  # none anywhere: balance is not defined


def test_degrading_keeps_the_shape_and_repeats_with_the_seed():
    frames = driven(3).clip.frames
    for k in range(12):
        worse = degraded(frames, numpy_rng("degrade", k))
        assert worse.shape == frames.shape and worse.dtype == np.uint8
        assert np.array_equal(worse, degraded(frames, numpy_rng("degrade", k)))
        assert abs(float(worse.mean()) - float(frames.mean())) < 50
