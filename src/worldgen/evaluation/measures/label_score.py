"""Whether labels agree with the pixels: precision of a detector's boxes on generated clips, against rendered clips."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from worldgen.core.errors import InputError, Received
from worldgen.core.labels import Labels
from worldgen.evaluation.measures.average_precision import RESAMPLES, SIZES, SLICES, Judged, judge
from worldgen.evaluation.measures.cases import Case
from worldgen.evaluation.measures.intervals import Interval, bootstrap, shuffled
from worldgen.instruments.detector.detector import GROUPS, Detections, Detector
from worldgen.instruments.detector.pictures import Boxes, Pictures, clip_pictures, find_in
from worldgen.rendering.labelling import labels_of
from worldgen.rendering.render import render_scene

BAR = 0.9
"""AP50 on rendered test clips that the detector must reach to judge a group of objects."""
UNDEFINED = Interval(math.nan, math.nan, math.nan, 0)


@dataclass(frozen=True, eq=False)
class LabelScore:
    """The same detector on the same scenes, three times.

    generated: the clips to judge. wrong: their boxes against the labels of another clip; None for a single clip.
    rendered: clips of the renderer; None where the scenes are not known.
    """

    generated: Judged
    wrong: Judged | None
    rendered: Judged | None

    def relative(self, name: str, group: str, *, seed: int = 0) -> Interval:
        """AP50 on generated over AP50 on rendered clips, the interval from drawing scenes; NaN where nothing is
        judged."""
        rendered = self.rendered
        if rendered is None or not self.generated.objects(name, group):
            return UNDEFINED

        def statistic(index: np.ndarray) -> float:
            best = rendered.value(name, group, drawn=index)
            return self.generated.value(name, group, drawn=index) / best if best else math.nan

        return bootstrap(len(self.generated.tags), statistic, seed=seed, resamples=RESAMPLES)

    def row(self, name: str, group: str, *, seed: int = 0) -> dict[str, Interval | int]:
        """All numbers of a slice and a group.

        relative; made: AP50 of the generated clips; drawn: of the rendered clips; wrong: against wrong labels, only in
        slices by least height; objects: their number.
        """
        others = {
            part: judged.interval(name, group, seed=seed) if judged and name in judged.names else UNDEFINED
            for part, judged in (("drawn", self.rendered), ("wrong", self.wrong))
        }
        return {
            "relative": self.relative(name, group, seed=seed),
            "made": self.generated.interval(name, group, seed=seed),
            **others,
            "objects": self.generated.objects(name, group),
        }

    @property
    def slices(self) -> list[str]:
        """Names of the slices, "all" first."""
        return self.generated.names


def score_labels(detector: Detector, cases: Sequence[Case], *, seed: int = 0) -> LabelScore:
    """Judge the clips of cases that have labels or a scene; context frames are left out.

    Raises: InputError when there is no such case or clips differ in size.
    """
    known = [case for case in cases if case.labels is not None or case.scene is not None]
    if not known:
        raise InputError("clips with labels", 0, "at least one")
    sizes = {(case.clip.width_px, case.clip.height_px) for case in known}
    if len(sizes) > 1:
        raise InputError("sizes of clips", sorted(sizes), "one size")
    clips = [case.clip[case.first :] for case in known]
    labels = [_labels(case) for case in known]
    tags = tuple(_tags(case) for case in known)
    pictures = clip_pictures(clips, labels, tags)
    found = find_in(detector, pictures)
    generated = judge(pictures, found, slices=(*SLICES, *SIZES))
    wrong = None
    if len(known) > 1:
        partner = shuffled(len(known), seed=seed)
        wrong = judge(*_exchanged(pictures, found, labels, partner), slices=SIZES)
    rendered = None
    scenes = [case.scene for case in known if case.scene is not None]
    if len(scenes) == len(known):
        frames = [range(case.first, len(case.clip)) for case in known]
        shown = [render_scene(scene, frames=each).clip for scene, each in zip(scenes, frames, strict=True)]
        best = clip_pictures(shown, labels, tags)
        rendered = judge(best, find_in(detector, best), slices=(*SLICES, *SIZES))
    return LabelScore(generated, wrong, rendered)


def _labels(case: Case) -> Labels:
    """Labels of the frames that count, numbered from 0."""
    frames = range(case.first, len(case.clip))
    if case.labels is None:
        assert case.scene is not None, case.key
        return labels_of(case.scene, frames=frames)
    kept = case.labels.where(case.labels.frame_index >= case.first)
    return replace(kept, num_frames=len(frames), frame_index=kept.frame_index - case.first)


def _tags(case: Case) -> tuple[str, ...]:
    return () if case.scenario is None else (case.scenario.weather, case.scenario.light, case.scenario.road)


def _exchanged(
    pictures: Pictures, found: Detections, labels: Sequence[Labels], partner: np.ndarray
) -> tuple[Pictures, Detections]:
    """The same detections with the labels of each clip's partner, on the frames that both have."""
    boxes, keep = [], np.zeros(len(pictures), bool)
    starts = np.searchsorted(pictures.clip_index, np.arange(len(labels) + 1))
    for clip, other in enumerate(partner):
        length = min(starts[clip + 1] - starts[clip], starts[other + 1] - starts[other])
        keep[starts[clip] : starts[clip] + length] = True
        offset = starts[clip] - starts[other]
        theirs = (pictures.boxes.picture_index >= starts[other]) & (
            pictures.boxes.picture_index < starts[other] + length
        )
        boxes.append(pictures.boxes.where(theirs).shifted(int(offset)))
    found = found.where(keep[found.frame_index])
    return Pictures(pictures.frames, Boxes.joined(boxes), pictures.clip_index, pictures.tags), found


def heights_judged(accuracy: dict[str, dict], groups: Sequence[str] = GROUPS) -> dict[str, str]:
    """For each group that the detector may judge, the slice of the smallest objects that it judges reliably.

    accuracy: measured on rendered test clips, "ap50_GROUP_SLICE" for the slices of ``SIZES``. A group is judged from
    the least height on at which, and above which, AP50 reaches the bar. Raises: InputError when no group reaches it.
    """
    judged = {}
    for group in groups:
        values = [(accuracy.get(f"ap50_{group}_{piece.name}") or {}).get("value") for piece in SIZES]
        reached = [value is not None and value >= BAR for value in values]
        reliable = [k for k in range(len(SIZES)) if all(reached[k:])]
        if reliable:
            judged[group] = SIZES[reliable[0]].name
    if not judged:
        best = {g: (accuracy.get(f"ap50_{g}_{SIZES[-1].name}") or {}).get("value") for g in groups}
        shown = ", ".join(f"{group} {value}" for group, value in best.items())
        raise InputError(
            f"AP50 of the detector on rendered test clips, objects {SIZES[-1].name.replace('_', ' ')}", Received(shown),
            f"at least {BAR} for a group; an instrument under its bar judges nothing",
        )  # fmt: skip
    return judged
