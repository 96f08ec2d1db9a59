from __future__ import annotations

import numpy as np
import pytest
import torch

from worldgen.core.errors import InputError
from worldgen.instruments.detector.pretrained import FAMILIES, DetectorSizes, TransformerDetector

TINY = DetectorSizes(width=32, queries=20, decoder_layers=2, stem=8)


@pytest.fixture(scope="module", params=FAMILIES)
def detector(request):
    torch.manual_seed(0)
    return TransformerDetector(request.param, ("vehicle", "pedestrian", "cyclist"), sizes=TINY)


def test_the_loss_falls_and_pictures_without_objects_are_fine(detector):
    pictures = torch.rand(2, 3, 64, 96) * 2 - 1
    boxes, groups = [np.array([[10, 10, 40, 40.0]]), np.zeros((0, 4))], [np.array([1]), np.zeros(0, int)]
    optimiser = torch.optim.AdamW(detector.parameters(), 1e-3)
    detector.train()
    losses = []
    for _ in range(8):
        loss = detector.loss(pictures, boxes, groups)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(detector.parameters(), 0.1)
        optimiser.step()
        losses.append(loss.item())
    assert np.isfinite(losses).all() and losses[-1] < losses[0]


def test_found_boxes_lie_in_the_picture_by_falling_score(detector):
    detector.eval()
    for group, box, score in detector.find(torch.rand(2, 3, 64, 96) * 2 - 1, size=(90, 60), threshold=0.0):
        assert len(group) == len(box) == len(score) == TINY.queries
        assert (np.diff(score) <= 0).all() and set(group) <= {0, 1, 2}
        assert box.min() >= 0 and box[:, 2].max() <= 90 and box[:, 3].max() <= 60


def test_weights_come_back_with_other_classes(detector, tmp_path):
    detector.network.save_pretrained(tmp_path)
    family = "dfine" if "DFine" in type(detector.network).__name__ else "rtdetr"
    again = TransformerDetector(family, ("vehicle", "pedestrian", "cyclist"), checkpoint=str(tmp_path))
    name = next(n for n, p in detector.network.named_parameters() if "backbone" in n)
    assert torch.equal(dict(detector.network.named_parameters())[name], dict(again.network.named_parameters())[name])


def test_what_is_no_detector_is_refused(tmp_path):
    with pytest.raises(InputError, match="dfine, rtdetr"):
        TransformerDetector("yolo", ("a",))
    with pytest.raises(InputError, match="folder"):
        TransformerDetector("dfine", ("a",), checkpoint=str(tmp_path / "absent"))
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(InputError, match="DFine"):
        TransformerDetector("dfine", ("a",), checkpoint=str(tmp_path))
