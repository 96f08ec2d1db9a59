"""Logs with one fault each against the motion of the pixels: the fault and the setting that mends it are named."""

from __future__ import annotations

import numpy as np
import pytest

from worldgen.core.camera import Camera
from worldgen.core.errors import InputError
from worldgen.data.ingest.logs.ego_config import EgoLogConfig
from worldgen.data.ingest.logs.log_motion import LogMotion
from worldgen.data.ingest.pixels.motion_check import motion_notes
from worldgen.data.ingest.pixels.pixel_motion import PixelMotion

TIMES_S = np.arange(0.05, 40.0, 0.1)


def speed(times_s):
    return 9 + 3 * np.sin(times_s / 4) + np.cos(times_s / 2.3)


def yaw_rate(times_s):
    """Four bends of different lengths, left and right."""
    bends = [(5, 1.2, 0.3), (13, 2.0, -0.2), (22, 0.8, 0.25), (33, 1.5, -0.3)]
    return sum(height * np.exp(-(((times_s - at) / width) ** 2)) for at, width, height in bends)


def pixels(rng, *, scale=1.0, scale_sigma=0.2, unknown=""):
    noise = rng.normal(0, 1, (2, len(TIMES_S)))
    v, w = scale * speed(TIMES_S) * (1 + 0.05 * noise[0]), yaw_rate(TIMES_S) + 0.006 * noise[1]
    sigma = np.hypot(scale_sigma, 0.06) * v
    if unknown:
        return PixelMotion(*[np.zeros(0)] * 5, np.inf, None, "test", unknown=unknown)
    return PixelMotion(TIMES_S, v, w, sigma, np.full(len(v), 0.01), scale_sigma, Camera.from_fov(64, 36), "test")


def log(*, factor=1.0, sign=1.0, shift_s=0.0, turns=1.0, origin="column yaw_rate_radps"):
    times_s = np.arange(-5.0, 46.0, 0.05)
    v, w = factor * speed(times_s - shift_s), sign * turns * yaw_rate(times_s - shift_s)
    return LogMotion(times_s, v, w, None, "column speed_mps", origin, (), (times_s[0], times_s[-1]))


@pytest.mark.parametrize("scale", [0.85, 1.0, 1.2])
def test_a_log_that_fits_is_not_spoken_of_whatever_the_height_of_the_camera(scale, rng):
    assert motion_notes(log(), pixels(rng, scale=scale), EgoLogConfig()) == []


@pytest.mark.parametrize(
    ("origin", "config", "setting"),
    [
        ("column yaw_rate_radps", EgoLogConfig(), "ego.yaw_positive: right"),
        ("column yaw_rate_radps", EgoLogConfig(yaw_positive="right"), "ego.yaw_positive: left"),
        ("steering column s and speed", EgoLogConfig(), "ego.steering_positive: right"),
        ("planar poses", EgoLogConfig(), "ego.axes"),
    ],
)
def test_a_log_that_turns_the_other_way_names_the_setting_of_what_it_turns_by(origin, config, setting, rng):
    (note,) = motion_notes(log(sign=-1.0, origin=origin), pixels(rng), config)
    assert "turns the other way" in note and setting in note


@pytest.mark.parametrize(
    ("factor", "words"),
    [(3.6, "km/h read as m/s"), (2.237, "mph read as m/s"), (0.278, "m/s read as km/h"), (0.447, "m/s read as mph")],
)
def test_a_speed_in_another_unit_is_named(factor, words, rng):
    (note,) = motion_notes(log(factor=factor), pixels(rng), EgoLogConfig())
    assert words in note and "ego.columns" in note


@pytest.mark.parametrize(
    ("turns", "shift_s"),
    # Changes of speed are slow: they tell a second, and turns half of one.
    [*((1.0, shift_s) for shift_s in (-2.0, -1.0, -0.5, 0.5, 1.0, 2.0)), (0.0, -2.0), (0.0, 1.0), (0.0, 2.0)],
)
def test_a_clock_that_is_off_is_named_with_the_offset_that_mends_it(turns, shift_s, rng):
    config = EgoLogConfig(clock_offset_s=0.3, assume_yaw_rate_radps=None if turns else 0.0)
    told = log(shift_s=shift_s, turns=turns, origin="column w" if turns else "assumed 0 rad/s")
    (note,) = motion_notes(told, pixels(rng), config)
    assert ("late" if shift_s > 0 else "early") in note
    offset_s = float(note.rsplit("ego.clock_offset_s: ", 1)[1])
    assert offset_s == pytest.approx(0.3 - shift_s, abs=0.15)


def test_several_faults_at_a_time_are_all_named(rng):
    notes = motion_notes(log(factor=3.6, sign=-1.0, shift_s=1.0), pixels(rng), EgoLogConfig())
    assert len(notes) == 3
    assert all(any(word in note for note in notes) for word in ("other way", "1.0 s late", "km/h"))


def test_a_straight_steady_drive_says_nothing_about_sign_and_clock(rng):
    steady = pixels(rng)
    steady = PixelMotion(
        TIMES_S, np.full(len(TIMES_S), 12.0), rng.normal(0, 0.005, len(TIMES_S)), steady.speed_sigma_mps,
        steady.yaw_rate_sigma_radps, 0.2, None, "test",
    )  # fmt: skip
    times_s = np.arange(0.0, 40.0, 0.1)
    told = LogMotion(
        times_s, np.full(400, 12.5), rng.normal(0, 0.005, 400), None, "column v", "column w", (), (0.0, 39.9)
    )
    assert motion_notes(told, steady, EgoLogConfig()) == []


def test_pixels_that_show_no_motion_say_why(rng):
    (note,) = motion_notes(log(), pixels(rng, unknown="the picture stands still"), EgoLogConfig())
    assert "the picture stands still" in note


def test_uncertain_spans_are_gaps_of_the_motion(rng):
    motion = pixels(rng, scale_sigma=0.1)
    sigma = motion.speed_sigma_mps.copy()
    sigma[100:150] = 20.0
    told = PixelMotion(
        TIMES_S, motion.speed_mps, motion.yaw_rate_radps, sigma, motion.yaw_rate_sigma_radps, 0.1, None, "test"
    ).as_log(0.4, 0.05)
    assert len(told.gaps()) == 1 and told.gaps()[0] == pytest.approx((9.95, 15.05), abs=0.11)
    assert told.covers_span(2.0, 5.0) and not told.covers_span(9.0, 12.0) and "test" in told.speed_from


def test_the_first_and_last_frame_have_the_motion_of_the_pairs_beside_them(rng):
    motion = pixels(rng, scale_sigma=0.1)
    told = motion.as_log(0.4, 0.05)
    assert told.covers_span(0.0, 40.0)
    ego = told.ego(np.array([0.0, 0.05]), 20.0, before_s=-0.05)
    np.testing.assert_allclose(ego.speed_mps, motion.speed_mps[0])
    assert ego.yaw_rate_radps == pytest.approx(motion.yaw_rate_radps[0])


def test_motion_with_missing_values_is_refused():
    with pytest.raises(InputError, match="a value of each"):
        PixelMotion(TIMES_S, TIMES_S, TIMES_S[1:], TIMES_S, TIMES_S, 0.1, None, "test")
    with pytest.raises(InputError, match="two times or more"):
        PixelMotion(*[np.zeros(0)] * 5, 0.1, None, "test")
