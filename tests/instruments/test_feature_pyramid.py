"""The pyramid that detector and verifier share: the shipped weights fit it and give the recorded outputs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from worldgen.core.clip import Clip
from worldgen.core.errors import InputError
from worldgen.data.video.reading import read_clip
from worldgen.files.shipped import assets_dir
from worldgen.instruments.detector.detector import Detections, DetectorConfig, detect, load_detector
from worldgen.instruments.verifier.verifier import VerifierConfig, load_verifier

REFERENCE = json.loads((Path(__file__).parent / "pyramid_reference.json").read_text())
"""Outputs of the shipped detector and verifier on :func:`clip`; recorded anew when one of them gets other weights."""


@pytest.fixture(scope="module")
def clip() -> Clip:
    return read_clip(str(assets_dir() / "clips" / "downtown.mp4"), size=(224, 128), fps=8.0, duration_s=0.5)


def assert_equal(found: Detections, wanted: dict) -> None:
    assert found.frame_index.tolist() == wanted["frame_index"] and found.group.tolist() == wanted["group"]
    np.testing.assert_allclose(found.box_px, wanted["box_px"], atol=0.02)
    np.testing.assert_allclose(found.score, wanted["score"], atol=1e-3)


def test_the_shipped_detector_finds_what_it_found_before(clip):
    assert_equal(detect(load_detector(), clip, threshold=0.2), REFERENCE["detections"])


def test_the_shipped_verifier_answers_as_before(clip):
    sight, asked = load_verifier().read(clip), REFERENCE["detections"]
    for maps, wanted in zip(sight.features, REFERENCE["features"].values(), strict=True):
        np.testing.assert_allclose(maps[0, :, ::16, ::28].flatten(), wanted, atol=2e-3, rtol=1e-3)
    answers = sight.verify(np.array(asked["frame_index"]), np.array(asked["box_px"]))
    np.testing.assert_allclose(answers.classes, REFERENCE["answers"]["classes"], atol=1e-3)
    np.testing.assert_allclose(answers.fit, REFERENCE["answers"]["fit"], atol=1e-3)
    assert_equal(sight.objects(0.3), REFERENCE["objects"])


@pytest.mark.parametrize("config", [DetectorConfig, VerifierConfig])
@pytest.mark.parametrize("sizes", [{"widths": (8, 8, 8)}, {"depths": (0, 1, 1)}, {"neck": 3}])
def test_sizes_that_make_no_pyramid_are_refused(config, sizes):
    with pytest.raises(InputError, match="feature pyramid"):
        config(**sizes)
