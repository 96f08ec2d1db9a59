"""The pipeline: saving, refusing, context, seeds, streaming."""

from __future__ import annotations

import inspect
import json
from types import SimpleNamespace
from typing import Union, get_origin

import numpy as np
import pytest
import torch
from diffusers import DiffusionPipeline

from tests.models.build import noisy_weights
from worldgen.core.clip import Clip
from worldgen.core.errors import InputError
from worldgen.core.layout_channels import LAYOUT_CHANNELS
from worldgen.core.manoeuvres import manoeuvre_motion
from worldgen.core.samples import Conditions
from worldgen.models.interface import SamplerOptions
from worldgen.models.native.loading import load_pipeline
from worldgen.models.native.pipeline import CODE, WorldPipeline, fit_layout
from worldgen.models.native.pixels import clips_from_video, video_from_clips
from worldgen.models.native.rollout.noise import chunk_noise
from worldgen.models.native.sizes import SIZES, build_pipeline, build_transformer

WIDTH, HEIGHT, FRAMES, FPS = 48, 32, 5, 8.0
FAST = SamplerOptions(steps=2)


@pytest.fixture(scope="module")
def pipeline() -> WorldPipeline:
    pipe = build_pipeline("tiny", words=["a pedestrian at night in heavy rain"])
    noisy_weights(pipe.transformer, 0.05)
    return pipe


def request(
    seed: int = 0, *, context: Clip | None = None, ego: str | None = "keep", frames: int = FRAMES, **changes
) -> Conditions:
    rng = np.random.default_rng(0)
    values = {
        "text": "a pedestrian at night", "context": context, 
        "ego": manoeuvre_motion(ego, frames, FPS) if ego else None, "seed": seed,
        "layout": rng.random((frames, len(LAYOUT_CHANNELS), HEIGHT, WIDTH)).astype(np.float32),
    }  # fmt: skip
    from worldgen.core.camera import Camera

    camera = None if context is not None else Camera.from_fov(WIDTH, HEIGHT)
    return Conditions(frames, FPS, camera=camera, **{**values, **changes})


def some_clip(frames: int, seed: int = 0) -> Clip:
    return Clip(np.random.default_rng(seed).integers(0, 256, (frames, HEIGHT, WIDTH, 3), np.uint8), FPS)


def test_saved_and_loaded_pipeline_makes_the_same_clip(pipeline, tmp_path):
    pipeline.save_pretrained(tmp_path / "model")
    loaded = WorldPipeline.from_pretrained(tmp_path / "model", local_files_only=True)
    assert loaded.accepts == pipeline.accepts
    first, second = (p([request()], FAST)[0].frames for p in (pipeline, loaded))
    assert np.array_equal(first, second)
    assert not list((tmp_path / "model").rglob("*.bin"))
    assert not [p for p in (tmp_path / "model").rglob("*.json") if "TokenizersBackend" in p.read_text()]  # not in 4.x


@pytest.mark.parametrize("variant", [None, "fp16"])
def test_diffusers_finds_the_class_by_the_file_in_the_folder(pipeline, tmp_path, variant):
    """The file holds an import of the package and nothing else; without trust, no code of the folder runs."""
    pipeline.save_pretrained(tmp_path, variant=variant)
    assert (tmp_path / "pipeline.py").read_text() == CODE
    how = {"variant": variant, "local_files_only": True}
    found = DiffusionPipeline.from_pretrained(tmp_path, trust_remote_code=True, **how)
    assert type(found) is WorldPipeline
    assert np.array_equal(found([request()], FAST)[0].frames, pipeline([request()], FAST)[0].frames)
    (tmp_path / "pipeline.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').write('x')\n")
    assert type(WorldPipeline.from_pretrained(tmp_path, **how)) is WorldPipeline
    load_pipeline(tmp_path)
    assert not (tmp_path / "ran").exists()


def test_a_folder_is_whole_before_it_is_uploaded(pipeline, tmp_path, monkeypatch):
    uploaded = {}
    monkeypatch.setattr(
        "diffusers.pipelines.pipeline_utils.create_repo", lambda *a, **k: SimpleNamespace(repo_id="a/b")
    )
    monkeypatch.setattr("diffusers.pipelines.pipeline_utils.load_or_create_model_card", lambda *a, **k: None)
    monkeypatch.setattr(
        "diffusers.pipelines.pipeline_utils.populate_model_card",
        lambda *a, **k: SimpleNamespace(save=lambda path: None),
    )
    read = lambda *a, **k: uploaded.update({p.name: p.read_text() for p in tmp_path.iterdir() if p.is_file()})  # noqa: E731
    monkeypatch.setattr(pipeline, "_upload_folder", read)
    pipeline.save_pretrained(str(tmp_path), push_to_hub=True)
    assert uploaded["pipeline.py"] == CODE
    assert json.loads(uploaded["model_index.json"])["_class_name"] == ["pipeline", "WorldPipeline"]


def test_classes_of_the_parts_are_read_by_every_version_of_diffusers():
    """diffusers 0.36 takes annotations as they stand; text, which the lazy form makes of them, has no class."""
    parts = dict(inspect.signature(WorldPipeline.__init__).parameters)
    optional = parts.pop("painter")
    assert get_origin(optional.annotation) is Union and optional.default is None
    assert all(inspect.isclass(part.annotation) for name, part in parts.items() if name != "self")


def test_seed_decides_the_clip(pipeline):
    one, again, other = (pipeline([request(seed)], FAST)[0].frames for seed in (1, 1, 2))
    assert np.array_equal(one, again) and not np.array_equal(one, other)


def test_noise_of_a_clip_does_not_depend_on_its_batch_or_chunk():
    shape = (16, 4, 6)
    alone = chunk_noise([7], 0, 6, shape)
    beside = chunk_noise([3, 7, 9], 0, 6, shape)[1:2]
    assert alone.equal(beside)
    assert alone[:, :, 4:].equal(chunk_noise([7], 4, 2, shape))


def test_batch_of_clips_equals_each_alone(pipeline):
    together = pipeline([request(1), request(2)], FAST)
    for clip, seed in zip(together, (1, 2), strict=True):
        alone = pipeline([request(seed)], FAST)[0]
        # Matrix products sum in another order at another batch size; a grey level is what rounding may cost.
        assert np.abs(clip.frames.astype(int) - alone.frames).max() <= 1


def test_context_comes_back_as_it_was_given(pipeline):
    context = some_clip(3)
    clip = pipeline([request(context=context, layout=None)], FAST)[0]
    assert len(clip) == FRAMES and pipeline.promise.known_frames == "given"
    assert np.array_equal(clip.frames[:3], context.frames)


def test_streamed_frames_are_the_frames(pipeline):
    parts = [part[0].frames for part in pipeline.stream([request()], SamplerOptions(steps=2, chunk=2))]
    assert [len(p) for p in parts] == [2, 2, 1]
    whole = pipeline([request()], SamplerOptions(steps=2, chunk=2))[0]
    assert np.array_equal(np.concatenate(parts), whole.frames)


def test_guidance_of_one_is_no_guidance_and_more_changes_the_clip(pipeline):
    plain = pipeline([request()], FAST)[0].frames
    off = pipeline([request()], SamplerOptions(steps=2, guidance={"text": 1.0}))[0].frames
    strong = pipeline([request()], SamplerOptions(steps=2, guidance={"text": 6.0, "layout": 2.0}))[0].frames
    assert np.array_equal(plain, off) and not np.array_equal(plain, strong)


def test_every_subset_of_conditions_can_be_sampled(pipeline):
    for without in ({"text": None}, {"ego": None}, {"layout": None}, {"text": None, "ego": None, "layout": None}):
        assert len(pipeline([request(**without)], FAST)[0]) == FRAMES


def test_conditions_the_model_does_not_honour_are_refused_by_name():
    limited = build_pipeline("tiny")
    limited.transformer = build_transformer("tiny", accepts=("text", "ego"))
    with pytest.raises(InputError, match=r"does not honour.*layout"):
        limited([request()], FAST)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"frames": 10_001}, "number of frames"),
        ({"size": (50, 32)}, "multiples of 16"),
        ({"size": (32, 4096)}, "multiples of 16"),
    ],
)
def test_impossible_requests_are_one_line(pipeline, changes, words):
    from worldgen.core.camera import Camera

    size = changes.get("size", (WIDTH, HEIGHT))
    frames = changes.get("frames", 4)
    with pytest.raises(InputError, match=words):
        pipeline.check([Conditions(frames, FPS, camera=Camera.from_fov(*size))])


@pytest.mark.parametrize(
    "bad", [{"steps": 0}, {"chunk": 0}, {"guidance": {"colour": 2.0}}, {"guidance": {"text": -1.0}}]
)
def test_impossible_sampler_options_are_one_line(bad):
    with pytest.raises(InputError):
        SamplerOptions(**bad)


def test_pixels_round_trip():
    clip = some_clip(2)
    assert np.array_equal(clips_from_video(video_from_clips([clip]), FPS)[0].frames, clip.frames)


def test_pixels_that_are_no_numbers_are_never_shown():
    with pytest.raises(FloatingPointError, match="not finite"):
        clips_from_video(torch.full((1, 3, 1, 4, 4), float("nan")), FPS)


def test_layout_is_area_averaged():
    maps = np.random.default_rng(0).random((2, 3, 8, 12)).astype(np.float32)
    expected = maps.reshape(2, 3, 4, 2, 6, 2).mean((3, 5))
    np.testing.assert_allclose(fit_layout(maps, 4, 6), expected, atol=5e-4)  # halves


def test_sizes_grow():
    assert list(SIZES) == ["tiny", "small", "base"]
    with pytest.raises(InputError, match="model size"):
        build_pipeline("huge")
