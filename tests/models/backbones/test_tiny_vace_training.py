"""The small Wan VACE of the recipe: what it is trained on is what the pipeline gives it, and the measure can fail."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from pipelines.tiny_vace_training.tiny_checkpoints import kept_weights, restored_step
from pipelines.tiny_vace_training.tiny_clips import TinyClips
from pipelines.tiny_vace_training.tiny_codec_training import conditioning, encoded, scaled, train_codec
from pipelines.tiny_vace_training.tiny_parts import LATENTS, save_pipeline, tiny_codec, tiny_text, tiny_transformer
from pipelines.tiny_vace_training.tiny_training import TinyTrainer, obedience


@pytest.fixture(scope="module")
def clips() -> TinyClips:
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (8, 5, 32, 48, 3), dtype=np.uint8)
    return TinyClips(frames, frames[::-1].copy(), ("a street at night",) * 8)


@pytest.fixture(scope="module")
def codec(clips: TinyClips):
    torch.manual_seed(0)
    made = tiny_codec()
    train_codec(made, clips, steps=2, seed=0)
    return made


def test_latents_are_causal_and_their_spread_is_in_the_config(codec, clips: TinyClips) -> None:
    frames = scaled(clips.frames[:1])
    whole = encoded(codec, frames, raw=True)
    assert whole.shape == (1, LATENTS, 2, 8, 12)
    assert torch.allclose(whole[:, :, :1], encoded(codec, frames[:, :, :1], raw=True), atol=1e-5)
    spread = encoded(codec, scaled(clips.frames), raw=True).std((0, 2, 3, 4))
    assert np.allclose(codec.config["latents_std"], spread, rtol=1e-3)


def test_training_gives_the_control_branch_what_the_pipeline_gives_it(codec, clips: TinyClips) -> None:
    from diffusers import WanVACEPipeline

    from tests.models.backbones.tiny_families import unipc

    tokenizer, encoder = tiny_text(list(clips.prompts))
    pipeline = WanVACEPipeline(
        tokenizer=tokenizer, text_encoder=encoder, vae=codec, scheduler=unipc(), transformer=tiny_transformer()
    )
    control = scaled(clips.controls[:1])
    video, mask, references = pipeline.preprocess_conditions(
        [clips.controls[0].astype(np.float32) / 255], [np.ones_like(clips.controls[0], np.float32)], None, 1, 32, 48, 5,
        torch.float32, torch.device("cpu"),
    )  # fmt: skip
    with torch.no_grad():
        latents = pipeline.prepare_video_latents(video, mask, references)
        whole = torch.cat([latents, pipeline.prepare_masks(mask, references)], 1)
    ours = conditioning(codec, control)
    assert ours.shape == whole.shape == (1, 2 * LATENTS + 16, 2, 8, 12)
    assert torch.allclose(ours, whole, atol=1e-4)


def test_a_stopped_training_goes_on_from_its_weights(tmp_path) -> None:
    file, network = tmp_path / "kept.safetensors", torch.nn.Linear(2, 2)
    assert restored_step(file, network) == 0
    kept_weights(file, network, 7, {"average": torch.full((3,), 2.0)})
    other, more = torch.nn.Linear(2, 2), {"average": torch.zeros(3)}
    assert restored_step(file, other, more) == 7
    assert torch.equal(other.weight, network.weight) and more["average"].tolist() == [2.0, 2.0, 2.0]


class Oracle(torch.nn.Module):
    """Knows the noise of a clip where it gets the right control, and answers 0 elsewhere or where it is blind."""

    def __init__(self, latents: torch.Tensor, *, blind: bool):
        super().__init__()
        self.latents, self.blind, self.config = latents, blind, SimpleNamespace(vace_layers=[0])

    def forward(self, hidden_states, timestep, control_hidden_states, **_):
        level = timestep[0] / 1000
        if self.blind:
            return (torch.zeros_like(hidden_states),)
        clean = control_hidden_states[:, : hidden_states.shape[1]]
        return ((hidden_states - clean) / level,)


def test_obedience_tells_a_network_that_reads_its_control_from_one_that_does_not() -> None:
    latents = torch.randn(6, 4, 2, 4, 4, generator=torch.Generator().manual_seed(1))
    text = torch.zeros(6, 1, 8)
    reads = obedience(Oracle(latents, blind=False), latents, latents.clone(), text, seed=0)
    assert reads["true"] < 1e-6 and reads["shuffled"] > 1 and reads["worse_beyond_interval"]
    assert reads["clips_where_true_is_better"] == 6
    blind = obedience(Oracle(latents, blind=True), latents, latents.clone(), text, seed=0)
    assert blind["difference"] == 0 and not blind["worse_beyond_interval"]


@pytest.mark.slow
def test_the_saved_model_samples_through_the_family(codec, clips: TinyClips, tmp_path) -> None:
    from worldgen.core.samples import Conditions
    from worldgen.models.backbones.options import BackboneConfig
    from worldgen.models.backbones.registry import load_backbone
    from worldgen.models.interface import sampler_options

    tokenizer, encoder = tiny_text(list(clips.prompts))
    network = tiny_transformer()
    latents, control = encoded(codec, scaled(clips.frames)), conditioning(codec, scaled(clips.controls))
    words = torch.zeros(8, 512, 64)
    kept = tmp_path.parent / f"{tmp_path.name}.safetensors"
    trainer = TinyTrainer(network, latents, control, (words, words[:1]))
    trainer.train(control[0], steps=2, batch=2, seed=0, kept=kept)
    assert restored_step(kept, tiny_transformer()) == 2
    save_pipeline(str(tmp_path), tokenizer, encoder, codec=codec, network=network)
    model = load_backbone(str(tmp_path), BackboneConfig(), torch.device("cpu"))
    request = Conditions(5, 8.0, text="a street at night", controls={"depth": clips.controls[0]})
    [clip] = model([request], sampler_options(model.promise, steps=2))
    assert clip.frames.shape == (5, 32, 48, 3)
