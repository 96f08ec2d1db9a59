from __future__ import annotations

import numpy as np
import pytest

from worldgen.core.clip import Clip
from worldgen.core.errors import InputError
from worldgen.core.labels import CLASSES, COLUMNS, Labels
from worldgen.evaluation.measures import label_score
from worldgen.evaluation.measures.average_precision import SIZES
from worldgen.evaluation.measures.cases import Case
from worldgen.evaluation.measures.label_score import heights_judged, score_labels
from worldgen.instruments.detector.detector import Detector, DetectorConfig

pytest.importorskip("pycocotools", reason="average precision is judged by pycocotools")


class Eye(Detector):
    """Finds the white block of a picture: a detector that is never wrong."""

    def __init__(self):
        super().__init__(DetectorConfig((8, 8, 8, 8), (1, 1, 1), 8))


def see(detector, pictures, *, threshold=0.05):
    from worldgen.instruments.detector.detector import Detections

    rows = []
    for number, frame in enumerate(pictures.frames):
        ys, xs = np.nonzero(frame[..., 0] > 128)
        if len(xs):
            rows.append((number, 0, (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1), 0.9))
    return Detections(
        np.array([r[0] for r in rows], np.int64), np.array([r[1] for r in rows], np.int64),
        np.array([r[2] for r in rows], np.float32).reshape(-1, 4), np.array([r[3] for r in rows], np.float32),
    )  # fmt: skip


def case(key, at, *, frames=4, first=0, shown=True):
    """A clip with a block, and labels that say where it is."""
    pixels = np.zeros((frames, 64, 96, 3), np.uint8)
    box = (at, 10, at + 16, 30)
    if shown:
        pixels[:, 10:30, at : at + 16] = 255
    pixels[:first] = 0  # what was given to the model is not looked at
    columns = {n: np.zeros((frames,) if w == 1 else (frames, w), d) for n, (d, w) in COLUMNS.items()}
    columns["frame_index"], columns["track_id"] = np.arange(frames), np.ones(frames, np.int64)
    columns["class_id"][:] = CLASSES.index("car")
    columns["box_px"][:] = columns["amodal_box_px"][:] = box
    columns["visible_fraction"][:] = 1
    return Case(key, Clip(pixels, 8.0), None, None, None, first, Labels(frames, 96, 64, "scene", **columns))


def test_true_labels_score_one_wrong_ones_zero_and_context_frames_do_not_count(monkeypatch):
    monkeypatch.setattr(label_score, "find_in", see)
    score = score_labels(Eye(), [case("a", 5, first=2), case("b", 30), case("c", 60, frames=6)])
    assert score.generated.value("all", "vehicle") == 1.0 and score.generated.objects("all", "vehicle") == 2 + 4 + 6
    assert score.wrong.value("from_8px", "vehicle") == 0.0
    assert score.rendered is None and not np.isfinite(score.relative("all", "vehicle").value)


def test_pixels_that_do_not_show_the_labels_lower_the_score(monkeypatch):
    monkeypatch.setattr(label_score, "find_in", see)
    score = score_labels(Eye(), [case("a", 5), case("b", 30, shown=False)])
    assert score.generated.value("all", "vehicle") == pytest.approx(0.5, abs=0.01)


def test_clips_of_two_sizes_and_clips_without_labels_are_refused():
    with pytest.raises(InputError, match="labels"):
        score_labels(Eye(), [Case("x", Clip(np.zeros((2, 8, 8, 3), np.uint8), 8.0), None, None, None)])


def test_a_group_is_judged_from_the_height_on_where_the_bar_is_reached():
    def rows(group, values):
        return {f"ap50_{group}_{piece.name}": {"value": v} for piece, v in zip(SIZES, values, strict=True)}

    known = rows("vehicle", (0.7, 0.85, 0.92, 0.95, 0.97, 0.97)) | rows(
        "pedestrian", (0.91, 0.92, 0.93, 0.8, 0.94, 0.89)
    )
    assert heights_judged(known) == {"vehicle": "from_16px"}, "worse again above is not trusted"
    with pytest.raises(InputError, match="judges nothing"):
        heights_judged({})
