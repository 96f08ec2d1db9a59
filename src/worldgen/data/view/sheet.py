"""Pictures for people: frames with their labels drawn, and contact sheets of clips."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from worldgen.core.clip import Clip
from worldgen.core.errors import InputError
from worldgen.core.labels import CLASSES, Labels

CLASS_COLOURS: dict[str, tuple[int, int, int]] = {
    "car": (76, 201, 240), "truck": (96, 140, 255), "bus": (179, 136, 255), "motorcycle": (255, 92, 168),
    "bicycle": (166, 226, 46), "cyclist": (48, 224, 160), "pedestrian": (255, 183, 3),
    "traffic_light": (255, 93, 93), "traffic_cone": (251, 133, 0), "animal": (214, 204, 160),
}  # fmt: skip
"""Class -> RGB, bright enough to stand out on a road by day and by night. Text on these colours is black."""

IGNORED_COLOUR = (170, 176, 184)
INK, PAPER = (232, 234, 237), (17, 20, 24)
LABELLED_WIDTH_PX = 640
CELL_WIDTH_PX = 320
MARGIN_PX = 16
GAP_PX = 6
SUPERSAMPLE = 2
TAG_SHARE = 1.0
"""Objects smaller than this share of their tag's area get a box without a tag, which would hide them."""
COVERING_SHARE = 4.0
"""Objects larger than this share of their tag's area are told by name even where the tag covers another object."""
THIN_BELOW_PX = 28
"""Boxes with a shorter side than this have a thin line and no tint, so that what is in them can be seen."""


@functools.lru_cache(maxsize=16)
def _font(size_px: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size_px)  # a TrueType face inside Pillow, the same on every machine
    assert isinstance(font, ImageFont.FreeTypeFont), "Pillow was built without FreeType"
    return font


def draw_labels(frame: np.ndarray, labels: Labels, *, width_px: int | None = None) -> np.ndarray:
    """A frame with its objects' boxes, class and track number drawn, enlarged so the text can be read.

    frame: ``(H, W, 3)`` uint8 RGB. labels: objects of this frame (``labels.at(i)``), boxes in pixels of ``frame``.
    width_px: width of the result, by default that of the frame and at least 640. Returns ``(H', width_px, 3)`` uint8 of
    the same aspect ratio. Objects flagged ``ignore`` get a thin broken line and no text; boxes without area are left
    out.

    Raises: InputError when the labels belong to pictures of another size.
    """
    height, width = frame.shape[:2]
    if (labels.width_px, labels.height_px) != (width, height):
        raise InputError("size of the labelled picture", (labels.width_px, labels.height_px), f"{(width, height)}")
    width_px = max(width, LABELLED_WIDTH_PX) if width_px is None else width_px
    scale = width_px / width
    shown = _resized(frame, width_px)
    if not len(labels):
        return shown
    boxes = labels.box_px.astype(np.float64) * scale
    visible = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    far_first = np.argsort(boxes[:, 3] - labels.ignore * 1e6, kind="stable")  # near objects over far ones
    picture = Image.fromarray(shown)
    big = picture.resize((picture.width * SUPERSAMPLE, picture.height * SUPERSAMPLE), Image.Resampling.BILINEAR)
    pen = ImageDraw.Draw(big, "RGBA")
    for row in far_first[visible[far_first]]:
        _draw_box(pen, boxes[row] * SUPERSAMPLE, CLASSES[labels.class_id[row]], bool(labels.ignore[row]))
    picture = big.resize(picture.size, Image.Resampling.BOX)
    pen = ImageDraw.Draw(picture, "RGBA")
    taken: list[Place] = []
    for row in far_first[(visible & ~labels.ignore)[far_first]][::-1]:  # near objects choose their tag's place first
        word = CLASSES[labels.class_id[row]]
        text = f"{word.replace('_', ' ')} {labels.track_id[row]}"
        others = [
            tuple(box)
            for other, box in enumerate(boxes)
            if other != row and visible[other] and not labels.ignore[other]
        ]
        size = _tag_size(pen, text, picture.width)
        share = (boxes[row, 2] - boxes[row, 0]) * (boxes[row, 3] - boxes[row, 1]) / (size[0] * size[1])
        if share < TAG_SHARE:
            continue
        tag = _tag_place(boxes[row], size, taken, others, picture.size, covering=share >= COVERING_SHARE)
        if tag is not None:
            taken.append(tag)
            _draw_tag(pen, tag, text, CLASS_COLOURS[word], picture.width)
    return np.asarray(picture)


def _resized(frame: np.ndarray, width_px: int) -> np.ndarray:
    height_px = max(1, round(frame.shape[0] * width_px / frame.shape[1]))
    if (height_px, width_px) == frame.shape[:2]:
        return frame.copy()
    how = cv2.INTER_AREA if width_px < frame.shape[1] else cv2.INTER_CUBIC
    return cv2.resize(frame, (width_px, height_px), interpolation=how)


def _draw_box(pen: ImageDraw.ImageDraw, box: np.ndarray, word: str, ignored: bool) -> None:
    x0, y0, x1, y1 = (round(float(v)) for v in box)
    if ignored:
        _broken_line_box(pen, (x0, y0, x1, y1))
        return
    colour = CLASS_COLOURS[word]
    if min(x1 - x0, y1 - y0) < THIN_BELOW_PX * SUPERSAMPLE:
        pen.rectangle((x0 - SUPERSAMPLE, y0 - SUPERSAMPLE, x1 + SUPERSAMPLE - 1, y1 + SUPERSAMPLE - 1),
                      outline=(*colour, 255), width=SUPERSAMPLE)  # fmt: skip
        return
    line = 2 * SUPERSAMPLE
    pen.rectangle(
        (x0 - line, y0 - line, x1 + line - 1, y1 + line - 1), outline=(0, 0, 0, 110), width=line + SUPERSAMPLE
    )
    pen.rectangle(
        (x0 - line // 2, y0 - line // 2, x1 + line // 2 - 1, y1 + line // 2 - 1), fill=(*colour, 28),
        outline=(*colour, 255), width=line,
    )  # fmt: skip


def _broken_line_box(pen: ImageDraw.ImageDraw, box: tuple[int, int, int, int]) -> None:
    x0, y0, x1, y1 = box
    dash, width = 4 * SUPERSAMPLE, SUPERSAMPLE
    colour = (*IGNORED_COLOUR, 230)
    for x in range(x0, x1, 2 * dash):
        for y in (y0, y1):
            pen.line((x, y, min(x + dash, x1), y), fill=colour, width=width)
    for y in range(y0, y1, 2 * dash):
        for x in (x0, x1):
            pen.line((x, y, x, min(y + dash, y1)), fill=colour, width=width)


Place = tuple[float, float, float, float]


def _tag_font(width_px: int) -> ImageFont.FreeTypeFont:
    return _font(max(10, min(14, width_px // 46)))


def _tag_size(pen: ImageDraw.ImageDraw, text: str, width_px: int) -> tuple[float, float]:
    font = _tag_font(width_px)
    return pen.textlength(text, font=font) + 8, font.size + 4


def _tag_place(
    box: np.ndarray, tag: tuple[float, float], taken: list[Place], others: list[Place], size: tuple[int, int], *,
    covering: bool,
) -> Place | None:  # fmt: skip
    """The first place around a box that covers no tag and no other object; where there is none, and ``covering`` is
    True, one that covers an object; None when there is none."""
    width, height = tag
    x0, y0, x1, y1 = (float(v) for v in box)
    free = []
    for x, y in (
        (x0 - 2, y0 - height - 2),
        (x1 - width + 2, y0 - height - 2),
        (x0 - 2, y1 + 2),
        (x1 - width + 2, y1 + 2),
        (x0, y0),
    ):
        left = min(max(x, 0), size[0] - width)
        place = (left, y, left + width, y + height)
        if left >= 0 and y >= 0 and place[3] <= size[1] and not any(map(functools.partial(_overlap, place), taken)):
            free.append(place)
    clear = (place for place in free if not any(map(functools.partial(_overlap, place), others)))
    return next(clear, free[0] if free and covering else None)


def _overlap(one: Place, two: Place) -> bool:
    return one[0] < two[2] and two[0] < one[2] and one[1] < two[3] and two[1] < one[3]


def _draw_tag(pen: ImageDraw.ImageDraw, place: Place, text: str, colour: tuple[int, int, int], width_px: int) -> None:
    pen.rounded_rectangle(place, radius=3, fill=(*colour, 235))
    pen.text(
        (place[0] + 4, (place[1] + place[3]) / 2), text, font=_tag_font(width_px), fill=(10, 12, 16, 255), anchor="lm"
    )


def contact_sheet(
    clips: Sequence[Clip],
    captions: Sequence[str] = (),
    *,
    labels: Sequence[Labels | None] = (),
    times_s: Sequence[Sequence[float]] = (),
    frames_per_clip: int = 6,
    columns: int = 6,
    cell_width_px: int = CELL_WIDTH_PX,
) -> np.ndarray:
    """Frames of clips, spread evenly in time, with a caption above each clip, as one picture ``(H, W, 3)`` uint8 RGB.

    captions, labels: one per clip, or empty; labels that are not None are drawn on the frames. frames_per_clip: with
    the first and the last; shorter clips show fewer. times_s: per clip the time of each frame, for clips from which
    frames were left out; by default that of the clip. columns: most frames side by side.

    Raises: InputError when there is no clip or the counts differ.
    """
    if not clips or (captions and len(captions) != len(clips)) or (labels and len(labels) != len(clips)):
        raise InputError(
            "contact sheet", (len(clips), len(captions), len(labels)), "clips, and as many captions and labels"
        )
    if times_s and [len(times) for times in times_s] != [len(clip) for clip in clips]:
        raise InputError("contact sheet times", [len(times) for times in times_s], "one time per frame of each clip")
    if frames_per_clip < 1 or columns < 1 or cell_width_px < 32:
        raise InputError(
            "contact sheet layout", (frames_per_clip, columns, cell_width_px), "positive counts, cells from 32 px"
        )
    columns = min(columns, max(min(frames_per_clip, len(clip)) for clip in clips))
    width = 2 * MARGIN_PX + columns * cell_width_px + (columns - 1) * GAP_PX
    bands = []
    for number, clip in enumerate(clips):
        caption = captions[number] if captions else ""
        times = times_s[number] if times_s else np.arange(len(clip)) / clip.fps
        numbers = np.unique(np.linspace(0, len(clip) - 1, min(frames_per_clip, len(clip))).round().astype(int))
        own = labels[number] if labels else None
        cells = [
            _cell(clip.frames[i], float(times[i]), None if own is None else own.at(i), cell_width_px) for i in numbers
        ]
        bands.append(_band(caption, cells, columns, width))
    gap = np.full((MARGIN_PX, width, 3), PAPER, np.uint8)
    return np.concatenate([gap] + [part for band in bands for part in (band, gap)])


def _cell(frame: np.ndarray, time_s: float, labels: Labels | None, width_px: int) -> np.ndarray:
    """A frame, labelled, with its time in the corner."""
    picture = Image.fromarray(
        _resized(frame, width_px) if labels is None else draw_labels(frame, labels, width_px=width_px)
    )
    pen = ImageDraw.Draw(picture, "RGBA")
    text, font = f"{time_s:.2f} s", _font(11)
    bottom = picture.height - 5
    pen.rounded_rectangle((5, bottom - 16, 13 + pen.textlength(text, font=font), bottom), radius=3, fill=(0, 0, 0, 150))
    pen.text((9, bottom - 8), text, font=font, fill=(*INK, 255), anchor="lm")
    return np.asarray(picture)


def _band(caption: str, cells: list[np.ndarray], columns: int, width: int) -> np.ndarray:
    """One clip as a picture: its caption in at most two lines, then its frames in rows."""
    font = _font(16)
    lines = wrap(caption, width - 2 * MARGIN_PX, font, max_lines=2)
    line_px = 22
    head_px = len(lines) * line_px + (6 if lines else 0)
    cell_h, cell_w = max(cell.shape[0] for cell in cells), cells[0].shape[1]
    rows = -(-len(cells) // columns)
    band = Image.new("RGB", (width, head_px + rows * cell_h + (rows - 1) * GAP_PX), PAPER)
    pen = ImageDraw.Draw(band)
    for number, line in enumerate(lines):
        pen.text((MARGIN_PX, number * line_px + line_px / 2), line, font=font, fill=INK, anchor="lm")
    for number, cell in enumerate(cells):
        row, column = divmod(number, columns)
        band.paste(Image.fromarray(cell), (MARGIN_PX + column * (cell_w + GAP_PX), head_px + row * (cell_h + GAP_PX)))
    return np.asarray(band)


def wrap(text: str, width_px: float, font: ImageFont.FreeTypeFont, *, max_lines: int) -> list[str]:
    """Text in at most ``max_lines`` lines of ``width_px``, broken between words; an ellipsis marks omitted text."""
    lines: list[str] = []
    line = ""
    for word in text.split():
        longer = f"{line} {word}".strip()
        if font.getlength(longer) <= width_px:
            line = longer
            continue
        if line:
            lines.append(line)
        line = word
    if line:
        lines.append(line)
    if len(lines) > max_lines:
        lines = lines[:max_lines]
        lines[-1] += " …"
    return [_shortened(line, width_px, font) for line in lines]


def _shortened(line: str, width_px: float, font: ImageFont.FreeTypeFont) -> str:
    while font.getlength(line) > width_px and len(line) > 1:
        line = line[:-2].rstrip(" …") + "…"
    return line
