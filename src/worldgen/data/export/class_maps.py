"""Class maps: which category of another label set an object of each class is exported as."""

from __future__ import annotations

from dataclasses import dataclass, replace

from worldgen.core.errors import InputError, Received
from worldgen.core.labels import CLASSES, COCO_NAMES, KITTI_NAMES
from worldgen.files.json_files import read_object

IGNORE = "DontCare"
"""Target of a class whose objects become regions without a class. Formats without such regions leave them out."""

MAX_NAME_LENGTH = 100

COCO80 = (
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat", "traffic light",
    "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse", "sheep", "cow", "elephant",
    "bear", "zebra", "giraffe", "backpack", "umbrella", "handbag", "tie", "suitcase", "frisbee", "skis", "snowboard",
    "sports ball", "kite", "baseball bat", "baseball glove", "skateboard", "surfboard", "tennis racket", "bottle",
    "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple", "sandwich", "orange", "broccoli",
    "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch", "potted plant", "bed", "dining table", "toilet",
    "tv", "laptop", "mouse", "remote", "keyboard", "cell phone", "microwave", "oven", "toaster", "sink",
    "refrigerator", "book", "clock", "vase", "scissors", "teddy bear", "hair drier", "toothbrush",
)  # fmt: skip
"""The 80 categories of COCO detection in their order (https://cocodataset.org/#explore)."""
_COCO_GAPS = (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)
COCO80_IDS = tuple(number for number in range(1, 91) if number not in _COCO_GAPS)
"""``id`` of each of ``COCO80`` in the official annotation files, 1 to 90 with gaps."""

KITTI_TYPES = ("Car", "Van", "Truck", "Pedestrian", "Person_sitting", "Cyclist", "Tram", "Misc")
BDD100K = (
    "pedestrian", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle", "traffic light", "traffic sign",
)  # fmt: skip
"""Detection categories of BDD100K (https://doc.bdd100k.com/format.html)."""
NUSCENES = (
    "car", "truck", "bus", "trailer", "construction_vehicle", "pedestrian", "motorcycle", "bicycle", "traffic_cone",
    "barrier",
)  # fmt: skip
"""Detection classes of nuScenes (https://www.nuscenes.org/object-detection)."""


@dataclass(frozen=True)
class ClassMap:
    """The categories of an export and the category of each class.

    names: of the categories; a YOLO class number is an index into this. targets: category of each class of
    ``CLASSES``; ``IGNORE`` for regions without a class, None for classes that are left out. ids: COCO ``id`` of each
    category; by default they count from 1.
    """

    names: tuple[str, ...]
    targets: tuple[str | None, ...]
    ids: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        assert len(self.targets) == len(CLASSES), (len(self.targets), len(CLASSES))
        if not self.ids:
            object.__setattr__(self, "ids", tuple(range(1, len(self.names) + 1)))

    def number(self, class_id: int) -> int:
        """Index into ``names`` of the category of a class that has one."""
        target = self.targets[class_id]
        assert target is not None, CLASSES[class_id]
        return self.names.index(target)

    def with_animals(self, name: str | None) -> ClassMap:
        """The same map with animals as the category ``name``, which is added if it is new; None changes nothing."""
        if name is None:
            return self
        if not _is_category(name):
            raise InputError("category of animals", name, f"a printable name of 1 to {MAX_NAME_LENGTH} characters")
        index = CLASSES.index("animal")
        targets = (*self.targets[:index], name, *self.targets[index + 1 :])
        if name in self.names or name == IGNORE:
            return replace(self, targets=targets)
        return ClassMap((*self.names, name), targets, (*self.ids, max(self.ids, default=0) + 1))


def _of_table(names: tuple[str, ...], table: dict[str, str | None], ids: tuple[int, ...] = ()) -> ClassMap:
    return ClassMap(names, tuple(table.get(name) for name in CLASSES), ids)


CLASS_MAPS = {
    "worldgen": ClassMap(CLASSES, CLASSES),
    "coco80": _of_table(COCO80, COCO_NAMES, COCO80_IDS),
    "kitti": _of_table(KITTI_TYPES, dict(KITTI_NAMES)),
    "bdd100k": _of_table(BDD100K, {
        "car": "car", "truck": "truck", "bus": "bus", "motorcycle": "motorcycle", "bicycle": "bicycle",
        "cyclist": "rider", "pedestrian": "pedestrian", "traffic_light": "traffic light",
    }),
    "nuscenes": _of_table(NUSCENES, {
        "car": "car", "truck": "truck", "bus": "bus", "motorcycle": "motorcycle", "bicycle": "bicycle",
        "cyclist": "bicycle", "pedestrian": "pedestrian", "traffic_cone": "traffic_cone",
    }),
}  # fmt: skip
"""Name of a label set -> its class map. A class without a category there is left out.

The box of a cyclist encloses rider and bicycle: ``Cyclist`` in KITTI, ``rider`` in BDD100K, ``bicycle`` in nuScenes,
whose bicycles include their rider, and ``person`` in COCO, which labels rider and bicycle apart.
"""


def class_map(text: str) -> ClassMap:
    """The class map of a name in ``CLASS_MAPS``, or of a JSON file (its name ends in ``.json``).

    A file holds one object: class of ``CLASSES`` -> category name, ``"DontCare"``, or null to leave the class out.
    Classes that it does not name are left out. Categories are numbered in the order of the file.

    Raises:
        InputError: an unknown name; a file that cannot be read, is no JSON, or holds other values.
    """
    if text in CLASS_MAPS:
        return CLASS_MAPS[text]
    if not text.endswith(".json"):
        raise InputError("classes", text, "one of " + ", ".join(CLASS_MAPS) + ", or a .json file")
    table = read_object(text, f"class map {text}", "a JSON object with class -> category name")
    if not table:
        raise InputError(f"class map {text}", Received("no class"), "one or more of " + ", ".join(CLASSES))
    for name, target in table.items():
        if name not in CLASSES:
            raise InputError(f"class map {text}, class", name[:MAX_NAME_LENGTH], "one of " + ", ".join(CLASSES))
        if target is not None and not _is_category(target):
            raise InputError(
                f"class map {text}, category of {name}", str(target)[:MAX_NAME_LENGTH],
                f"a printable name of 1 to {MAX_NAME_LENGTH} characters, or null",
            )  # fmt: skip
    names = tuple(dict.fromkeys(target for target in table.values() if target not in (None, IGNORE)))
    return _of_table(names, table)


def _is_category(target: object) -> bool:
    return (
        isinstance(target, str) and 0 < len(target) <= MAX_NAME_LENGTH and target.isprintable()
        and target == target.strip()
    )  # fmt: skip
