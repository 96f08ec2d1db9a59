"""A labelled set with cut-outs in its pictures, written as PNG and COCO; old labels stay, new ones are exact."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from worldgen.core.errors import InputError, Received
from worldgen.core.labels import CLASSES
from worldgen.core.samples import Sample
from worldgen.core.seeds import numpy_rng
from worldgen.data.video.image_files import encode_image
from worldgen.evaluation.realism.misses import ANY, InsertQuota
from worldgen.files.folders import output_folder
from worldgen.generation.insert.cut_outs.cut_out_library import CutOutLibrary
from worldgen.generation.insert.cut_outs.cut_out_placing import (
    TYPICAL_HEIGHT_M,
    HeightFit,
    Place,
    SeenBoxes,
    anywhere,
    fit_heights,
    matched,
)
from worldgen.generation.insert.cut_outs.object_pasting import PLAIN, PasteLook, pasted

HOW = ("matched", "anywhere")
HIDDEN = 0.8
"""Share of an old box that new objects must cover before its label is flagged ``ignore``. It is never removed."""
PLAIN_HEIGHTS = (10.0, 10_000.0)
"""Heights in pixels of matched objects where no cell asks for others."""
NIGHT_LUMA = 70.0
"""Mean brightness of a picture, 0 to 255, below which it counts as night: where the labelled night pictures of BDD100K
part from those by day."""
COCO_NAME = "annotations/instances.json"


@dataclass(frozen=True)
class PasteConfig:
    """What is pasted.

    classes: of the cut-outs, drawn with equal chance. per_picture: greatest number in a picture; each picture gets 1 to
    this many. how: "matched", where and as large as the ground says, fitted to the light; or "anywhere", plain
    copy-paste without geometry. seed: another set of places and cut-outs for each.

    Raises:
        InputError: an unknown class or way, or a number out of range.
    """

    classes: tuple[str, ...] = ("pedestrian", "cyclist")
    per_picture: int = 3
    how: str = "matched"
    seed: int = 0
    look: PasteLook = field(default_factory=PasteLook)

    def __post_init__(self) -> None:
        unknown = sorted(set(self.classes) - set(CLASSES))
        if unknown or not self.classes:
            raise InputError("classes to paste", self.classes, "some of " + ", ".join(CLASSES))
        if self.how not in HOW:
            raise InputError("how to paste", self.how, "one of " + ", ".join(HOW))
        if not 1 <= self.per_picture <= 50:
            raise InputError("cut-outs per picture", self.per_picture, "1 to 50")


@dataclass(frozen=True, eq=False)
class PastedPicture:
    """A picture with its labels. boxes: rows of class index, x0, y0, x1, y1, ignore. new: provenance of each box, None
    for old ones."""

    frame: np.ndarray
    boxes: tuple[tuple[float, ...], ...]
    new: tuple[dict[str, Any] | None, ...]


@dataclass(frozen=True)
class PasteWork:
    """What every picture needs.

    ground: of a sample the ``(H, W)`` bool pixels on which objects may stand; None where no map tells. quotas: cells to
    fill; without any, each picture gets 1 to ``config.per_picture`` objects.
    """

    library: CutOutLibrary
    config: PasteConfig
    ground: Callable[[Sample], np.ndarray] | None = None
    quotas: tuple[InsertQuota, ...] = ()


class CameraFits:
    """Boxes and heights of each class, drive by drive: a drive has one camera.

    pictures: their number. lights: of each by key. splits: of theirs. used: indices of the classes that are labelled.
    """

    def __init__(self, samples: Iterable[Sample], classes: tuple[str, ...]):
        seen: dict[tuple[str, str], list[np.ndarray]] = {}
        self.sizes: dict[str, tuple[int, int]] = {}
        self.lights: dict[str, str] = {}
        self.pictures, self.splits, self.used = 0, set[str](), {CLASSES.index(name) for name in classes}
        for sample in samples:
            assert sample.labels is not None
            self.pictures += 1
            self.lights[sample.key] = light_of(sample.clip.frames[0])
            self.splits.add(sample.split)
            self.used |= set(sample.labels.class_id.tolist())
            self.sizes[sample.drive] = (sample.clip.width_px, sample.clip.height_px)
            for name in dict.fromkeys((*classes, "pedestrian", "car")):  # other classes show the ground too
                rows = sample.labels.box_px[(sample.labels.class_id == CLASSES.index(name)) & ~sample.labels.ignore]
                seen.setdefault((sample.drive, name), []).append(rows)
        self.seen = {
            (drive, name): SeenBoxes(np.concatenate(parts), self.sizes[drive]) for (drive, name), parts in seen.items()
        }
        self.fits: dict[tuple[str, str], HeightFit] = {}
        self.unfit: dict[tuple[str, str], str] = {}
        for key, boxes in self.seen.items():
            try:
                self.fits[key] = fit_heights(boxes, f"{key[1]} in drive {key[0]}")
            except InputError as error:
                self.unfit[key] = str(error)
        for drive, name in list(self.unfit):
            told = [key for key in self.fits if key[0] == drive and key[1] in TYPICAL_HEIGHT_M]
            if told and name in TYPICAL_HEIGHT_M:
                best = max(told, key=lambda key: self.fits[key].boxes)
                self.fits[drive, name] = self.fits[best].for_class(name, best[1])
                self.seen[drive, name] = self.seen[best]


def assigned(
    quotas: tuple[InsertQuota, ...], lights: dict[str, str], config: PasteConfig
) -> dict[str, list[InsertQuota]]:
    """Key of a picture -> the cells of which it gets an object each, at most ``config.per_picture``.

    lights: light of every picture by its key. Objects of a cell go to random pictures of its light, few to each.
    """
    given: dict[str, list[InsertQuota]] = {key: [] for key in lights}
    for number, quota in enumerate(quotas):
        keys = [key for key, light in lights.items() if quota.light in (ANY, light)]
        order = numpy_rng("cells of pictures", config.seed, number).permutation(len(keys))
        turns = [keys[k] for k in order] * config.per_picture
        left = quota.count
        for key in turns:
            if left and len(given[key]) < config.per_picture:
                given[key].append(quota)
                left -= 1
    return given


def light_of(frame: np.ndarray) -> str:
    """ "night" for a picture ``(H, W, 3)`` uint8 whose mean brightness is below ``NIGHT_LUMA``, otherwise "day"."""
    luma = float((frame.reshape(-1, 3).mean(0) * (0.299, 0.587, 0.114)).sum())
    return "night" if luma < NIGHT_LUMA else "day"


def pasted_picture(
    sample: Sample, work: PasteWork, fits: CameraFits, count: Counter[str], cells: list[InsertQuota] | None = None
) -> PastedPicture:
    """One picture of a set with new objects. The same (seed, picture) gives the same pixels.

    sample: of one frame. count: of what was pasted and why not, by words. cells: an object of each; None draws 1 to
    ``per_picture`` objects of ``classes``.
    """
    assert sample.labels is not None and len(sample.clip) == 1
    frame, labels, config = sample.clip.frames[0], sample.labels, work.config
    ground = work.ground(sample) if work.ground else None
    rng = numpy_rng("pasted picture", config.seed, config.how, sample.key)
    columns = zip(labels.class_id, labels.box_px, labels.ignore, strict=True)
    rows = [(float(c), *map(float, box), float(ignored)) for c, box, ignored in columns]
    new: list[dict[str, Any] | None] = [None] * len(rows)
    places: list[Place] = []
    wanted = int(rng.integers(1, config.per_picture + 1)) if cells is None else len(cells)
    for number in range(wanted):
        name = config.classes[int(rng.integers(len(config.classes)))] if cells is None else cells[number].what
        able = work.library.for_split(sample.split, classes=(name,)).cut_outs
        # An object must not meet itself: its own picture shows it already.
        able = tuple(each for each in able if each.picture != str(sample.provenance.get("file")))
        old = np.array([row[1:5] for row in rows] + [list(each.box_px) for each in places]).reshape(-1, 4)
        place: Place | None = None
        if not able:
            count[f"no {name} of split {sample.split} in the library"] += 1
        elif config.how == "anywhere":
            place = anywhere(able, (frame.shape[1], frame.shape[0]), rng)
        elif (key := (sample.drive, name)) not in fits.fits:
            count[f"no ground plane for {name}"] += 1
        else:
            heights = PLAIN_HEIGHTS if cells is None else cells[number].height_px
            place = matched(able, fits.seen[key], fits.fits[key], old, rng, ground=ground, height_px=heights)
            count[f"no free place for {name}"] += place is None
        if place is not None:
            places.append(place)
    places.sort(key=lambda place: place.bottom_px)  # nearer objects over farther ones
    look = config.look if config.how == "matched" else PLAIN
    masks: list[tuple[np.ndarray, int]] = []
    classes: list[float] = []
    for place in places:
        put = pasted(
            frame, place.cut_out, left_px=place.left_px, bottom_px=place.bottom_px, height_px=place.height_px, look=look
        )
        if put is None:
            count["outside the picture"] += 1
            continue
        frame = put.frame
        masks = [(shown & ~put.mask, whole) for shown, whole in masks] + [(put.mask, int(put.mask.sum()))]
        own = place.cut_out
        classes.append(float(CLASSES.index(own.class_name)))
        new.append(
            {"how": config.how, "picture": own.picture, "drive": own.drive, "split": own.split, "mask": own.mask_from}
        )
        count[own.class_name] += 1
    covered = np.any([shown for shown, _ in masks], axis=0) if masks else np.zeros(frame.shape[:2], bool)
    for number in range(len(labels)):
        x0, y0, x1, y1 = (round(v) for v in rows[number][1:5])
        part = covered[y0:y1, x0:x1]
        if part.size and part.mean() > HIDDEN and not rows[number][5]:
            rows[number] = (*rows[number][:5], 1.0)
            count["old labels hidden"] += 1
    for class_id, (shown, whole) in zip(classes, masks, strict=True):
        rows.append((class_id, *box_of(shown), float(shown.sum() < (1 - HIDDEN) * whole)))
    return PastedPicture(frame, tuple(rows), tuple(new))


def box_of(mask: np.ndarray) -> tuple[float, float, float, float]:
    """x0 y0 x1 y1 of the true pixels of a mask ``(H, W)`` bool; zeros for an empty one."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return (0.0, 0.0, 0.0, 0.0)
    return (float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))


def write_pasted_set(
    read: Callable[[], Iterable[Sample]], work: PasteWork, folder: str | Path
) -> Iterator[dict[str, Any]]:
    """Write the set to a new folder, which appears when it is whole; yields a report after each picture.

    read: gives the labelled samples, of one frame each; it is called twice, for the cameras and for the pictures.
    Pictures are PNG, so that nothing but the new objects differs.

    Raises: InputError for no picture, and a library without a cut-out of any split of the pictures.
    """
    library, config = work.library, work.config
    if work.quotas:
        config = replace(config, classes=tuple(dict.fromkeys(quota.what for quota in work.quotas)))
        work = replace(work, config=config)
    fits = CameraFits(read(), config.classes)
    usable = sum(len(library.for_split(split, classes=config.classes)) for split in fits.splits)
    if not fits.pictures or not usable:
        received = Received(f"{fits.pictures} pictures of {sorted(fits.splits)}, {usable} cut-outs of these splits")
        raise InputError("pictures and cut-outs", received, "both; objects stay in the split they were cut from")
    if config.how == "matched" and not fits.fits:
        raise InputError("ground plane", Received(next(iter(fits.unfit.values()))), "a class with enough whole boxes")
    count: Counter[str] = Counter()
    cells = assigned(work.quotas, fits.lights, config) if work.quotas else {}
    coco: dict[str, Any] = {
        "info": {"description": "pictures with pasted cut-outs", "config": asdict(config)},
        "categories": [{"id": c + 1, "name": CLASSES[c]} for c in sorted(fits.used)], "images": [], "annotations": [],
    }  # fmt: skip
    with output_folder(folder, kind="set with cut-outs") as place:
        (place / "images").mkdir()
        (place / "annotations").mkdir()
        for number, sample in enumerate(read()):
            made = pasted_picture(sample, work, fits, count, cells.get(sample.key))
            name = f"images/{Path(str(sample.provenance.get('file', sample.key))).stem}.png"
            (place / name).write_bytes(encode_image(made.frame, ".png"))
            _add(coco, number + 1, name, made)
            yield {"pictures": number + 1, "of": fits.pictures, "counts": dict(count)}
        report = {
            "counts": dict(count), "without_ground": sorted(fits.unfit.values()),
            "heights": {f"{d}/{n}": asdict(fit) for (d, n), fit in fits.fits.items()},
        }  # fmt: skip
        (place / COCO_NAME).write_text(json.dumps(coco, ensure_ascii=False) + "\n", encoding="utf-8")
        (place / "cut_outs_report.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def _add(coco: dict[str, Any], number: int, name: str, made: PastedPicture) -> None:
    height, width = made.frame.shape[:2]
    coco["images"].append({"id": number, "file_name": name, "width": width, "height": height})
    for (class_id, x0, y0, x1, y1, ignore), new in zip(made.boxes, made.new, strict=True):
        box = [round(v, 3) for v in (x0, y0, x1 - x0, y1 - y0)]
        row = {
            "id": len(coco["annotations"]) + 1, "image_id": number, "category_id": int(class_id) + 1, "bbox": box,
            "area": round(box[2] * box[3], 3), "iscrowd": int(ignore),
        }  # fmt: skip
        coco["annotations"].append(row | ({"inserted": new} if new else {}))
