"""The verifier: what it takes over from a detector, that answers belong to boxes alone, and that it can learn."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
import torch
from pipelines.instrument_training.verifier_training import (
    ASKED,
    MASKED,
    BoxDraw,
    BoxTruth,
    Scenes,
    answers,
    batch_loss,
    batch_of,
    truth_of,
)

from tests.generation import labels_rig as rig
from worldgen.core.clip import Clip
from worldgen.core.errors import InputError
from worldgen.core.labels import CLASSES
from worldgen.instruments.augmentation import AugmentConfig
from worldgen.instruments.detector.detector import Detector, DetectorConfig
from worldgen.instruments.feature_pyramid import to_pictures
from worldgen.instruments.verifier.verifier import (
    NONE,
    Verifier,
    VerifierConfig,
    from_detector,
    load_verifier,
    save_verifier,
    to_pairs,
    verifier_folder,
    verify,
)

SMALL = VerifierConfig((4, 4, 8, 8), (1, 1, 1), 8, 4, 16)
PLAIN = AugmentConfig(zoom=0.0, light=0.0, softness=0.0)


@pytest.fixture(scope="module")
def verifier() -> Verifier:
    torch.manual_seed(0)
    return Verifier(SMALL).eval()


def test_it_starts_with_the_output_of_its_detector_until_something_moves():
    torch.manual_seed(1)
    detector = Detector(DetectorConfig(SMALL.widths, SMALL.depths, SMALL.neck)).eval()
    verifier = from_detector(detector, SMALL).eval()
    frames = rig.clip().frames[:2]
    heat, sides = verifier.box_maps(verifier(to_pairs(frames, frames)))
    wanted = detector(to_pictures(frames))
    assert torch.allclose(heat, wanted[0], atol=1e-5) and torch.allclose(sides, wanted[1], rtol=1e-4)
    torch.nn.init.normal_(verifier.stem.conv.weight[:, 3:])
    assert not torch.allclose(verifier.box_maps(verifier(to_pairs(frames, frames[::-1])))[0], heat)


def test_an_answer_belongs_to_its_box_and_to_nothing_else(verifier):
    labels, sight = rig.labels(), verifier.read(rig.clip())
    together = sight.verify(labels.frame_index, labels.box_px)
    order = np.random.default_rng(0).permutation(len(labels))
    shuffled = sight.verify(labels.frame_index[order], labels.box_px[order])
    for one, two in zip(together, shuffled, strict=True):
        assert np.allclose(one[order], two, atol=1e-6)
    alone = verify(verifier, rig.clip(), labels.frame_index[5:6], labels.box_px[5:6])
    assert np.allclose(alone[0], together[0][5], atol=1e-6)
    assert np.allclose(together[0].sum(1), 1, atol=1e-5) and ((together[1] >= 0) & (together[1] <= 1)).all()
    nothing = sight.verify(np.zeros(0, int), np.zeros((0, 4)))
    assert nothing[0].shape == (0, NONE + 1) and nothing[1].shape == (0,)


def test_wider_pictures_are_brought_to_its_width(verifier):
    labels = rig.labels()
    wide = Clip(
        np.stack([cv2.resize(f, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST) for f in rig.clip().frames]), 8.0
    )
    one = verify(verifier, rig.clip(), labels.frame_index, labels.box_px)
    two = verify(verifier, wide, labels.frame_index, labels.box_px * 2)
    assert np.allclose(one[0], two[0], atol=1e-4) and np.allclose(one[1], two[1], atol=1e-4)
    found, doubled = verifier.read(rig.clip()).objects(0.0), verifier.read(wide).objects(0.0)
    assert np.allclose(found.box_px * 2, doubled.box_px, atol=0.1) and (found.box_px[:, 2] <= rig.WIDTH).all()
    assert (np.diff(found.frame_index) >= 0).all()


def test_weights_survive_saving_and_damage_is_refused(verifier, tmp_path):
    save_verifier(verifier, tmp_path)
    loaded, clip = load_verifier(tmp_path), rig.clip()
    labels = rig.labels()
    one, two = (verify(v, clip, labels.frame_index, labels.box_px) for v in (verifier, loaded))
    assert np.allclose(one[0], two[0], atol=2e-2)  # stored in float16
    record = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**record, "classes": ["cat"]}))
    with pytest.raises(InputError, match="classes of instrument"):
        load_verifier(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({**record, "hidden": 30}))
    with pytest.raises(InputError, match="another shape"):
        load_verifier(tmp_path)
    with pytest.raises(InputError):
        load_verifier(tmp_path / "none")
    with pytest.raises(InputError, match="verifier sizes"):
        VerifierConfig(hidden=1)


def test_the_shipped_one_knows_plain_boxes_of_rendered_clips():
    loaded = load_verifier()
    assert sum(p.numel() for p in loaded.parameters()) < 1_000_000
    accuracy = json.loads((verifier_folder() / "accuracy.json").read_text())
    assert accuracy["test"]["right"] > 0.7


def test_what_is_right_for_a_box():
    box = np.array([[10, 10, 30, 50], [60, 20, 66, 26]], np.float32)
    truth = BoxTruth(box, np.array([6, 0]), np.array([True, False]), np.array([1, 2]))
    asked = np.array([[10, 10, 30, 50], [24, 10, 44, 50], [20, 10, 40, 50], [100, 10, 120, 50], [60, 20, 66, 27]])
    asked = np.concatenate([asked, [[16, 10, 36, 50]]]).astype(np.float32)
    name, fit, counts = answers(truth, asked)
    assert name.tolist() == [6, NONE, NONE, NONE, MASKED, 6] and counts.tolist() == [True] * 4 + [False, True]
    assert fit[0] == 1 and fit[1] == pytest.approx(6 / 34) and fit[2] == pytest.approx(1 / 3) and fit[3] == 0
    empty = BoxTruth(np.zeros((0, 4), np.float32), np.zeros(0, int), np.zeros(0, bool), np.zeros(0, int))
    assert (answers(empty, asked)[0] == NONE).all()


class _Sample:
    clip, labels, key, provenance = rig.clip(), rig.labels(), "rig", {}


def test_a_batch_depends_on_seed_and_step_alone():
    draw = BoxDraw(Scenes.of([_Sample, _Sample], every=3))
    one, again, other = (batch_of(draw, AugmentConfig(), size=2, seed=0, step=step) for step in (4, 4, 5))
    assert torch.equal(one.pictures, again.pictures) and np.array_equal(one.asked, again.asked)
    assert one.asked.shape == (2, ASKED, 4) and not torch.equal(one.pictures, other.pictures)
    assert truth_of(_Sample.labels, 3).good.all()
    right = np.concatenate([answers(t, b)[0] for t, b in zip(one.truths, one.asked, strict=True)])
    assert (right == NONE).mean() > 0.2 and (right >= 0).sum() - (right == NONE).sum() > 5  # wrong boxes and true ones


def test_it_can_learn():
    torch.manual_seed(0)
    draw = BoxDraw(Scenes.of([_Sample], every=4))
    verifier = Verifier(VerifierConfig((8, 8, 16, 16), (1, 1, 1), 16, 8, 32)).train()
    optimizer = torch.optim.AdamW(verifier.parameters(), 3e-3)
    first = last = 0.0
    for step in range(40):
        loss, parts = batch_loss(verifier, batch_of(draw, PLAIN, size=2, seed=0, step=step))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        last = parts["class"]
        first = first or last
    assert last < 0.6 * first, (first, last)
    labels = rig.labels()
    belief, _ = verify(verifier.eval(), rig.clip(), labels.frame_index, labels.box_px)
    assert (belief[:, NONE] < 0.5).mean() > 0.6 and set(belief[:, :NONE].argmax(1)) <= set(range(len(CLASSES)))
