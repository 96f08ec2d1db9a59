from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
import torch
from torch.nn import functional as F

from worldgen.core.errors import InputError
from worldgen.evaluation.distances.resize import MODES, to_network


def _frames(rng, height=40, width=70, count=2):
    coarse = rng.integers(0, 256, (count, 6, 9, 3), np.uint8)
    return np.stack([cv2.resize(f, (width, height), interpolation=cv2.INTER_CUBIC) for f in coarse])


def _bilinear(picture, size, place):
    """Bilinear by its definition, pixel by pixel; place: where output index i of n looks in an input of length m."""
    (height, width), (rows, columns) = picture.shape[:2], size
    out = np.zeros((rows, columns, 3))
    for i in range(rows):
        for j in range(columns):
            y, x = max(place(i, rows, height), 0), max(place(j, columns, width), 0)
            y0, x0 = min(int(y), height - 1), min(int(x), width - 1)
            y1, x1 = min(y0 + 1, height - 1), min(x0 + 1, width - 1)
            b, a = y - y0, x - x0
            out[i, j] = (1 - b) * ((1 - a) * picture[y0, x0].astype(float) + a * picture[y0, x1]) + b * (
                (1 - a) * picture[y1, x0].astype(float) + a * picture[y1, x1]
            )
    return out


@pytest.mark.parametrize(
    ("mode", "place"),
    [
        ("squash", lambda i, n, m: (i + 0.5) * m / n - 0.5),  # half-pixel centres
        ("squash-tf1", lambda i, n, m: i * m / n),  # the legacy rule of TensorFlow 1
    ],
)
@pytest.mark.parametrize("shape", [(20, 30), (64, 57)])
def test_squashing_is_bilinear_by_its_definition(rng, mode, place, shape):
    frames = _frames(rng, *shape, count=1)
    got = to_network(frames, mode, (40, 36))
    expected = _bilinear(frames[0], (36, 40), place) / 127.5 - 1
    assert got.shape == (3, 1, 36, 40) and got.dtype == torch.float32
    np.testing.assert_allclose(got[:, 0].permute(1, 2, 0).numpy(), expected, atol=1e-4)


def test_squash_equals_opencv_which_uses_the_same_rule(rng):
    frames = _frames(rng)
    got = to_network(frames, "squash")
    for i, frame in enumerate(frames):
        expected = cv2.resize(frame.astype(np.float32), (224, 224), interpolation=cv2.INTER_LINEAR) / 127.5 - 1
        np.testing.assert_allclose(got[:, i].permute(1, 2, 0).numpy(), expected, atol=2e-3)


@pytest.mark.parametrize("shape", [(128, 224), (224, 128), (64, 64), (90, 161)])
def test_short_side_equals_the_published_steps(rng, shape):
    """Written out as the ports describe it: scale = 224 / shorter side, the longer side rounded up, the centre cut."""
    frames = _frames(rng, *shape)
    video = torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 255
    h, w = shape
    scale = 224 / min(h, w)
    target = (224, math.ceil(w * scale)) if h < w else (math.ceil(h * scale), 224)
    video = F.interpolate(video, target, mode="bilinear", align_corners=False)
    top, left = (target[0] - 224) // 2, (target[1] - 224) // 2
    expected = (video[:, :, top : top + 224, left : left + 224] - 0.5) * 2
    torch.testing.assert_close(to_network(frames, "short-side"), expected.permute(1, 0, 2, 3), atol=1e-5, rtol=0)


def test_magicdrive_is_a_quarter_without_its_top_row(rng):
    frames = _frames(rng, 900, 1600, count=1)
    got = to_network(frames, "magicdrive")
    from PIL import Image

    quarter = np.asarray(Image.fromarray(frames[0]).resize((400, 225), Image.Resampling.BICUBIC))
    expected = quarter[1:, 88 : 88 + 224].astype(np.float32) / 127.5 - 1
    np.testing.assert_allclose(got[:, 0].permute(1, 2, 0).numpy(), expected, atol=1e-5)


def test_magicdrive_212_enlarges_by_224_over_212(rng):
    frames = _frames(rng, 848, 1600, count=1)
    from PIL import Image

    quarter = np.asarray(Image.fromarray(frames[0]).resize((400, 212), Image.Resampling.BICUBIC))[None]
    torch.testing.assert_close(to_network(frames, "magicdrive-212"), to_network(quarter, "short-side"))


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_keeps_flat_pictures_and_the_range(mode):
    for level in (0, 128, 255):
        got = to_network(np.full((3, 32, 56, 3), level, np.uint8), mode)
        assert got.shape == (3, 3, 224, 224)
        torch.testing.assert_close(got, torch.full_like(got, level / 127.5 - 1), atol=1e-5, rtol=0)


def test_modes_differ(rng):
    """That is why a number names its mode."""
    frames = _frames(rng)
    got = [to_network(frames, mode) for mode in MODES]
    for i in range(len(got)):
        for other in got[i + 1 :]:
            assert (got[i] - other).abs().mean() > 1e-4


def test_an_unknown_mode_is_refused():
    with pytest.raises(InputError, match="squash-tf1"):
        to_network(np.zeros((1, 8, 8, 3), np.uint8), "nearest")
