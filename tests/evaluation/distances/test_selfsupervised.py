from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from worldgen.core.errors import InputError
from worldgen.evaluation.distances.features import load_extractor
from worldgen.evaluation.distances.selfsupervised import (
    FOLDER,
    ClipEncoder,
    EncoderConfig,
    load_encoder,
    save_encoder,
    settle,
    solve_views,
)
from worldgen.evaluation.measures.corruptions import CORRUPTIONS, TAUGHT, corrupt
from worldgen.files.shipped import assets_dir

SMALL = EncoderConfig(frames=4, height_px=16, width_px=24, widths=(4, 6, 8, 8), features=5, taught=TAUGHT)


def _encoder():
    torch.manual_seed(0)
    return ClipEncoder(SMALL).eval()


def test_a_clip_gives_one_vector_whatever_its_batch():
    encoder, video = _encoder(), torch.rand(3, 3, 4, 16, 24) * 2 - 1
    with torch.no_grad():
        together, alone = encoder(video), torch.cat([encoder(v[None]) for v in video])
    assert together.shape == (3, 5)
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


def test_convolutions_over_time_see_time_and_only_time():
    """Frames in another order give other features; the same frames moved to another clip do not matter."""
    encoder, video = _encoder(), torch.rand(1, 3, 4, 16, 24)
    with torch.no_grad():
        assert (encoder(video) - encoder(video[:, :, [2, 0, 3, 1]])).abs().max() > 1e-5
        still = video[:, :, :1].expand(-1, -1, 4, -1, -1)
        torch.testing.assert_close(encoder(still), encoder(still.flip(2)))


def test_it_equals_the_same_network_written_in_3d():
    """The two-dimensional convolutions are (1, k, k) and (3, 1, 1) convolutions over video."""
    encoder, x = _encoder(), torch.rand(2, 3, 4, 16, 24)
    y, pooled = x, []
    with torch.no_grad():
        for over_picture, over_time in [
            (encoder.stem, None),
            *zip(encoder.over_picture, encoder.over_time, strict=True),
        ]:
            conv, norm = over_picture[0], over_picture[1]
            y = F.conv3d(y, conv.weight[:, :, None], stride=(1, *conv.stride), padding=(0, *conv.padding))
            y = _normed(y, norm)
            if over_time is not None:
                conv, norm = over_time[0], over_time[1]
                y = F.conv3d(y, conv.weight[..., None], stride=(conv.stride[0], 1, 1), padding=(1, 0, 0))
                y = _normed(y, norm)
            pooled.append(torch.cat([y.flatten(2).mean(2), y.flatten(2).std(2)], 1))
        expected = encoder.out(torch.cat(pooled, 1))
        torch.testing.assert_close(encoder(x), expected, atol=1e-5, rtol=1e-4)


def _normed(x, norm):
    return torch.relu(F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps))


def test_settling_makes_every_channel_average():
    encoder = _encoder()
    video = torch.rand(6, 3, 4, 16, 24) * 0.1 + 0.6
    settle(encoder, video)
    assert not encoder.training
    seen = {}
    hooks = [
        m.register_forward_hook(lambda m, i, o, n=n: seen.update({n: o.clone()})) for n, m in encoder.named_modules()
        if isinstance(m, torch.nn.BatchNorm2d)
    ]  # fmt: skip
    with torch.no_grad():
        encoder.describe(video)
    for hook in hooks:
        hook.remove()
    first = seen["stem.1"]
    torch.testing.assert_close(first.mean((0, 2, 3)), torch.zeros(4), atol=1e-3, rtol=0)
    torch.testing.assert_close(first.std((0, 2, 3)), torch.ones(4), atol=0.05, rtol=0)
    assert all(value.std() > 0.5 for value in seen.values())


def _views(rng, clips=200, count=4):
    """Descriptions with five inputs: 0 tells clips apart, 1 is different in every view, 2 shows damage only, 3 and 4
    mix."""
    views = np.zeros((clips, count, 5))
    views[..., 0] = rng.normal(size=(clips, 1)) * 3 + rng.normal(size=(clips, count)) * 0.1
    views[..., 1] = rng.normal(size=(clips, count)) * 5
    views[..., 2] = rng.normal(size=(clips, count)) * 0.2
    views[..., 3] = views[..., 0] + views[..., 1]
    views[..., 4] = 7.0  # never changes
    changes = np.zeros((300, 5))
    changes[:, 2] = rng.uniform(0.5, 2, 300)
    return views, changes


def test_the_map_keeps_what_tells_clips_apart_and_what_damage_shows(rng):
    views, changes = _views(rng)
    matrix, bias = solve_views(views, changes, 2, shrinkage=1e-6)
    made = views @ matrix.T + bias
    away = made - made.mean(1, keepdims=True)
    within = np.einsum("nvi,nvj->ij", away, away) / (len(views) * (views.shape[1] - 1))
    np.testing.assert_allclose(within, np.eye(2), atol=1e-3)  # views of a clip differ by one unit in every direction
    assert made.mean(1).std(0).max() > 20  # clips by many
    assert np.abs(changes @ matrix.T).mean(0).max() > 4  # and so does damage
    assert np.abs(matrix @ [0, 1, 0, 1, 0]).max() < 0.1 and np.abs(matrix @ [0, 0, 0, 0, 1]).max() == 0
    np.testing.assert_allclose(made.mean((0, 1)), 0, atol=1e-9)


def test_views_that_cannot_be_learnt_from_are_refused(rng):
    views, changes = _views(rng)
    for bad, size in ((views[:1], 2), (views[:, :1], 2), (views, 9)):
        with pytest.raises(InputError, match="two clips, two views"):
            solve_views(bad, changes, size)


def test_weights_survive_files(tmp_path):
    encoder = _encoder()
    save_encoder(encoder, tmp_path)
    again, video = load_encoder(tmp_path), torch.rand(1, 3, 4, 16, 24)
    assert again.config == SMALL
    with torch.no_grad():
        torch.testing.assert_close(again(video), encoder(video), atol=5e-3, rtol=5e-3)  # stored in half precision
    with pytest.raises(InputError, match=r"config\.json"):
        load_encoder(tmp_path / "nowhere")


def test_long_clips_are_seen_in_windows(tmp_path):
    from worldgen.core.clip import Clip

    save_encoder(_encoder(), tmp_path)
    extractor = load_extractor("fd-worldgen", weights=str(tmp_path))
    frames = np.random.default_rng(0).integers(0, 256, (8, 16, 24, 3), np.uint8)
    whole = extractor([Clip(frames, 8.0)])
    parts = extractor([Clip(frames[:4], 8.0), Clip(frames[4:], 8.0)])
    np.testing.assert_allclose(whole[0], parts.mean(0), atol=1e-6)
    with pytest.raises(InputError, match="frames for fd-worldgen"):
        extractor([Clip(frames[:3], 8.0)])


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_damage_grows_with_strength_and_keeps_the_clip_a_clip(name, rng):
    y, x = np.mgrid[:32, :56]
    frames = np.stack([
        np.stack([x * 4 + 6 * t, y * 7, 120 + 60 * np.sin((x + y + 3 * t) / 4)], -1) for t in range(12)
    ]).clip(0, 255).astype(np.uint8)  # fmt: skip
    before = frames.copy()
    change = []
    for strength in (0.0, 0.3, 1.0):
        damaged = [corrupt(frames, name, strength, np.random.default_rng(seed)) for seed in range(6)]
        assert all(d.shape == frames.shape and d.dtype == np.uint8 for d in damaged)
        change.append(np.mean([np.abs(d.astype(float) - frames).mean() for d in damaged]))
    np.testing.assert_array_equal(frames, before)
    assert change[0] == 0 and change[0] < change[1] < change[2]


def test_unknown_damage_is_refused(rng):
    for name, strength in (("rust", 0.5), ("blur", 1.5)):
        with pytest.raises(InputError):
            corrupt(np.zeros((2, 8, 8, 3), np.uint8), name, strength, rng)


def test_the_shipped_weights_see_damage(rng):
    """Distance grows with blur and with noise on clips of moving shapes; the full table is in accuracy.json."""
    if not (assets_dir() / FOLDER / "model.safetensors").is_file():
        pytest.skip(f"no weights in assets/{FOLDER}: pipelines/train_fd.py makes them")
    from worldgen.core.clip import Clip
    from worldgen.evaluation.distances.frechet import distance_of

    extractor = load_extractor("fd-worldgen")
    assert extractor.size == 128
    y, x = np.mgrid[:56, :96]
    clips = []
    for _ in range(24):
        a, b, c = rng.uniform(1, 9, 3)
        frames = [
            np.stack([np.sin((x + b * t) / a), np.cos((y - t) / b), np.sin((x * y) / (40 * c))], -1) for t in range(8)
        ]
        clips.append((120 + 100 * np.stack(frames)).astype(np.uint8))
    clean = extractor([Clip(f, 8.0) for f in clips])
    for name in ("blur", "noise"):
        far = [
            distance_of(clean, extractor([Clip(corrupt(f, name, s, rng), 8.0) for f in clips]))
            for s in (0.0, 0.15, 0.5, 1.0)
        ]
        assert far[0] == pytest.approx(0, abs=1e-3) and np.all(np.diff(far) > 0), (name, far)
