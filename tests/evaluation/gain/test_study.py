"""The harness of the gain study: arms, resuming, budget, and that it refuses what would fool it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.instruments.test_detector import TINY, block_pictures
from worldgen.core.clip import Clip
from worldgen.core.errors import InputError
from worldgen.core.labels import CLASSES, COLUMNS, Labels
from worldgen.core.samples import Sample
from worldgen.data.dataset.index import build_index
from worldgen.data.dataset.shards import ShardWriter
from worldgen.evaluation.gain import study as gain_study
from worldgen.evaluation.gain.arms import build_arms, load_source, shuffled_boxes
from worldgen.evaluation.gain.gain_config import GainStudy, PictureSource, arm_names
from worldgen.evaluation.gain.gain_detectors import TrainingRun, train_and_find, train_base, training_of
from worldgen.instruments.detector.detector_training import initial_state

pytest.importorskip("pycocotools", reason="average precision is judged by pycocotools")

SIZE = 64


def block_sample(key, tags, rng, *, split="train", frames=2, accepted=True):
    """A clip of one red block, labelled car, and one green one, labelled pedestrian."""
    pixels = np.full((frames, SIZE, SIZE, 3), 40 if "night_lit" in tags else 120, np.uint8)
    rows = {name: [] for name in COLUMNS}
    for f in range(frames):
        for track, (name, w, h, colour) in enumerate(
            (("car", 22, 12, (220, 40, 40)), ("pedestrian", 8, 20, (40, 220, 40)))
        ):
            x, y = int(rng.integers(0, SIZE // 2 - w) + track * SIZE // 2), int(rng.integers(0, SIZE - h))
            pixels[f, y : y + h, x : x + w] = colour
            box = (x, y, x + w, y + h)
            values = (f, track + 1, CLASSES.index(name), box, box, 1, 0, 0, (10.0 + 30 * track, *[0] * 6), False)
            for column, value in zip(COLUMNS, values, strict=True):
                rows[column].append(value)
    columns = {n: np.array(v, COLUMNS[n][0]) for n, v in rows.items()}
    labels = Labels(frames, SIZE, SIZE, "scene", **columns)
    return Sample(
        key, Clip(pixels, 4.0), drive=key, split=split, labels=labels, tags=tags,
        scorecard={"accepted": accepted, "reasons": [] if accepted else ["blurred"]},
    )  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A data set of day and night clips, half of each for the test; one clip is in quarantine."""
    rng = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("blocks")
    with ShardWriter(str(folder), "blocks-00000") as writer:
        for k in range(16):
            tags = ("clear", "night_lit" if k % 2 else "day")
            writer.write(block_sample(f"clip{k:02d}", tags, rng, split="test" if k >= 10 else "train"))
        writer.write(block_sample("bad", ("clear", "day"), rng, accepted=False))
    build_index(str(folder))
    return str(folder)


@pytest.fixture
def study(data):
    return GainStudy(
        name="blocks", real=PictureSource(data, "train", without=("night_lit",), every=1),
        rare=PictureSource(data, "train", with_any=("night_lit",), every=1), test=PictureSource(data, "test", every=1),
        arms=("real", "oracle", "duplicated", "shuffled", "real_short", "synthetic_1"), ratios=(1.0,), seeds=2,
        width_px=SIZE, height_px=SIZE, model=TINY, steps=4, batch=2,
    )  # fmt: skip


def test_arms_hold_what_they_say(study, tmp_path):
    loaded = {}

    def load(source):
        return loaded.setdefault(source, load_source(source, study, tmp_path))

    arms, waiting = build_arms(study, load)
    assert list(arms) == ["real", "oracle", "duplicated", "shuffled", "real_short"]
    assert waiting == {"synthetic_1": "no data set given yet"}
    real, shares = arms["real"].pictures()
    assert len(real) == 10 and real.num_clips == 5, "five day clips of the train split; the quarantined one is left out"
    assert shares.sum() == pytest.approx(1)
    both, shares = arms["duplicated"].pictures()
    assert len(both) == 20 and (both.frames[:10] == both.frames[10:]).all() and np.ptp(shares) == 0
    oracle, shares = arms["oracle"].pictures()
    assert shares[:10].sum() == pytest.approx(0.5) and {tags[1] for tags in oracle.tags} == {"day", "night_lit"}
    assert arms["real_short"].length == 0.5 and all(
        arms[name].length == 1 for name in ("oracle", "duplicated", "shuffled")
    )
    assert len({arm.digest() for name, arm in arms.items() if name != "real_short"}) == 4


def test_shuffled_boxes_are_of_other_pictures_and_none_is_lost():
    pictures = block_pictures(7)
    wrong = shuffled_boxes(pictures, seed=1)
    assert sorted(map(tuple, wrong.boxes.box_px)) == sorted(map(tuple, pictures.boxes.box_px))
    for p in range(7):
        own = pictures.boxes.where(pictures.boxes.picture_index == p).box_px
        assert not np.array_equal(own, wrong.boxes.where(wrong.boxes.picture_index == p).box_px)


def test_more_synthetic_pictures_than_the_ratio_asks_are_cut(study, data, tmp_path):
    study = replace(
        study, synthetic=PictureSource(data, "train", every=1), ratios=(0.4,), arms=("real", "synthetic_0.4")
    )
    arms, _ = build_arms(study, lambda source: load_source(source, study, tmp_path))
    (real, share), (extra, rest) = arms["synthetic_0.4"].parts
    assert len(extra) == 4 and rest / share == pytest.approx(0.4) and len(real) == 10


def test_a_study_stops_resumes_and_takes_a_new_arm_without_training_again(study, data, tmp_path):
    bench = gain_study.prepare(study, tmp_path)
    first = []
    gain_study.run_study(
        bench, budget_s=0.5, after_run=lambda run, n, total: first.append(run.arm), clock=_ticking(0.2)
    )
    assert 0 < len(first) < 10
    again = []
    runs = gain_study.run_study(
        gain_study.prepare(study, tmp_path), after_run=lambda run, n, total: again.append(run.arm)
    )
    assert len(first) + len(again) == len(runs) == 10, "every arm with both seeds, none twice"
    more = replace(study, synthetic=PictureSource(data, "train", every=1))
    new = []
    runs = gain_study.run_study(gain_study.prepare(more, tmp_path), after_run=lambda run, n, total: new.append(run.arm))
    assert new == ["synthetic_1"] * 2 and len(runs) == 12
    longer = gain_study.prepare(replace(study, steps=5), tmp_path)
    assert gain_study.load_run(longer.path("real", 0), "real", 0) is None, "other training is another run"


def _ticking(step):
    """A clock that moves by ``step`` with each look."""
    now = [0.0]

    def clock():
        now[0] += step
        return now[0]

    return clock


def test_the_same_arm_and_seed_find_the_same(study, tmp_path):
    study = replace(study, arms=("real",), batch=4, learning_rate=1e-2)
    bench = gain_study.prepare(study, tmp_path)
    fit = TrainingRun(*bench.arms["real"].pictures(), steps=25, seed=0)
    first, second = (train_and_find(study, fit, bench.test) for _ in range(2))
    assert len(first) > 0
    np.testing.assert_array_equal(first.box_px, second.box_px)
    other = train_and_find(study, replace(fit, seed=1), bench.test)
    assert len(other) != len(first) or not np.array_equal(other.score, first.score)


def test_arms_of_a_seed_go_on_from_the_same_weights(study, tmp_path):
    """The base is trained once per seed, and is part of the names of its runs."""
    study = replace(study, base_steps=3, arms=("real", "duplicated"))
    bench = gain_study.prepare(study, tmp_path)
    gain_study.run_study(bench)
    kept = sorted(path.name for path in (tmp_path / "runs").glob("base-*"))
    assert [name.split("-")[1] for name in kept] == ["s0", "s1"] and gain_study.base_seconds(bench) > 0
    first, second = (train_base(study, bench.real, 0) for _ in range(2))
    assert all((first[name] == second[name]).all() for name in first)
    state = initial_state(training_of(study, steps=2, seed=0), first)
    assert all((state.network.state_dict()[name] == value).all() for name, value in first.items())
    other = gain_study.prepare(replace(study, base_steps=4), tmp_path)
    assert other.path("real", 0) != bench.path("real", 0)
    (tmp_path / "runs" / kept[0]).write_bytes(b"cut")
    bench.path("real", 0).unlink()
    with pytest.raises(InputError, match="kept weights"):
        gain_study.run_study(bench)


def test_drawn_frames_that_a_model_was_given_are_left_out_and_are_an_arm_of_their_own(study, data, tmp_path):
    source = PictureSource(data, "train", first=1, every=1)
    study = replace(study, synthetic=source, arms=("real", "synthetic_1", "given"))
    arms, _ = build_arms(study, lambda each: load_source(each, study, tmp_path))
    made, given = arms["synthetic_1"].parts[1][0], arms["given"].parts[1][0]
    assert len(made) == made.num_clips == 10 == len(given), "two frames a clip: one given, one made"
    assert not any((frame == other).all() for frame in made.frames for other in given.frames)
    whole = load_source(replace(source, first=0), study, tmp_path)
    np.testing.assert_array_equal(made.frames, whole.frames[1::2])
    np.testing.assert_array_equal(made.boxes.box_px, whole.boxes.where(whole.boxes.picture_index % 2 == 1).box_px)
    np.testing.assert_array_equal(made.boxes.picture_index, np.repeat(np.arange(10), 2))


def test_arms_of_clips_that_were_all_refused_wait(study, tmp_path):
    with ShardWriter(str(tmp_path / "refused"), "blocks-00000") as writer:
        writer.write(block_sample("bad1", ("clear", "day"), np.random.default_rng(6), accepted=False))
    build_index(str(tmp_path / "refused"))
    bench = gain_study.prepare(replace(study, synthetic=PictureSource(str(tmp_path / "refused"))), tmp_path / "kept")
    assert bench.waiting == {"synthetic_1": "the gate accepted none of its clips"} and "synthetic_1" not in bench.arms


def test_a_source_of_several_data_sets_is_their_union(study, data, tmp_path):
    rng = np.random.default_rng(5)
    with ShardWriter(str(tmp_path / "more"), "blocks-00000") as writer:
        for k in range(3):
            writer.write(block_sample(f"more{k}", ("clear", "day"), rng))
    build_index(str(tmp_path / "more"))
    both = PictureSource(f"{data},{tmp_path / 'more'}", "train", without=("night_lit",), every=1)
    assert load_source(both, study, tmp_path / "kept").num_clips == 8
    with pytest.raises(InputError, match="in two of"):
        load_source(PictureSource(f"{data},{data}"), study, tmp_path / "kept")


def test_training_on_the_test_is_refused(study, data, tmp_path):
    with pytest.raises(InputError, match="of the test"):
        gain_study.prepare(replace(study, synthetic=PictureSource(data, "")), tmp_path)
    with pytest.raises(InputError, match="none for"):
        gain_study.prepare(replace(study, rare=PictureSource(data, "train", with_any=("fog",))), tmp_path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"detector": "yolo"}, "worldgen, dfine, rtdetr"),
        ({"seeds": 1}, "at least 2"),
        ({"arms": ("oracles",)}, "some of real, oracle"),
        ({"ratios": (0.0,)}, "positive"),
        ({"width_px": 63}, "even"),
        ({"real": PictureSource()}, "URL"),
        ({"detector": "dfine", "base_steps": 10}, "checkpoint"),
        ({"painted": ("hail",)}, "some of rain"),
    ],
)
def test_what_makes_no_study_is_refused(study, change, words):
    with pytest.raises(InputError, match=words):
        replace(study, **change)


def test_a_damaged_run_is_named(tmp_path):
    (tmp_path / "real-s0.npz").write_bytes(b"PK\x03\x04 cut")
    with pytest.raises(InputError, match="delete it"):
        gain_study.load_run(tmp_path / "real-s0.npz", "real", 0)


def test_arms_have_their_names_in_running_order(study):
    assert arm_names(study)[:4] == ("real", "oracle", "duplicated", "shuffled")


@pytest.mark.slow
@pytest.mark.parametrize("family", ["dfine", "rtdetr"])
def test_transformer_detectors_run_in_the_same_harness(study, tmp_path, family):
    bench = gain_study.prepare(replace(study, detector=family, steps=2, arms=("real",)), tmp_path)
    found = train_and_find(bench.study, TrainingRun(*bench.arms["real"].pictures(), 2, 0), bench.test)
    assert found.frame_index.max(initial=0) < len(bench.test)
