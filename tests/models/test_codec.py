"""The codec: frames are independent, sizes follow, training brings the loss down."""

from __future__ import annotations

import torch

from worldgen.models.codec import (
    CODEC_SIZES,
    LATENT_CHANNELS,
    SPATIAL_FACTOR,
    build_codec,
    codec_loss,
    decode_video,
    encode_video,
)  # fmt: skip


@torch.no_grad()
def test_shapes_follow_the_picture():
    for size in CODEC_SIZES:
        if size == "base":
            continue
        codec = build_codec(size)
        latents = encode_video(codec, torch.zeros(1, 3, 2, 32, 48))
        assert latents.shape == (1, LATENT_CHANNELS, 2, 32 // SPATIAL_FACTOR, 48 // SPATIAL_FACTOR)
        assert decode_video(codec, latents).shape == (1, 3, 2, 32, 48)


@torch.no_grad()
def test_a_frame_is_coded_the_same_whatever_is_around_it():
    codec = build_codec("tiny")
    video = torch.rand(1, 3, 5, 32, 32) * 2 - 1
    whole = encode_video(codec, video, frames_at_once=5)
    for frame in range(5):
        alone = encode_video(codec, video[:, :, frame : frame + 1])
        torch.testing.assert_close(whole[:, :, frame : frame + 1], alone, atol=1e-5, rtol=1e-4)


def test_training_on_one_batch_overfits():
    torch.manual_seed(0)
    codec = build_codec("tiny")
    y, x = torch.meshgrid(torch.linspace(-1, 1, 16), torch.linspace(-1, 1, 16), indexing="ij")
    images = torch.stack([torch.stack([x * a, y * a, x * y]) for a in (0.3, 0.6, 0.9, -0.5)])
    optimiser = torch.optim.AdamW(codec.parameters(), 3e-3)
    generator = torch.Generator().manual_seed(0)
    losses = []
    for _ in range(80):
        loss, metrics = codec_loss(codec, images, generator)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.4 * losses[0]
    assert metrics["psnr_db"] > 15
