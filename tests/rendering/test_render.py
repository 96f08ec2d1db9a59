"""Rendered frames are deterministic, consistent with depth and ego motion, and change with weather and light."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from tests.rendering.small_scenes import DAY, NIGHT, agent, plain_scene
from worldgen.core.camera import Camera
from worldgen.core.errors import InputError
from worldgen.core.scene import Static
from worldgen.rendering.drawing.ground import SEM
from worldgen.rendering.drawing.lens import TONE_STEPS, TONE_TOP, tone_table
from worldgen.rendering.drawing.motion_blur import pixel_velocity
from worldgen.rendering.drawing.palette import scene_palette
from worldgen.rendering.drawing.raster import FAR_M, RasterScene
from worldgen.rendering.drawing.view import Rays, View
from worldgen.rendering.render import render_scene

LOOKS = {
    "fog": ("fog", "day", DAY | {"visibility_m": 60.0, "cloud_cover": 0.9}),
    "rain": (
        "heavy_rain", "day",
        DAY | {"rain_mmph": 25.0, "wetness": 1.0, "cloud_cover": 1.0, "visibility_m": 900.0, "headlights_on": True},
    ),
    "snow": ("snow", "day", DAY | {"snow_mmph": 2.0, "snow_cover": 0.9, "cloud_cover": 1.0, "visibility_m": 400.0}),
    "night": ("clear", "night_lit", NIGHT),
}  # fmt: skip


@pytest.fixture(scope="module")
def cast():
    return (
        agent(1, "car", "sedan", x=14.0, speed=8.0),
        agent(2, "pedestrian", "adult", x=16.0, y=3.0, yaw=-1.57, speed=1.4),
    )


@pytest.fixture(scope="module")
def day(cast):
    return render_scene(plain_scene(agents=cast))


def test_what_a_rendering_holds(day) -> None:
    assert day.clip.frames.shape == (3, 128, 224, 3) and day.clip.fps == 8.0
    assert day.depth.dtype == np.float32 and day.instance.dtype == np.int32 and day.semantic.dtype == np.uint8
    assert set(np.unique(day.instance)) == {-2, 0, 1, 2}  # -2: the backpack of person 2
    assert day.depth.min() > 0 and day.depth.max() == pytest.approx(FAR_M)
    np.testing.assert_array_equal(day.depth > 0.99 * FAR_M, day.semantic == SEM["sky"])


@pytest.mark.parametrize("look", ["fog", "rain", "snow", "night"])
def test_the_same_scene_gives_the_same_bytes(cast, look) -> None:
    weather, light, air = LOOKS[look]
    scene = plain_scene(agents=cast, weather=weather, light=light, air=air)
    once, again = render_scene(scene), render_scene(scene, frames=[1, 2])
    np.testing.assert_array_equal(once.clip.frames[1:], again.clip.frames)
    np.testing.assert_array_equal(once.instance[1:], again.instance)


def test_weather_and_light_look_different(day, cast) -> None:
    pictures = {
        name: render_scene(plain_scene(agents=cast, weather=w, light=li, air=air), frames=[1])
        .clip.frames[0]
        .astype(float)
        for name, (w, li, air) in LOOKS.items()
    }
    bright = day.clip.frames[1].astype(float)
    sky, grass = np.s_[:20], np.s_[75:85, :40]
    assert pictures["night"][sky].mean() < 0.25 * bright[sky].mean()
    assert pictures["fog"][60:70].std() < 0.5 * bright[60:70].std()  # contrast near the horizon is gone
    assert pictures["snow"][grass].mean() > bright[grass].mean() + 40
    saturation = lambda image: np.ptp(image[grass].mean((0, 1)))  # noqa: E731
    assert saturation(pictures["snow"]) < 0.5 * saturation(bright)
    road = np.s_[90:128, 90:130]
    assert pictures["rain"][road].mean() < bright[road].mean()


def test_fog_follows_koschmieder() -> None:
    """Dark boards at two distances: what they lack of the air's light shrinks by exp(-3 d / V)."""
    boards = tuple(
        agent(k, "cargo", "tyre", x=x, y=y, size=(4.0, 4.0, 3.0), label=None)
        for k, x, y in ((1, 15.0, 2.5), (2, 32.0, -3.0))
    )
    scene = plain_scene(agents=boards, weather="fog", air=DAY | {"visibility_m": 60.0, "cloud_cover": 1.0})
    rendering = render_scene(scene, frames=[0])
    linear = np.square(np.searchsorted(tone_table(), np.arange(256)) / TONE_STEPS) * TONE_TOP
    seen = linear[rendering.clip.frames[0]].mean(-1)
    air = float(scene_palette(scene).airlight.mean()) * scene_palette(scene).exposure
    lacking, depth = [], []
    for k in (1, 2):
        inside = cv2.erode((rendering.instance[0] == k).astype(np.uint8), np.ones((5, 5))) > 0
        lacking.append(air - seen[inside].mean())
        depth.append(rendering.depth[0][inside].mean())
    assert lacking[1] / lacking[0] == pytest.approx(np.exp(np.log(0.05) / 60.0 * (depth[1] - depth[0])), rel=0.2)


def test_brake_lights_glow_at_night() -> None:
    scenes = [
        plain_scene(
            agents=(agent(1, "car", "sedan", x=9.0, braking=b),),
            light="night_unlit",
            air=NIGHT | {"street_lamps_on": False},
        )
        for b in (False, True)
    ]
    off, on = (render_scene(s, frames=[0]) for s in scenes)
    red = [r.clip.frames[0][r.instance[0] == 1][:, 0].astype(float).mean() for r in (off, on)]
    assert red[1] > red[0] + 5


def test_headlights_reveal_the_road_and_not_the_far_dark() -> None:
    dark = NIGHT | {"street_lamps_on": False, "headlights_on": False}
    without = render_scene(plain_scene(light="night_unlit", air=dark), frames=[0]).clip.frames[0].astype(float)
    lit = (
        render_scene(plain_scene(light="night_unlit", air=dark | {"headlights_on": True}), frames=[0])
        .clip.frames[0]
        .astype(float)
    )
    road = np.s_[85:110, 95:130]
    assert lit[road].mean() > without[road].mean() + 25
    assert abs(lit[:25].mean() - without[:25].mean()) < 3


def test_a_wet_road_mirrors_what_stands_on_it() -> None:
    car = agent(1, "van", "van", x=12.0, size=(5.3, 1.98, 2.1), label="car")
    air = DAY | {"cloud_cover": 1.0}
    dry = render_scene(plain_scene(agents=(car,), air=air), frames=[0])
    wet = render_scene(plain_scene(agents=(car,), air=air | {"wetness": 1.0}), frames=[0])
    rows = np.flatnonzero((dry.instance[0] == 1).any(1))
    below = np.s_[rows[-1] + 3 : rows[-1] + 12, 100:124]
    aside = np.s_[rows[-1] + 3 : rows[-1] + 12, 60:80]

    def contrast(rendering) -> float:
        pixels = rendering.clip.frames[0].astype(float)
        return float(np.abs(pixels[below].mean((0, 1)) - pixels[aside].mean((0, 1))).max())

    assert contrast(wet) > contrast(dry) + 5


def test_depth_and_ego_motion_explain_the_pictures() -> None:
    """Ground and walls moved by depth and ego motion land where optical flow finds them."""
    walls = tuple(
        Static("building", (x, y, 0.0), 0.0, (16.0, 10.0, 14.0), 7 * k)
        for k, (x, y) in enumerate(((12.0, 12.0), (30.0, -13.0), (48.0, 12.0), (60.0, -13.0)))
    )
    scene = plain_scene(statics=walls, speed=3.2, yaw_rate=0.03, air=DAY | {"cloud_cover": 1.0})
    rendering = render_scene(scene, size=(448, 256))
    camera = scene.camera.resized(448, 256)
    grey = [cv2.cvtColor(f, cv2.COLOR_RGB2GRAY) for f in rendering.clip.frames]
    flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(grey[0], grey[1], None)
    points = camera.rays() * rendering.depth[0][..., None] + [0, 0, camera.height_m]
    x, y, yaw = scene.ego_poses[1]
    moved = points - [x, y, 0]
    c, s = np.cos(yaw), np.sin(yaw)
    moved = np.stack([c * moved[..., 0] + s * moved[..., 1], -s * moved[..., 0] + c * moved[..., 1], moved[..., 2]], -1)
    pixels, depth = camera.project(moved)
    grid = np.stack(np.meshgrid(np.arange(448) + 0.5, np.arange(256) + 0.5), -1)
    expected = pixels - grid
    texture = cv2.GaussianBlur(np.abs(cv2.Laplacian(grey[0].astype(np.float32), cv2.CV_32F)), (0, 0), 3)
    stays = (pixels > 4).all(-1) & (pixels[..., 0] < 444) & (pixels[..., 1] < 252) & (depth > 1)
    use = (rendering.depth[0] < 60) & stays & (texture > np.median(texture))
    error = np.linalg.norm(flow - expected, axis=-1)[use]
    assert use.sum() > 8000
    assert np.median(np.linalg.norm(expected[use], axis=-1)) > 1.0  # there is motion to explain
    assert np.median(error) < 1.0


def test_motion_field_agrees_with_poses() -> None:
    scene = plain_scene(agents=(agent(1, "car", "sedan", x=14.0, y=1.0, speed=5.0),), speed=9.0, yaw_rate=0.1)
    rays, raster_scene = Rays.of(scene.camera), RasterScene(scene, scene.camera.resized(448, 256))
    view = View.of(raster_scene, 1, rays)
    velocity = pixel_velocity(raster_scene, view, rays)
    v, u = (int(k.mean()) for k in np.nonzero(view.raster.track[view.index] == 1))
    at = np.array([view.ahead[v, u], view.left[v, u], view.up[v, u]], float)
    step = 1e-4
    yaw = scene.ego_poses[1, 2]
    # The car drives along the world's x axis; the ego along its own.
    own = np.array([5 * np.cos(yaw), -5 * np.sin(yaw), 0]) - [9, 0, 0]
    turned = np.array([at[0] + 0.1 * step * at[1], at[1] - 0.1 * step * at[0], at[2]]) + step * own
    expected = (scene.camera.project(turned)[0] - scene.camera.project(at)[0]) / step
    np.testing.assert_allclose(velocity[v, u], expected, rtol=0.02, atol=0.3)


def test_an_empty_world_can_be_drawn() -> None:
    scene = plain_scene()
    bare = replace(scene, road=replace(scene.road, patches=(), lines=(), lanes=()))
    rendering = render_scene(bare, frames=[0])
    assert set(np.unique(rendering.semantic)) == {SEM["sky"], SEM["terrain"]}


def test_cameras_that_look_elsewhere() -> None:
    for pitch in (-0.6, 0.9):
        scene = plain_scene(camera=Camera.from_fov(160, 96, 90, pitch_rad=pitch, height_m=3.0))
        rendering = render_scene(scene, frames=[0])
        assert rendering.clip.frames.shape == (1, 96, 160, 3)
        assert (rendering.semantic == SEM["sky"]).all() == (pitch == -0.6)


@pytest.mark.parametrize("size", [(0, 10), (10_000, 100), (64, 32, 3), ("a", 32)])
def test_bad_sizes(size) -> None:
    with pytest.raises(InputError, match="image size"):
        render_scene(plain_scene(), size=size)


@pytest.mark.parametrize("frames", [[], [3], [-1]])
def test_bad_frames(frames) -> None:
    with pytest.raises(InputError, match="frames to render"):
        render_scene(plain_scene(), frames=frames)
