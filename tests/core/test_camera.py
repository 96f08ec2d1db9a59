from __future__ import annotations

import math

import numpy as np
import pytest

from worldgen.core.camera import Camera
from worldgen.core.errors import InputError

CAMERA = Camera.from_fov(160, 96, 75.0, height_m=1.5, pitch_rad=0.07)
OFF_CENTRE = Camera(321, 181, 250.0, 240.0, 170.0, 80.0, 2.1, -0.1)


@pytest.mark.parametrize("camera", [CAMERA, OFF_CENTRE])
def test_projecting_along_the_rays_gives_the_pixel_centres_back(camera, rng):
    rays = camera.rays()
    depth = rng.uniform(1, 80, rays.shape[:2])
    points = np.array([0, 0, camera.height_m]) + rays * depth[..., None]
    pixels, seen_depth = camera.project(points)
    columns, rows = np.meshgrid(np.arange(camera.width_px) + 0.5, np.arange(camera.height_px) + 0.5)
    np.testing.assert_allclose(pixels[..., 0], columns, atol=1e-9)
    np.testing.assert_allclose(pixels[..., 1], rows, atol=1e-9)
    np.testing.assert_allclose(seen_depth, depth)


def test_axes_and_horizon():
    level = Camera.from_fov(200, 100, 90.0)
    pixels, depth = level.project(np.array([[10.0, 0, 1.4], [10.0, 1, 1.4], [10.0, 0, 2.4], [-5.0, 0, 1.4]]))
    np.testing.assert_allclose(pixels[0], [100, 50])  # straight ahead at camera height: the middle
    assert pixels[1, 0] < 100 and pixels[2, 1] < 50  # left is left, up is up
    np.testing.assert_allclose(depth, [10, 10, 10, -5])
    far, _ = CAMERA.project(np.array([1e9, 0.0, 0.0]))
    assert far[1] == pytest.approx(CAMERA.horizon_px, abs=1e-6)
    assert CAMERA.horizon_px < CAMERA.cy_px  # looking down lifts the horizon


def test_the_transform_is_rigid_and_puts_the_camera_at_its_height():
    transform = OFF_CENTRE.camera_from_ego()
    np.testing.assert_allclose(transform[:3, :3] @ transform[:3, :3].T, np.eye(3), atol=1e-12)
    assert np.linalg.det(transform[:3, :3]) == pytest.approx(1.0)
    np.testing.assert_allclose(transform @ [0, 0, OFF_CENTRE.height_m, 1], [0, 0, 0, 1], atol=1e-12)


def test_resizing_and_cropping_move_pixels_as_they_move_the_image(rng):
    points = np.concatenate([rng.uniform(5, 50, (50, 1)), rng.uniform(-10, 10, (50, 2))], 1)
    pixels, _ = OFF_CENTRE.project(points)
    np.testing.assert_allclose(OFF_CENTRE.resized(642, 90).project(points)[0], pixels * [2, 90 / 181])
    np.testing.assert_allclose(OFF_CENTRE.cropped(30, 12, 100, 60).project(points)[0], pixels - [30, 12])
    window = OFF_CENTRE.cropped(20, 10, 200, 100).resized(100, 50)
    np.testing.assert_allclose(window.project(points)[0], (pixels - [20, 10]) / 2)
    rays = OFF_CENTRE.cropped(30, 12, 100, 60).rays()
    np.testing.assert_allclose(rays, OFF_CENTRE.rays()[12:72, 30:130], atol=1e-12)


def test_field_of_view():
    assert Camera.from_fov(640, 360, 63.0).fov_deg == pytest.approx(63.0)
    pixels, _ = Camera.from_fov(640, 360, 63.0).project(np.array([1.0, math.tan(math.radians(31.5)), 1.4]))
    assert pixels[0] == pytest.approx(0.0, abs=1e-9)  # the left edge of the image is half the angle to the left


def test_json_round_trip():
    assert Camera.from_json(OFF_CENTRE.to_json()) == OFF_CENTRE
    with pytest.raises(InputError, match="focal_px"):
        Camera.from_json({**OFF_CENTRE.to_json(), "focal_px": 1})
    with pytest.raises(InputError, match="numbers for width_px"):
        Camera.from_json({"width_px": 10})


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"width_px": 0}, "camera size"),
        ({"height_px": 100_000}, "camera size"),
        ({"fx_px": -1.0}, "focal length"),
        ({"cx_px": math.nan}, "focal length"),
        ({"fx_px": 1e6, "fy_px": 1e6}, "field of view"),
        ({"height_m": 0.0}, "height in metres"),
        ({"pitch_rad": 3.0}, "pitch"),
    ],
)
def test_absurd_cameras_are_refused(changes, named):
    with pytest.raises(InputError, match=named):
        Camera(**{**CAMERA.to_json(), **changes})


def test_an_absurd_angle_is_refused():
    with pytest.raises(InputError, match="field of view"):
        Camera.from_fov(100, 100, 180.0)
