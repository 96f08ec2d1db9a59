"""Labels of a set with inserts, in the format of the set: old rows are kept as they are, new ones are added."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from worldgen.core.errors import InputError
from worldgen.core.labels import CLASSES, KITTI_NAMES
from worldgen.data.ingest.annotations import CLASS_OF_NAME
from worldgen.data.ingest.labelled.coco_pictures import coco_files
from worldgen.data.ingest.labelled.yolo_pictures import yolo_names
from worldgen.files.json_files import read_json
from worldgen.files.storage import write_bytes
from worldgen.generation.insert.labelled_sets.still_files import StillSet


@dataclass(frozen=True)
class NewLabel:
    """The label of one insert. class_name: of ``CLASSES``. box_px: x0 y0 x1 y1, exact. told: its provenance."""

    class_name: str
    box_px: tuple[float, float, float, float]
    told: dict[str, Any]


@dataclass(frozen=True)
class LabelledFile:
    """What was written of one picture. name: in the old set. new_name: in the new one. size_px: width and height."""

    name: str
    new_name: str
    size_px: tuple[int, int]
    added: tuple[NewLabel, ...]


def write_labels(stills: StillSet, new: Path, pictures: list[LabelledFile]) -> None:
    """Write the labels of all pictures of a set into the new folder, in the format of the set."""
    _WRITERS[stills.kind](stills.folder, new, pictures, stills.classes)


def refuse_unknown_classes(stills: StillSet, names: list[str]) -> None:
    """Raises: InputError for a class that the labels cannot name; YOLO lists its classes in ``data.yaml``."""
    if stills.kind != "yolo":
        return
    path, known = stills.folder / "data.yaml", _yolo_numbers(stills.folder, stills.classes)
    for name in names:
        if name not in known:
            raise InputError(
                f"class to insert into {path}", name, f"one of its classes ({', '.join(known)}), or add it"
            )


def _write_coco(old: Path, new: Path, pictures: list[LabelledFile], classes: dict[str, str]) -> None:
    """Each COCO file with its entries untouched but for file names, and new annotations with an "inserted" entry."""
    done = {picture.name: picture for picture in pictures}
    for path in coco_files(old):
        content = read_json(path, f"COCO file {path.name}")
        categories = content["categories"]
        number_of: dict[str, int] = {}
        for row in categories:
            target = classes.get(row["name"], CLASS_OF_NAME.get(row["name"]))
            if target in CLASSES:
                number_of.setdefault(target, row["id"])
        last = max((int(row["id"]) for row in content["annotations"]), default=0)
        for image in content["images"]:
            picture = _picture_of(image["file_name"], old, path, done)
            if picture is None:
                continue
            image["file_name"] = _moved(image["file_name"], picture)
            for label in picture.added:
                if label.class_name not in number_of:
                    number_of[label.class_name] = max((int(row["id"]) for row in categories), default=0) + 1
                    categories.append({"id": number_of[label.class_name], "name": label.class_name})
                x0, y0, x1, y1 = label.box_px
                last += 1
                content["annotations"].append(
                    {
                        "id": last, "image_id": image["id"], "category_id": number_of[label.class_name],
                        "bbox": [x0, y0, x1 - x0, y1 - y0], "area": (x1 - x0) * (y1 - y0), "iscrowd": 0,
                        "inserted": label.told,
                    }
                )  # fmt: skip
        text = json.dumps(content, ensure_ascii=False) + "\n"
        write_bytes(new / path.relative_to(old), text.encode())


def _picture_of(file_name: str, old: Path, path: Path, done: dict[str, LabelledFile]) -> LabelledFile | None:
    for place in (old / file_name, path.parent / file_name, old / "images" / file_name):
        if place.is_file():
            return done.get(place.relative_to(old).as_posix())
    return None


def _moved(file_name: str, picture: LabelledFile) -> str:
    return str(PurePosixPath(file_name).with_suffix(PurePosixPath(picture.new_name).suffix))


def _write_kitti(old: Path, new: Path, pictures: list[LabelledFile], _classes: dict[str, str]) -> None:
    """The lines of each label file, and a line an insert with unknown 3-D values as the benchmark writes them."""
    for picture in pictures:
        place = PurePosixPath(picture.name)
        labels = place.parent.parent / "label_2" / f"{place.stem}.txt"
        before = (old / labels).read_bytes().rstrip(b"\n")
        lines = [before] if before else []
        for label in picture.added:
            box = " ".join(f"{v:.2f}" for v in label.box_px)
            occluded = 0 if label.told.get("visible_fraction", 1.0) > 0.95 else 1
            line = f"{KITTI_NAMES[label.class_name]} 0.00 {occluded} -10 {box} -1 -1 -1 -1000 -1000 -1000 -10"
            lines.append(line.encode())
        write_bytes(new / labels, b"\n".join(lines) + (b"\n" if lines else b""))


def _write_yolo(old: Path, new: Path, pictures: list[LabelledFile], classes: dict[str, str]) -> None:
    """The lines of each label file, and a line an insert; ``data.yaml`` is copied."""
    number_of = _yolo_numbers(old, classes)
    write_bytes(new / "data.yaml", (old / "data.yaml").read_bytes())
    for picture in pictures:
        place = PurePosixPath(picture.name)
        labels = PurePosixPath("labels", *place.parts[1:]).with_suffix(".txt")
        before = (old / labels).read_bytes().rstrip(b"\n") if (old / labels).is_file() else b""
        lines = [before] if before else []
        width, height = picture.size_px
        for label in picture.added:
            x0, y0, x1, y1 = label.box_px
            shares = ((x0 + x1) / 2 / width, (y0 + y1) / 2 / height, (x1 - x0) / width, (y1 - y0) / height)
            lines.append(f"{number_of[label.class_name]} {' '.join(f'{v:.6f}' for v in shares)}".encode())
        write_bytes(new / labels, b"\n".join(lines) + (b"\n" if lines else b""))


def _yolo_numbers(folder: Path, classes: dict[str, str]) -> dict[str, int]:
    """Class -> number in ``data.yaml``."""
    out: dict[str, int] = {}
    for number, name in yolo_names(folder / "data.yaml").items():
        target = classes.get(name) or CLASS_OF_NAME.get(name) or CLASS_OF_NAME.get(name.lower())
        if target in CLASSES:
            out.setdefault(str(target), number)
    return out


_WRITERS: dict[str, Callable[[Path, Path, list[LabelledFile], dict[str, str]], None]] = {
    "coco": _write_coco, "kitti": _write_kitti, "yolo": _write_yolo,
}  # fmt: skip
