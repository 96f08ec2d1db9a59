"""Labelled stills as pictures of a gain study: drives, sizes, the same encoder, and arms of one's own."""

from __future__ import annotations

import numpy as np
import pytest

from tests.generation.insert.cut_outs.street import write_set
from tests.instruments.test_detector import TINY
from worldgen.core.errors import InputError
from worldgen.evaluation.gain.arms import build_arms, check_apart, load_source
from worldgen.evaluation.gain.gain_config import GainStudy, PictureSource, about_arm
from worldgen.evaluation.gain.gain_detectors import start_of
from worldgen.evaluation.gain.gain_result import measures_of, subject_of, summarise
from worldgen.evaluation.gain.still_pictures import drives_in, is_stills, reencoded, still_pictures
from worldgen.evaluation.gain.study import prepare, run_study

pytest.importorskip("pycocotools", reason="average precision is judged by pycocotools")


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """Two drives in one folder each, and a third one that was changed."""
    folder = tmp_path_factory.mktemp("stills")
    for drive, pictures in (("north", 14), ("south", 6), ("west", 14)):
        write_set(folder / drive, drive=drive, pictures=pictures)
    return folder


def study_of(sets, **changes):
    values = {
        "real": PictureSource(str(sets / "north"), every=1), "test": PictureSource(str(sets / "south"), every=1),
        "added": {"inserted": PictureSource(str(sets / "west"), every=1), "later": PictureSource()}, "rare_tags": (),
        "rare_groups": ("pedestrian",), "arms": ("real", "duplicated", "inserted", "later"), "seeds": 3,
        "arm_seeds": {"inserted": 2}, "width_px": 96, "height_px": 64, "min_height_px": 4.0, "model": TINY, "steps": 4,
        "batch": 2, "jpeg_quality": 90,
    }  # fmt: skip
    return GainStudy(**(values | changes))


def test_stills_are_cropped_resized_and_counted_in_clips_of_a_drive(sets):
    assert is_stills(str(sets / "north")) and drives_in(str(sets / "north")) == {"north"}
    pictures = still_pictures(PictureSource(str(sets / "north"), every=1), size=(96, 64), min_height_px=4)
    assert pictures.frames.shape == (14, 64, 96, 3) and pictures.num_clips == 2, "ten consecutive pictures are a clip"
    assert pictures.tags == (("north",), ("north",)) and len(pictures.boxes) >= 36
    # 200x150 to 3:2 keeps the middle 133 rows: a box at row y ends at (y - 8) * 64 / 133.
    whole = still_pictures(PictureSource(str(sets / "north"), every=1), size=(200, 133), min_height_px=4)
    ratio = whole.boxes.box_px[0] / pictures.boxes.box_px[0]
    assert ratio == pytest.approx(np.full(4, 200 / 96), rel=0.02)
    every_third = still_pictures(PictureSource(str(sets / "north"), first=1, every=3), size=(96, 64), min_height_px=4)
    assert np.array_equal(every_third.frames, pictures.frames[[1, 4, 7, 11]])
    with pytest.raises(InputError, match="none of drive east"):
        still_pictures(PictureSource(str(sets / "north"), with_any=("east",)), size=(96, 64), min_height_px=4)


def test_every_arm_goes_through_the_same_encoder(sets, tmp_path):
    study = study_of(sets)
    plain = still_pictures(study.real, size=(96, 64), min_height_px=4)
    loaded = load_source(study.real, study, tmp_path)
    assert np.array_equal(loaded.frames, reencoded(plain, 90).frames)
    assert 0 < np.abs(loaded.frames.astype(int) - plain.frames).mean() < 6
    assert np.array_equal(loaded.boxes.box_px, plain.boxes.box_px)


def test_added_arms_are_half_real_and_wait_for_their_pictures(sets, tmp_path):
    study = study_of(sets)
    arms, waiting = build_arms(study, lambda source: load_source(source, study, tmp_path))
    assert list(arms) == ["real", "duplicated", "inserted"] and waiting == {"later": "no data set given yet"}
    _, shares = arms["inserted"].pictures()
    assert shares[:14].sum() == pytest.approx(0.5) and "added" in about_arm("inserted")


def test_a_drive_of_the_test_is_refused_in_every_arm(sets):
    check_apart(study_of(sets))
    for name in ("real", "added"):
        source = PictureSource(f"{sets / 'north'},{sets / 'south'}", every=1)
        change = {"real": source} if name == "real" else {"added": {"inserted": source}, "arms": (), "arm_seeds": {}}
        with pytest.raises(InputError, match="drives of the test"):
            check_apart(study_of(sets, **change))


def test_a_study_of_stills_runs_and_compares_its_arms(sets, tmp_path):
    study = study_of(sets)
    bench = prepare(study, tmp_path)
    assert len(bench.jobs()) == 3 + 3 + 2
    runs = run_study(bench)
    assert subject_of(study) == "pedestrian"
    assert [each.name for each in measures_of(bench.judged(runs[0]), "pedestrian")][:2] == ["rare", "rare_ap"]
    record = summarise(bench, runs, draws=10)
    assert record["arms"]["inserted"]["runs"] == 2
    assert set(record["arms"]["inserted"]["against"]) == {"duplicated"}
    assert record["study"]["added"]["inserted"]["url"] == "west", "no path of this machine"


def test_the_detector_starts_from_a_checkpoint(sets):
    config, weights = start_of(study_of(sets, checkpoint="shipped"))
    assert weights and config.widths == (16, 32, 64, 96)
    assert start_of(study_of(sets)) == (TINY, None)
    with pytest.raises(InputError):
        start_of(study_of(sets, checkpoint=str(sets)))


@pytest.mark.parametrize(
    "change",
    [
        {"added": {"real": PictureSource()}}, {"added": {"synthetic_2": PictureSource()}}, {"jpeg_quality": 101},
        {"rare_groups": ("cow",)}, {"arm_seeds": {"inserted": 9}}, {"arm_seeds": {"nobody": 2}}, {"arms": ("nobody",)},
    ],
)  # fmt: skip
def test_impossible_studies_are_refused(sets, change):
    with pytest.raises(InputError):
        study_of(sets, **change)
