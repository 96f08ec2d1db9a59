"""The scorer measures a clip against the scene it should show, with instruments that did not generate it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
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
from worldgen.generation.quality.instrument_loading import Instrument, load_instrument
from worldgen.generation.quality.novelty import TrainingClips
from worldgen.generation.quality.scorecard import Measurements, Scorecard
from worldgen.generation.quality.track_scores import (
    alternative_places,
    evidence_nearby,
    judged_rows,
    merged,
    score_tracks,
    unlabelled,
    with_orders,
    wrong_class,
)
from worldgen.generation.sample.subjects import OrderedSubject, ordered_subjects
from worldgen.rendering.render import render_scene

if TYPE_CHECKING:
    from worldgen.instruments.attributes.attribute_reader import AttributeReader, Reading
    from worldgen.instruments.detector.detector import Detections, Detector
    from worldgen.instruments.motion.motion_reader import MotionReader
    from worldgen.instruments.verifier.verifier import VerifiedClip, Verifier

LEAST_SCORE = 0.1
"""Score of a detection below which it is left out: it would cost time and change nothing."""
ATTRIBUTE_WINDOWS = 5
REMEMBERED = 16
"""Number of scenes whose rendered frames are kept for the next clip of the same scene."""
TRIPLETS = 3
"""Parts of a clip that are compared with the rendered scene, by three frames in the middle of each."""


@dataclass(frozen=True)
class ScorerConfig:
    """Which instruments measure: names under ``assets/instruments``, folders, or "" to leave one out.

    verifier, detector: compare labels with frames. attributes: reads weather, light and kinds of object. motion: reads
    the ego motion. training: describes the model's training clips.
    """

    verifier: str = "verifier"
    detector: str = "detector"
    attributes: str = "attributes"
    motion: str = "motion"
    training: str = "training"


@dataclass(frozen=True, eq=False)
class InstrumentReadings:
    """What the instruments read from a clip, independent of its labels; None where there is no instrument.

    reading: attributes in windows whose middle frames are ``reading_frames``. verified: answers questions about boxes.
    """

    detections: Detections | None = None
    reading: Reading | None = None
    reading_frames: tuple[int, ...] = ()
    motion: EgoMotion | None = None
    verified: VerifiedClip | None = None


@dataclass(frozen=True, eq=False)
class Scorer:
    """The loaded instruments, once per process. absent: instrument that is None -> why it does not measure."""

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
        """Load what the config names. An instrument that is not shipped, or below its bar, is left out with the reason.

        Raises: InputError for a folder that is not there, and for damaged instruments.
        """
        from worldgen.instruments.attributes.attribute_reader import AttributeReader
        from worldgen.instruments.detector.detector import load_detector
        from worldgen.instruments.motion.motion_reader import MotionReader
        from worldgen.instruments.verifier.verifier import load_verifier

        config = config or ScorerConfig()
        absent: dict[str, str] = {}

        def load(what: str, loader: Callable[[str], Instrument | None]) -> Instrument | None:
            found, why = load_instrument(getattr(config, what), loader)
            if why:
                absent[what] = f"{what}: {why}"
            return found

        return cls(
            config,
            load("verifier", load_verifier),
            load("detector", load_detector),
            load("attributes", AttributeReader.load),
            load("motion", MotionReader.load),
            load("training", TrainingClips.load),
            absent,
        )

    def score(
        self, clip: Clip, *, scene: Scene | None, labels: Labels | None, ego: EgoMotion | None, text: str = "",
        previous: Clip | None = None,
    ) -> Scorecard:  # fmt: skip
        """Measure a clip against what it should show.

        scene: the commanded scene, None for clips without one. labels, ego: as they would be stored. text: the prompt,
        whose weather and light count where there is no scene. previous: the clip that was restyled, which replaces the
        rendered scene where there is none.
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
        self,
        readings: InstrumentReadings,
        out: Measurements,
        *,
        scene: Scene | None,
        labels: Labels | None,
        ego: EgoMotion | None,
        text: str = "",
    ) -> None:
        """Add the measures that compare the readings of a clip with what it should show."""
        target = _Target(scene, labels, ego, text, None)
        self._attributes(readings, target, out)
        self._control(readings, target, out)
        self.compare_labels(readings, labels, out, subjects=ordered_subjects(scene) if scene is not None else ())

    def read(self, clip: Clip, camera: Camera | None) -> InstrumentReadings:
        """Read a clip with the instruments. camera: of the clip at any size, None when unknown."""
        if not self._last_read or self._last_read[0] is not clip:
            self._last_read[:] = [clip, self._read_pixels(clip)]
        readings: InstrumentReadings = self._last_read[1]
        if self.motion is None or camera is None or len(clip) < 3:
            return readings
        motion = self.motion.read(clip, camera.resized(clip.width_px, clip.height_px))
        return dataclasses.replace(readings, motion=motion)

    def _read_pixels(self, clip: Clip) -> InstrumentReadings:
        """The readings that need no camera. Those of the last clip are kept for its next labels."""
        detections = reading = None
        frames: tuple[int, ...] = ()
        verified = None if self.verifier is None else self.verifier.read(clip)
        if self.detector is not None:
            from worldgen.instruments.detector.detector import detect_at_width

            detections = confirmed_detections(verified, detect_at_width(self.detector, clip, threshold=LEAST_SCORE))
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
            out.skip("the ego is not known to move", "frozen")
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
            out.skip("no scene to render and compare with", *names)
            return
        own, (rendered, rendered_flicker) = frames[picked], reference
        out.values["sharpness"] = appearance.detail_ratio(own, rendered, parts=TRIPLETS)
        out.values["drift"] = appearance.drift(own, rendered, times_s=picked / clip.fps)
        out.values["flicker"] = flicker(appearance.grey_frames(frames)) / max(
            rendered_flicker, appearance.LEAST_FLICKER
        )

    def _reference(self, clip: Clip, target: _Target, picked: np.ndarray) -> tuple[np.ndarray, float] | None:
        """The frames to compare with and their flicker. A scene of several clips is rendered once."""
        key = (target.scene, target.previous, clip.width_px, clip.height_px, len(clip))
        for known, reference in self._references:
            if known[0] is key[0] and known[1] is key[1] and known[2:] == key[2:]:
                return reference
        rendered = _comparison_frames(clip, target, picked)
        if rendered is None:
            return None
        parts = np.split(appearance.grey_frames(rendered), TRIPLETS)
        reference = rendered, float(np.mean([flicker(part) for part in parts]))
        self._references.append((key, reference))
        del self._references[:-REMEMBERED]
        return reference

    def _attributes(self, readings: InstrumentReadings, target: _Target, out: Measurements) -> None:
        if readings.reading is None or self.attributes is None:
            out.skip(self.absent.get("attributes", "too short a clip"), "weather", "light")
            return
        from worldgen.evaluation.measures.attributes_score import weather_belief

        weather, light = _sky(target)
        probabilities = {
            "weather": None if weather is None else weather_belief(readings.reading, weather, light),
            "light": None if light is None else readings.reading.light[:, LIGHTS.index(light)],
        }
        for name, probability in probabilities.items():
            if probability is None:
                out.skip("not part of the request", name)
            elif name in self.attributes.judged:
                out.values[name] = float(probability.mean())
            else:
                out.skip("the attribute reader is below its bar for it", name)

    def _control(self, readings: InstrumentReadings, target: _Target, out: Measurements) -> None:
        names = ("control_speed_mps", "control_yaw_rate_radps")
        if readings.motion is None or target.ego is None:
            out.skip(self.absent.get("motion", "camera or motion unknown, or too short a clip"), *names)
            return
        recovered, commanded = readings.motion, target.ego
        out.values[names[0]] = float(np.abs(recovered.speed_mps - commanded.speed_mps)[1:].mean())
        out.values[names[1]] = float(np.abs(recovered.yaw_rate_radps - commanded.yaw_rate_radps)[1:].mean())

    def compare_labels(
        self,
        readings: InstrumentReadings,
        labels: Labels | None,
        out: Measurements,
        *,
        subjects: tuple[OrderedSubject, ...] = (),
    ) -> None:
        """Add the measures of labels: agreement, fit, presence of ordered subjects, and objects without a label."""
        names = ("label_agreement", "label_fit", "wrong_class")
        if labels is None:
            out.skip("no labels", *names, "unlabelled", "presence")
            return
        explained: dict[int, float] = {}
        if readings.detections is None:
            out.skip(self.absent.get("detector", "no detector"), "unlabelled")
        else:
            out.values["unlabelled"], explained = unlabelled(readings.detections, labels)
        rows = judged_rows(labels)
        verified = readings.verified
        if verified is None:
            out.skip(self.absent.get("verifier", "no verifier"), *names, "presence")
            return
        if rows.any():
            answers = verified.verify(labels.frame_index[rows], labels.box_px[rows])
            tracks = score_tracks(labels, rows, answers, explained)
            for places in alternative_places(labels, rows, tracks):
                track, class_id = places.track_id, int(labels.class_id[labels.track_id == places.track_id][0])
                nearby = evidence_nearby(places, class_id, verified.verify(places.frame_index, places.box_px))
                explained[track] = max(explained.get(track, 0.0), nearby)
            out.tracks = score_tracks(labels, rows, answers, explained)
            out.values["wrong_class"] = wrong_class(labels, rows, answers.classes)
            out.values["label_agreement"] = float(np.mean([score.agreement for score in out.tracks]))
            out.values["label_fit"] = float(np.mean([score.fit for score in out.tracks]))
        else:
            out.skip("no object is large and visible enough", *names)
        out.tracks, shown = with_orders(out.tracks, subjects)
        if shown:
            out.values["presence"] = min(shown.values())
        else:
            out.skip("no object was ordered" if not subjects else "the verifier does not know the class", "presence")


@dataclass(frozen=True, eq=False)
class _Target:
    """What a clip should show."""

    scene: Scene | None
    labels: Labels | None
    ego: EgoMotion | None
    text: str
    previous: Clip | None


def confirmed_detections(verified: VerifiedClip | None, detections: Detections) -> Detections:
    """Detections with the geometric mean of both instruments' scores, low where only one of them finds an object."""
    if verified is None or not len(detections):
        return detections
    from worldgen.instruments.verifier.verifier import NONE

    classes = verified.verify(detections.frame_index, detections.box_px).classes
    return dataclasses.replace(detections, score=np.sqrt(detections.score * (1 - classes[:, NONE])))


def _comparison_frames(clip: Clip, target: _Target, picked: np.ndarray) -> np.ndarray | None:
    """Frames of the rendered scene, else of the clip that was restyled; None without either."""
    if target.scene is not None:
        size = (clip.width_px, clip.height_px)
        return appearance.measured_frames(render_scene(target.scene, frames=picked.tolist(), size=size).clip)
    if target.previous is None or len(target.previous) != len(clip):
        return None
    frames = appearance.measured_frames(target.previous)
    return None if frames is None else frames[picked]


def triplets(num_frames: int) -> np.ndarray:
    """Indices ``(3, 3)`` of three neighbouring frames in the middle of each third of at least 9 frames."""
    middles = ((np.arange(TRIPLETS) + 0.5) * num_frames / TRIPLETS).astype(int)
    return np.clip(middles, 1, num_frames - 2)[:, None] + np.array([-1, 0, 1])


def _sky(target: _Target) -> tuple[str | None, str | None]:
    """Requested weather and light: the scene's, else those that the text names, None for what it does not name."""
    if target.scene is not None:
        return target.scene.scenario.weather, target.scene.scenario.light
    if not target.text.strip():
        return None, None
    from worldgen.prompts import parse

    parsed = parse(target.text)
    named = {understood.field for understood in parsed.understood}
    weather, light = parsed.scenario.weather, parsed.scenario.light
    return weather if "weather" in named else None, light if "light" in named else None
