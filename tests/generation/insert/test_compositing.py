"""Only the pixels of an insert change, its label is its silhouette, and taking it out restores every bit."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from tests.generation.insert.small_inserts import SIZE, block, made_ground, street
from worldgen.generation.insert.compositing import composite, cut_to_picture, restored
from worldgen.generation.insert.fitting import FitSteps, encoded, fit, with_rain
from worldgen.generation.insert.insert_plan import JpegHistory, LabelledPicture
from worldgen.generation.insert.inserted_picture import insert_into
from worldgen.generation.insert.picture_light import PictureLight, to_display, to_linear
from worldgen.generation.insert.picture_look import PictureLook, jpeg_history
from worldgen.generation.insert.placing import wishes_of

LOOK = PictureLook(0.8, 2.0, 0.4, (0.0, 0.0, 0.0))
DAY = PictureLight(0.0, 0.3, 1.0, 0.0, np.ones(3, np.float32))


def overlap(one: tuple[float, ...], two: tuple[float, ...]) -> float:
    """Intersection over union of two boxes."""
    width = max(0.0, min(one[2], two[2]) - max(one[0], two[0]))
    height = max(0.0, min(one[3], two[3]) - max(one[1], two[1]))
    area = (one[2] - one[0]) * (one[3] - one[1]) + (two[2] - two[0]) * (two[3] - two[1]) - width * height
    return width * height / area


def test_two_hundred_inserts_change_nothing_else_and_their_labels_fit() -> None:
    overlaps = []
    for number in range(200):
        rng = np.random.default_rng(number)
        picture = street(rng)
        width, height = int(rng.integers(12, 60)), int(rng.integers(20, 90))
        left, top = int(rng.integers(-5, SIZE[0] - width)), int(rng.integers(60, SIZE[1] - 30))
        patch = cut_to_picture(block(left, top, width, height, contact_px=top + height), SIZE)
        assert patch is not None
        hidden = np.zeros(patch.alpha.shape, bool)
        hidden[:, : int(rng.integers(0, 10))] = True
        fitted = fit(patch, picture, DAY, LOOK, FitSteps())
        picture = picture if number % 2 else _with_history(picture)
        frame, put = composite(picture, picture.frame, fitted, hidden, look=LOOK, light=DAY, steps=FitSteps(), rng=rng)
        outside = np.ones(frame.shape[:2], bool)
        x, y, w, h = put.window
        outside[y : y + h, x : x + w] = ~put.changed
        np.testing.assert_array_equal(frame[outside], picture.frame[outside])
        assert not (put.changed & hidden).any()
        assert (frame != picture.frame).any()
        np.testing.assert_array_equal(restored(frame, put), picture.frame)
        truth = np.zeros(frame.shape[:2], bool)
        truth[max(top, 0) : top + height, max(left, 0) : left + width] = True
        truth[y : y + h, x : x + w] &= ~hidden
        rows, columns = np.nonzero(truth)
        overlaps.append(overlap(put.box_px, (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)))
    assert min(overlaps) >= 0.9
    assert np.mean(overlaps) >= 0.98


def _with_history(picture: LabelledPicture) -> LabelledPicture:
    return replace(picture, jpeg=JpegHistory(85, True))


def test_rendered_inserts_stay_in_their_pixels_and_repeat_bit_for_bit() -> None:
    rng = np.random.default_rng(5)
    picture = street(rng)
    wishes = wishes_of("pedestrian crossing, car", (24.0, 90.0))
    made = insert_into(picture, made_ground(), wishes, seed=3)
    again = insert_into(picture, made_ground(), wishes, seed=3)
    other = insert_into(picture, made_ground(), wishes, seed=4)
    np.testing.assert_array_equal(made.frame, again.frame)
    assert len(made.put) + made.missing == 2
    assert made.put
    assert (made.frame != other.frame).any()
    untouched = np.ones(picture.frame.shape[:2], bool)
    for put in made.put:
        x, y, w, h = put.window
        untouched[y : y + h, x : x + w] &= ~put.changed
        assert overlap(put.box_px, put.patch.whole_box_px) >= 0.98
        ground = made_ground()
        size = put.patch.plan.size_m
        tall = put.box_px[3] - put.box_px[1]
        assert tall == pytest.approx(ground.height_px(size[2], put.patch.contact_px), rel=0.15)
    np.testing.assert_array_equal(made.frame[untouched], picture.frame[untouched])


@pytest.mark.parametrize("name", ["exposure", "colour", "contrast", "shadow", "blur", "noise"])
def test_each_step_changes_the_pixels_and_can_be_left_out(name: str) -> None:
    picture = street(np.random.default_rng(1))
    patch = block(100, 90, 30, 60, contact_px=150.0)
    patch.colour[..., 0] *= 0.6
    blank = np.zeros(patch.alpha.shape, bool)
    frames = []
    for steps in (FitSteps(), FitSteps().without(name)):
        fitted = fit(patch, picture, DAY, LOOK, steps)
        rng = np.random.default_rng(0)
        frames.append(composite(picture, picture.frame, fitted, blank, look=LOOK, light=DAY, steps=steps, rng=rng)[0])
    assert (frames[0] != frames[1]).any()


def test_fog_takes_the_colour_of_the_air_with_distance() -> None:
    picture = street(np.random.default_rng(1))
    air = np.array([0.6, 0.6, 0.6], np.float32)
    patch = block(100, 90, 30, 60, contact_px=150.0, grey=0.05)
    clear = fit(patch, picture, DAY, LOOK, FitSteps())
    fog = PictureLight(0.0, 0.0, 1.0, 0.05, air)
    hazy = fit(patch, picture, fog, LOOK, FitSteps())
    share = np.exp(-0.05 * patch.distance_m)
    np.testing.assert_allclose(hazy.colour[30, 15], clear.colour[30, 15] * share + air * (1 - share), atol=1e-3)


def test_display_values_and_light_are_inverse() -> None:
    values = np.arange(256, dtype=np.float32)
    np.testing.assert_allclose(to_display(to_linear(values)), values, atol=0.01)


@pytest.mark.parametrize("quality", [50, 75, 92])
def test_the_quality_of_a_jpeg_is_read_from_its_tables_and_its_pixels_are_a_fixed_point(quality: int) -> None:
    frame = street(np.random.default_rng(0)).frame
    sampling = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    data = cv2.imencode(".jpg", frame[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality, *sampling])[1].tobytes()
    assert jpeg_history(data) == JpegHistory(quality, half_colour=False)
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    part = encoded(np.ascontiguousarray(decoded[40:90, 30:100]), (30, 40), JpegHistory(quality, half_colour=False))
    inner = (slice(8, -8), slice(10, -10))
    assert np.abs(part[inner].astype(int) - decoded[40:90, 30:100][inner]).max() <= 2
    assert jpeg_history(b"\x89PNG") is None
    assert jpeg_history(data[:100]) is None or jpeg_history(data[:100]).quality > 0


def test_rain_and_wet_ground_are_drawn_where_the_picture_is_so_and_nowhere_else() -> None:
    rng = np.random.default_rng(0)
    dry = street(rng)
    wishes = wishes_of("pedestrian crossing", (50.0, 70.0))
    made = {word: insert_into(replace(dry, weather=word), made_ground(), wishes) for word in ("", "rain", "wet", "fog")}
    assert len({done.put[0].box_px for done in made.values()}) == 1  # the label does not depend on the weather
    put = made["rain"].put[0]
    left, top, width, height = put.window
    foot = slice(int(put.box_px[3]) + 1, top + height), slice(left, left + width)
    mirrored = np.abs(made["wet"].frame[foot].astype(int) - made[""].frame[foot].astype(int)).max()
    assert mirrored > 4
    for word, done in made.items():
        outside = np.ones(dry.frame.shape[:2], bool)
        x, y, w, h = done.put[0].window
        outside[y : y + h, x : x + w] = ~done.put[0].changed
        np.testing.assert_array_equal(done.frame[outside], dry.frame[outside], err_msg=word)
    without = insert_into(replace(dry, weather="rain"), made_ground(), wishes, steps=FitSteps().without("rain"))
    assert (without.frame != made["rain"].frame).any()
    assert made["rain"].light.haze_per_m >= 0.003
    assert made["fog"].light.haze_per_m >= 0.015


def test_drops_cover_only_what_is_inserted() -> None:
    light = PictureLight(0.0, 0.0, 0.0, 0.0, np.full(3, 0.8, np.float32), True, 1.0)
    changed = np.zeros((300, 400), np.float32)
    changed[100:200, 150:250] = 1
    before = np.full((300, 400, 3), 60.0, np.float32)
    after = with_rain(before, changed, light, (400, 300), np.random.default_rng(1))
    moved = (after != before).any(-1)
    assert 0.005 < moved[changed > 0].mean() < 0.7
    assert not moved[changed == 0].any()
    assert (after >= before).all()
