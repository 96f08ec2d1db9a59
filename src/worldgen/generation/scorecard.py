"""The scorecard: every measure of one clip against the scene it should show, taken by instruments that did not make it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from worldgen.core.clip import Clip
from worldgen.core.ego import EgoMotion
from worldgen.core.labels import Labels
from worldgen.core.scene import Scene

MEASURES = {
    "blank": "largest share of frames without contrast",
    "frozen": "share of frames that repeat the one before although the car moves",
    "flicker": "change of brightness from frame to frame that motion does not explain, against rendered clips",
    "sharpness": "fine detail against rendered clips of the same weather and light, 1 is equal",
    "drift": "largest trend of colour and contrast over the clip, per second",
    "weather": "share of the instrument's belief that is in the weather asked for",
    "light": "share of the instrument's belief that is in the light asked for",
    "presence": "share of the kinds of object that are labelled plainly and seen by the instrument",
    "control_speed_mps": "typical difference of recovered and commanded speed",
    "control_yaw_rate_radps": "typical difference of recovered and commanded yaw rate",
    "label_agreement": "mean agreement of the labelled tracks that can be judged with what the detector sees",
    "wrong_class": "strongest evidence that a labelled track is of another class",
    "unlabelled": "strongest evidence of an object without a label",
    "novelty": "distance to the nearest training clip",
}
"""Name of a measure -> what it says. A scorecard holds a subset; what could not be measured is named with its reason."""


@dataclass(frozen=True)
class TrackScore:
    """How far the picture shows one labelled track. frames: number judged. agreement, other: 0 to 1.

    agreement: evidence of the labelled class where the label is. other: evidence of another class there.
    """

    track_id: int
    class_name: str
    frames: int
    agreement: float
    other: float


@dataclass(frozen=True, eq=False)
class Scorecard:
    """All measures of one clip.

    values: measure -> finite number. unmeasured: measure -> why there is no number. objects: ``(N,)`` float32 agreement
    of each label row's track, NaN where it was not judged. tracks: the judged tracks.
    """

    values: dict[str, float]
    unmeasured: dict[str, str] = field(default_factory=dict)
    objects: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))
    tracks: tuple[TrackScore, ...] = ()

    def __post_init__(self) -> None:
        unknown = sorted((set(self.values) | set(self.unmeasured)) - set(MEASURES))
        assert not unknown, unknown
        broken = sorted(name for name, value in self.values.items() if not np.isfinite(value))
        assert not broken, f"measures without a finite number belong to unmeasured: {broken}"

    def to_json(self) -> dict:
        """For ``KEY.json``: plain numbers at the top level (they become ``score_NAME`` columns of the index)."""
        record: dict = {name: round(float(value), 5) for name, value in self.values.items()}
        if self.unmeasured:
            record["unmeasured"] = dict(self.unmeasured)
        if self.tracks:
            record["tracks"] = [
                [t.track_id, t.class_name, t.frames, round(t.agreement, 4), round(t.other, 4)] for t in self.tracks
            ]
        return record


@dataclass(frozen=True)
class ScorerConfig:
    """Which instruments measure. Each is a name under ``assets/instruments``, a folder, or "" to leave it out."""

    detector: str = "detector"
    attributes: str = "attributes"
    motion: str = "motion"
    reference: str = "gate"


@dataclass(frozen=True, eq=False)
class Scorer:
    """Loaded instruments; one per process."""

    config: ScorerConfig

    @classmethod
    def load(cls, config: ScorerConfig | None = None) -> Scorer:
        """Load what the config names. Raises: InputError for an instrument that is not there."""
        return cls(config or ScorerConfig())

    def score(
        self, clip: Clip, *, scene: Scene | None, labels: Labels | None, ego: EgoMotion | None, text: str = "",
        previous: Scorecard | None = None,
    ) -> Scorecard:  # fmt: skip
        """Measure a clip against what it should show.

        scene: what was asked for (None for clips without one). labels, ego: as they would be stored. text: the prompt.
        previous: card of the clip this one was made from (restyle), kept for measures that compare with the source.
        """
        raise NotImplementedError
