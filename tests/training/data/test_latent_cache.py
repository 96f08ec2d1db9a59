"""The latent cache: it holds the codec's latents, notices damage, and gives rendered clips their layouts."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from tests.training.conftest import made_sample, write_dataset
from tests.training.loop.test_trainer import StopAfter
from worldgen.core.camera import Camera
from worldgen.core.errors import InputError
from worldgen.core.layout_channels import LAYOUT_CHANNELS, LEFT_CHANNELS
from worldgen.core.samples import Sample
from worldgen.core.scenario import AgentRequest, Scenario
from worldgen.core.seeds import numpy_rng
from worldgen.models.native.codec import encode_video
from worldgen.models.native.pixels import video_from_clips
from worldgen.rendering.layouts import layout_maps
from worldgen.rendering.render import render_scene
from worldgen.simulation.simulate import simulate
from worldgen.training.data.clips import Clips
from worldgen.training.data.latent_cache import LatentCache
from worldgen.training.data.latent_encoding import cached_latents
from worldgen.training.data.rendered_layouts import scene_layout
from worldgen.training.launch import Launch, PreparationContext
from worldgen.training.tasks.initial import new_codec
from worldgen.training.train_config import DataConfig


@pytest.fixture
def encode(tmp_path):
    """Encodes a data set and returns the cache and what was reported."""
    accelerator = Accelerator(cpu=True)

    def run(
        url: str, *, seed: int = 5, workers: int = 0, stop: Callable[[], bool] = lambda: False, **changes
    ) -> tuple[LatentCache, list[str]]:
        """Lines hold what is logged, and for each preparation what is done and how many parts there are."""
        lines: list[str] = []

        def progress(items, total=None, desc=""):
            lines.append(f"{desc}: {total}")
            return iter(items)

        clips = Clips(DataConfig(urls=(url,), width_px=32, height_px=32, **changes))
        launch = Launch(log=lines.append, progress=progress, stop=stop)
        context = PreparationContext(accelerator, workers, launch)
        return cached_latents(
            tmp_path / "cache", clips, clips.training(), codec=new_codec("tiny", seed), context=context
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
        assert np.allclose(cache.latents(number, slice(0, 6, 1)), direct.numpy(), atol=2e-3, rtol=1e-3)
        flipped = dataclasses.replace(sample.clip, frames=np.ascontiguousarray(sample.clip.frames[:, :, ::-1]))
        mirrored = encode_video(codec, video_from_clips([flipped]))[0].movedim(1, 0)
        assert np.allclose(
            cache.latents(number, slice(1, 6, 2), mirrored=True), mirrored.numpy()[1:6:2], atol=2e-3, rtol=1e-3
        )
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
    cache, _ = encode(dataset, max_clips=2)
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
    _, lines = encode(dataset, max_clips=2)
    assert "encoded again" in lines[0]
    assert path.read_bytes() == content


def test_what_a_killed_run_left_is_no_cache(encode, dataset, tmp_path):
    cache, _ = encode(dataset)
    cache.folder.rename(cache.folder.with_name(f".{cache.folder.name}.tmp"))
    again, lines = encode(dataset)
    assert lines[0].startswith("encoding") and caches(tmp_path) == [again.folder.name]


def test_a_run_that_was_stopped_goes_on_where_it_was(encode, dataset, tmp_path):
    whole, _ = encode(dataset)
    expected = {path.name: path.read_bytes() for path in whole.folder.iterdir()}
    (whole.folder / "cache.json").unlink()
    with pytest.raises(KeyboardInterrupt):
        encode(dataset, stop=StopAfter(3))
    [journal] = (tmp_path / "cache").glob(".*.tmp/part0.jsonl")
    journal.write_bytes(journal.read_bytes()[:-5])  # kill -9 in the middle of a line
    again, lines = encode(dataset)
    assert "encode clips: 4" in lines and any("2 clips were encoded before" in line for line in lines)
    assert {path.name: path.read_bytes() for path in again.folder.iterdir()} == expected


def test_another_codec_or_other_clips_are_another_cache(encode, dataset, tmp_path):
    one, _ = encode(dataset, max_clips=1)
    two, _ = encode(dataset, max_clips=1, seed=6)
    three, _ = encode(write_dataset(tmp_path / "more", range(3, 6)), max_clips=1)
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
    from worldgen.data.dataset.index import build_index
    from worldgen.data.dataset.shards import ShardWriter

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
    wide = layout_maps(scene, 32, 64)  # of the uncut picture; the training picture is its middle half
    maps = cache.layout(0, slice(0, 4, 1))
    assert maps.shape == (4, len(LAYOUT_CHANNELS), 32, 32) and maps[:, 0].max() > 0.5
    assert np.abs(maps.astype(np.float32) - wide[..., 16:48]).mean() < 0.01
    assert np.abs(maps - wide[..., 16:48])[:, LEFT_CHANNELS].min() == 0  # what does not move is kept exactly
    mirrored = cache.layout(0, slice(0, 4, 1), mirrored=True)[..., ::-1]
    still = [c for c in range(len(LAYOUT_CHANNELS)) if c not in LEFT_CHANNELS]
    assert np.array_equal(mirrored[:, still], maps[:, still])
    assert np.array_equal(mirrored[:, LEFT_CHANNELS], 1.0 - maps[:, LEFT_CHANNELS])


def test_histories_are_kept_for_each_stride_and_side(encode, dataset):
    cache, _ = encode(dataset, flip=0.5, num_frames=2, strides=(1, 2), max_clips=2)
    for mirrored in (False, True):
        one, two = (cache.reprojected(0, slice(0, 5, s), mirrored=mirrored) for s in (1, 2))
        assert one.shape[1] == cache.latents(0, slice(0, 1)).shape[1] + 1
        assert not one[0].any() and one[1:].any((1, 2, 3)).all()  # only the first frame has none
        assert not two[0].any() and two[1:].any((1, 2, 3)).all()
    other, _ = encode(dataset, num_frames=2, strides=(1, 2), max_clips=2)
    assert np.array_equal(
        other.reprojected(0, slice(0, 5, 1)), cache.reprojected(0, slice(0, 5, 1))
    )  # the same every time


def test_only_a_span_of_a_long_clip_is_encoded(encode, dataset):
    whole, _ = encode(dataset, num_frames=2)
    cut, _ = encode(dataset, num_frames=2, max_frames=3)
    starts = set()
    for number in range(len(cut)):
        assert cut.records[number].num_frames == 3
        start = int(numpy_rng("span", cut.records[number].key).integers(whole.records[number].num_frames - 2))
        starts.add(start)
        assert np.array_equal(cut.latents(number, slice(0, 3)), whole.latents(number, slice(start, start + 3)))
        if cut.records[number].ego is not None:
            assert np.array_equal(
                cut.records[number].ego.speed_mps, whole.records[number].ego.speed_mps[start : start + 3]
            )


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
