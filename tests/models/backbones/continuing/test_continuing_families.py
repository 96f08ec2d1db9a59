"""LTX-2, SANA-WM and Stable Video Diffusion with their real classes at tiny size; nothing here says how clips look."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from tests.models.backbones.continuing.tiny_continuing import save_ltx2, save_ltx2_lora, save_sana_wm, save_svd
from worldgen.core.camera import Camera
from worldgen.core.clip import Clip
from worldgen.core.ego import EgoMotion
from worldgen.core.errors import InputError
from worldgen.core.samples import Conditions
from worldgen.models.backbones.continuing.ltx2 import Ltx2, control_downscale
from worldgen.models.backbones.continuing.masked_words import with_mask, without_mask
from worldgen.models.backbones.continuing.sana_wm import SanaWorldModel, camera_path
from worldgen.models.backbones.continuing.svd import StableVideo
from worldgen.models.backbones.options import BackboneConfig
from worldgen.models.backbones.registry import load_backbone
from worldgen.models.interface import sampler_options

pytest.importorskip("diffusers", minversion="0.42")
W = H = 64


def load(folder, **options):
    return load_backbone(str(folder), BackboneConfig(**options), torch.device("cpu"))


def noise(rng, frames):
    return rng.integers(0, 256, (frames, H, W, 3), dtype=np.uint8)


def sample(model, conditions, *, chunk=0, steps=2, **guidance):
    return model([conditions], sampler_options(model.promise, steps=steps, chunk=chunk, guidance=guidance))[0].frames


def difference(one, other):
    return float(np.abs(one.astype(int) - other.astype(int)).mean())


def recorded(monkeypatch, cls):
    """Chunks that a family is asked for, in order."""
    seen, original = [], cls.make_chunk
    monkeypatch.setattr(cls, "make_chunk", lambda self, chunk: seen.append(chunk) or original(self, chunk))
    return seen


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_ltx2(tmp_path_factory.mktemp("models") / "ltx2")


@pytest.fixture(scope="module")
def lora(folder, tmp_path_factory):
    return save_ltx2_lora(folder, tmp_path_factory.mktemp("loras"))


@pytest.fixture(scope="module")
def ltx2(folder, lora):
    return load(folder, lora=str(lora))


@pytest.fixture(scope="module")
def sana(tmp_path_factory):
    return load(save_sana_wm(tmp_path_factory.mktemp("models") / "sana"))


@pytest.fixture(scope="module")
def svd(tmp_path_factory):
    return load(save_svd(tmp_path_factory.mktemp("models") / "svd"))


class TestLtx2:
    def asked(self, rng, *, frames=9, context=0, **fields):
        given = {"num_frames": frames, "fps": 24.0, "text": "a wet street", "camera": Camera.from_fov(W, H), "seed": 1}
        if context:
            given["context"] = Clip(noise(rng, context), 24.0)
        return Conditions(**given | fields)

    @pytest.mark.parametrize("name", ["depth", "edge"])
    def test_every_control_changes_the_clip(self, ltx2, rng, name):
        first, other = (self.asked(rng, controls={name: noise(rng, 9)}) for _ in range(2))
        made = sample(ltx2, first)
        assert made.shape == (9, H, W, 3) and difference(made, sample(ltx2, other)) > 0
        np.testing.assert_array_equal(made, sample(ltx2, first))
        assert difference(made, sample(ltx2, dataclasses.replace(first, seed=2))) > 0

    def test_control_strength_and_words_change_the_clip(self, ltx2, rng):
        conditions = self.asked(rng, controls={"depth": noise(rng, 9)})
        made = sample(ltx2, conditions)
        assert difference(made, sample(ltx2, conditions, control=0.0)) > 0
        assert difference(made, sample(ltx2, dataclasses.replace(conditions, text="a dark road"))) > 0
        with pytest.raises(InputError, match=r"guidance strength of control: received 2.0; expected 0 to 1"):
            sample(ltx2, conditions, control=2.0)

    def test_known_frames_reach_the_clip_and_are_given_back(self, ltx2, rng):
        conditions = self.asked(rng, frames=17, context=9)
        made = sample(ltx2, conditions)
        assert conditions.context is not None
        np.testing.assert_array_equal(made[:9], conditions.context.frames)
        other = dataclasses.replace(conditions, context=Clip(noise(rng, 9), 24.0))
        assert len(made) == 17 and difference(made[9:], sample(ltx2, other)[9:]) > 0

    def test_chunks_share_whole_latent_frames(self, ltx2, rng, monkeypatch):
        seen = recorded(monkeypatch, Ltx2)
        made = sample(ltx2, self.asked(rng, frames=33), chunk=25)
        assert [(c.span.start, c.span.stop, c.span.known) for c in seen] == [(0, 25, 0), (8, 33, 17)]
        np.testing.assert_array_equal(seen[1].known, made[8:25])

    def test_a_control_without_its_lora_is_refused(self, folder, rng):
        plain = load(folder)
        with pytest.raises(InputError, match=r"LoRA for the control depth: received none; expected backbone.lora"):
            plain.check([self.asked(rng, controls={"depth": noise(rng, 9)})])
        assert plain.promise.controls == () and len(sample(plain, self.asked(rng))) == 9

    def test_the_lora_names_weights_and_states_the_size_of_controls(self, folder, ltx2, lora, tmp_path, rng):
        assert load(folder).weights_hash != ltx2.weights_hash
        smaller = load(folder, lora=str(save_ltx2_lora(folder, tmp_path / "half", downscale=2)))
        assert (ltx2.downscale, smaller.downscale) == (1, 2)
        sample(smaller, self.asked(rng, controls={"depth": noise(rng, 9)}))
        file = save_ltx2_lora(folder, tmp_path / "bad", downscale=9) / "control.safetensors"
        with pytest.raises(InputError, match=r"reference_downscale_factor of .*: received '9'; expected 1 to 8"):
            control_downscale(file)

    def test_refusals(self, ltx2, rng):
        for message, conditions in {
            r"number of frames: received 10; expected 8k": self.asked(rng, frames=10),
            r"context frames: received 5": self.asked(rng, frames=17, context=5),
            r"received 'wsm'; .*cosmos3 could": self.asked(rng, controls={"wsm": noise(rng, 9)}),
            r"received 'ego'; .*could": self.asked(rng, ego=EgoMotion(np.ones(9), np.zeros(9), 24.0)),
            r"prompt: received none": self.asked(rng, text=None),
            r"frame size: received 80x64; expected multiples of 32": self.asked(rng, camera=Camera.from_fov(80, 64)),
        }.items():
            with pytest.raises(InputError, match=message):
                ltx2.check([conditions])


class TestSana:
    def asked(self, rng, *, frames=9, context=1, speed=10.0, yaw_rate=0.0, **fields):
        ego = EgoMotion(np.full(frames, speed), np.full(frames, yaw_rate), 16.0)
        clip = Clip(noise(rng, context), 16.0)
        given = {"num_frames": frames, "fps": 16.0, "text": "a wet street", "ego": ego, "context": clip, "seed": 1}
        return Conditions(**given | fields)

    def test_ego_motion_words_picture_and_seed_change_the_clip(self, sana, rng):
        first = self.asked(rng)
        made = sample(sana, first)
        assert made.shape == (9, H, W, 3)
        np.testing.assert_array_equal(made, sample(sana, first))
        turning = EgoMotion(np.full(9, 10.0), np.full(9, 0.5), 16.0)
        for change in (
            {"ego": turning}, {"text": "a dark road"}, {"seed": 2}, {"negative_text": "rain"},
            {"context": Clip(noise(rng, 1), 16.0)}, {"camera": Camera.from_fov(W, H, 110.0)},
        ):  # fmt: skip
            assert difference(made[1:], sample(sana, dataclasses.replace(first, **change))[1:]) > 0, change

    def test_the_path_of_the_camera(self):
        straight = camera_path(EgoMotion(np.full(5, 8.0), np.zeros(5), 16.0), Camera.from_fov(W, H))
        np.testing.assert_allclose(straight[:, 2, 3], np.arange(5) * 0.5)  # z is forward, in metres
        np.testing.assert_allclose(straight[:, :3, :3], np.tile(np.eye(3), (5, 1, 1)), atol=1e-12)
        left = camera_path(EgoMotion(np.full(5, 8.0), np.full(5, 0.4), 16.0), Camera.from_fov(W, H))
        assert (np.diff(left[:, 0, 3]) < 0).all()  # x is to the right
        np.testing.assert_allclose(left[4, :3, 2], [-np.sin(0.1), 0, np.cos(0.1)], atol=1e-6)

    def test_chunks_go_on_from_the_last_frame_with_their_own_motion(self, sana, rng, monkeypatch):
        seen = recorded(monkeypatch, SanaWorldModel)
        speeds = np.linspace(0, 16, 17)
        ego = EgoMotion(speeds, np.zeros(17), 16.0)
        made = sample(sana, self.asked(rng, frames=17, ego=ego), chunk=9)
        assert [(c.span.start, c.span.stop, c.span.known) for c in seen] == [(0, 9, 1), (8, 17, 1)]
        np.testing.assert_array_equal(seen[1].known[0], made[8])
        np.testing.assert_allclose(seen[1].ego.speed_mps, speeds[8:])

    def test_refusals(self, sana, rng):
        for message, conditions in {
            r"without which the family sana_wm makes nothing": self.asked(rng, ego=None),
            r"context frames: received none": dataclasses.replace(self.asked(rng), context=None),
            r"prompt: received none": self.asked(rng, text=None),
            r"controls this model does not honour": self.asked(rng, controls={"depth": noise(rng, 9)}),
            r"number of frames: received 13; expected 8k": self.asked(rng, frames=13),
        }.items():
            with pytest.raises(InputError, match=message):
                sana.check([conditions])


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # diffusers' Euler scheduler
class TestSvd:
    def asked(self, rng, *, frames=5, context=1, **fields):
        clip = Clip(noise(rng, context), 7.0)
        return Conditions(**{"num_frames": frames, "fps": 7.0, "context": clip, "seed": 1} | fields)

    def test_the_picture_rate_and_seed_change_the_clip(self, svd, rng):
        first = self.asked(rng)
        made = sample(svd, first)
        assert made.shape == (5, H, W, 3)
        np.testing.assert_array_equal(made, sample(svd, first))
        assert first.context is not None
        for change in ({"seed": 2}, {"context": Clip(noise(rng, 1), 7.0)}, {"fps": 14.0}):
            assert difference(made[1:], sample(svd, dataclasses.replace(first, **change))[1:]) > 0, change

    def test_any_length_is_made_of_runs_of_the_trained_length(self, svd, rng, monkeypatch):
        seen = recorded(monkeypatch, StableVideo)
        lengths = []
        hook = svd.pipeline.unet.register_forward_hook(lambda module, given, _: lengths.append(given[0].shape[1]))
        conditions = self.asked(rng, frames=8, context=2)
        made = sample(svd, conditions, steps=1)
        hook.remove()
        assert [(c.span.start, c.span.stop) for c in seen] == [(1, 6), (5, 8)] and set(lengths) == {5}
        assert conditions.context is not None
        np.testing.assert_array_equal(made[:2], conditions.context.frames)
        np.testing.assert_array_equal(seen[1].known[0], made[5])
        assert len(made) == 8

    def test_refusals(self, svd, rng):
        for message, conditions in {
            r"without which the family svd makes nothing": Conditions(5, 7.0),
            r"does not honour: received 'text'; expected context; .*could": self.asked(rng, text="a street"),
            r"controls this model does not honour": self.asked(rng, controls={"depth": noise(rng, 5)}),
            r"negative prompt: received given; expected none": self.asked(rng, negative_text="rain"),
        }.items():
            with pytest.raises(InputError, match=message):
                svd.check([conditions])

    def test_options_without_effect_are_refused(self, tmp_path):
        with pytest.raises(InputError, match=r"backbone.lora: received 'some'; expected nothing"):
            load(save_svd(tmp_path / "svd"), lora="some")


def test_words_and_mask_in_one_tensor_and_back(rng):
    states, mask = torch.randn(2, 7, 5), torch.tensor([[0, 0, 1, 1, 1, 1, 1], [1, 1, 0, 0, 0, 0, 0]])
    for dtype in (torch.float32, torch.bfloat16):
        again, mask_again = without_mask(with_mask(states.to(dtype), mask))
        assert torch.equal(again, states.to(dtype)) and torch.equal(mask_again, mask)
