"""The scorer: each measure changes with its own fault and no other, and unmeasured ones have a reason."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest

from tests.generation import labels_rig as rig
from worldgen.core.camera import Camera
from worldgen.core.clip import Clip
from worldgen.core.errors import InputError
from worldgen.core.labels import CLASSES
from worldgen.core.scenario import LIGHTS, WEATHERS, Scenario
from worldgen.core.seeds import numpy_rng
from worldgen.generation.quality import appearance
from worldgen.generation.quality.faults import PICTURE_FAULTS
from worldgen.generation.quality.flicker import flicker
from worldgen.generation.quality.novelty import TrainingClips, describe
from worldgen.generation.quality.scorecard import MEASURES, SEAM_MEASURES, Measurements, Scorecard
from worldgen.generation.quality.scorer import InstrumentReadings, Scorer, ScorerConfig, confirmed_detections, triplets
from worldgen.generation.quality.track_scores import TrackScore, judged_rows, unlabelled, with_orders
from worldgen.generation.sample.subjects import OrderedSubject
from worldgen.instruments.attributes.attribute_reader import Reading
from worldgen.rendering.labelling import labels_of
from worldgen.rendering.render import render_scene
from worldgen.simulation.simulate import simulate

NOTHING = ScorerConfig("", "", "", "", "")
APPEARANCE = ("blank", "frozen", "flicker", "sharpness", "drift")


@pytest.fixture(scope="module")
def scene():
    camera = Camera.from_fov(224, 128, 70.0, height_m=1.4, pitch_rad=0.03)
    return simulate(Scenario("clear", "day", "urban", "keep", duration_s=1.5), 5, fps=8.0, num_frames=12, camera=camera)


@pytest.fixture(scope="module")
def clip(scene):
    return render_scene(scene).clip


def scored(clip, scene, **changes):
    return Scorer.load(NOTHING).score(clip, **{"scene": scene, "labels": None, "ego": scene.ego, **changes}).values


def test_a_rendered_clip_equals_its_scene_rendered_again(clip, scene):
    values = scored(clip, scene)
    assert values["sharpness"] == pytest.approx(1, abs=1e-6) and values["drift"] == pytest.approx(0, abs=1e-6)
    assert values["blank"] == 0 and values["frozen"] == 0 and 0.7 < values["flicker"] < 1.4


@pytest.mark.parametrize("kind", PICTURE_FAULTS)
def test_each_fault_of_the_picture_shows_in_its_own_measure(kind, clip, scene):
    before, after = scored(clip, scene), scored(PICTURE_FAULTS[kind](clip, numpy_rng("fault", kind)), scene)
    name = {"blurred": "sharpness", "flickering": "flicker", "drifting": "drift", "frozen": "frozen", "blank": "blank"}[
        kind
    ]
    worse = {"sharpness": after["sharpness"] < 0.6, "flicker": after["flicker"] > 2.5, "drift": after["drift"] > 3}
    assert worse.get(name, after[name] > before[name] + 0.05), (before, after)


def test_motion_is_not_flicker_and_flicker_is_not_motion():
    rng = np.random.default_rng(0)
    texture = cv2.GaussianBlur(rng.integers(0, 256, (128, 400)).astype(np.float32), (0, 0), 2)
    texture = ((texture - texture.min()) / np.ptp(texture) * 255).astype(np.uint8)
    moving = np.stack([texture[:, 3 * i : 3 * i + 224] for i in range(8)])
    boiling = np.clip(moving.astype(float) * (1 + 0.1 * (-1.0) ** np.arange(8))[:, None, None], 0, 255).astype(np.uint8)
    assert flicker(boiling) > 4 * flicker(moving)


def test_pixel_noise_counts_less_than_pumping_brightness(clip):
    grey = appearance.grey_frames(clip.frames)
    rng = np.random.default_rng(0)
    noisy = np.clip(grey + rng.normal(0, 4, grey.shape), 0, 255).astype(np.uint8)
    pumping = np.clip(grey + 4 * (-1.0) ** np.arange(len(grey))[:, None, None], 0, 255).astype(np.uint8)
    assert flicker(pumping) - flicker(grey) > 2 * (flicker(noisy) - flicker(grey))


def test_what_cannot_be_measured_has_a_reason(clip, scene):
    card = Scorer.load(NOTHING).score(clip, scene=None, labels=labels_of(scene), ego=None)
    assert set(card.values) == {"blank"}
    assert set(card.unmeasured) == set(MEASURES) - {"blank", *SEAM_MEASURES} and all(card.unmeasured.values())
    assert "left out by the config" in card.unmeasured["novelty"] and "no scene" in card.unmeasured["sharpness"]
    small = Clip(clip.frames[:, ::2, ::2], clip.fps)
    assert (
        "smaller than" in Scorer.load(NOTHING).score(small, scene=scene, labels=None, ego=None).unmeasured["sharpness"]
    )


def test_the_source_stands_in_for_a_scene(clip, scene):
    card = Scorer.load(NOTHING).score(clip, scene=None, labels=None, ego=scene.ego, previous=clip)
    assert card.values["sharpness"] == 1 and card.values["drift"] == 0


def test_a_card_is_finite_and_known():
    with pytest.raises(AssertionError, match="unmeasured"):
        Scorecard({"sharpness": float("nan")})
    with pytest.raises(AssertionError, match="beauty"):
        Scorecard({"beauty": 1.0})
    record = Scorecard({"sharpness": 0.123456789}, {"novelty": "none"}).to_json()
    assert record == {"sharpness": 0.12346, "unmeasured": {"novelty": "none"}}


def test_instruments_that_do_not_ship_are_named_and_wrong_folders_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("worldgen.generation.quality.instrument_loading.assets_dir", lambda: tmp_path)
    scorer = Scorer.load(ScorerConfig())
    assert set(scorer.absent) == {"verifier", "detector", "attributes", "motion", "training"}
    assert all("not shipped" in why for why in scorer.absent.values())
    with pytest.raises(InputError, match="instrument"):
        Scorer.load(ScorerConfig(verifier=str(tmp_path / "no/where")))


@dataclasses.dataclass
class Reader:
    """An attribute reader with given readings."""

    judged: tuple[str, ...] = ("weather", "light")


def sky(text: str, weather: dict[str, float], light: dict[str, float], scene=None) -> Measurements:
    """Measurements of a clip with these probabilities."""
    rows = [
        np.array([[beliefs.get(w, 0.0) for w in words]]) for words, beliefs in ((WEATHERS, weather), (LIGHTS, light))
    ]
    readings, out = InstrumentReadings(reading=Reading(*rows, np.zeros((1, 5))), reading_frames=(1,)), Measurements()
    Scorer(NOTHING, attributes=Reader()).compare(readings, out, scene=scene, labels=None, ego=None, text=text)
    return out


def test_only_the_named_weather_and_light_are_measured():
    night = {"night_lit": 0.9, "day": 0.1}
    fog = sky("fog", {"fog": 0.8, "clear": 0.2}, night)
    assert fog.values == {"weather": 0.8} and fog.missing["light"] == "not part of the request"
    dark = sky("night", {"heavy_rain": 1.0}, night)
    assert dark.values == {"light": 0.9} and dark.missing["weather"] == "not part of the request"
    assert sky("fog at night", {"fog": 0.8}, night).values == {"weather": 0.8, "light": 0.9}
    assert sky("", {"fog": 0.8}, night).values == {}
    # At night under street lights clear and overcast skies look alike, also when the light is given.
    assert sky("overcast", {"overcast": 0.5, "clear": 0.4}, night).values["weather"] == pytest.approx(0.9)
    assert sky("overcast", {"overcast": 0.5, "clear": 0.4}, {"day": 1.0}).values["weather"] == 0.5


def test_a_scene_is_asked_for_both_whatever_the_words(scene):
    values = sky("fog at night", {"clear": 0.7}, {"day": 0.6}, scene).values
    assert values == {"weather": 0.7, "light": 0.6}


def judged(labels, found=None, *subjects):
    scorer, out = Scorer(NOTHING), Measurements()
    readings = InstrumentReadings(detections=found, verified=rig.ColourVerifier(rig.clip()))
    scorer.compare_labels(readings, labels, out, subjects=subjects)
    return out.card()


def test_true_labels_agree_and_every_fault_shows():
    labels = rig.labels()
    clean = judged(labels)
    assert clean.values["label_agreement"] > 0.95 and clean.values["label_fit"] > 0.9
    assert clean.values["wrong_class"] < 0 and len(clean.tracks) == 3

    swapped = judged(
        dataclasses.replace(labels, class_id=np.where(labels.track_id == 1, CLASSES.index("bus"), labels.class_id))
    )
    assert swapped.values["wrong_class"] > 0.9 and swapped.values["label_fit"] == pytest.approx(
        clean.values["label_fit"]
    )
    (track,) = [t for t in swapped.tracks if t.track_id == 1]
    assert track.agreement < 0.05 and track.other > 0.9

    away = np.where((labels.track_id == 2)[:, None], [40.0, -30.0] * 2, 0.0).astype(np.float32)
    shifted = judged(dataclasses.replace(labels, box_px=labels.box_px + away, amodal_box_px=labels.box_px + away))
    (track,) = [t for t in shifted.tracks if t.track_id == 2]
    assert track.agreement < 0.05 and track.fit < 0.1 and shifted.values["label_fit"] < clean.values["label_fit"]


def test_presence_is_that_of_the_ordered_subject_and_of_no_other():
    labels, walker = rig.labels(), OrderedSubject("jaywalker", "pedestrian", 1, (2,))
    assert judged(labels).unmeasured["presence"] == "no object was ordered"
    clean = judged(labels, None, walker)
    assert clean.values["presence"] > 0.95 and [t.track_id for t in clean.tracks if t.ordered] == [2]

    away = np.where((labels.track_id == 1)[:, None], [90.0, 30.0] * 2, 0.0).astype(np.float32)
    others_wrong = dataclasses.replace(labels, box_px=labels.box_px + away)
    assert judged(others_wrong, None, walker).values["presence"] == clean.values["presence"]
    assert judged(others_wrong, None, walker, OrderedSubject("car", "car", 1)).values["presence"] < 0.1

    for lost in (
        labels.where(labels.track_id != 2), dataclasses.replace(labels, ignore=labels.track_id == 2),
        dataclasses.replace(labels, class_id=np.where(labels.track_id == 2, 0, labels.class_id)),
        labels.where(labels.track_id == 0),
    ):  # fmt: skip
        assert judged(lost, None, walker).values["presence"] == 0  # no label of it can be judged

    unknown = judged(labels, None, OrderedSubject("animal_crossing", "animal", 1, (2,)))
    assert "does not know" in unknown.unmeasured["presence"] and not any(t.ordered for t in unknown.tracks)


def test_the_subjects_are_those_of_the_scene():
    scenario = Scenario("clear", "day", "urban", "keep", events=("jaywalker",), duration_s=2.5)
    scene = simulate(scenario, 5, fps=8.0, num_frames=21)
    scorer, out = Scorer(NOTHING), Measurements()
    readings = InstrumentReadings(verified=rig.ColourVerifier(rig.clip()))
    scorer.compare(readings, out, scene=scene, labels=rig.labels(), ego=None)
    assert out.card().values["presence"] in (0.0, pytest.approx(1, abs=0.05))


def scores(*agreements: float, name: str = "pedestrian") -> list[TrackScore]:
    return [TrackScore(i, name, 5, value, 0.9, 0.0) for i, value in enumerate(agreements, 1)]


def test_all_actors_of_an_event_stand_for_it_and_the_clearest_agents_of_a_number():
    tracks = scores(0.9, 0.2, 0.7)
    marked, weakest = with_orders(tracks, [OrderedSubject("group_crossing", "pedestrian", 3, (1, 2, 3))])
    assert weakest == {"group_crossing": 0.2} and all(t.ordered for t in marked)
    marked, weakest = with_orders(tracks, [OrderedSubject("pedestrian", "pedestrian", 2)])
    assert weakest == {"pedestrian": 0.7} and [t.ordered for t in marked] == [True, False, True]
    fewer, weakest = with_orders(tracks[:1], [OrderedSubject("pedestrian", "pedestrian", 2)])
    assert weakest == {"pedestrian": 0.9} and fewer[0].ordered
    assert with_orders(scores(0.9, name="car"), [OrderedSubject("pedestrian", "pedestrian", 1)])[1] == {"pedestrian": 0}
    assert with_orders(tracks, [])[1] == {}


def test_an_object_beside_its_label_is_evidence_against_dropping_it():
    labels = rig.labels()
    step = np.where((labels.track_id == 2)[:, None], [14.0, 0.0] * 2, 0.0).astype(
        np.float32
    )  # a little more than its width
    beside = dataclasses.replace(labels, box_px=labels.box_px + step, amodal_box_px=labels.box_px + step)
    (track,) = [t for t in judged(beside).tracks if t.track_id == 2]
    assert track.agreement < 0.05 and track.other > 0.5
    gone = dataclasses.replace(labels, box_px=labels.box_px, track_id=labels.track_id)
    nowhere = np.where((gone.track_id == 2)[:, None], [-60.0, -45.0] * 2, 0.0).astype(np.float32)
    (track,) = [t for t in judged(dataclasses.replace(gone, box_px=gone.box_px + nowhere)).tracks if t.track_id == 2]
    assert track.agreement < 0.05 and track.other < 0.1


def test_objects_that_only_the_detector_finds_count_little():
    verified = rig.ColourVerifier(rig.clip())
    true, empty = rig.detections(), rig.detections()
    empty = dataclasses.replace(empty, box_px=empty.box_px * 0 + np.array([90, 5, 110, 25], np.float32))
    assert confirmed_detections(verified, true).score == pytest.approx(np.sqrt(0.9 * 0.99), abs=0.02)
    assert confirmed_detections(verified, empty).score.max() < 0.3


def test_objects_without_a_label_are_found_once_they_last():
    labels = rig.labels()
    found = rig.detections()
    assert unlabelled(found, labels)[0] == 0
    assert unlabelled(found, labels)[1] == pytest.approx({1: 0.9, 2: 0.9, 3: 0.9})
    without = labels.where(labels.track_id != 2)
    assert unlabelled(found, without)[0] == pytest.approx(0.9)
    brief = found.where(found.frame_index < 4)
    assert unlabelled(brief, without)[0] == 0  # flickers of a detector do not last
    assert judged(without, found).values["unlabelled"] == pytest.approx(0.9)


def test_only_clear_objects_are_judged():
    labels = rig.labels()
    assert judged_rows(labels).all()
    assert not judged_rows(dataclasses.replace(labels, ignore=np.ones(len(labels), bool))).any()
    assert not judged_rows(dataclasses.replace(labels, visible_fraction=np.full(len(labels), 0.2))).any()
    small = dataclasses.replace(labels, box_px=labels.box_px * 0.1, amodal_box_px=labels.box_px * 0.1)
    assert not judged_rows(small).any()
    assert judged_rows(labels.where(labels.frame_index < 2)).sum() == 0  # two frames are too few


def test_a_copy_is_near_and_a_new_clip_is_far(tmp_path):
    rng = np.random.default_rng(1)

    def wave(seed):
        y, x = np.mgrid[0:48, 0:64]
        phase = np.random.default_rng(seed).uniform(0, 6, 3)
        frames = [np.stack([127 + 120 * np.sin(x / 9 + y / 7 + p + t / 3) for p in phase], -1) for t in range(4)]
        return Clip(np.stack(frames).astype(np.uint8), 8.0)

    clips = [wave(seed) for seed in range(40)]
    training = TrainingClips.of(clips)
    training.save(tmp_path)
    loaded = TrainingClips.load(tmp_path)
    noisy = Clip(np.clip(clips[3].frames + rng.normal(0, 3, clips[3].frames.shape), 0, 255).astype(np.uint8), 8.0)
    assert loaded.novelty(clips[3]) < 0.1 and loaded.novelty(noisy) < 0.2 and loaded.novelty(wave(99)) > 0.3
    assert loaded.novelty(wave(99)) == pytest.approx(training.novelty(wave(99)), abs=1e-3)
    assert describe(clips[0]).shape == (1296,) and TrainingClips.load(tmp_path / "none") is None
    with pytest.raises(InputError, match="at least three"):
        TrainingClips.of(clips[:2])
    with pytest.raises(InputError, match="copies of one another"):
        TrainingClips.of([clips[0]] * 3)
    (tmp_path / "training.safetensors").write_bytes(b"nonsense")
    with pytest.raises(InputError, match="safetensors"):
        TrainingClips.load(tmp_path)


@pytest.mark.parametrize("frames", [9, 12, 25, 100])
def test_triplets_lie_in_their_thirds(frames):
    picked = triplets(frames)
    assert picked.shape == (3, 3) and (np.diff(picked, axis=1) == 1).all()
    for third, row in enumerate(picked):
        assert third * frames / 3 - 1 <= row[1] <= (third + 1) * frames / 3
    assert picked.min() >= 0 and picked.max() < frames
