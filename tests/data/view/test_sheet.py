"""Contact sheets: boxes around their objects, text that fits."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import ImageFont

from tests.data.samples import make_clip, make_labels
from worldgen.core.errors import InputError
from worldgen.core.labels import CLASSES, Labels
from worldgen.data.view.sheet import CLASS_COLOURS, contact_sheet, draw_labels, wrap


def near(picture, colour, tolerance=40):
    return (np.abs(picture.astype(int) - colour) < tolerance).all(-1)


def test_every_class_has_a_colour_of_its_own():
    assert tuple(CLASS_COLOURS) == CLASSES
    colours = np.array(list(CLASS_COLOURS.values()), float)
    apart = np.linalg.norm(colours[:, None] - colours[None], axis=-1) + np.eye(len(CLASSES)) * 1e3
    assert apart.min() > 40


def test_boxes_are_drawn_around_their_objects():
    labels = make_labels().at(0)
    black = np.zeros((48, 64, 3), np.uint8)
    shown = draw_labels(black, labels, width_px=640)
    assert shown.shape == (480, 640, 3) and shown.dtype == np.uint8
    drawn = near(shown, CLASS_COLOURS["car"])
    x0, y0, x1, y1 = (labels.box_px[0] * 10).astype(int)
    for row, column in ((y0, (x0 + x1) // 2), (y1, (x0 + x1) // 2), ((y0 + y1) // 2, x0), ((y0 + y1) // 2, x1)):
        assert drawn[row - 3 : row + 4, column - 3 : column + 4].any()
    rows, columns = np.nonzero(drawn)
    assert columns.min() >= x0 - 4 and columns.max() <= x1 + 4 and rows.max() <= y1 + 4  # a tag may stand above
    assert not near(shown, CLASS_COLOURS["truck"]).any()  # hidden: no area


def test_a_small_object_has_a_thin_box_and_no_tag():
    from dataclasses import replace

    labels = replace(make_labels().at(0), box_px=np.array([[20, 20, 22, 22]] * len(make_labels().at(0)), float))
    shown = draw_labels(np.zeros((48, 64, 3), np.uint8), labels, width_px=640)
    rows, columns = np.nonzero(shown.any(-1))
    assert rows.min() >= 198 and rows.max() <= 221 and columns.min() >= 198 and columns.max() <= 221
    assert not shown[205:215, 205:215].any()  # what is inside stays as it was


def test_ignored_objects_have_a_grey_broken_box():
    from dataclasses import replace

    labels = make_labels().at(0)
    shown = draw_labels(np.zeros((48, 64, 3), np.uint8), replace(labels, ignore=np.ones(len(labels), bool)))
    assert not near(shown, CLASS_COLOURS["car"]).any() and shown.any()


def test_no_labels_is_only_enlarged():
    frame = make_clip().frames[0]
    assert np.array_equal(draw_labels(frame, Labels.empty(6, 64, 48), width_px=64), frame)
    assert draw_labels(frame, Labels.empty(6, 64, 48)).shape == (480, 640, 3)


def test_wrong_size_is_refused():
    with pytest.raises(InputError, match="size of the labelled picture"):
        draw_labels(np.zeros((10, 10, 3), np.uint8), make_labels().at(0))


def test_a_crowd_and_the_edges_do_not_break_it():
    rng = np.random.default_rng(0)
    corners = np.sort(rng.uniform(0, 1, (200, 2, 2)), 1) * [64, 48]
    boxes = corners.reshape(200, 4)
    labels = Labels(
        num_frames=1, width_px=64, height_px=48, source="scene", frame_index=np.zeros(200), track_id=np.arange(200),
        class_id=rng.integers(0, 9, 200), box_px=boxes, amodal_box_px=boxes, visible_fraction=np.ones(200),
        occlusion=np.zeros(200), truncation=np.zeros(200), box3d=np.full((200, 7), np.nan), ignore=np.zeros(200, bool),
    )  # fmt: skip
    for width in (64, 320, 640):
        assert draw_labels(np.zeros((48, 64, 3), np.uint8), labels, width_px=width).shape[1] == width


def test_contact_sheet_layout():
    clips = [make_clip(0), make_clip(1, frames=2), make_clip(2, size=(65, 49))]
    sheet = contact_sheet(
        clips, ["one", "two words", ""], labels=[make_labels(), None, None], frames_per_clip=4, cell_width_px=100
    )
    assert sheet.dtype == np.uint8 and sheet.shape[1] == 2 * 16 + 4 * 100 + 3 * 6
    again = contact_sheet(
        clips, ["one", "two words", ""], labels=[make_labels(), None, None], frames_per_clip=4, cell_width_px=100
    )
    assert np.array_equal(sheet, again)
    one = contact_sheet([make_clip(frames=1)])
    assert one.shape[1] == 2 * 16 + 320
    later = contact_sheet([make_clip(frames=1)], times_s=[[7.5]])
    assert later.shape == one.shape and not np.array_equal(later, one)
    with pytest.raises(InputError, match="times"):
        contact_sheet([make_clip()], times_s=[[1.0]])
    two_rows = contact_sheet([make_clip()], frames_per_clip=6, columns=3)
    assert two_rows.shape[1] == 2 * 16 + 3 * 320 + 2 * 6


@pytest.mark.parametrize(
    "bad", [{"captions": ["one"]}, {"frames_per_clip": 0}, {"columns": 0}, {"cell_width_px": 3}, {"labels": [None]}]
)
def test_bad_sheet(bad):
    with pytest.raises(InputError, match="contact sheet"):
        contact_sheet([make_clip(), make_clip()], **bad)
    with pytest.raises(InputError, match="contact sheet"):
        contact_sheet([])


def test_wrap_keeps_the_width():
    font = ImageFont.load_default(16)
    for text in ("", "short", "many words " * 40, "x" * 500):
        lines = wrap(text, 200, font, max_lines=2)
        assert len(lines) <= 2 and all(font.getlength(line) <= 200 for line in lines)
    assert wrap("many words " * 40, 200, font, max_lines=2)[-1].endswith("…")
    assert wrap("a b c", 200, font, max_lines=2) == ["a b c"]
