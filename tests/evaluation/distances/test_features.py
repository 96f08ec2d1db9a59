from __future__ import annotations

import numpy as np
import pytest
import torch

from worldgen.core.clip import Clip
from worldgen.core.errors import InputError
from worldgen.evaluation.distances.features import (
    ClipItem,
    Extractor,
    FeatureSet,
    FrameRule,
    extract,
    join,
    load_extractor,
)


def _ramp(count, fps=8.0):
    """Frames whose grey level is their number."""
    frames = np.broadcast_to(np.arange(count, dtype=np.uint8)[:, None, None, None], (count, 8, 14, 3))
    return Clip(frames.copy(), fps)


def _numbers(clip):
    return clip.frames[:, 0, 0, 0].tolist()


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (FrameRule(4), [0, 1, 2, 3]),
        (FrameRule(4, skip_s=0.25), [2, 3, 4, 5]),
        (FrameRule(4, position="end"), [21, 22, 23, 24]),
        (FrameRule(5, position="centre"), [10, 11, 12, 13, 14]),
        (FrameRule(4, fps=4.0), [0, 2, 4, 6]),
        (FrameRule(3, fps=2.0, skip_s=0.5), [4, 8, 12]),
        (FrameRule(0), list(range(25))),
    ],
)
def test_frames_that_count(rule, expected):
    taken = rule.take(_ramp(25))
    assert _numbers(taken) == expected and taken.fps == (rule.fps or 8.0)


@pytest.mark.parametrize(
    ("rule", "word"),
    [
        (FrameRule(26), "at least 26"),
        (FrameRule(24, skip_s=0.25), "23 at 8 fps"),
        (FrameRule(4, fps=30.0), "never interpolated"),
        (FrameRule(0, skip_s=9.0), "at least 1"),
    ],
)
def test_missing_frames_are_never_interpolated(rule, word):
    with pytest.raises(InputError, match=word):
        rule.take(_ramp(25), "one")


def test_bad_rules():
    for rule in ({"frames": -1}, {"fps": -1.0}, {"position": "middle"}):
        with pytest.raises(InputError):
            FrameRule(**rule)


class _Mean(torch.nn.Module):
    """A network whose features are known: mean level of each of the first and last frame."""

    def forward(self, video):
        return torch.stack([video[:, :, 0].mean((1, 2, 3)), video[:, :, -1].mean((1, 2, 3))], 1)


def _extractor():
    return Extractor("dinov2", "abc", 2, "squash", (1, 0), (16, 16), _Mean())


def _items(count, frames=12, fps=8.0):
    return [
        ClipItem(_ramp(frames, fps), f"key{i}", f"drive{i // 2}", ("day",) if i % 2 else ("night",))
        for i in range(count)
    ]


def test_any_iterable_in_any_batches_gives_the_same():
    rule = FrameRule(10)
    one = extract(iter(_items(7)), _extractor(), rule, batch=1)
    many = extract(_items(7), _extractor(), rule, batch=4)
    np.testing.assert_allclose(one.features, many.features)
    np.testing.assert_allclose(one.features[0], [0 / 127.5 - 1, 9 / 127.5 - 1], atol=1e-6)
    assert one.keys == many.keys == [f"key{i}" for i in range(7)] and one.features.dtype == np.float64
    assert len(one.tagged("day")) == 3 and one.made_by["fps"] == 8.0


def test_rates_are_not_mixed():
    with pytest.raises(InputError, match="one rate"):
        extract([*_items(2), *_items(2, fps=10.0)], _extractor(), FrameRule(8))
    brought = extract([*_items(2), *_items(2, fps=16.0, frames=24)], _extractor(), FrameRule(4, fps=8.0))
    assert len(brought) == 4


def test_nothing_is_refused():
    with pytest.raises(InputError, match="at least one"):
        extract([], _extractor(), FrameRule(8))


def test_sets_survive_a_file_and_join(tmp_path):
    one = extract(_items(5), _extractor(), FrameRule(8))
    one.save(tmp_path / "f.safetensors")
    again = FeatureSet.load(tmp_path / "f.safetensors")
    np.testing.assert_array_equal(one.features, again.features)
    assert (one.keys, one.drives, one.tags, one.made_by) == (again.keys, again.drives, again.tags, again.made_by)
    both = join([one.rows([0, 1]), again.rows([2, 3, 4])])
    np.testing.assert_array_equal(both.features, one.features)
    other = extract(_items(2), _extractor(), FrameRule(6))
    with pytest.raises(InputError, match="rule of sets"):
        join([one, other])
    (tmp_path / "g.safetensors").write_bytes(b"no")
    with pytest.raises(InputError, match="a file that worldgen wrote"):
        FeatureSet.load(tmp_path / "g.safetensors")


def test_extractors_without_weights_are_one_clear_line():
    for name in ("i3d", "videomae", "dinov2"):
        with pytest.raises(InputError, match="weights of"):
            load_extractor(name)
    with pytest.raises(InputError, match="one of"):
        load_extractor("inception")
    with pytest.raises(InputError, match="resize mode"):
        load_extractor("fd-worldgen", resize="nearest")


def _tiny(kind, folder):
    from transformers import Dinov2Config, Dinov2Model, VideoMAEConfig, VideoMAEModel

    shape = {
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 24,
        "image_size": 32,
    }
    torch.manual_seed(0)
    if kind == "videomae":
        model = VideoMAEModel(VideoMAEConfig(**shape, patch_size=16, num_frames=4, tubelet_size=2))
    else:
        model = Dinov2Model(Dinov2Config(**shape, patch_size=16))
    model.eval().save_pretrained(folder)
    return model


@pytest.mark.parametrize("kind", ["videomae", "dinov2"])
def test_transformers_models_from_their_real_classes(kind, tmp_path):
    model = _tiny(kind, tmp_path)
    extractor = load_extractor(kind, weights=str(tmp_path))
    assert extractor.size == 16 and extractor.side == (32, 32) and len(extractor.hash) == 32
    clip = Clip(np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), np.uint8), 8.0)
    got = extractor([clip, clip])
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    pixels = ((torch.from_numpy(clip.frames) / 255 - mean) / std).permute(0, 3, 1, 2)  # (T, 3, H, W)
    with torch.no_grad():
        if kind == "videomae":
            expected = model(pixels[None]).last_hidden_state.mean((0, 1))
        else:
            expected = model(pixels).last_hidden_state[:, 0].mean(0)
    np.testing.assert_allclose(got, np.stack([expected.numpy()] * 2), atol=1e-4)
    if kind == "videomae":
        with pytest.raises(InputError, match="frames for videomae"):
            extractor([_ramp(7)])
    with pytest.raises(InputError, match="class of"):
        load_extractor("dinov2" if kind == "videomae" else "videomae", weights=str(tmp_path))


def test_missing_tensors_are_not_made_up(tmp_path):
    from safetensors.torch import load_file, save_file

    _tiny("dinov2", tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    tensors.pop(sorted(tensors)[-1])
    save_file(tensors, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(InputError, match="1 tensors that do not fit"):
        load_extractor("dinov2", weights=str(tmp_path))


def test_pickled_transformers_weights_are_refused(tmp_path):
    _tiny("dinov2", tmp_path)
    (tmp_path / "model.safetensors").rename(tmp_path / "pytorch_model.bin")
    with pytest.raises(InputError, match="pickle"):
        load_extractor("dinov2", weights=str(tmp_path))
