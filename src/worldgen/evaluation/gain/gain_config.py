"""Config of a detector-gain study: sources of its pictures, its arms, and the length and number of trainings."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from worldgen.core.errors import InputError
from worldgen.core.samples import SPLITS
from worldgen.evaluation.gain.weather import KINDS
from worldgen.instruments.detector.detector import GROUPS, DetectorConfig

DETECTORS = ("worldgen", "dfine", "rtdetr")
SHIPPED = "shipped"
"""Checkpoint of the detector that ships, which was trained on rendered pictures."""
NAME = re.compile(r"(?!synthetic_)[a-z][a-z0-9_]{0,40}")
"""Names of added arms."""
NIGHT_RAIN_FOG = ("night_lit", "night_unlit", "light_rain", "heavy_rain", "fog")


@dataclass(frozen=True)
class PictureSource:
    """Pictures of one or several data sets, or folders of labelled stills (COCO, KITTI, YOLO).

    url: URLs separated by commas, "" where the source is not given.

    split: train, val, test, several joined by "+", or "" for all. with_any: only clips with any of these tags. without:
    no clips with any of these. skip: clips left out at the start of the rest. clips: clips taken after that, 0 for all.
    first: number of the first frame taken of a clip. every: distance in frames between those taken. Clips that a gate
    rejected are never taken. The tag of a still is its drive, and ten consecutive stills of a drive are a clip.
    """

    url: str = ""
    split: str = ""
    with_any: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    skip: int = 0
    clips: int = 0
    first: int = 0
    every: int = 5

    def __post_init__(self) -> None:
        if not self.splits <= set(SPLITS):
            raise InputError("split of a source", self.split, "one of " + ", ".join(SPLITS) + ', or several with "+"')
        if min(self.skip, self.clips, self.first) < 0 or self.every < 1:
            raise InputError(
                "skip, clips, first, every of a source", (self.skip, self.clips, self.first, self.every),
                "0, 0, 0 and 1 or more",
            )  # fmt: skip

    @property
    def urls(self) -> tuple[str, ...]:
        """The URLs; empty where the source is not given."""
        return tuple(url.strip() for url in self.url.split(",") if url.strip())

    @property
    def splits(self) -> set[str]:
        """The named splits; empty for all."""
        return set(self.split.split("+")) - {""}


@dataclass(frozen=True)
class GainStudy:
    """One study.

    real: the real training pictures. rare: real pictures held back, on which only the oracle arm trains. synthetic,
    restyled: generated pictures; their arms wait while the URL is "". test: pictures that are judged and never trained
    on. added: name of an arm -> its pictures, which are half of what it trains on; the other half is real. rare_tags:
    tags of the test clips that count as rare, empty for all. rare_groups: groups of objects whose mean AP50 on these
    clips is the subject, empty for all. ratios: synthetic pictures per real picture, an arm each. painted: kinds of
    painted weather. arms: names to run, empty for all. seeds: runs of every arm. arm_seeds: name of an arm -> fewer.

    base_steps: optimiser steps on real pictures that all arms of a seed share before they part; 0: every arm starts at
    random weights, the same for all arms of a seed. steps: optimiser steps of every arm after that; "real_short" has
    half, "real_long" twice as many. base_learning_rate, learning_rate: of the two parts.

    detector: "worldgen" for the small detector of this package, of the sizes in ``model`` or those of ``checkpoint``;
    "dfine" or "rtdetr" for those of transformers. checkpoint: a folder of weights to start from, "" for random ones;
    for "worldgen" also "shipped". min_height_px: lower objects are
    ignored, after resizing. jpeg_quality: all pictures of all arms and of the test go through JPEG at this quality once
    more, at the study's size, so that no arm differs by its files; 0 leaves them. smallest_gain: AP50 that would
    matter; a study that cannot detect it says so.
    """

    name: str = "gain"
    real: PictureSource = field(default_factory=PictureSource)
    rare: PictureSource = field(default_factory=PictureSource)
    synthetic: PictureSource = field(default_factory=PictureSource)
    restyled: PictureSource = field(default_factory=PictureSource)
    test: PictureSource = field(default_factory=PictureSource)
    added: dict[str, PictureSource] = field(default_factory=dict)
    rare_tags: tuple[str, ...] = NIGHT_RAIN_FOG
    rare_groups: tuple[str, ...] = ()
    ratios: tuple[float, ...] = (0.5, 1.0)
    painted: tuple[str, ...] = KINDS
    arms: tuple[str, ...] = ()
    seeds: int = 5
    arm_seeds: dict[str, int] = field(default_factory=dict)
    width_px: int = 224
    height_px: int = 128
    min_height_px: float = 8.0
    jpeg_quality: int = 0
    detector: str = "worldgen"
    checkpoint: str = ""
    model: DetectorConfig = field(default_factory=DetectorConfig)
    base_steps: int = 0
    base_learning_rate: float = 2e-3
    steps: int = 1000
    batch: int = 8
    learning_rate: float = 2e-3
    smallest_gain: float = 0.02

    def __post_init__(self) -> None:
        for name in ("real", "test"):
            if not getattr(self, name).urls:
                raise InputError(f"{name}.url of the study", "", "the URL of a labelled data set")
        if self.detector not in DETECTORS:
            raise InputError("detector of the study", self.detector, "one of " + ", ".join(DETECTORS))
        rate = min(self.learning_rate, self.base_learning_rate)
        if not (self.seeds >= 2 and self.steps >= 2 and self.batch >= 1 and rate > 0):
            raise InputError(
                "seeds, steps, batch, learning rates of the study", (self.seeds, self.steps, self.batch, rate),
                "at least 2, 2, 1 and more than 0",
            )  # fmt: skip
        if self.base_steps < 0 or (self.base_steps and self.detector != DETECTORS[0]):
            raise InputError(
                f"base_steps with detector {self.detector}", self.base_steps,
                f"0 (give a checkpoint), or 1 and more with detector {DETECTORS[0]}",
            )  # fmt: skip
        if not self.painted or not set(self.painted) <= set(KINDS):
            raise InputError("painted weather of the study", self.painted, "some of " + ", ".join(KINDS))
        if not self.ratios or min(self.ratios) <= 0:
            raise InputError("ratios of the study", self.ratios, "positive numbers of synthetic pictures per real one")
        if min(self.width_px, self.height_px) < 32 or self.width_px % 2 or self.height_px % 2:
            raise InputError("size of the study's pictures", (self.width_px, self.height_px), "even, 32 or more")
        _check_arms(self)

    def seeds_of(self, arm: str) -> int:
        """Runs of an arm."""
        return self.arm_seeds.get(arm, self.seeds)


REAL = "real"
ORACLE = "oracle"
CONTROLS = ("duplicated", "shuffled")
GIVEN = "given"


def arm_names(study: GainStudy) -> tuple[str, ...]:
    """All arms in the order they run: the reference, the oracle and the controls, then the arms under test."""
    mixed = tuple(f"synthetic_{ratio:g}" for ratio in study.ratios)
    return (REAL, ORACLE, *CONTROLS, *study.added, *mixed, GIVEN, "restyled", "weather", "real_long", "real_short")


def _check_arms(study: GainStudy) -> None:
    """Raise InputError for arms, groups and numbers that do not fit."""
    if not 0 <= study.jpeg_quality <= 100:
        raise InputError("jpeg_quality of the study", study.jpeg_quality, "0 to 100")
    if not set(study.rare_groups) <= set(GROUPS):
        raise InputError("rare_groups of the study", study.rare_groups, "some of " + ", ".join(GROUPS))
    taken = sorted(set(study.added) & {*ABOUT, *(name for name in study.added if not NAME.fullmatch(name))})
    if taken:
        raise InputError("names of added arms", taken, "lower-case names that no other arm has")
    unknown = sorted((set(study.arms) | set(study.arm_seeds)) - set(arm_names(study)))
    if unknown:
        raise InputError("arms of the study", unknown, "some of " + ", ".join(arm_names(study)))
    if any(not 2 <= count <= study.seeds for count in study.arm_seeds.values()):
        raise InputError("arm_seeds of the study", dict(study.arm_seeds), f"2 to {study.seeds}")


ABOUT = {
    REAL: "real pictures only; what every other arm is compared with",
    "real_short": "real pictures only, half the steps",
    "real_long": "real pictures only, twice the steps",
    "weather": "real, and as many copies with painted weather",
    "duplicated": "control: real, and as many exact copies; no gain is possible",
    "shuffled": "control: real, and as many copies with the boxes of other pictures; must harm",
    ORACLE: "real, and held-back real rare pictures; what perfect synthesis could give",
    GIVEN: "control: real, and only the context frames of the synthetic clips, which were rendered",
    "restyled": "real, and restyled clips, one picture for each real one",
}


def about_arm(name: str) -> str:
    """One line on what an arm trains on."""
    if name in ABOUT:
        return ABOUT[name]
    if not name.startswith("synthetic_"):
        return "real, and added pictures, half of what it trains on"
    return f"real, and {name.removeprefix('synthetic_')} synthetic pictures for each real one"
