"""Control files: which values they keep."""

from __future__ import annotations

import numpy as np
import pytest

from tests.data.samples import make_sample
from worldgen.core.errors import InputError
from worldgen.data.dataset.sample_files import encode_sample
from worldgen.data.video.control_video import control_members, decode_controls, encode_control
from worldgen.data.video.encoding import encode_mp4
from worldgen.data.video.reading import decode_mp4


@pytest.mark.parametrize("size", [(34, 22), (33, 21)])
def test_drawn_controls_keep_every_value_and_pictures_nearly(size: tuple[int, int], rng: np.random.Generator) -> None:
    width, height = size
    noise = rng.integers(0, 256, (3, height, width, 3), dtype=np.uint8)
    for name in ("depth", "seg", "edge", "boxes", "wsm"):
        data = encode_control(name, noise, 10.0)
        assert np.array_equal(decode_mp4(data).frames, noise)
        assert data == encode_control(name, noise, 10.0)
    ramp = np.broadcast_to(np.linspace(0, 255, width).astype(np.uint8)[:, None], noise.shape).copy()
    for name in ("blur", "sketch"):
        apart = np.abs(decode_mp4(encode_control(name, ramp, 10.0)).frames.astype(int) - ramp)
        assert 0 < apart.max() <= 6


def test_usual_video_would_move_the_colours_of_segments(rng: np.random.Generator) -> None:
    from worldgen.core.clip import Clip

    colours = rng.integers(0, 256, (8, 12, 3), dtype=np.uint8)
    blocks = np.repeat(np.repeat(colours, 5, 0), 5, 1)[None]  # edges of blocks lie between the samples of colour
    usual = decode_mp4(encode_mp4(Clip(blocks, 10.0))).frames
    assert np.abs(usual.astype(int) - blocks).max() > 40  # why they are not stored so
    assert np.array_equal(decode_mp4(encode_control("seg", blocks, 10.0)).frames, blocks)


def test_controls_of_another_shape_than_their_clip_are_refused() -> None:
    sample = make_sample("k0")
    shape = sample.clip.frames.shape
    members = encode_sample(sample) | control_members({"seg": sample.clip.frames}, sample.clip.fps)
    assert list(decode_controls(members, shape, "k0")) == ["seg"]
    with pytest.raises(InputError, match="control seg of sample k0"):
        decode_controls(members, (1, *shape[1:]), "k0")
    with pytest.raises(InputError, match="control seg of sample k0"):
        decode_controls({"seg.mp4": b"no video"}, shape, "k0")
