"""The latent cache: it holds what the codec says, notices damage, and gives rendered clips their layout."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from tests.training.conftest import made_sample, write_dataset
from worldgen.core.camera import Camera
from worldgen.core.errors import InputError
from worldgen.core.sample import Sample
from worldgen.core.scenario import AgentRequest, Scenario
from worldgen.models.codec import encode_video
from worldgen.models.pixels import video_from_clips
from worldgen.scenes.layout import layout_maps
from worldgen.scenes.render import render_scene
from worldgen.scenes.simulate import simulate
from worldgen.training.clips import Clips
from worldgen.training.config import DataConfig
from worldgen.training.initial import new_codec
from worldgen.training.latents import LatentCache, Launcher, cached_latents
from worldgen.training.layouts import scene_layout


@pytest.fixture
def encode(tmp_path):
    """Encodes a data set and returns the cache and what was reported."""
    accelerator = Accelerator(cpu=True)

    def run(url: str, *, seed: int = 5, workers: int = 0, **changes) -> tuple[LatentCache, list[str]]:
        lines: list[str] = []
        clips = Clips(DataConfig(urls=(url,), width_px=32, height_px=32, **changes))
        launcher = Launcher(accelerator, workers, lines.append)
        return cached_latents(
            tmp_path / "cache", clips, clips.training(), codec=new_codec("tiny", seed), launcher=launcher
        ), lines

    yield run
    AcceleratorState._reset_state(reset_partial_state=True)


def caches(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "cache").iterdir())


@torch.no_grad()
def test_cache_holds_what_the_codec_makes_of_each_clip(encode, dataset):
    cache, _ = encode(dataset, flip=0.5)
    clips = Clips(DataConfig(urls=(dataset,), width_px=32, height_px=32))
    codec = new_codec("tiny", 5)
    for number, place in enumerate(clips.training()):
        sample = clips.load(place)
        direct = encode_video(codec, video_from_clips([sample.clip]))[0].movedim(1, 0)
        assert np.allclose(cache.latents(number, slice(0, 6, 1)), direct.numpy(), atol=2e-3)
        flipped = dataclasses.replace(sample.clip, frames=np.ascontiguousarray(sample.clip.frames[:, :, ::-1]))
        mirrored = encode_video(codec, video_from_clips([flipped]))[0].movedim(1, 0)
        assert np.allclose(cache.latents(number, slice(1, 6, 2), mirrored=True), mirrored.numpy()[1:6:2], atol=2e-3)
        record = cache.records[number]
        assert (record.key, record.caption, record.camera) == (sample.key, sample.caption, sample.camera)
        assert (record.ego is None) == (sample.ego is None)
        assert cache.layout(number, slice(0, 2, 1)) is None


def test_cache_is_made_once_and_by_loader_processes_alike(encode, dataset, tmp_path):
    first, lines = encode(dataset)
    assert any(line.startswith("encoding 6 clips, 36 frames") for line in lines)
    again, lines = encode(dataset)
    assert lines == [] and again.folder == first.folder
    content = (first.folder / "latents.npy").read_bytes()
    (first.folder / "cache.json").unlink()
    shared, _ = encode(dataset, workers=1)
    assert (shared.folder / "latents.npy").read_bytes() == content
    assert caches(tmp_path) == [first.folder.name]


@pytest.mark.parametrize("fault", ["flipped bit", "cut", "missing", "no json"])
def test_damaged_cache_is_made_anew(encode, dataset, fault):
    cache, _ = encode(dataset)
    path = cache.folder / "latents.npy"
    content = path.read_bytes()
    if fault == "flipped bit":
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    elif fault == "cut":
        path.write_bytes(content[:-7])
    elif fault == "missing":
        path.unlink()
    else:
        (cache.folder / "cache.json").write_text("{")
    _, lines = encode(dataset)
    assert "made anew" in lines[0]
    assert path.read_bytes() == content


def test_what_a_killed_run_left_is_no_cache(encode, dataset, tmp_path):
    cache, _ = encode(dataset)
    cache.folder.rename(cache.folder.with_name(f".{cache.folder.name}.tmp"))
    again, lines = encode(dataset)
    assert lines[0].startswith("encoding") and caches(tmp_path) == [again.folder.name]


def test_another_codec_or_other_clips_are_another_cache(encode, dataset, tmp_path):
    one, _ = encode(dataset)
    two, _ = encode(dataset, seed=6)
    three, _ = encode(write_dataset(tmp_path / "more", range(3, 9)))
    assert len({one.folder, two.folder, three.folder}) == 3


def rendered(size: tuple[int, int]) -> Sample:
    scenario = Scenario(road="urban", agents=(AgentRequest("car", 2, "oncoming"),), duration_s=0.5)
    scene = simulate(scenario, 3, fps=8.0, num_frames=4, camera=Camera.from_fov(*size, 70.0))
    return Sample(
        key="scene-3", clip=render_scene(scene).clip, caption="two cars", ego=scene.ego, camera=scene.camera,
        scenario=scenario, provenance={"seed": 3, "version": "0"}, licence="CC0-1.0",
    )  # fmt: skip


@pytest.fixture(scope="module")
def rendered_set(tmp_path_factory) -> str:
    from worldgen.data.index import build_index
    from worldgen.data.shards import ShardWriter

    folder = tmp_path_factory.mktemp("rendered")
    with ShardWriter(str(folder), "shard-0") as writer:
        writer.write(rendered((64, 32)))
        writer.write(made_sample(1))
    build_index(str(folder))
    return str(folder)


def test_rendered_clips_get_the_layout_of_their_scene_as_the_training_picture_sees_it(encode, rendered_set):
    cache, _ = encode(rendered_set)
    assert cache.has_layout == [True, False]
    sample = rendered((64, 32))
    scene = simulate(sample.scenario, 3, fps=8.0, num_frames=4, camera=sample.camera)
    wide = layout_maps(scene, 8, 16)  # of the uncut picture; the training picture is its middle half
    maps = cache.layout(0, slice(0, 4, 1))
    assert maps.shape == (4, 14, 8, 8) and maps[:, 0].max() > 0.5
    assert np.abs(maps - wide[..., 4:12]).mean() < 0.01
    assert np.array_equal(cache.layout(0, slice(0, 4, 1), mirrored=True), maps[..., ::-1])


def test_layouts_can_be_left_out(encode, rendered_set):
    cache, _ = encode(rendered_set, layouts=False)
    assert cache.has_layout == [False, False] and not (cache.folder / "layout.npy").exists()


def test_a_scene_that_comes_out_differently_is_refused():
    sample = rendered((64, 32))
    other = dataclasses.replace(
        sample, ego=sample.ego.__class__(sample.ego.speed_mps + 1, sample.ego.yaw_rate_radps, 8.0)
    )
    with pytest.raises(InputError, match=r"data\.layouts=false"):
        scene_layout(other, other.camera)
