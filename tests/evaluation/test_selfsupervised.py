from __future__ import annotations

import numpy as np
import pytest
import torch

from worldgen.core.assets import assets_dir
from worldgen.core.errors import InputError
from worldgen.evaluation.corruptions import CORRUPTIONS, TAUGHT, corrupt
from worldgen.evaluation.features import load_extractor
from worldgen.evaluation.selfsupervised import (
    FOLDER,
    ClipEncoder,
    EncoderConfig,
    Pretext,
    load_encoder,
    save_encoder,
    strengths_loss,
    vicreg_loss,
)

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
    expected = x
    with torch.no_grad():
        blocks = [(encoder.stem, None), *zip(encoder.over_picture, encoder.over_time, strict=True)]
        for over_picture, over_time in blocks:
            conv, norm = over_picture[0], over_picture[1]
            expected = torch.nn.functional.conv3d(
                expected, conv.weight[:, :, None], stride=(1, *conv.stride), padding=(0, *conv.padding)
            )
            expected = _normed(expected, norm)
            if over_time is not None:
                conv, norm = over_time[0], over_time[1]
                expected = torch.nn.functional.conv3d(
                    expected, conv.weight[..., None], stride=(conv.stride[0], 1, 1), padding=(1, 0, 0)
                )
                expected = _normed(expected, norm)
        flat = expected.flatten(2)
        expected = encoder.out(torch.cat([flat.mean(2), flat.std(2)], 1))
        torch.testing.assert_close(encoder(x), expected, atol=1e-5, rtol=1e-4)


def _normed(x, norm):
    return torch.relu(
        torch.nn.functional.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps)
    )


def test_vicreg_punishes_what_it_says():
    torch.manual_seed(0)
    good = torch.randn(4000, 4) * 1.05
    assert vicreg_loss(good, good) < 0.1
    assert vicreg_loss(good, good + 1) == pytest.approx(25, abs=0.2)  # they disagree by 1
    flat = torch.zeros(100, 4)
    assert vicreg_loss(flat, flat) == pytest.approx(25 * (1 - 0.01), abs=0.01)  # nothing varies
    twins = good[:, :1].expand(-1, 4)
    assert vicreg_loss(twins, twins) > 5  # all outputs say the same


def test_it_learns_to_tell_strengths(rng):
    """Thirty steps on noise of known strength bring the error well down: the pretext can be learnt at all."""
    torch.manual_seed(0)
    encoder, heads = ClipEncoder(SMALL), Pretext(SMALL, 16)
    optimiser = torch.optim.Adam([*encoder.parameters(), *heads.strengths.parameters()], 1e-2)
    losses = []
    for _ in range(30):
        strength = rng.uniform(0, 1, 16).astype(np.float32)
        frames = [corrupt(np.full((4, 16, 24, 3), 120, np.uint8), "noise", float(s), rng) for s in strength]
        video = torch.from_numpy(np.stack(frames)).permute(0, 4, 1, 2, 3).float() / 127.5 - 1
        truth = torch.zeros(16, len(TAUGHT))
        truth[:, TAUGHT.index("noise")] = torch.from_numpy(strength)
        loss = strengths_loss(heads.strengths(encoder(video)), truth)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert np.mean(losses[-5:]) < 0.35 * np.mean(losses[:3])


def test_weights_survive_files(tmp_path):
    encoder = _encoder()
    save_encoder(encoder, tmp_path)
    again, video = load_encoder(tmp_path), torch.rand(1, 3, 4, 16, 24)
    assert again.config == SMALL
    with torch.no_grad():
        torch.testing.assert_close(again(video), encoder(video), atol=5e-3, rtol=5e-3)  # stored in half precision
    with pytest.raises(InputError, match="config.json"):
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
    from worldgen.evaluation.frechet import distance_of

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
        assert far[0] == pytest.approx(0, abs=1e-6) and np.all(np.diff(far) > 0), (name, far)
