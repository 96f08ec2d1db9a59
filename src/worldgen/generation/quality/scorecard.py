"""The scorecard of a clip: a number for each measure, or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from worldgen.generation.quality.track_scores import TrackScore

MEASURES = {
    "blank": "share of frames without contrast",
    "frozen": "share of frames that repeat the previous frame although the ego moves",
    "flicker": "change between frames that motion does not explain, over that of the rendered scene",
    "sharpness": "fine detail of the softest third of the clip, over that of the rendered scene",
    "drift": "largest trend of colour or contrast that the rendered scene does not have, CIELAB units per second",
    "weather": "probability of the requested weather and similar ones in that light, read from the frames",
    "light": "probability of the requested light, read from the frames",
    "presence": "agreement of the least certain ordered object; 0 when none of its labels is clear enough to judge",
    "control_speed_mps": "mean difference between the recovered and the commanded speed",
    "control_yaw_rate_radps": "mean difference between the recovered and the commanded yaw rate",
    "label_agreement": "mean over judged tracks of the probability that the frames show what the label says",
    "label_fit": "mean over judged tracks of the overlap of boxes with their objects",
    "wrong_class": "largest probability of another class less that of the labelled one, over judged tracks",
    "unlabelled": "evidence of the clearest object without a label",
    "seam_colour": "largest step of colour between chunks, over the median step of the clip; only of clips in chunks",
    "seam_flicker": "largest unexplained change between chunks, over the median of the clip; only of clips in chunks",
    "novelty": "distance to the nearest training clip; 1 is the distance of training clips from one another",
}
"""Name of a measure -> its meaning. A scorecard holds some of them, and the reason why others were not measured."""
SEAM_MEASURES = ("seam_colour", "seam_flicker")
"""Measures that only a clip with seams has; other scorecards say nothing of them."""


@dataclass(frozen=True, eq=False)
class Scorecard:
    """All measures of one clip.

    values: measure -> finite number. unmeasured: measure -> why there is no number. tracks: scores of the judged
    tracks.
    """

    values: dict[str, float]
    unmeasured: dict[str, str] = field(default_factory=dict)
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
                {
                    "track_id": t.track_id, "class": t.class_name, "frames": t.frames,
                    "agreement": round(t.agreement, 4), "fit": round(t.fit, 4), "other": round(t.other, 4),
                    "ordered": t.ordered,
                }
                for t in self.tracks
            ]  # fmt: skip
        return record


@dataclass(eq=False)
class Measurements:
    """Measures of a clip while they are taken. missing: measure -> why it has no value."""

    values: dict[str, float] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    tracks: tuple[TrackScore, ...] = ()

    def skip(self, why: str, *names: str) -> None:
        """Record why these measures have no value."""
        self.missing |= dict.fromkeys(names, why)

    def card(self) -> Scorecard:
        """The scorecard, with the measures in the order of ``MEASURES``."""
        values = {name: float(self.values[name]) for name in MEASURES if name in self.values}
        return Scorecard(values, self.missing, self.tracks)
