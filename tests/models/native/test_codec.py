"""The codec: frames are independent, the fitted transform is the best there is, the decoder forgives."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from worldgen.models.native.codec import (
    CODEC_SIZES,
    LATENT_CHANNELS,
    PATCH_VALUES,
    SPATIAL_FACTOR,
    build_codec,
    codec_loss,
    cosine_basis,
    decode_video,
    encode_images,
    encode_video,
    patches_of,
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


def test_cosine_basis_is_orthonormal_and_starts_with_the_mean_grey():
    basis = cosine_basis(PATCH_VALUES)
    torch.testing.assert_close(basis @ basis.T, torch.eye(PATCH_VALUES), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(basis[0], torch.full((PATCH_VALUES,), PATCH_VALUES**-0.5))


@torch.no_grad()
def test_patches_are_what_the_encoder_projects():
    codec = build_codec("tiny")
    images = torch.rand(2, 3, 16, 24) * 2 - 1
    rows = patches_of(images) @ codec.encoder.project.weight[:, :, 0, 0].T + codec.encoder.project.bias
    expected = encode_images(codec, images).movedim(1, -1).flatten(0, 2)
    torch.testing.assert_close(rows, expected, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_a_fitted_codec_loses_exactly_the_variance_it_leaves_out():
    """Mean squared error of principal components: the sum of the eigenvalues not kept, over the number of values."""
    generator = torch.Generator().manual_seed(0)
    mixing = torch.randn(PATCH_VALUES, PATCH_VALUES, generator=generator) * torch.linspace(1, 0.01, PATCH_VALUES)
    rows = torch.randn(3000, PATCH_VALUES, generator=generator) @ mixing.T * 0.01 + 0.1
    mean = rows.mean(0)
    covariance = (rows - mean).T @ (rows - mean) / len(rows)
    codec = build_codec("tiny")
    codec.fit(mean, covariance)
    images = F.pixel_shuffle(rows.reshape(1, 50, 60, PATCH_VALUES).movedim(-1, 1), SPATIAL_FACTOR)
    error = (codec(images) - images).pow(2).mean()
    left_out = torch.linalg.eigvalsh(covariance.double())[:-LATENT_CHANNELS].sum() / PATCH_VALUES
    assert error.item() == pytest.approx(left_out.item(), rel=1e-3)
    latents = encode_images(codec, images)
    assert latents.mean((0, 2, 3)).abs().max() < 1e-3
    assert latents.var((0, 2, 3)).mean().item() == pytest.approx(1.0, rel=1e-2)


def test_the_decoder_learns_to_forgive_noise_and_the_encoder_stays():
    torch.manual_seed(0)
    codec = build_codec("tiny")
    before = codec.encoder.project.weight.clone()
    y, x = torch.meshgrid(torch.linspace(-1, 1, 16), torch.linspace(-1, 1, 16), indexing="ij")
    images = torch.stack([torch.stack([x * a, y * a, x * y]) for a in (0.3, 0.6, 0.9, -0.5)])
    optimiser = torch.optim.AdamW(codec.parameters(), 3e-3)

    def loss_at() -> float:
        return codec_loss(codec, images, torch.Generator().manual_seed(7))[0].item()

    first = loss_at()
    generator = torch.Generator().manual_seed(0)
    for _ in range(80):
        loss, metrics = codec_loss(codec, images, generator)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss_at() < 0.8 * first
    assert metrics["psnr_db"] > 15
    assert torch.equal(codec.encoder.project.weight, before)
