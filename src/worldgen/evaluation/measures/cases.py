"""Cases: clips with what was asked of them, from a model, from the renderer, or from a data set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from worldgen.core.camera import Camera
from worldgen.core.clip import Clip
from worldgen.core.ego import EgoMotion
from worldgen.core.errors import InputError, Received
from worldgen.core.labels import Labels
from worldgen.core.scenario import Scenario
from worldgen.core.scene import Scene
from worldgen.data.dataset.index import DataSet
from worldgen.evaluation.measures.trials import Trial, num_context_frames
from worldgen.instruments.attributes.attribute_reader import AttributeTruth
from worldgen.rendering.labelling import labels_of


@dataclass(frozen=True, eq=False)
class Case:
    """One clip to judge. first: number of context frames, which are not judged.

    ego, camera, scenario: what was asked for, None where nothing was. labels, scene: one of them where it is known
    which objects appear.
    """

    key: str
    clip: Clip
    ego: EgoMotion | None
    camera: Camera | None
    scenario: Scenario | None
    first: int = 0
    labels: Labels | None = None
    scene: Scene | None = None

    @property
    def shows(self) -> bool:
        """Whether it is known which weather, light and road users the clip should show."""
        return self.scenario is not None and (self.labels is not None or self.scene is not None)

    def truth(self, frames: list[int]) -> AttributeTruth:
        """What these frames should show; only for cases where ``shows`` is true."""
        assert self.scenario is not None, self.key
        if self.labels is not None:
            return AttributeTruth.of(self.scenario, self.labels, frames)
        assert self.scene is not None, self.key
        return AttributeTruth.of(self.scenario, labels_of(self.scene, frames=frames))


def generated_cases(trials: Iterable[Trial], clips: Iterable[Clip], *, start: str) -> Iterator[Case]:
    """Clips of trials as cases. start: "sketch" or "noise" as in ``trials.GenerationOptions``, or "rendered"."""
    for trial, clip in zip(trials, clips, strict=True):
        scene, first = trial.scene, num_context_frames(trial.scene, start)
        yield Case(trial.key, clip, scene.ego, scene.camera, trial.scenario, first, None, scene)


def stored_cases(url: str, count: int = 0, *, split: str | None = None) -> Iterator[Case]:
    """Clips of a data set as cases, ``count`` of them spread evenly over it (0: all).

    The rendered frames with which a generated clip begins (their number is in its provenance) are context frames.

    Raises: InputError when there is no clip.
    """
    rows = DataSet(url).select(split=split)
    total = len(rows.rows)
    if total == 0:
        raise InputError(f"data set {url}", Received(f"no clips in split {split or 'any'}"), "at least one")
    picks = range(total) if not 0 < count < total else [k * total // count for k in range(count)]
    for pick in picks:
        sample = rows.load(rows.rows[pick]["key"])
        first = min(int(sample.provenance.get("drawn_frames") or 0), len(sample.clip) - 1)
        yield Case(sample.key, sample.clip, sample.ego, sample.camera, sample.scenario, first, sample.labels)
