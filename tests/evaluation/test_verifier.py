"""The verifier: crops show the box where it is, weights survive saving, and a few examples can be learnt."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from worldgen.core.clip import Clip
from worldgen.core.errors import InputError
from worldgen.core.labels import CLASSES
from worldgen.evaluation.verifier import (
    CONTEXT,
    CROP_PX,
    NONE,
    Verifier,
    VerifierConfig,
    crop,
    load_verifier,
    save_verifier,
    to_input,
    verifier_hash,
    verify,
)  # fmt: skip

SMALL = VerifierConfig((8, 12, 16), 24)


@pytest.mark.parametrize(
    "box",
    [(30, 20, 50, 60), (10, 10, 18, 14), (100, 30, 180, 110), (5, 5, 210, 120)],
    ids=["tall", "small", "large", "huge"],
)
def test_the_box_is_in_the_middle_and_its_content_under_the_mask(box):
    frame = np.zeros((128, 224, 3), np.uint8)
    x0, y0, x1, y1 = box
    frame[y0:y1, x0:x1] = 255
    out = crop(frame, np.array(box))
    assert out.shape == (CROP_PX, CROP_PX, 4) and out.dtype == np.uint8
    inside, bright = out[..., 3] > 0, out[..., 0] > 127
    assert (inside == bright).mean() > 0.93  # edges fall between pixels
    rows, columns = np.nonzero(inside)
    assert abs(rows.mean() - (CROP_PX - 1) / 2) < 1 and abs(columns.mean() - (CROP_PX - 1) / 2) < 1
    side = max(CONTEXT * max(x1 - x0, y1 - y0), 12)
    assert inside.any(0).sum() == pytest.approx((x1 - x0) / side * CROP_PX, abs=1.5)


def test_at_the_edge_the_picture_goes_on():
    frame = np.full((64, 64, 3), 70, np.uint8)
    frame[:, 0] = 200
    out = crop(frame, np.array([-10.0, 20, 10, 40]))
    assert (out[:, : CROP_PX // 4, 0] == 200).all() and out[0, -1, 0] == 70


def test_a_box_is_judged_alike_alone_and_among_others():
    rng = np.random.default_rng(0)
    clip = Clip(rng.integers(0, 256, (3, 64, 96, 3), np.uint8), 8.0)
    boxes = np.stack(
        [rng.uniform(0, 40, 20), rng.uniform(0, 30, 20), rng.uniform(50, 96, 20), rng.uniform(40, 64, 20)], 1
    )
    frames = rng.integers(0, 3, 20)
    verifier = Verifier(SMALL).eval()
    together = verify(verifier, clip, frames, boxes, batch=7)
    one = verify(verifier, clip, frames[4:5], boxes[4:5])
    assert together[0].shape == (20, NONE + 1) and np.allclose(together[0].sum(1), 1, atol=1e-5)
    assert np.allclose(together[0][4], one[0][0], atol=1e-5) and np.allclose(together[1][4], one[1][0], atol=1e-5)
    nothing = verify(verifier, clip, frames[:0], boxes[:0])
    assert nothing[0].shape == (0, NONE + 1) and nothing[1].shape == (0,)


def test_weights_survive_saving_and_damage_is_refused(tmp_path):
    verifier = Verifier(SMALL).eval()
    save_verifier(verifier, tmp_path)
    loaded = load_verifier(tmp_path)
    x = torch.rand(2, 4, CROP_PX, CROP_PX)
    for one, two in zip(verifier(x), loaded(x), strict=True):
        assert torch.allclose(one, two, atol=2e-2)  # stored in float16
    assert len(verifier_hash(tmp_path)) == 32
    record = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**record, "classes": ["cat"]}))
    with pytest.raises(InputError, match="verifier"):
        load_verifier(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({**record, "hidden": 30}))
    with pytest.raises(InputError, match="another shape"):
        load_verifier(tmp_path)
    with pytest.raises(InputError, match="a folder with config"):
        load_verifier(tmp_path / "none")
    with pytest.raises(InputError, match="verifier sizes"):
        VerifierConfig((1, 2), 3)


def test_a_few_boxes_can_be_learnt():
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    frame = np.full((96, 96, 3), 90, np.uint8)
    frame[30:60, 20:50] = (220, 30, 30)
    frame[40:80, 65:80] = (30, 30, 220)
    crops, names, fits = [], [], []
    for number, box in enumerate([(20, 30, 50, 60), (65, 40, 80, 80), (0, 0, 20, 20)] * 10):
        shake = rng.normal(0, 1, 4)
        crops.append(crop(frame, np.array(box) + shake))
        names.append((CLASSES.index("car"), CLASSES.index("pedestrian"), NONE)[number % 3])
        fits.append((0.9, 0.9, 0.0)[number % 3])
    x, y, fit = to_input(np.stack(crops)), torch.tensor(names), torch.tensor(fits)
    verifier = Verifier(SMALL).train()
    optimizer = torch.optim.AdamW(verifier.parameters(), 3e-3)
    for _ in range(25):
        logits, guess = verifier(x)
        loss = F.cross_entropy(logits, y) + F.binary_cross_entropy_with_logits(guess, fit)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    logits, guess = verifier.eval()(x)
    assert (logits.argmax(1) == y).float().mean() > 0.9
    assert guess.sigmoid()[fit > 0.5].mean() > guess.sigmoid()[fit < 0.5].mean() + 0.4
