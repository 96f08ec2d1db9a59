"""Wan picture to video with its real classes at tiny size; nothing here says how clips look."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from tests.models.backbones.continuing.tiny_continuing import save_wan_i2v
from worldgen.core.clip import Clip
from worldgen.core.ego import EgoMotion
from worldgen.core.errors import InputError
from worldgen.core.samples import Conditions
from worldgen.models.backbones.continuing import wan_i2v as family
from worldgen.models.backbones.continuing.last_frame import last_frame_plan
from worldgen.models.backbones.options import BackboneConfig
from worldgen.models.backbones.registry import load_backbone
from worldgen.models.families import WAN_I2V
from worldgen.models.interface import sampler_options

pytest.importorskip("ftfy")
W, H = 96, 64


@pytest.fixture(scope="module", params=["5B", "A14B"])
def model(request, tmp_path_factory):
    return load(save_wan_i2v(tmp_path_factory.mktemp("models") / request.param, form=request.param))


def load(folder, **options):
    return load_backbone(str(folder), BackboneConfig(**options), torch.device("cpu"))


def request(rng, *, context=1, frames=9, **fields):
    clip = Clip(rng.integers(0, 256, (context, H, W, 3), dtype=np.uint8), 16.0)
    given = {"num_frames": frames, "fps": 16.0, "text": "a wet street", "context": clip, "seed": 1}
    return Conditions(**given | fields)


def sample(model, conditions, *, chunk=0, **guidance):
    return model([conditions], sampler_options(model.promise, steps=2, chunk=chunk, guidance=guidance))[0].frames


def difference(one, other):
    return float(np.abs(one.astype(int) - other.astype(int)).mean())


def test_the_picture_words_and_the_seed_change_the_clip(model, rng):
    first = request(rng)
    made = sample(model, first)
    assert made.shape == (9, H, W, 3)
    np.testing.assert_array_equal(made, sample(model, first))
    for other in (
        request(rng), dataclasses.replace(first, text="a dry road"), dataclasses.replace(first, seed=2),
        dataclasses.replace(first, negative_text="rain"),
    ):  # fmt: skip
        assert difference(made[1:], sample(model, other)[1:]) > 0


def test_known_frames_are_returned_bit_for_bit(model, rng):
    conditions = request(rng, context=5, frames=13)
    made = sample(model, conditions)
    assert conditions.context is not None
    np.testing.assert_array_equal(made[:5], conditions.context.frames)
    assert len(made) == 13


def test_only_the_last_known_frame_is_seen(model, rng):
    conditions = request(rng, context=5, frames=13)
    assert conditions.context is not None
    earlier = conditions.context.frames.copy()
    earlier[:4] = 0
    other = dataclasses.replace(conditions, context=Clip(earlier, 16.0))
    np.testing.assert_array_equal(sample(model, conditions)[5:], sample(model, other)[5:])


def test_chunks_go_on_from_the_last_frame_that_was_made(model, rng, monkeypatch):
    seen = []
    original = family.WanI2V.make_chunk
    monkeypatch.setattr(family.WanI2V, "make_chunk", lambda self, chunk: seen.append(chunk) or original(self, chunk))
    made = sample(model, request(rng, frames=21), chunk=9)
    assert [(c.span.start, c.span.stop, c.span.known) for c in seen] == [(0, 9, 1), (8, 17, 1), (16, 21, 1)]
    np.testing.assert_array_equal(seen[1].known[0], made[8])
    np.testing.assert_array_equal(seen[2].known[0], made[16])
    assert len(made) == 21 and (made[8] != made[9]).any()


def test_the_plan_adds_every_frame_once():
    for num_frames in range(5, 90, 4):
        for context in range(1, num_frames, 4):
            spans = last_frame_plan(num_frames, chunk=17, context=context, frames=WAN_I2V.frames)
            new = [frame for span in spans for frame in range(span.first_new, span.stop)]
            assert new == list(range(context, num_frames))
            assert all(len(span) % 4 == 1 and len(span) <= 17 for span in spans)
    with pytest.raises(InputError, match="new frames of a clip: received 7; expected a multiple of 4"):
        last_frame_plan(12, chunk=9, context=5, frames=WAN_I2V.frames)


def _refused():
    rng = np.random.default_rng(0)
    ego = EgoMotion(np.ones(9), np.zeros(9), 16.0)
    return {
        r"without which the family wan_i2v makes nothing": Conditions(9, 16.0, text="a street"),
        r"prompt: received none": request(rng, text=None),
        r"does not honour: received 'ego'; expected context, text; the famil.* could": request(rng, ego=ego),
        r"controls this model does not honour: received 'depth'; .*wan_vace.* could": request(
            rng, controls={"depth": np.zeros((9, H, W, 3), np.uint8)}
        ),
        r"reference picture: received given": request(rng, reference=np.zeros((H, W, 3), np.uint8)),
        r"number of frames: received 10": request(rng, frames=10),
        r"context frames: received 2": request(rng, context=2),
    }


@pytest.mark.parametrize("message", list(_refused()))
def test_refusals(model, message):
    with pytest.raises(InputError, match=message):
        model.check([_refused()[message]])


def test_sizes_that_the_pipeline_would_round_are_refused(tmp_path, rng):
    """TI2V-5B has cells of 32 pixels: it would return another size with no more than a warning."""
    model = load(save_wan_i2v(tmp_path / "5B", form="5B"))
    clip = Clip(rng.integers(0, 256, (1, 48, 80, 3), dtype=np.uint8), 24.0)
    with pytest.raises(InputError, match="frame size: received 80x48; expected multiples of 32"):
        model.check([Conditions(9, 24.0, text="a street", context=clip)])
    assert model.promise.fps == 24.0 and model.promise.chunk_frames == 121 and model.promise.size_px == (1280, 704)


def test_both_transformers_of_the_14b_form_work(tmp_path, rng):
    model = load(save_wan_i2v(tmp_path / "A14B", form="A14B"))
    used = []
    for name in ("transformer", "transformer_2"):
        getattr(model.pipeline, name).register_forward_hook(lambda *_, name=name: used.append(name))
    model([request(rng)], sampler_options(model.promise, steps=4))
    assert set(used) == {"transformer", "transformer_2"}


def test_cached_words_give_the_same_clip_without_the_encoder(tmp_path, rng, monkeypatch):
    folder = save_wan_i2v(tmp_path / "model", form="5B")
    conditions = request(rng)
    cache = str(tmp_path / "words")
    made = sample(load(folder, prompt_cache=cache), conditions)
    again = load(folder, prompt_cache=cache)
    monkeypatch.setattr(type(again.text), "_read", lambda self: pytest.fail("the text encoder was read again"))
    np.testing.assert_array_equal(made, sample(again, conditions))


def test_weights_are_named_by_content(tmp_path):
    one, same, other = (
        load(save_wan_i2v(tmp_path / str(number), form="5B", seed=seed)).weights_hash
        for number, seed in enumerate((0, 0, 1))
    )
    assert one == same != other
