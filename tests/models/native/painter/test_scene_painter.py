"""The painter: fresh ones change nothing, sizes, seeds, its losses, and clips painted by a pipeline."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from tests.models.build import noisy_weights
from worldgen.core.clip import Clip
from worldgen.core.errors import InputError
from worldgen.core.samples import Conditions
from worldgen.models.native.loading import load_painter, load_pipeline
from worldgen.models.native.losses.loss_options import PainterOptions
from worldgen.models.native.painter.lens_softness import lens_sigma_px, log_spectrum
from worldgen.models.native.painter.painting_loss import Paintings, painting_loss
from worldgen.models.native.painter.picture_critic import PictureCritic
from worldgen.models.native.painter.scene_painter import ScenePainter, frame_noise, gaussian, paint_frames
from worldgen.models.native.sizes import build_pipeline


def pictures(count: int, height: int = 32, width: int = 48, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, height, width, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def painter() -> ScenePainter:
    return noisy_weights(ScenePainter(8, 2), 0.05).eval()


@pytest.mark.parametrize("size", [(32, 48), (30, 43), (9, 8)])
def test_a_fresh_painter_changes_nothing_and_any_size_fits(size, painter):
    frames = pictures(2, *size)
    assert np.array_equal(paint_frames(ScenePainter(8, 2), frames, seed=1), frames)
    painted = paint_frames(painter, frames, seed=1)
    assert painted.shape == frames.shape and not np.array_equal(painted, frames)


def test_frames_do_not_depend_on_the_parts_a_clip_is_cut_into_but_on_seed_and_number(painter):
    frames = pictures(4)
    whole = paint_frames(painter, frames, seed=3)
    parts = [paint_frames(painter, frames[:1], seed=3), paint_frames(painter, frames[1:], seed=3, first=1)]
    assert np.array_equal(whole, np.concatenate(parts))
    assert not np.array_equal(whole, paint_frames(painter, frames, seed=4))
    assert not torch.equal(frame_noise(3, 0, 8, 8), frame_noise(3, 1, 8, 8))


def batch(recorded: list[bool]) -> Paintings:
    given, wanted = (
        torch.from_numpy(pictures(len(recorded), 64, 64, seed=s)).permute(0, 3, 1, 2) / 127.5 - 1 for s in (1, 2)
    )
    kinds = torch.tensor(recorded)
    return Paintings(torch.where(kinds[:, None, None, None], given, wanted), wanted, kinds)


def gradients(module: torch.nn.Module) -> float:
    return sum(float(p.grad.abs().sum()) for p in module.parameters() if p.grad is not None)


def loss_of(painter, critic, paintings, *, step: int, **changes):
    options = dataclasses.replace(PainterOptions(warmup=10), **changes)
    generator = torch.Generator().manual_seed(0)
    return painting_loss(painter, critic, paintings, generator, options=options, step=step)


def test_the_losses_of_a_fresh_painter_are_known():
    """It returns what it is given: a drawing is kept exactly, a recording is as far off as its simplified version."""
    paintings = batch([True, False, True])
    _, metrics = loss_of(ScenePainter(8, 2), PictureCritic(8), paintings, step=0, pixel=1.0)
    assert float(metrics["left"]) == float(metrics["change"]) == 0
    rows = paintings.recorded
    pixel = float((paintings.given[rows] - paintings.wanted[rows]).abs().mean())
    assert float(metrics["restored"]) > pixel > 0


def test_no_gradient_crosses_between_painter_and_critic():
    """The loss of the critic leaves the painter alone, and the verdict on painted pictures leaves the critic alone."""
    torch.manual_seed(0)
    paintings = batch([True, True, False, False])
    painter, critic = noisy_weights(ScenePainter(8, 2), 0.05), PictureCritic(8)
    loss, _ = loss_of(painter, critic, paintings, step=0)
    loss.backward()
    before = gradients(critic)
    assert before > 0
    # At step 20 the verdict has its whole weight; the critic's gradient may only come from its own loss.
    reference = PictureCritic(8)
    reference.load_state_dict(critic.state_dict())
    both, pulls = [], []
    for verdict in (0.0, 5.0):
        painter.zero_grad()
        judge = PictureCritic(8)
        judge.load_state_dict(reference.state_dict())
        loss, _ = loss_of(painter, judge, paintings, step=20, verdict=verdict, features=0.0)
        loss.backward()
        both.append([p.grad.clone() for p in judge.parameters()])
        pulls.append(gradients(painter))
        assert all(p.requires_grad for p in judge.parameters())
    assert pulls[1] > pulls[0]
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(*both, strict=True))


@pytest.mark.parametrize("recorded", [[True, True], [False, False]])
def test_a_batch_of_one_kind_is_no_error(recorded):
    loss, metrics = loss_of(ScenePainter(8, 2), PictureCritic(8), batch(recorded), step=30)
    loss.backward()
    assert torch.isfinite(loss) and all(torch.isfinite(value) for value in metrics.values())


@pytest.mark.parametrize(
    "values", [{"drawn": 0.0}, {"drawn": 1.0}, {"verdict": -1.0}, {"width": 6}, {"blocks": 0}, {"critic_lr_scale": 0.0}]
)
def test_options_out_of_range_are_refused(values):
    with pytest.raises(InputError, match="painter"):
        PainterOptions(**values)


@pytest.fixture(scope="module")
def pipelines(painter):
    plain = build_pipeline("tiny", words=["a car"])
    painting = build_pipeline("tiny", words=["a car"])
    painting.register_modules(painter=painter)
    return plain, painting


def request(seed: int = 0, **changes) -> Conditions:
    return Conditions(**{"num_frames": 3, "fps": 8.0, "controls": {"sketch": pictures(3)}, "seed": seed, **changes})


def test_a_pipeline_with_a_painter_paints_drawings_and_one_without_refuses_them(pipelines, painter):
    plain, painting = pipelines
    assert painting.promise.default_controls == ("sketch",) and plain.promise.controls == ()
    assert painting.weights_hash != plain.weights_hash
    one, other = painting([request(5), request(6)])
    assert np.array_equal(one.frames, paint_frames(painter, pictures(3), seed=5))
    assert np.array_equal(other.frames, paint_frames(painter, pictures(3), seed=6))
    with pytest.raises(InputError, match="controls this model does not honour: received 'sketch'"):
        plain([request()])


def test_drawing_and_context_are_not_taken_together(pipelines):
    with pytest.raises(InputError, match="context and controls"):
        pipelines[1]([request(context=Clip(pictures(1), 8.0))])


def test_requests_with_and_without_a_drawing_are_no_batch(pipelines):
    with pytest.raises(InputError, match="requests of one batch"):
        pipelines[1]([request(), dataclasses.replace(request(), controls={}, text="a car")])


def test_saved_and_loaded_with_and_without_a_painter(pipelines, tmp_path, painter):
    for name, pipeline in zip(("plain", "painting"), pipelines, strict=True):
        pipeline.save_pretrained(tmp_path / name)
        loaded = load_pipeline(tmp_path / name)
        assert (loaded.painter is None) == (name == "plain") and loaded.weights_hash == pipeline.weights_hash
    again = load_painter(tmp_path / "painting")
    assert np.array_equal(paint_frames(again, pictures(1), seed=0), paint_frames(painter, pictures(1), seed=0))
    with pytest.raises(InputError, match=r"no config\.json"):
        load_painter(tmp_path / "plain")
    (tmp_path / "painting/painter/diffusion_pytorch_model.safetensors").write_bytes(b"no weights")
    with pytest.raises(InputError, match="painter"):
        load_pipeline(tmp_path / "painting")


def test_the_lens_has_the_response_of_a_gaussian_and_keeps_flat_pictures():
    frequency = torch.linspace(0, 0.45, 10)
    for sigma_px in (0.3, 0.5, 1.0):
        kernel = gaussian(sigma_px)
        response = (kernel * torch.cos(2 * torch.pi * frequency[:, None] * (torch.arange(9) - 4))).sum(1)
        assert torch.allclose(response, torch.exp(-2 * (torch.pi * frequency * sigma_px) ** 2), atol=0.03)
    lens = ScenePainter(width=0, blocks=0)
    flat = np.full((1, 20, 30, 3), 77, np.uint8)
    lens.set_lens(0.8)
    assert np.array_equal(paint_frames(lens, flat, seed=0), flat)
    assert paint_frames(lens, pictures(1), seed=0).std() < pictures(1).std()


def test_the_lens_is_read_off_the_spectra():
    """Pictures of one power law, some blurred by a known Gaussian and with other contrast: the blur is found."""
    rng = np.random.default_rng(0)
    f = np.hypot(np.fft.fftfreq(96)[:, None], np.fft.fftfreq(128)[None])
    f[0, 0] = 1

    def scene(sigma_px: float, contrast: float) -> np.ndarray:
        phase = np.exp(2j * np.pi * rng.random(f.shape))
        luma = np.fft.ifft2(phase / f * np.exp(-2 * (np.pi * f * sigma_px) ** 2)).real
        return np.repeat((127 + contrast * luma / luma.std()).clip(0, 255)[..., None], 3, 2).round().astype(np.uint8)

    drawn = log_spectrum(scene(0.0, 30) for _ in range(6))
    for sigma_px in (0.4, 0.6):
        recorded = [log_spectrum(scene(sigma_px, contrast) for _ in range(6)) for contrast in (20, 40)]
        assert lens_sigma_px(drawn, recorded) == pytest.approx(sigma_px, abs=0.06)
    assert lens_sigma_px(log_spectrum([scene(0.6, 30)]), [drawn]) == 0
    with pytest.raises(InputError, match="at least one"):
        log_spectrum([])
