from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from worldgen.core.clip import Clip
from worldgen.core.errors import InputError
from worldgen.core.labels import CLASSES
from worldgen.instruments.augmentation import AugmentConfig, augmented
from worldgen.instruments.detector import detector as detector_module
from worldgen.instruments.detector import detector_training as training
from worldgen.instruments.detector.detector import (
    GROUP_OF_CLASS,
    GROUPS,
    Detections,
    Detector,
    DetectorConfig,
    box_iou,
    detect,
    find,
    load_detector,
    save_detector,
)
from worldgen.instruments.detector.pictures import Boxes, Pictures
from worldgen.instruments.feature_pyramid import BoxMaps, cell_centres

TINY = DetectorConfig(widths=(8, 12, 16, 16), depths=(1, 1, 1), neck=12)
STILL = AugmentConfig(mirror=0, zoom=0, light=0, softness=0)


def block_pictures(count=6, size=64):
    """Bright blocks on grey: wide ones are vehicles, tall ones pedestrians."""
    rng = np.random.default_rng(3)
    frames = np.full((count, size, size, 3), 90, np.uint8)
    index, group, box = [], [], []
    for p in range(count):
        for g, (w, h) in enumerate(((22, 12), (8, 20))):
            x, y = rng.integers(2, size // 2 - w // 2) + g * size // 2, rng.integers(2, size - h - 2)
            x = min(x, size - w - 2)
            frames[p, y : y + h, x : x + w] = (250, 40, 40) if g == 0 else (40, 250, 40)
            index.append(p)
            group.append(g)
            box.append((x, y, x + w, y + h))
    boxes = Boxes(
        np.array(index), np.array(group), np.array(box, np.float32), np.zeros(len(box), bool),
        np.full(len(box), np.nan, np.float32),
    )  # fmt: skip
    return Pictures(frames, boxes, np.arange(count), ((),) * count)


def test_every_class_has_a_group_or_none():
    named = {CLASSES[i]: GROUPS[g] if g >= 0 else None for i, g in enumerate(GROUP_OF_CLASS)}
    assert named["bus"] == "vehicle" and named["bicycle"] == "cyclist" and named["traffic_cone"] is None


def test_overlap_of_known_boxes():
    a = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 20, 20]], np.float32)
    np.testing.assert_allclose(box_iou(a, a)[0], [1, 1 / 3, 0])
    assert box_iou(a, a)[2, 2] == 0.0, "empty boxes overlap nothing"
    giou = training.generalised_iou(torch.tensor(a[:1]), torch.tensor([[20.0, 0, 30, 10]]))
    assert giou.item() == pytest.approx(-1 / 3)


def test_wide_clips_are_read_at_the_width_of_the_training_pictures(monkeypatch):
    seen = []

    def one_box(_, clip, *, threshold):
        seen.append((clip.width_px, clip.height_px, threshold))
        return Detections(np.array([0]), np.array([1]), np.array([[10, 20, 30, 60]], np.float32), np.array([0.5]))

    monkeypatch.setattr(detector_module, "detect", one_box)
    for width, height, factor in ((448, 256, 2), (224, 128, 1), (160, 96, 1)):
        clip = Clip(np.zeros((1, height, width, 3), np.uint8), 8.0)
        found = detector_module.detect_at_width(Detector(), clip, threshold=0.2)
        assert found.box_px.tolist() == [[10 * factor, 20 * factor, 30 * factor, 60 * factor]]
    assert seen == [(224, 128, 0.2), (224, 128, 0.2), (160, 96, 0.2)]


def test_a_box_written_into_the_outputs_comes_back():
    """Heat at one cell and its distances to the sides give the box, whatever the network."""

    class Fixed(Detector):
        def forward(self, pictures):
            rows, columns = pictures.shape[2] // 4, pictures.shape[3] // 4
            heat = torch.full((1, 3, rows, columns), -9.0)
            sides = torch.ones(1, 4, rows, columns)
            centre = cell_centres(rows, columns)[:, 3, 5]
            heat[0, 1, 3, 5] = 4.0
            sides[0, :, 3, 5] = torch.tensor([centre[0] - 10, centre[1] - 4, 31 - centre[0], 25 - centre[1]])
            return heat, sides

    ((group, box, score),) = find(Fixed(TINY), np.zeros((1, 60, 50, 3), np.uint8))
    np.testing.assert_allclose(box, [[10, 4, 31, 25]], atol=1e-4)
    assert GROUPS[group[0]] == "pedestrian" and score[0] == pytest.approx(torch.sigmoid(torch.tensor(4.0)).item())


def test_folding_the_norms_changes_nothing():
    torch.manual_seed(0)
    detector = Detector(TINY)
    x = torch.randn(2, 3, 64, 96)
    detector(x)  # statistics that are not those of the start
    detector.eval()
    before = [part.detach() for part in detector(x)]
    for a, b in zip(before, detector.folded()(x), strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-3)


def test_frames_are_judged_one_by_one():
    torch.manual_seed(1)
    detector = Detector(TINY).folded()
    frames = np.random.default_rng(0).integers(0, 256, (5, 48, 80, 3), np.uint8)
    together = detect(detector, Clip(frames, 8.0), threshold=0.0, batch=5)
    alone = detect(detector, Clip(frames, 8.0), threshold=0.0, batch=2)
    assert len(together) == len(alone) > 0
    np.testing.assert_allclose(together.box_px, alone.box_px, atol=1e-2)
    assert together.box_px.min() >= 0 and together.box_px[:, 2].max() <= 80


class Answers(torch.nn.Module):
    """Gives the same boxes for every picture: by cell (column, row) with their scores, all pedestrians."""

    def __init__(self, boxes: dict[tuple[int, int], tuple[list[float], float]], rows: int = 16, columns: int = 16):
        super().__init__()
        self.none = torch.nn.Parameter(torch.zeros(1))
        self.logits, self.sides = torch.full((1, 3, rows, columns), -12.0), torch.ones(1, 4, rows, columns)
        for (x, y), (box, score) in boxes.items():
            centre = cell_centres(rows, columns)[:, y, x]
            self.logits[0, 1, y, x] = torch.logit(torch.tensor(score))
            self.sides[0, :, y, x] = torch.cat([centre - torch.tensor(box[:2]), torch.tensor(box[2:]) - centre])

    def forward(self, pictures):
        return self.logits, self.sides


def test_two_people_side_by_side_are_two_and_cells_of_one_are_averaged():
    left, right = [18.0, 10.0, 24.0, 40.0], [22.5, 10.0, 28.5, 40.0]  # centres in cells beside each other
    near = [18.0, 10.0, 25.0, 42.0]
    network = Answers({(5, 6): (left, 0.9), (6, 6): (right, 0.6), (5, 7): (near, 0.3)})
    ((group, box, score),) = find(network, np.zeros((1, 64, 64, 3), np.uint8))
    assert group.tolist() == [1, 1] and score == pytest.approx([0.9, 0.6])
    np.testing.assert_allclose(box[0], np.average([left, near], axis=0, weights=[0.9, 0.3]), atol=1e-4)
    np.testing.assert_allclose(box[1], right, atol=1e-4)


def test_no_more_objects_than_allowed_and_none_is_fine(monkeypatch):
    monkeypatch.setattr("worldgen.instruments.detector.detector.MAX_OBJECTS", 3)
    many = Answers({(x, 4): ([4.0 * x, 16.0, 4.0 * x + 4, 20.0], 0.3 + 0.05 * x) for x in range(8)})
    ((_, box, score),) = find(many, np.zeros((1, 64, 64, 3), np.uint8))
    assert score == pytest.approx([0.65, 0.6, 0.55], abs=1e-5) and box[:, 0] == pytest.approx([28, 24, 20], abs=1e-4)
    ((group, box, score),) = find(Answers({}), np.zeros((1, 64, 64, 3), np.uint8))
    assert len(group) == len(score) == 0 and box.shape == (0, 4)


def test_the_peak_of_the_target_is_the_cell_of_the_centre():
    box = np.array([[8, 8, 24, 40]], np.float32)
    targets = training.targets_of([box], [np.array([1])], [np.array([False])], (1, 16, 16))
    assert targets.heat[0, 1, 6, 4] == 1.0 and targets.heat.sum() == targets.heat[0, 1].sum()
    assert targets.weight.sum().item() == pytest.approx(np.log2(16 * 32), rel=0.05)
    ignored = training.targets_of([box], [np.array([1])], [np.array([True])], (1, 16, 16))
    assert ignored.num_objects == 0 and ignored.counted[0, 1, 2:10, 2:6].sum() == 0 and ignored.counted[0, 0].all()


def test_a_narrow_box_also_marks_the_cells_beside_its_centre_if_asked_to():
    box = np.array([[20.5, 8, 26.5, 24]], np.float32)  # its centre, x 23.5, is half a pixel left of a cell's edge
    group, wanted, shape = [np.array([1])], [np.array([False])], (1, 16, 16)
    alone = training.targets_of([box], group, wanted, shape).heat[0, 1]
    assert alone[4, 5] == 1 and alone[:, 4].max() == alone[:, 6].max() == 0
    beside = training.targets_of([box], group, wanted, shape, spread=0.6).heat[0, 1]
    assert beside[4, 5] == 1 and 0.6 < beside[4, 6] < 1 and 0 < beside[4, 4] < 0.1
    big = np.array([[10, 10, 58, 58]], np.float32)  # wider than the spread, its centre that of a cell: nothing changes
    heats = [training.targets_of([big], group, wanted, shape, spread=spread).heat for spread in (0.0, 0.6)]
    torch.testing.assert_close(*heats)


def test_the_rate_is_held_and_the_steps_may_change_until_it_falls():
    config = training.DetectorTraining(steps=1000, warmup=100, hold=0.5)
    rates = [training.learning_rate(config, step) for step in range(1000)]
    assert rates[99:550] == [config.learning_rate] * 451 and rates[551] < rates[550] and rates[999] < 1e-7
    assert rates[:550] == [training.learning_rate(replace(config, steps=1200), step) for step in range(550)]
    with pytest.raises(InputError, match="hold"):
        training.DetectorTraining(hold=1.0)


def test_a_deeper_detector_starts_with_the_answers_of_a_shallow_one():
    torch.manual_seed(2)
    shallow = Detector(TINY).eval()
    config = training.DetectorTraining(model=replace(TINY, depths=(2, 1, 3)))
    deep = training.initial_state(config, shallow.state_dict()).average
    x = torch.rand(1, 3, 32, 48) * 2 - 1
    for ours, theirs in zip(deep(x), shallow(x), strict=True):
        torch.testing.assert_close(ours, theirs)
    with pytest.raises(RuntimeError):
        training.initial_state(training.DetectorTraining(), shallow.state_dict())


def test_crops_hold_an_object_and_its_box_moves_along():
    pictures = block_pictures()
    config = training.DetectorTraining(steps=1, batch=4, augment=STILL, crops=1.0)
    for step in range(6):
        x, targets = training.batch_of(pictures, config, step, np.full(len(pictures), 1 / len(pictures)))
        height = pictures.frames.shape[1]
        assert x.shape == (4, 3, height, height)
        assert (targets.heat == 1).flatten(1).any(1).all()  # every one of these pictures has objects
        assert targets.box.min() >= 0 and targets.box.max() <= height
    frame = np.zeros((8, 24, 3), np.uint8)
    frame[2:6, 11:14] = 255
    box = np.array([[11, 2, 14, 6]], np.float32)
    for seed in range(20):
        seen, moved, left = training.object_crop(frame, box, np.ones(1), rng=np.random.default_rng(seed))
        xs = np.flatnonzero(seen[3, :, 0])
        assert [moved[0, 0], moved[0, 2]] == [xs[0], xs[-1] + 1] and left[0] == pytest.approx(len(xs) / 3)


def test_a_perfect_answer_costs_nothing_and_others_cost():
    box = np.array([[8, 8, 24, 40]], np.float32)
    targets = training.targets_of([box], [np.array([1])], [np.array([False])], (1, 16, 16))
    x, y = cell_centres(16, 16)
    sides = torch.stack([x - 8, y - 8, 24 - x, 40 - y])[None]
    sure = torch.where(targets.heat >= 1, 12.0, -12.0)
    heat, fit = training.detection_loss(BoxMaps(sure, sides), targets)
    assert heat < 1e-3 and fit.item() == pytest.approx(0, abs=1e-5)
    worse, off = training.detection_loss(BoxMaps(-sure, sides + 3), targets)
    assert worse > 5 and off > 0.1


def test_augmentation_moves_boxes_with_the_pixels():
    frame = np.zeros((64, 96, 3), np.uint8)
    frame[20:40, 30:60] = 255
    box = np.array([[30, 20, 60, 40]], np.float32)
    for seed in range(8):
        moved, cut, left = augmented(
            frame, box, AugmentConfig(mirror=0.5, zoom=1, light=0, softness=0), rng=np.random.default_rng(seed)
        )
        ys, xs = np.nonzero(moved[..., 0] > 160)
        np.testing.assert_allclose(cut[0], [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1], atol=1.1)
        assert 0 < left[0] <= 1.0001


def test_training_learns_a_few_pictures_and_stops_and_goes_on_the_same(tmp_path):
    pictures = block_pictures()
    config = training.DetectorTraining(
        steps=160, batch=6, learning_rate=6e-3, warmup=10, ema=0.9, augment=STILL, model=TINY
    )
    losses = []
    trained = training.train_detector(pictures, config, after_step=lambda step, part: losses.append(sum(part.values())))
    assert np.mean(losses[-10:]) < 0.35 * np.mean(losses[:10])
    for p, (group, box, score) in enumerate(find(trained.folded(), pictures.frames, threshold=0.3)):
        wanted = pictures.boxes.where(pictures.boxes.picture_index == p)
        for g, b in zip(wanted.group, wanted.box_px, strict=True):
            assert (box_iou(b[None], box[group == g]) > 0.5).any(), (p, g, score)

    short = replace(config, steps=8)
    whole = training.train_detector(pictures, short)
    state = training.initial_state(short)
    state.network.train()
    shares = np.full(len(pictures), 1 / len(pictures))
    for step in range(4):
        training.train_step(state, *training.batch_of(pictures, short, step, shares), config=short)
    training.keep(state, tmp_path)
    resumed = training.train_detector(pictures, short, folder=tmp_path)
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name


def test_saving_and_loading_and_what_does_not_fit(tmp_path):
    torch.manual_seed(2)
    detector = Detector(TINY).eval()
    save_detector(detector, tmp_path)
    again = load_detector(tmp_path)
    x = torch.randn(1, 3, 32, 32)
    for a, b in zip(detector(x), again(x), strict=True):
        torch.testing.assert_close(a, b, atol=0.05, rtol=0.05)
    record = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**record, "neck": 16}))
    with pytest.raises(InputError, match=r"neck|head|shape|missing|extra"):
        load_detector(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({**record, "groups": ["cat"]}))
    with pytest.raises(InputError, match="groups"):
        load_detector(tmp_path)
    with pytest.raises(InputError, match="existing"):
        load_detector(tmp_path / "absent")
