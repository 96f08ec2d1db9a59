"""Labelled sets to judge: data sets of worldgen, COCO files with their pictures, and KITTI and YOLO folders."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from worldgen.core.errors import InputError, Received
from worldgen.core.labels import CLASSES
from worldgen.core.samples import Sample
from worldgen.data.dataset.index import SUMMARY_NAME, DataSet
from worldgen.data.ingest.annotations import (
    CLASS_OF_NAME,
    CocoImage,
    annotated_labels,
    coco_categories,
    read_coco,
)
from worldgen.data.ingest.labelled.coco_pictures import coco_files
from worldgen.data.ingest.labelled.labelled_samples import find_format, read_labelled
from worldgen.data.ingest.labelled.picture_set import PictureSet, drive_of
from worldgen.data.video.framing import framing
from worldgen.data.video.image_files import natural_order, read_image
from worldgen.evaluation.realism.labelled_frame import LabelledFrame, RealismRules, labelled_frame
from worldgen.files.storage import join, resolve

CLIP_PICTURES = 25
"""Consecutive pictures of one recording that count as one clip, whose frames are not independent."""
IGNORE = "ignore"
LIGHT_OF = {"daytime": "day", "night": "night", "dawn/dusk": "dusk", "day": "day", "dawn": "dawn", "dusk": "dusk"}
WEATHER_OF = {
    "clear": "clear", "partly cloudy": "overcast", "overcast": "overcast", "rainy": "rain", "rain": "rain",
    "snowy": "snow", "snow": "snow", "foggy": "fog", "fog": "fog",
}  # fmt: skip
"""Words of BDD100K (``timeofday`` and ``weather`` of an image) and ours -> the word of a slice; others are unknown."""


@dataclass(frozen=True)
class RealismChoice:
    """What is taken of a set.

    size_px: width and height that all frames are brought to: the largest centred crop of that aspect, then resized;
    None keeps them. frames_per_clip: of the clips of a data set, evenly spread; 0 for all. limit: the most clips or
    pictures, evenly spread; 0 for all. split: of a data set, "" for all. categories: name in the files -> class or
    "ignore".

    Raises:
        InputError: for numbers out of range and unknown classes.
    """

    size_px: tuple[int, int] | None = None
    frames_per_clip: int = 5
    limit: int = 0
    split: str = ""
    categories: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.frames_per_clip < 0 or self.limit < 0:
            raise InputError("frames per clip, limit", (self.frames_per_clip, self.limit), "0 for all, or a number")
        for name, target in self.categories.items():
            if target not in (*CLASSES, IGNORE):
                raise InputError(f"class of category {name}", target, "one of " + ", ".join((*CLASSES, IGNORE)))


@dataclass(frozen=True)
class RealismSet:
    """A set that was found. total: frames, an upper bound. left_out: categories without a class, which are not
    labelled then."""

    url: str
    total: int
    left_out: tuple[str, ...]
    read: Callable[[], Iterator[LabelledFrame]]

    def __iter__(self) -> Iterator[LabelledFrame]:
        """The frames with their labels, decoded one clip or picture at a time."""
        return self.read()


def realism_set(url: str, choice: RealismChoice, rules: RealismRules) -> RealismSet:
    """The set of a URL.

    url: a data set; a COCO file, whose pictures lie beside it or in ``images``; or a folder with ``coco.json``, or of
    any layout that ``read_labelled`` knows.

    Raises:
        InputError: when there is no such set, no labels, or no picture.
    """
    fs, path = resolve(url)
    if fs.exists(join(path, SUMMARY_NAME)):
        return _data_set(url, choice, rules)
    place = Path(url)
    files = [place] if place.is_file() else [place / "coco.json"] if (place / "coco.json").is_file() else []
    if not place.exists():
        raise InputError("labelled set", url, "a data set, a COCO file, or a folder of labelled pictures")
    if place.is_dir() and not files and find_format(place) != "coco":
        config = PictureSet(frames=CLIP_PICTURES, classes=choice.categories)
        samples = _spread(tuple(read_labelled(place, config)), choice.limit)
        whole = replace(choice, frames_per_clip=0)
        total = sum(len(sample.clip) for sample in samples)
        return RealismSet(url, total, (), lambda: _of_samples(samples, whole, rules))
    return _coco_set(url, files or coco_files(place), choice, rules)


def _data_set(url: str, choice: RealismChoice, rules: RealismRules) -> RealismSet:
    data = DataSet(url).select(choice.split or None, accepted=True)
    if not len(data):
        raise InputError(f"data set {url}", Received(f"no clips in split {choice.split or 'any'}"), "at least one")
    keys = _spread(tuple(row["key"] for row in data.rows), choice.limit)
    lengths = {row["key"]: int(row["num_frames"]) for row in data.rows}
    most = choice.frames_per_clip or max(lengths.values())
    total = sum(min(lengths[key], most) for key in keys)
    return RealismSet(url, total, (), lambda: _of_samples(map(data.load, keys), choice, rules))


def _of_samples(samples: Iterable[Sample], choice: RealismChoice, rules: RealismRules) -> Iterator[LabelledFrame]:
    for sample in samples:
        yield from _of_sample(sample, choice, rules)


def _of_sample(sample: Sample, choice: RealismChoice, rules: RealismRules) -> Iterator[LabelledFrame]:
    """The chosen frames of a sample. The rendered frames with which a generated clip begins are not judged."""
    if sample.labels is None:
        raise InputError(f"labels of sample {sample.key}", Received("none"), "a labelled data set")
    frame_of = framing((sample.clip.width_px, sample.clip.height_px), choice.size_px)
    labels = frame_of.labels(sample.labels)
    first = min(int(sample.provenance.get("drawn_frames") or 0), len(sample.clip) - 1)
    scenario = sample.scenario
    weather, light = (scenario.weather, scenario.light) if scenario else ("", "")
    for number in spread_frames(first, len(sample.clip), choice.frames_per_clip):
        yield labelled_frame(
            frame_of.frame(sample.clip.frames[number]), labels, number, rules=rules, clip=sample.key, weather=weather,
            light=light,
        )  # fmt: skip


def spread_frames(first: int, end: int, count: int) -> list[int]:
    """At most ``count`` frames (0: all) from ``first`` to ``end - 1``, evenly spread, in order."""
    frames = range(first, end)
    if count == 0 or count >= len(frames):
        return list(frames)
    return [first + int((k + 0.5) * len(frames) / count) for k in range(count)]


@dataclass(frozen=True)
class _CocoPicture:
    file: Path
    image: CocoImage
    clip: str

    def labelled(self, choice: RealismChoice, rules: RealismRules) -> LabelledFrame:
        frame, image = read_image(self.file), self.image
        size = (frame.shape[1], frame.shape[0])
        if size != (image.width_px, image.height_px):
            raise InputError(f"size of {image.file_name}", size, f"{(image.width_px, image.height_px)}, as in its file")
        frame_of = framing(size, choice.size_px)
        labels = frame_of.labels(annotated_labels([(0, *box) for box in image.boxes], 1, size))
        weather, light = _words(image.attributes)
        return labelled_frame(
            frame_of.frame(frame), labels, 0, rules=rules, clip=self.clip, weather=weather, light=light
        )


def _coco_set(url: str, files: list[Path], choice: RealismChoice, rules: RealismRules) -> RealismSet:
    pictures: list[_CocoPicture] = []
    left_out: dict[str, None] = {}
    for path in files:
        names = coco_categories(path)
        unknown = [name for name in names if name not in choice.categories and name not in CLASS_OF_NAME]
        left_out |= dict.fromkeys(unknown)
        classes = dict.fromkeys(unknown, IGNORE) | choice.categories
        images = sorted(read_coco(path, classes), key=lambda image: natural_order(image.file_name))
        count: dict[str, int] = {}
        for image in images:
            drive = drive_of(image.file_name)
            count[drive] = count.get(drive, -1) + 1
            clip = f"{path.name}/{drive}/{count[drive] // CLIP_PICTURES}"
            pictures.append(_CocoPicture(_picture(path, image.file_name), image, clip))
    if not pictures:
        raise InputError(f"labelled set {url}", Received("no pictures"), "at least one")
    chosen = _spread(tuple(pictures), choice.limit)
    return RealismSet(url, len(chosen), tuple(left_out), lambda: (each.labelled(choice, rules) for each in chosen))


def _picture(path: Path, name: str) -> Path:
    """The file of a picture: its name counts from the folder of the COCO file, from ``images`` in it, or from the
    folder above."""
    folder = path.parent
    places = (folder / name, folder / "images" / name, folder.parent / name, folder.parent / "images" / name)
    file = next((place for place in places if place.is_file()), None)
    if file is None:
        raise InputError(f"COCO file {path.name}, image", name, "a picture that exists")
    return file


def _words(attributes: dict[str, Any]) -> tuple[str, str]:
    """Weather and light of the attributes of an image, "" where they are unknown."""
    weather = WEATHER_OF.get(str(attributes.get("weather", "")).lower(), "")
    if isinstance(attributes.get("night"), bool):
        return weather, "night" if attributes["night"] else "day"
    light = attributes.get("light", attributes.get("timeofday", ""))
    return weather, LIGHT_OF.get(str(light).lower(), "")


def _spread(items: tuple[Any, ...], count: int) -> tuple[Any, ...]:
    return tuple(items[number] for number in spread_frames(0, len(items), count))
