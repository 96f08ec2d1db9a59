"""Cosmos 3 with its real classes at tiny size. The guardrail is a stand-in; nothing here says how clips look."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch

from tests.models.backbones.cosmos.tiny_cosmos import StandInGuardrail, save_cosmos3
from worldgen.core.camera import Camera
from worldgen.core.clip import Clip
from worldgen.core.ego import EgoMotion
from worldgen.core.errors import InputError
from worldgen.core.samples import Conditions
from worldgen.models.backbones.cosmos import cosmos3 as family
from worldgen.models.backbones.cosmos.cosmos3 import action_tier, control_guidance, driving_prompt
from worldgen.models.backbones.options import BackboneConfig
from worldgen.models.backbones.registry import load_backbone
from worldgen.models.interface import sampler_options

pytest.importorskip("diffusers", minversion="0.40")
W, H = 96, 64
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_cosmos3(tmp_path_factory.mktemp("models") / "cosmos3")


@pytest.fixture(scope="module")
def model(folder):
    return load(folder)


def load(folder, guardrail=None, **options):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(family, "required_guardrail", lambda _: guardrail or StandInGuardrail())
        return load_backbone(str(folder), BackboneConfig(**options), CPU)


def picture_clip(rng, frames, fps=10.0):
    return Clip(rng.integers(0, 256, (frames, H, W, 3), dtype=np.uint8), fps)


def request(**fields):
    camera = Camera.from_fov(W, H)
    return Conditions(**{"num_frames": 9, "fps": 10.0, "text": "a wet street", "seed": 3, "camera": camera} | fields)


def controls(rng, *names, frames=9):
    return {name: rng.integers(0, 256, (frames, H, W, 3), dtype=np.uint8) for name in names}


def driving(rng, speed=12.0, frames=9, context=1, **fields):
    ego = EgoMotion(np.full(frames, speed), np.linspace(0, 0.3, frames), 10.0)
    return request(num_frames=frames, ego=ego, context=picture_clip(rng, context), **fields)


def sample(model, conditions, *, steps=2, chunk=0, **guidance):
    options = sampler_options(model.promise, steps=steps, chunk=chunk, guidance=guidance)
    return model([conditions], options)[0].frames


def difference(one, other):
    return float(np.abs(one.astype(int) - other.astype(int)).mean())


@pytest.mark.parametrize("names", [("wsm",), ("depth",), ("seg",), ("edge",), ("blur",), ("depth", "wsm")])
def test_every_control_changes_the_clip(model, names):
    rng = np.random.default_rng(0)
    one, other = (sample(model, request(controls=controls(rng, *names))) for _ in range(2))
    assert one.shape == (9, H, W, 3) and one.dtype == np.uint8
    assert difference(one, other) > 0


def test_names_of_controls_are_only_an_order(model, rng):
    """What a control is, the network must see in its pixels: so they are drawn in the published colours."""
    video = controls(rng, "depth")["depth"]
    fixed = {"text": 1.0, "control": 2.0}
    np.testing.assert_array_equal(
        sample(model, request(controls={"depth": video}), **fixed),
        sample(model, request(controls={"wsm": video}), **fixed),
    )


def test_control_guidance_follows_the_control(model, rng, monkeypatch):
    seen = {}
    monkeypatch.setattr(model, "transfer", _recorder(model.transfer, seen))
    sample(model, request(controls=controls(rng, "wsm")))
    assert (seen["guidance_scale"], seen["control_guidance"]) == (1.0, 3.0)
    sample(model, request(controls=controls(rng, "seg", "edge")))
    assert (seen["guidance_scale"], seen["control_guidance"]) == (3.0, 2.0)
    sample(model, request(controls=controls(rng, "wsm")), text=4.0, control=1.25)
    assert (seen["guidance_scale"], seen["control_guidance"]) == (4.0, 1.25)
    assert control_guidance(("depth", "wsm")) == (1.0, 3.0)


def test_arguments_are_those_of_the_blocks(model, rng, monkeypatch):
    """A modular pipeline ignores an argument that it does not know, without a warning."""
    seen = {}
    monkeypatch.setattr(model, "transfer", _recorder(model.transfer, seen))
    sample(model, request(controls=controls(rng, "depth"), context=picture_clip(rng, 5)))
    known = {each.name for each in model.transfer.whole.blocks.inputs}
    assert {"control_guidance", "num_first_chunk_conditional_frames"} <= set(seen)
    assert set(seen) - {"output"} <= known  # "output" is an argument of the call itself


class _recorder:
    """Calls a pipeline and notes the arguments."""

    def __init__(self, whole, seen):
        self.whole, self.seen = whole, seen

    def __call__(self, **arguments):
        self.seen.clear()
        self.seen.update(arguments)
        return self.whole(**arguments)

    def __getattr__(self, name):
        return getattr(self.whole, name)


def coded(model, frames):
    """Frames as the codec of the model returns them."""
    values = torch.from_numpy(frames).permute(3, 0, 1, 2)[None].float() / 127.5 - 1
    with torch.no_grad():
        again = model.omni.vae.decode(model.omni.vae.encode(values).latent_dist.mode()).sample
    again = (again[0].permute(1, 2, 3, 0).clamp(-1, 1) + 1) / 2
    return np.rint(again.numpy() * 255).astype(np.uint8)


@pytest.mark.parametrize("with_controls", [True, False])
def test_known_frames_are_held_fixed(model, rng, with_controls):
    context = picture_clip(rng, 5)
    made = sample(model, request(context=context, controls=controls(rng, "wsm") if with_controls else {}))
    assert np.abs(made[:5].astype(int) - coded(model, context.frames).astype(int)).max() <= 1
    assert len(made) == 9


def test_a_long_clip_continues_its_own_frames(model, rng, monkeypatch):
    seen = []
    original = family.Cosmos3.make_chunk
    monkeypatch.setattr(family.Cosmos3, "make_chunk", lambda self, chunk: seen.append(chunk) or original(self, chunk))
    whole = controls(rng, "depth", frames=21)
    made = sample(model, request(num_frames=21, controls=whole), chunk=13)
    assert [(c.span.start, c.span.stop, c.span.known) for c in seen] == [(0, 13, 0), (8, 21, 5)]
    np.testing.assert_array_equal(seen[1].known, made[8:13])  # the next chunk begins with what was shown
    np.testing.assert_array_equal(seen[1].controls["depth"], whole["depth"][8:21])
    assert (made[12] != made[13]).any() and len(made) == 21


def test_seeds(model, rng):
    conditions = request(controls=controls(rng, "depth"))
    first = sample(model, conditions)
    np.testing.assert_array_equal(first, sample(model, conditions))
    assert difference(first, sample(model, dataclasses.replace(conditions, seed=4))) > 0


def test_words_and_negative_words_change_the_clip(model):
    plain = sample(model, request())
    assert difference(plain, sample(model, request(text="a dry street"))) > 0
    assert difference(plain, sample(model, request(negative_text="rain"))) > 0


def test_ego_motion_changes_the_clip_and_every_row_counts(model):
    clips = [sample(model, driving(np.random.default_rng(0), speed)) for speed in (0.0, 12.0, 12.0)]
    assert clips[0].shape == (9, H, W, 3)
    assert difference(clips[0], clips[1]) > 0
    np.testing.assert_array_equal(clips[1], clips[2])


def test_the_pitch_of_the_camera_reaches_the_actions(model, monkeypatch):
    rng = np.random.default_rng(0)
    seen = []
    monkeypatch.setattr(
        family, "action_rows", lambda ego, *, pitch_rad: seen.append(pitch_rad) or np.ones((len(ego) - 1, 9))
    )
    sample(model, driving(rng, camera=Camera.from_fov(W, H, pitch_rad=0.1)))
    sample(model, driving(rng, camera=None))
    assert seen == [0.1, 0.0]


def test_driving_goes_on_from_the_last_known_frame_in_chunks(model, monkeypatch):
    seen = []
    original = family.Cosmos3.make_chunk
    monkeypatch.setattr(family.Cosmos3, "make_chunk", lambda self, chunk: seen.append(chunk) or original(self, chunk))
    conditions = driving(np.random.default_rng(0), frames=17, context=5)
    made = sample(model, conditions, chunk=9)
    assert [(c.span.start, c.span.stop, c.span.known) for c in seen] == [(4, 13, 1), (12, 17, 1)]
    assert conditions.context is not None
    np.testing.assert_array_equal(made[:4], conditions.context.frames[:4])
    np.testing.assert_array_equal(seen[0].known, conditions.context.frames[4:])
    np.testing.assert_array_equal(seen[1].known[0], made[12])
    assert len(made) == 17


def test_a_run_with_ego_motion_has_at_most_sixty_actions(model):
    conditions = driving(np.random.default_rng(0), frames=101)
    options = sampler_options(model.promise, steps=1)
    assert options.chunk == 101
    assert [len(span) for span in model._spans(conditions, options)] == [61, 41]


def test_inverse_dynamics_reads_every_frame(model, rng, monkeypatch):
    windows = []
    original = family.Cosmos3._actions_of
    monkeypatch.setattr(family, "EGO_CHUNK", 9)
    monkeypatch.setattr(
        family.Cosmos3,
        "_actions_of",
        lambda self, frames, *rest: windows.append(frames) or original(self, frames, *rest),
    )
    clip = picture_clip(rng, 15)
    motion = model.read_motion(clip, steps=1)
    assert len(motion) == 15 and motion.fps == 10.0
    for window, start in zip(
        windows, (0, 6), strict=True
    ):  # the last window has whole latent frames and reaches the end
        np.testing.assert_array_equal(window, clip.frames[start : start + 9])
    assert np.isfinite(motion.speed_mps).all() and motion.speed_mps[1:].std() > 0
    with pytest.raises(InputError, match=r"frames per second with ego motion: received 8.0; expected 10"):
        model.read_motion(Clip(clip.frames, 8.0))
    with pytest.raises(InputError, match="frames of a clip: received 4; expected at least 5"):
        model.read_motion(Clip(clip.frames[:4], 10.0))


def test_weights_without_actions_do_not_promise_ego_motion(tmp_path):
    model = load(save_cosmos3(tmp_path / "plain", actions=False))
    assert model.promise.conditions == ("context", "text")
    with pytest.raises(
        InputError, match="conditions this model does not honour: received 'ego'; expected context, text"
    ):
        model.check([driving(np.random.default_rng(0))])
    with pytest.raises(InputError, match="no action_gen"):
        model.read_motion(picture_clip(np.random.default_rng(0), 5))


def _refused():
    rng = np.random.default_rng(0)
    ego = EgoMotion(np.full(9, 5.0), np.zeros(9), 10.0)
    sketch = controls(rng, "sketch")
    return {
        "controls this model does not honour: received 'sketch'; .*wan_vace could": request(controls=sketch),
        "received ego and controls; expected one of them": driving(rng, controls=controls(rng, "wsm")),
        "ego motion: received no context": request(ego=ego),
        "conditions this model does not honour: received 'layout'; .*native could": request(
            layout=np.zeros((9, 26, H, W), np.float16)
        ),
        "reference picture: received given; .*wan_vace could": request(reference=np.zeros((H, W, 3), np.uint8)),
        "number of frames: received 10; expected 4k.1": request(num_frames=10),
        "context frames: received 4": request(context=picture_clip(rng, 4)),
        "frame size: received 100x64": request(camera=Camera.from_fov(100, H)),
        "prompt: received none; expected words, or ego": request(text=None),
        "with ego motion: received 16.0; expected 10": request(
            fps=16.0, ego=EgoMotion(ego.speed_mps, ego.yaw_rate_radps, 16.0), context=picture_clip(rng, 1, 16.0)
        ),
    }


@pytest.mark.parametrize("message", list(_refused()))
def test_refusals(model, message):
    with pytest.raises(InputError, match=message):
        model.check([_refused()[message]])


def test_a_canvas_holds_the_picture_unscaled():
    assert [action_tier(size) for size in ((320, 192), (448, 256), (832, 480), (1280, 704), (1280, 720))] == [
        256, 480, 480, 704, 720,
    ]  # fmt: skip
    with pytest.raises(InputError, match="frame size with ego motion: received 1920x1088"):
        action_tier((1920, 1088))


def test_words_of_a_run_with_ego_motion():
    assert driving_prompt("") == "You are an autonomous vehicle planning system."
    assert driving_prompt("rain at night") == "You are an autonomous vehicle planning system. rain at night"
    assert driving_prompt(json.dumps({"temporal_caption": "rain"})).endswith("system. rain")


def test_the_guardrail_sees_prompts_and_new_frames(folder, rng):
    guardrail = StandInGuardrail(refused_word="forbidden", mark=True)
    model = load(folder, guardrail)
    made = sample(model, request(context=picture_clip(rng, 5), negative_text="forbidden"))
    assert guardrail.prompts == ["a wet street"]  # negative words are not shown to it
    assert guardrail.frames == 4 and (made[5:, :4, :4] == 0).all() and made[:5, :4, :4].any()
    assert set(guardrail.places) == {"cpu"}
    with pytest.raises(InputError, match="prompt: received 'forbidden things'; expected words that"):
        sample(model, request(text="forbidden things"))
    with pytest.raises(InputError, match="generated clip: received refused by the installed guardrail"):
        sample(load(folder, StandInGuardrail(refuse_clips=True)), request())


def test_no_model_without_a_guardrail(folder, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"guardrail of the family cosmos3.*no package cosmos_guardrail; expected pip"):
        load_backbone(str(folder), BackboneConfig(), CPU)


def test_files_that_are_missing_or_foreign(folder, tmp_path):
    import shutil

    broken = shutil.copytree(folder, tmp_path / "broken")
    for path in (broken / "vae").glob("*.safetensors"):
        path.unlink()
    with pytest.raises(InputError, match=r"weights of vae in .*no .safetensors file"):
        load(broken)
    foreign = shutil.copytree(folder, tmp_path / "foreign")
    index = json.loads((foreign / "model_index.json").read_text())
    index["vae"] = ["antigravity", "AutoencoderKLWan"]
    (foreign / "model_index.json").write_text(json.dumps(index))
    with pytest.raises(InputError, match=r"module of vae in .*antigravity"):
        load(foreign)
    with pytest.raises(InputError, match=r"backbone.lora: received 'some/lora'"):
        load(folder, lora="some/lora")


def test_weights_are_named_by_content(folder, model, tmp_path):
    assert load(folder).weights_hash == model.weights_hash
    assert load(save_cosmos3(tmp_path / "other", seed=1)).weights_hash != model.weights_hash


def test_the_promise_of_loaded_weights(model, folder):
    assert model.promise.size_multiple_px == 16 and model.promise.shift == 10.0
    assert load(folder, steps=8, guidance=2.0, shift=5.0, chunk_frames=25).promise.steps == 8
    assert model.estimate(request()).total > 0
