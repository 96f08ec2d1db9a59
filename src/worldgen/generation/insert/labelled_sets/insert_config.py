"""What is to be inserted into a set, and the ground of each of its pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from worldgen.core.errors import InputError, Received
from worldgen.core.samples import SPLITS
from worldgen.generation.insert.fitting import FitSteps
from worldgen.generation.insert.labelled_sets.still_files import StillFile
from worldgen.generation.insert.picture_ground import (
    DEFAULT_FOV_DEG,
    GroundBelief,
    PictureGround,
    camera_of,
    estimate_ground,
    shared_belief,
    usable_boxes,
)  # fmt: skip
from worldgen.generation.insert.placing import InsertWish, wishes_of

IMAGES = ("png", "source")
LIGHTS = ("", "any", "day", "dusk", "dawn", "night")
"""Lights of a cell, as ``worldgen eval misses`` names them; "" and "any" are the same."""
NIGHT_FROM = 0.5
TWILIGHT = (0.2, 0.8)
"""How dark a picture of night, and one of dusk or dawn, is on the scale of ``night_of``."""
COMMON_PICTURES = 300
"""At most so many pictures of about one size, evenly over the set, say what they have in common."""
LEAST_HEIGHT_PX = 8.0
"""Lower objects are not inserted: cells of lower ones begin here, as the labels that ``eval misses`` judges do."""


@dataclass(frozen=True)
class InsertCell:
    """One kind of insert. what: words. light: of ``LIGHTS``. height_px: range. count: wanted, 0 for one in every place
    that the pictures give.

    Raises:
        InputError: an unknown light, or a count below 0; words and heights as :func:`wishes_of`.
    """

    what: str = ""
    light: str = ""
    height_px: tuple[float, float] = (24.0, 240.0)
    count: int = 0

    def __post_init__(self) -> None:
        if self.light not in LIGHTS:
            raise InputError("light of an insert cell", self.light, "any, day, dusk, dawn or night")
        if self.count < 0:
            raise InputError("count of an insert cell", self.count, "0 or more")

    def wishes(self) -> tuple[InsertWish, ...]:
        """What its words ask for."""
        return wishes_of(self.what, self.heights_px)

    @property
    def heights_px(self) -> tuple[float, float]:
        """Range of heights that can be inserted."""
        return max(float(self.height_px[0]), LEAST_HEIGHT_PX), float(self.height_px[1])

    def fits(self, night: float) -> bool:
        """Whether a picture that is so dark (0 day to 1 night, see ``night_of``) has the light of the cell."""
        if self.light in ("", "any"):
            return True
        if self.light in ("dusk", "dawn"):
            return TWILIGHT[0] <= night <= TWILIGHT[1]
        return (night > NIGHT_FROM) == (self.light == "night")


@dataclass(frozen=True)
class InsertCells:
    """A file of cells, as ``worldgen eval misses`` writes it. insert: the cells."""

    insert: list[InsertCell] = field(default_factory=list)  # omegaconf checks the fields of items of lists only


@dataclass(frozen=True)
class InsertConfig:
    """How a set gets inserts. cells: what. per_picture: most inserts of a picture. seed: other places for each. split:
    only pictures of this split get inserts, so that nothing made enters a test. image: "png", or "source": JPEG files
    stay JPEG at their quality. fov_deg, horizon, camera_height_m: of the camera; 0 where they are not known. steps: of
    the fitting.

    Raises:
        InputError: values out of range.
    """

    cells: tuple[InsertCell, ...] = ()
    per_picture: int = 1
    seed: int = 0
    split: str = "train"
    image: str = "png"
    fov_deg: float = 0.0
    horizon: float = 0.0
    camera_height_m: float = 0.0
    steps: FitSteps = field(default_factory=FitSteps)

    def __post_init__(self) -> None:
        if not self.cells:
            raise InputError("what to insert", Received("nothing"), "words (--what) or a file of cells (--cells)")
        if not 1 <= self.per_picture <= 20:
            raise InputError("inserts per picture", self.per_picture, "1 to 20")
        if self.split not in SPLITS:
            raise InputError("split", self.split, "one of " + ", ".join(SPLITS))
        if self.image not in IMAGES:
            raise InputError("format of the pictures", self.image, "one of " + ", ".join(IMAGES))
        if self.fov_deg and not 10 <= self.fov_deg <= 150:
            raise InputError("field of view in degrees", self.fov_deg, "10 to 150, or 0 when it is not known")
        if not 0 <= self.horizon < 1:
            raise InputError("horizon", self.horizon, "a share of the picture's height, 0 (unknown) to 1")


class SetGrounds:
    """The ground of each picture of a set: from its own labels, with what similar pictures say."""

    def __init__(self, stills: Sequence[StillFile], config: InsertConfig):
        self.config = config
        self.boxes = [usable_boxes(s.class_id, s.box_px, s.ignore, s.size_px) for s in stills]
        self.stills = stills
        self.priors = self.common()

    def common(self) -> dict[tuple[int, int], GroundBelief]:
        """What pictures of about one size have in common, by :func:`alike`, from ``boxes`` as they are now."""
        groups: dict[tuple[int, int], list[int]] = {}
        for number, still in enumerate(self.stills):
            groups.setdefault(alike(still.size_px), []).append(number)
        groups = {key: group[:: -(-len(group) // COMMON_PICTURES)] for key, group in groups.items()}
        return {
            key: shared_belief([self.boxes[k] for k in group], [self.stills[k].size_px[1] for k in group])
            for key, group in groups.items()
        }

    def of(self, number: int) -> PictureGround:
        """The ground of a picture. Raises: InputError when it cannot be known well enough."""
        still, config = self.stills[number], self.config
        fov = config.fov_deg or DEFAULT_FOV_DEG
        if config.horizon and config.camera_height_m:
            camera = camera_of(still.size_px, config.horizon * still.size_px[1], config.camera_height_m, fov)
            return PictureGround(camera, 0.0, 0.0, 0.0, 0, "camera")
        return estimate_ground(
            self.boxes[number], still.size_px, prior=self.priors[alike(still.size_px)], fov_deg=fov, name=still.name
        )


def alike(size_px: tuple[int, int]) -> tuple[int, int]:
    """A name for pictures of about one size: rectified pictures of one camera differ by some rows and columns."""
    return round(math.log(size_px[0] / size_px[1]) / 0.02), round(math.log(size_px[1]) / 0.1)
