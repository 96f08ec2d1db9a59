"""Cosmos 2.5 with its real classes at tiny size. The guardrail is a stand-in, one function of torchvision a shim."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from tests.models.backbones.cosmos.tiny_cosmos import StandInGuardrail, save_cosmos2_5, shim_torchvision
from worldgen.core.camera import Camera
from worldgen.core.clip import Clip
from worldgen.core.errors import InputError
from worldgen.core.samples import Conditions
from worldgen.models.backbones.cosmos import cosmos2_5 as family
from worldgen.models.backbones.options import BackboneConfig
from worldgen.models.backbones.registry import load_backbone
from worldgen.models.interface import sampler_options

pytest.importorskip("diffusers", minversion="0.37.1")
W, H = 64, 32
REAL_CHECK = family.check_torchvision
"""The check itself; the fixture below replaces it by a shim's."""


@pytest.fixture(scope="module")
def patch():
    with pytest.MonkeyPatch.context() as patch:
        shim_torchvision(patch)
        patch.setattr(family, "check_torchvision", lambda: None)
        yield patch


@pytest.fixture(scope="module")
def transfer_folder(tmp_path_factory, patch):
    return save_cosmos2_5(tmp_path_factory.mktemp("models") / "transfer", transfer=True)


@pytest.fixture(scope="module")
def transfer(transfer_folder):
    return load(transfer_folder)


@pytest.fixture(scope="module")
def predict(tmp_path_factory, patch):
    return load(save_cosmos2_5(tmp_path_factory.mktemp("models") / "predict", transfer=False))


def load(folder, guardrail=None, **options):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(family, "required_guardrail", lambda _: guardrail or StandInGuardrail())
        return load_backbone(str(folder), BackboneConfig(**options), torch.device("cpu"))


def noise(rng, frames):
    return rng.integers(0, 256, (frames, H, W, 3), dtype=np.uint8)


def request(**fields):
    given = {"num_frames": 9, "fps": 16.0, "text": "a wet street", "camera": Camera.from_fov(W, H), "seed": 1}
    return Conditions(**given | fields)


def sample(model, conditions, *, chunk=0, **guidance):
    return model([conditions], sampler_options(model.promise, steps=2, chunk=chunk, guidance=guidance))[0].frames


def difference(one, other):
    return float(np.abs(one.astype(int) - other.astype(int)).mean())


@pytest.mark.parametrize("name", ["depth", "edge", "seg", "blur"])
def test_every_control_changes_the_clip(transfer, rng, name):
    one, other = (sample(transfer, request(controls={name: noise(rng, 9)}), control=3.0) for _ in range(2))
    assert one.shape == (9, H, W, 3) and difference(one, other) > 0


def test_seeds_and_words(transfer, rng):
    conditions = request(controls={"depth": noise(rng, 9)})
    made = sample(transfer, conditions)
    np.testing.assert_array_equal(made, sample(transfer, conditions))
    assert difference(made, sample(transfer, dataclasses.replace(conditions, seed=2))) > 0
    assert difference(made, sample(transfer, dataclasses.replace(conditions, text="a dry road by day"))) > 0


def test_transfer_makes_its_own_chunks(transfer, rng):
    conditions = request(num_frames=17, controls={"depth": noise(rng, 17)})
    calls = []
    hook = transfer.pipeline.controlnet.register_forward_hook(lambda *_: calls.append(1))
    made = sample(transfer, conditions, chunk=9, text=1.0)
    hook.remove()
    assert len(made) == 17 and len(calls) == 2 * 2  # two chunks of two steps
    assert transfer.seams(conditions, sampler_options(transfer.promise, chunk=9)) == (9,)
    assert transfer.seams(conditions, sampler_options(transfer.promise, chunk=5)) == (5, 9, 13)


def test_one_control_only_and_no_known_frames(transfer, rng):
    """A list of two controls would be taken for two clips; the first chunk is never given the past."""
    both = {"depth": noise(rng, 9), "edge": noise(rng, 9)}
    with pytest.raises(InputError, match=r"number of controls: received depth, edge; expected at most 1"):
        transfer.check([request(controls=both)])
    context = Clip(noise(rng, 5), 16.0)
    with pytest.raises(InputError, match=r"does not honour: received 'context'; .*wan_vace.*could"):
        transfer.check([request(controls={"depth": noise(rng, 9)}, context=context)])
    with pytest.raises(InputError, match=r"without which the family cosmos2_5 makes nothing"):
        transfer.check([request()])
    with pytest.raises(InputError, match=r"does not honour: received 'wsm'; .*cosmos3 could"):
        transfer.check([request(controls={"wsm": noise(rng, 9)})])


def coded(model, frames):
    """Frames as the codec of the model returns them."""
    values = torch.from_numpy(frames).permute(3, 0, 1, 2)[None].float() / 127.5 - 1
    with torch.no_grad():
        again = model.pipeline.vae.decode(model.pipeline.vae.encode(values).latent_dist.mode()).sample
    return np.rint(((again[0].permute(1, 2, 3, 0).clamp(-1, 1) + 1) / 2).numpy() * 255).astype(np.uint8)


@pytest.mark.parametrize("context", [1, 5, 9])
def test_known_frames_are_held_fixed(predict, rng, context):
    clip = Clip(noise(rng, context), 16.0)
    made = sample(predict, request(num_frames=13, context=clip))
    seen = min(context, 5)
    np.testing.assert_array_equal(made[: context - seen], clip.frames[: context - seen])
    assert (
        np.abs(made[context - seen : context].astype(int) - coded(predict, clip.frames[-seen:]).astype(int)).max() <= 1
    )
    assert len(made) == 13


def test_a_long_clip_continues_its_own_frames(predict, rng, monkeypatch):
    seen = []
    original = family.Cosmos2p5.make_chunk
    monkeypatch.setattr(family.Cosmos2p5, "make_chunk", lambda self, chunk: seen.append(chunk) or original(self, chunk))
    made = sample(predict, request(num_frames=17), chunk=13)
    assert [(c.span.start, c.span.stop, c.span.known) for c in seen] == [(0, 13, 0), (4, 17, 9)]
    np.testing.assert_array_equal(seen[1].known, made[4:13])
    assert len(made) == 17


def test_predict_takes_no_controls(predict, rng):
    with pytest.raises(InputError, match=r"controls this model does not honour: received 'depth'"):
        predict.check([request(controls={"depth": noise(rng, 9)})])


def test_the_guardrail_sees_prompts_and_clips(transfer_folder, predict, rng, monkeypatch):
    guardrail = StandInGuardrail(refused_word="forbidden")
    model = load(transfer_folder, guardrail)
    sample(model, request(controls={"depth": noise(rng, 9)}))
    assert guardrail.prompts == ["a wet street"] and guardrail.frames == 9
    with pytest.raises(InputError, match=r"prompt: received 'forbidden'"):
        sample(model, request(text="forbidden", controls={"depth": noise(rng, 9)}))
    # The pipelines would return black frames, or not ask at all.
    strict = load(transfer_folder, StandInGuardrail(refuse_clips=True))
    with pytest.raises(InputError, match=r"generated clip: received refused by the installed guardrail"):
        sample(strict, request(controls={"depth": noise(rng, 9)}))
    monkeypatch.setattr(predict, "guardrail", StandInGuardrail(refuse_clips=True))
    with pytest.raises(InputError, match=r"generated clip: received refused"):
        sample(predict, request())


def test_torchvision_is_asked_for_by_name(monkeypatch):
    def broken(name):
        raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.setattr(family.importlib, "import_module", broken)
    with pytest.raises(InputError, match=r"torchvision for the family cosmos2_5: received operator"):
        REAL_CHECK()


def test_chunks_beyond_the_positions_are_refused(transfer, predict, rng):
    with pytest.raises(InputError, match=r"frames per chunk: received 65; expected at most 64"):
        sample(transfer, request(controls={"depth": noise(rng, 9)}), chunk=65)
    assert transfer.promise.chunk_frames == 61  # the largest 4k+1 that these small networks hold


def test_too_many_words_are_refused(transfer, rng):
    with pytest.raises(InputError, match=r"received 600 tokens; expected at most 480"):
        sample(transfer, request(text="w" * 600, controls={"depth": noise(rng, 9)}))
