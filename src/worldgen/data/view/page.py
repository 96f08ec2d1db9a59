"""A data set as a folder that opens in a browser: one page, the clips beside it, nothing fetched from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import jinja2
import numpy as np

from worldgen.core.clip import Clip
from worldgen.core.ego import EgoMotion
from worldgen.core.errors import InputError
from worldgen.core.labels import CLASSES, Labels
from worldgen.core.progress import ProgressReporter, no_progress
from worldgen.core.samples import SPLITS, Sample
from worldgen.data.dataset.index import DataSet
from worldgen.data.dataset.sample_files import decode_sample
from worldgen.data.dataset.shards import scan_shard
from worldgen.data.video.control_video import CONTROL_MEMBERS
from worldgen.data.video.image_files import encode_image
from worldgen.data.view.page_templates import page_environment
from worldgen.data.view.sheet import CLASS_COLOURS, contact_sheet
from worldgen.files.storage import join, write_bytes

PLOT_WIDTH_PX, PLOT_HEIGHT_PX = 320, 56
PLOT_MARGIN_PX = 4
"""Above and below the line of a plot."""
MIN_SPEED_RANGE_MPS, MIN_YAW_RANGE_DEGPS = 2.0, 4.0
"""Smallest range of a plot's axis, so that noise does not fill the plot."""
SHEET_CLIPS = 12
CLIPS_A_PAGE = 120
"""A browser shows so many clips without waiting; more of them go onto further pages."""
SHOWN_SIZES = 4


@dataclass(frozen=True)
class PageSection:
    """Clips of a page under a heading. numbers: of samples, in order. note: a sentence on how they were chosen."""

    heading: str
    numbers: tuple[int, ...]
    note: str = ""


@dataclass(frozen=True)
class PageSummary:
    """What the head of a page says of the whole data set. colours: class -> CSS colour of its boxes."""

    facts: tuple[str, ...]
    labelled: bool
    colours: dict[str, str]
    splits: tuple[str, ...] = SPLITS


@dataclass(frozen=True)
class EgoPlot:
    """A quantity of the ego motion over time. extent: its range in words. high, low: ends of the axis in words.

    points_px: ``(x, y)`` of each frame in a picture of ``width_px`` x ``height_px``, y down. zero_px: y of the value 0.
    """

    name: str
    kind: str
    extent: str
    high: str
    low: str
    points_px: tuple[tuple[float, float], ...]
    zero_px: float
    width_px: int = PLOT_WIDTH_PX
    height_px: int = PLOT_HEIGHT_PX


@dataclass(frozen=True)
class ScoreLine:
    """One line of a scorecard. note: what is wrong, or why there is no value. at_fault: a reason of refusal."""

    name: str
    value: str
    note: str
    at_fault: bool


@dataclass(frozen=True, eq=False)
class ClipCard:
    """A sample as ``card.html.j2`` shows it.

    search_words: what the filter of the page looks in, lower case. quarantined_for: reasons, "" when accepted.
    dropped_labels: tracks whose labels the gate left out, in words. boxes: per frame the boxes to draw, each (class,
    track, x0, y0, x1, y1 in pixels, 1 for ignored ones or 0). controls: names of the control videos that are stored
    with the sample, which ``clips/KEY.controls.jpg`` shows.
    """

    sample: Sample
    search_words: str
    quarantined_for: str
    dropped_labels: str
    plots: tuple[EgoPlot, ...]
    scores: tuple[ScoreLine, ...]
    facts: tuple[str, ...]
    boxes: list[list[list]]
    controls: tuple[str, ...] = ()


def write_page(
    data: DataSet,
    folder: str | Path,
    *,
    title: str | None = None,
    sections: Sequence[PageSection] = (),
    limit: int = 60,
    template: jinja2.Template | None = None,
    values: Mapping[str, object] | None = None,
    progress: ProgressReporter = no_progress,
) -> list[str]:
    """Write ``index.html``, ``sheet.png`` and ``clips/KEY.mp4`` into a folder or URL; returns the keys shown.

    More than ``CLIPS_A_PAGE`` clips go onto further pages, ``page-2.html`` and so on, which are linked.

    title: by default "Data set" and the name of its folder. sections: which clips to show; by default at most
    ``limit``, spread evenly over the data set. template: extends ``page.html.j2``, which is the default; values: what
    it needs besides. progress: shows how many clips are done.

    Raises: InputError for an empty data set, a limit below 1, damaged samples or a folder that cannot be written.
    """
    if limit < 1:
        raise InputError("number of samples to show", limit, "at least 1")
    if not len(data):
        raise InputError(f"data set {data.url}", "no samples", "at least one sample to show")
    sections = [section for section in sections if section.numbers] or [PageSection("", spread(len(data), limit))]
    pages = _pages(sections)
    names = ["index.html", *(f"page-{number}.html" for number in range(2, len(pages) + 1))]
    clips = _ShownClips(data, str(folder), progress(list(_numbers(sections)), desc="clips"))
    plain = page_environment().get_template("page.html.j2")
    for name, own in zip(names, pages, strict=True):
        cards = clips.cards(_numbers(own))
        page = (template if template and name == names[0] else plain).render(
            title=title or f"Data set {data.url.rstrip('/').rsplit('/', 1)[-1]}", summary=_summary(data), pages=names,
            current=name, sections=[(section, [cards[number] for number in section.numbers]) for section in own],
            **(values or {}),
        )  # fmt: skip
        write_bytes(join(str(folder), name), page.encode())
    clips.finish()
    return clips.keys


def _numbers(sections: Sequence[PageSection]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(number for section in sections for number in section.numbers))


def _pages(sections: Sequence[PageSection]) -> list[list[PageSection]]:
    """The sections in order, on pages of at most ``CLIPS_A_PAGE`` clips; a long section is told on several."""
    pages: list[list[PageSection]] = [[]]
    room = CLIPS_A_PAGE
    for section in sections:
        rest = section.numbers
        while rest:
            if not room:
                pages.append([])
                room = CLIPS_A_PAGE
            pages[-1].append(replace(section, numbers=rest[:room]))
            rest, room = rest[room:], room - len(rest[:room])
    return pages


class _ShownClips:
    """The clips of a page and its sheet, written as they are shown. told: one step for each clip shown."""

    def __init__(self, data: DataSet, folder: str, told: Iterable[int]):
        self.keys: list[str] = []
        self._data, self._folder, self._told = data, folder, iter(told)
        self._written: set[int] = set()
        self._controls: dict[str, bool] = {}
        self._sheet: list[Sample] = []

    def cards(self, numbers: Iterable[int]) -> dict[int, ClipCard]:
        """The card of each sample; its clip is written unless an earlier page had it."""
        cards = {}
        for number in numbers:
            members = self._data.members(number)
            sample = decode_sample(members)
            controls = self._data.controls(number) if self._with_controls(number) else {}
            cards[number] = replace(clip_card(sample), controls=tuple(controls))
            if number in self._written:
                continue
            next(self._told)
            self._written.add(number)
            self.keys.append(sample.key)
            write_bytes(join(self._folder, f"clips/{sample.key}.mp4"), members["mp4"])
            if controls:
                write_bytes(
                    join(self._folder, f"clips/{sample.key}.controls.jpg"), controls_jpg(controls, sample.clip.fps)
                )
            if len(self._sheet) < SHEET_CLIPS:
                self._sheet.append(sample)
        return cards

    def _with_controls(self, number: int) -> bool:
        """Whether the shard of a sample holds controls, by its first sample: all of a shard were made alike."""
        shard = self._data.rows[number]["shard"]
        if shard not in self._controls:
            _, members, _ = next(iter(scan_shard(join(self._data.url, shard))))
            self._controls[shard] = not CONTROL_MEMBERS.keys().isdisjoint(members)
        return self._controls[shard]

    def finish(self) -> None:
        """Write the sheet of the first clips, and end the progress."""
        write_bytes(join(self._folder, "sheet.png"), sheet_png(self._sheet))
        assert next(self._told, None) is None, "a clip was announced and not shown"


def spread(count: int, limit: int) -> tuple[int, ...]:
    """At most ``limit`` of the numbers 0 to count - 1, first and last included, evenly spread."""
    return tuple(np.unique(np.linspace(0, count - 1, min(limit, count)).round().astype(int)).tolist())


def sheet_png(samples: Sequence[Sample]) -> bytes:
    """A contact sheet of samples with their labels drawn, as the bytes of a PNG file."""
    picture = contact_sheet(
        [sample.clip for sample in samples],
        [f"{sample.key}   {sample.caption}" for sample in samples],
        labels=[sample.labels for sample in samples],
    )
    return encode_image(picture, ".png")


def controls_jpg(controls: Mapping[str, np.ndarray], fps: float) -> bytes:
    """A sheet of control videos ``(T, H, W, 3)`` uint8 RGB, one a row under its name, as the bytes of a JPEG file.

    Browsers do not play the lossless videos themselves.
    """
    return encode_image(contact_sheet([Clip(frames, fps) for frames in controls.values()], list(controls)), ".jpg")


def _summary(data: DataSet) -> PageSummary:
    rows = data.rows
    sizes = sorted({(row["width_px"], row["height_px"]) for row in rows})
    facts = (
        f"{len(rows)} samples",
        _duration(sum(row["num_frames"] / row["fps"] for row in rows)),
        ", ".join(f"{count} {split}" for split in SPLITS if (count := sum(row["split"] == split for row in rows))),
        ", ".join(f"{width}x{height}" for width, height in sizes[:SHOWN_SIZES]) + " px",
    )
    colours = {name: "rgb({},{},{})".format(*colour) for name, colour in CLASS_COLOURS.items()}
    return PageSummary(facts, any(row["has_labels"] for row in rows), colours)


def _duration(seconds: float) -> str:
    if seconds >= 3600:
        return f"{seconds / 3600:.2f} h"
    return f"{seconds / 60:.1f} min" if seconds >= 60 else f"{seconds:.1f} s"


def clip_card(sample: Sample) -> ClipCard:
    """Everything that a page says of a sample."""
    clip, card = sample.clip, sample.scorecard
    accepted = card.get("accepted", True)
    reasons = ", ".join(map(str, card.get("reasons", ()))) or "no reason given"
    dropped = (
        f"{track.get('class', 'object')} {track.get('track_id', '')}".strip() for track in card.get("dropped", ())
    )
    facts = [f"{len(clip)} frames", f"{clip.fps:.5g} fps", f"{clip.width_px}x{clip.height_px} px"]
    if sample.drive and sample.drive != sample.key:
        facts.append(f"drive {sample.drive}")
    facts.append(f"licence {sample.licence}")
    return ClipCard(
        sample,
        search_words=" ".join((sample.caption, sample.key, sample.drive, *sample.tags)).lower(),
        quarantined_for="" if accepted else reasons,
        dropped_labels=", ".join(dropped),
        plots=() if sample.ego is None else _ego_plots(sample.ego),
        scores=_score_lines(card),
        facts=tuple(facts),
        boxes=[] if sample.labels is None else _boxes(sample.labels),
    )


def _score_lines(scorecard: dict) -> tuple[ScoreLine, ...]:
    """The numbers of a scorecard, then refusals that have no number, then what was not measured."""
    details = scorecard.get("details", {})
    numbers = {
        name: value
        for name, value in scorecard.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool)
    }
    lines = [
        ScoreLine(name, f"{value:.4g}", str(details.get(name, "")), name in details) for name, value in numbers.items()
    ]
    lines += [ScoreLine(str(name), "", str(why), True) for name, why in details.items() if name not in numbers]
    unmeasured = scorecard.get("unmeasured", {})
    lines += [ScoreLine(str(name), "not measured", str(why), name in details) for name, why in unmeasured.items()]
    return tuple(lines)


def _boxes(labels: Labels) -> list[list[list]]:
    """Per frame the boxes with an area, as in :class:`ClipCard`."""
    frames: list[list[list]] = [[] for _ in range(labels.num_frames)]
    boxes = np.round(labels.box_px.astype(float), 1)
    for row in np.flatnonzero((boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])):
        name, track, ignored = CLASSES[labels.class_id[row]], int(labels.track_id[row]), int(labels.ignore[row])
        frames[labels.frame_index[row]].append([name, track, *boxes[row].tolist(), ignored])
    return frames


def _ego_plots(ego: EgoMotion) -> tuple[EgoPlot, ...]:
    speed, yaw = ego.speed_mps, np.degrees(ego.yaw_rate_radps)
    return (
        _plot("Speed", "speed", "m/s", speed, ego.fps, min_range=MIN_SPEED_RANGE_MPS),
        _plot("Yaw rate (left +)", "yaw", "°/s", yaw, ego.fps, min_range=MIN_YAW_RANGE_DEGPS),
    )


def _plot(name: str, kind: str, unit: str, values: np.ndarray, fps: float, *, min_range: float) -> EgoPlot:
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    if high - low < min_range:
        half = max(min_range / 2, high, -low)
        low, high = (-half, half) if kind == "yaw" else (low, low + min_range)
    x = np.linspace(0, PLOT_WIDTH_PX, len(values)) if len(values) > 1 else np.array([PLOT_WIDTH_PX / 2])
    px_per_unit = (PLOT_HEIGHT_PX - 2 * PLOT_MARGIN_PX) / (high - low)
    y = PLOT_MARGIN_PX + (high - values) * px_per_unit
    ends = f"{values.min():.1f} to {values.max():.1f}" if np.ptp(values) >= 0.05 else f"constant {values.mean():.1f}"
    return EgoPlot(
        name, kind, f"{ends} {unit} over {len(values) / fps:.1f} s".replace("-0.0", "0.0"), _short(high), _short(low),
        tuple(zip(x.tolist(), y.tolist(), strict=True)), PLOT_MARGIN_PX + high * px_per_unit,
    )  # fmt: skip


def _short(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 10 or value == round(value) else f"{value:.1f}"
