"""The scorecard: every measure of one clip against the scene it should show, taken by instruments that did not make it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from worldgen.core.camera import Camera
from worldgen.core.clip import Clip
from worldgen.core.ego import EgoMotion
from worldgen.core.labels import Labels
from worldgen.core.scenario import LIGHTS
from worldgen.core.scene import Scene
from worldgen.generation.quality import appearance
from worldgen.generation.quality.flicker import flicker
from worldgen.generation.quality.instrument_loading import load_instrument, unless_below_bar
from worldgen.generation.quality.novelty import TrainingClips
from worldgen.generation.quality.track_scores import (
    TrackScore,
    alternative_places,
    evidence_nearby,
    judged_rows,
    merged,
    score_tracks,
    unlabelled,
    wrong_class,
)  # fmt: skip
from worldgen.rendering.render import render_scene

if TYPE_CHECKING:
    from worldgen.instruments.attributes.attribute_reader import AttributeReader, Reading
    from worldgen.instruments.detector.detector import Detections, Detector
    from worldgen.instruments.motion.motion_reader import MotionReader
    from worldgen.instruments.verifier.verifier import VerifiedClip, Verifier

MEASURES = {
    "blank": "share of frames without contrast",
    "frozen": "share of frames that repeat the one before although the car moves",
    "flicker": "change from frame to frame that motion does not explain, over that of the scene as it is drawn",
    "sharpness": "fine detail of the softest third of the clip, over that of the scene as it is drawn",
    "drift": "largest trend of colour or contrast that the drawn scene does not have, CIELAB units per second",
    "weather": "belief of the attribute reader in the weather asked for, and those that look like it in that light",
    "light": "belief of the attribute reader in the light asked for",
    "presence": "belief of the attribute reader in the kinds of object that are, and are not, labelled",
    "control_speed_mps": "mean difference between the speed read from the pixels and the commanded one",
    "control_yaw_rate_radps": "mean difference between the yaw rate read from the pixels and the commanded one",
    "label_agreement": "mean over judged tracks of the belief that the picture shows what the label says",
    "label_fit": "mean over judged tracks of the overlap of boxes with what they are meant for",
    "wrong_class": "largest belief in another class less that in the labelled one, over judged tracks",
    "unlabelled": "evidence of the plainest object without a label",
    "novelty": "distance to the nearest training clip; 1 is as far as training clips are from one another",
}
"""Name of a measure -> what it says. A scorecard holds a subset; what could not be measured is named with its reason."""

LEAST_SCORE = 0.1
"""Of a detection; what is less sure is nothing but time."""
ATTRIBUTE_WINDOWS = 5
REMEMBERED = 16
"""Scenes whose drawn frames are kept for the next clip of the same scene."""
TRIPLETS = 3
"""Parts of a clip that are compared with the scene as it is drawn, three frames in the middle of each."""


@dataclass(frozen=True, eq=False)
class Scorecard:
    """All measures of one clip.

    values: measure -> finite number. unmeasured: measure -> why there is no number. tracks: the judged tracks.
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
                }
                for t in self.tracks
            ]  # fmt: skip
        return record


@dataclass(frozen=True)
class ScorerConfig:
    """Which instruments measure: names under ``assets/instruments``, folders, or "" to leave one out.

    verifier and detector judge labels, attributes reads weather, light and kinds of object, motion reads the ego motion,
    training describes the model's training clips.
    """

    verifier: str = "verifier"
    detector: str = "detector"
    attributes: str = "attributes"
    motion: str = "motion"
    training: str = "training"


@dataclass(frozen=True, eq=False)
class InstrumentReadings:
    """What the instruments see in a clip, whatever its labels say; None where there is no instrument for it.

    reading_frames: middles of the windows that ``reading`` belongs to. sight: answers about boxes.
    """

    detections: Detections | None = None
    reading: Reading | None = None
    reading_frames: tuple[int, ...] = ()
    motion: EgoMotion | None = None
    verified: VerifiedClip | None = None


@dataclass(frozen=True, eq=False)
class Scorer:
    """Loaded instruments; one per process. None: see ``absent``, instrument -> why it does not measure."""

    config: ScorerConfig
    verifier: Verifier | None = None
    detector: Detector | None = None
    attributes: AttributeReader | None = None
    motion: MotionReader | None = None
    training: TrainingClips | None = None
    absent: dict[str, str] = field(default_factory=dict)
    _last_read: list = field(default_factory=list)
    _references: list = field(default_factory=list)

    @classmethod
    def load(cls, config: ScorerConfig | None = None) -> Scorer:
        """Load what the config names. What is not shipped, or below its own bar, measures nothing; the card says so.

        Raises: InputError for a folder that is not there, and for damaged instruments.
        """
        from worldgen.instruments.attributes.attribute_reader import AttributeReader
        from worldgen.instruments.detector.detector import load_detector
        from worldgen.instruments.motion.motion_reader import MotionReader
        from worldgen.instruments.verifier.verifier import load_verifier

        config = config or ScorerConfig()
        loaders = {
            "verifier": load_verifier, "detector": load_detector, "attributes": unless_below_bar(AttributeReader.load),
            "motion": unless_below_bar(MotionReader.load), "training": TrainingClips.load,
        }  # fmt: skip
        found, absent = {}, {}
        for what, loader in loaders.items():
            found[what], why = load_instrument(getattr(config, what), loader)
            if why:
                absent[what] = f"{what}: {why}"
        return cls(config, **found, absent=absent)

    def score(
        self, clip: Clip, *, scene: Scene | None, labels: Labels | None, ego: EgoMotion | None, text: str = "",
        previous: Clip | None = None,
    ) -> Scorecard:  # fmt: skip
        """Measure a clip against what it should show.

        scene: what was asked for (None for clips without one). labels, ego: as they would be stored. text: the prompt,
        which may name weather and light where there is no scene. previous: the clip this one was made from (restyle); it
        stands in for the drawn scene where there is none.
        """
        target, out = _Target(scene, labels, ego, text, previous), Measurements()
        self._appearance(clip, target, out)
        readings = self.read(clip, scene.camera if scene else None)
        self.compare(readings, out, scene=scene, labels=labels, ego=ego, text=text)
        if self.training is None:
            out.skip(self.absent.get("training", "no description of the training clips"), "novelty")
        else:
            out.values["novelty"] = self.training.novelty(clip)
        return out.card()

    def compare(
        self, readings: InstrumentReadings, out: Measurements, *, scene: Scene | None, labels: Labels | None, ego: EgoMotion | None,
        text: str = "",
    ) -> None:  # fmt: skip
        """Compare what the instruments saw with what a clip should show."""
        target = _Target(scene, labels, ego, text, None)
        self._attributes(readings, target, out)
        self._control(readings, target, out)
        self.compare_labels(readings, labels, out)

    def read(self, clip: Clip, camera: Camera | None) -> InstrumentReadings:
        """Let the instruments see a clip. camera: of the picture at any size, None when unknown."""
        if not self._last_read or self._last_read[0] is not clip:
            self._last_read[:] = [clip, self._read_pixels(clip)]
        readings: InstrumentReadings = self._last_read[1]
        if self.motion is None or camera is None or len(clip) < 3:
            return readings
        motion = self.motion.read(clip, camera.resized(clip.width_px, clip.height_px))
        return dataclasses.replace(readings, motion=motion)

    def _read_pixels(self, clip: Clip) -> InstrumentReadings:
        """What can be seen without knowing the camera; done once, however often the clip is asked about."""
        detections = reading = None
        frames: tuple[int, ...] = ()
        verified = None if self.verifier is None else self.verifier.see(clip)
        if self.detector is not None:
            from worldgen.instruments.detector.detector import detect

            detections = _confirmed(verified, detect(self.detector, clip, threshold=LEAST_SCORE))
        if verified is not None:
            own = verified.objects(LEAST_SCORE)
            detections = own if detections is None else merged(detections, own)
        if self.attributes is not None and len(clip) >= 3:
            middles = np.linspace(1, len(clip) - 2, min(ATTRIBUTE_WINDOWS, len(clip) - 2)).round().astype(int)
            frames = tuple(middles.tolist())
            reading = self.attributes.read(clip, list(frames))
        return InstrumentReadings(detections, reading, frames, verified=verified)

    def _appearance(self, clip: Clip, target: _Target, out: Measurements) -> None:
        grey = appearance.grey_frames(clip.frames)
        out.values["blank"] = appearance.blank_share(grey)
        frozen = appearance.frozen_share(grey, None if target.ego is None else target.ego.speed_mps)
        if frozen is None:
            out.skip("the car is not known to move", "frozen")
        else:
            out.values["frozen"] = frozen
        frames = appearance.measured_frames(clip)
        names = ("flicker", "sharpness", "drift")
        if frames is None or len(frames) < 3 * TRIPLETS:
            out.skip(f"clip smaller than {appearance.WIDTH_PX} px or shorter than {3 * TRIPLETS} frames", *names)
            return
        picked = triplets(len(frames)).ravel()
        reference = self._reference(clip, target, picked)
        if reference is None:
            out.skip("no scene to draw and compare with", *names)
            return
        own, (drawn, at_rest) = frames[picked], reference
        out.values["sharpness"] = appearance.detail_ratio(own, drawn, parts=TRIPLETS)
        out.values["drift"] = appearance.drift(own, drawn, times_s=picked / clip.fps)
        out.values["flicker"] = flicker(appearance.grey_frames(frames)) / max(at_rest, appearance.LEAST_FLICKER)

    def _reference(self, clip: Clip, target: _Target, picked: np.ndarray) -> tuple[np.ndarray, float] | None:
        """The frames to compare with and their flicker. Several clips are made of one scene, which is drawn once."""
        key = (target.scene, target.previous, clip.width_px, clip.height_px, len(clip))
        for known, reference in self._references:
            if known[0] is key[0] and known[1] is key[1] and known[2:] == key[2:]:
                return reference
        drawn = _drawn(clip, target, picked)
        if drawn is None:
            return None
        at_rest = float(np.mean([flicker(part) for part in np.split(appearance.grey_frames(drawn), TRIPLETS)]))
        self._references.append((key, (drawn, at_rest)))
        del self._references[:-REMEMBERED]
        return drawn, at_rest

    def _attributes(self, readings: InstrumentReadings, target: _Target, out: Measurements) -> None:
        if readings.reading is None or self.attributes is None:
            out.skip(self.absent.get("attributes", "too short a clip"), "weather", "light")
            return
        from worldgen.evaluation.measures.attributes_score import weather_belief

        weather, light = _sky(target)
        beliefs = {
            "weather": None if weather is None else weather_belief(readings.reading, weather, light),
            "light": None if light is None else readings.reading.light[:, LIGHTS.index(light)],
        }
        for name, belief in beliefs.items():
            if belief is None:
                out.skip("nothing was asked for", name)
            elif name in self.attributes.judged:
                out.values[name] = belief.mean()
            else:
                out.skip("the attribute reader is below its bar for it", name)

    def _control(self, readings: InstrumentReadings, target: _Target, out: Measurements) -> None:
        names = ("control_speed_mps", "control_yaw_rate_radps")
        if readings.motion is None or target.ego is None:
            out.skip(self.absent.get("motion", "camera or motion unknown, or too short a clip"), *names)
            return
        out.values[names[0]] = np.abs(readings.motion.speed_mps - target.ego.speed_mps)[1:].mean()
        out.values[names[1]] = np.abs(readings.motion.yaw_rate_radps - target.ego.yaw_rate_radps)[1:].mean()

    def compare_labels(self, readings: InstrumentReadings, labels: Labels | None, out: Measurements) -> None:
        """Compare labels with what was seen: presence, agreement, fit, objects without a label."""
        names = ("label_agreement", "label_fit", "wrong_class")
        if labels is None:
            out.skip("no labels", *names, "unlabelled", "presence")
            return
        self._presence(readings, labels, out)
        only: dict[int, float] = {}
        if readings.detections is None:
            out.skip(self.absent.get("detector", "no detector"), "unlabelled")
        else:
            out.values["unlabelled"], only = unlabelled(readings.detections, labels)
        rows = judged_rows(labels)
        verified = readings.verified
        if verified is None or not rows.any():
            absent = self.absent.get("verifier", "no verifier") if verified is None else ""
            out.skip(absent or "no object is large and plain enough", *names)
            return
        answers = verified.verify(labels.frame_index[rows], labels.box_px[rows])
        tracks = score_tracks(labels, rows, answers, only)
        for doubt in alternative_places(labels, rows, tracks):
            near = verified.verify(doubt.frame_index, doubt.box_px)
            number = int(labels.class_id[labels.track_id == doubt.track_id][0])
            only[doubt.track_id] = max(only.get(doubt.track_id, 0.0), evidence_nearby(doubt, number, near))
        out.tracks = score_tracks(labels, rows, answers, only)
        out.values["wrong_class"] = wrong_class(labels, rows, answers[0])
        out.values["label_agreement"] = np.mean([track.agreement for track in out.tracks])
        out.values["label_fit"] = np.mean([track.fit for track in out.tracks])

    def _presence(self, readings: InstrumentReadings, labels: Labels, out: Measurements) -> None:
        if readings.reading is None or self.attributes is None:
            out.skip(self.absent.get("attributes", "too short a clip"), "presence")
            return
        from worldgen.instruments.attributes.attribute_reader import ABSENT, GROUPS, PRESENT, presence

        groups = [i for i, name in enumerate(GROUPS) if name in self.attributes.judged]
        truth, belief = presence(labels)[list(readings.reading_frames)][:, groups], readings.reading.present[:, groups]
        known = (truth == PRESENT) | (truth == ABSENT)
        if known.any():
            out.values["presence"] = np.where(truth == PRESENT, belief, 1 - belief)[known].mean()
        else:
            out.skip("no kind of object that the attribute reader can judge", "presence")


@dataclass(frozen=True, eq=False)
class _Target:
    """What a clip should show."""

    scene: Scene | None
    labels: Labels | None
    ego: EgoMotion | None
    text: str
    previous: Clip | None


@dataclass(eq=False)
class Measurements:
    """Numbers, and reasons where there are none, as they come in."""

    values: dict[str, float] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    tracks: tuple[TrackScore, ...] = ()

    def skip(self, why: str, *names: str) -> None:
        """Say why these measures have no number."""
        self.missing |= dict.fromkeys(names, why)

    def card(self) -> Scorecard:
        """The finished card, measures in their usual order."""
        values = {name: float(self.values[name]) for name in MEASURES if name in self.values}
        return Scorecard(values, self.missing, self.tracks)


def _confirmed(verified: VerifiedClip | None, detections: Detections) -> Detections:
    """Scores as both instruments give them, their geometric mean: what only one of them sees counts little."""
    if verified is None or not len(detections):
        return detections
    from worldgen.instruments.verifier.verifier import NONE

    belief, _ = verified.verify(detections.frame_index, detections.box_px)
    return dataclasses.replace(detections, score=np.sqrt(detections.score * (1 - belief[:, NONE])))


def _drawn(clip: Clip, target: _Target, picked: np.ndarray) -> np.ndarray | None:
    """The frames to compare with: the scene as it is drawn, else the clip this one was made from; None without either."""
    if target.scene is not None:
        size = (clip.width_px, clip.height_px)
        return appearance.measured_frames(render_scene(target.scene, frames=picked.tolist(), size=size).clip)
    if target.previous is None or len(target.previous) != len(clip):
        return None
    frames = appearance.measured_frames(target.previous)
    return None if frames is None else frames[picked]


def triplets(num_frames: int) -> np.ndarray:
    """Numbers of three neighbouring frames in the middle of each third, ``(3, 3)``; at least 9 frames."""
    middles = ((np.arange(TRIPLETS) + 0.5) * num_frames / TRIPLETS).astype(int)
    return np.clip(middles, 1, num_frames - 2)[:, None] + np.array([-1, 0, 1])


def _sky(target: _Target) -> tuple[str | None, str | None]:
    """Weather and light asked for: the scene's, else those that the words name; None for what is left open."""
    if target.scene is not None:
        return target.scene.scenario.weather, target.scene.scenario.light
    if not target.text.strip():
        return None, None
    from worldgen.prompts import parse

    parsed = parse(target.text)
    named = {understood.field for understood in parsed.understood}
    weather, light = parsed.scenario.weather, parsed.scenario.light
    return weather if "weather" in named else None, light if "light" in named else None
