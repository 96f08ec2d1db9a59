"""Cost of worldgen's wrapping: the same clip from a loaded family and from diffusers' pipeline called directly.

Random weights of the real classes, on a denoiser large enough that a step takes a second of CPU. Both ways sample the
same chunk with the same words, control, noise and settings, in turn, and their frames must be equal to the bit. Time is
CPU time of the process, which other programs on the machine change little.

  python benchmarks/backbones.py --out benchmarks/results/backbones.json
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
import time
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import torch
from diffusers import AutoencoderKLWan, UniPCMultistepScheduler, WanVACEPipeline, WanVACETransformer3DModel
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, UMT5Config, UMT5EncoderModel

from worldgen.core.camera import Camera
from worldgen.core.samples import Conditions
from worldgen.core.seeds import stable_hash
from worldgen.models.backbones.options import BackboneConfig
from worldgen.models.backbones.registry import load_backbone
from worldgen.models.interface import sampler_options
from worldgen.models.native.loading import quiet_libraries

WIDTH_PX, HEIGHT_PX, FRAMES, FPS = 320, 192, 17, 16.0
TEXT_WIDTH, CHANNELS = 64, 16
WORDS = "a street at night in rain"
AIM = 0.03


def saved_pipeline(folder: Path, *, width: int, layers: int) -> None:
    """A VACE pipeline of the given size with random weights, with a codec and a text encoder of a few thousand."""
    torch.manual_seed(0)
    words = ["<pad>", "<unk>", *WORDS.split()]
    core = Tokenizer(models.WordLevel({word: n for n, word in enumerate(words)}, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    pipeline = WanVACEPipeline(
        tokenizer=PreTrainedTokenizerFast(tokenizer_object=core, pad_token="<pad>", unk_token="<unk>"),
        text_encoder=UMT5EncoderModel(
            UMT5Config(vocab_size=64, d_model=TEXT_WIDTH, d_kv=16, d_ff=64, num_layers=1, num_heads=4)
        ).eval(),
        vae=AutoencoderKLWan(
            base_dim=4, z_dim=CHANNELS, dim_mult=[1, 1, 1, 1], num_res_blocks=1,
            temperal_downsample=[False, True, True], latents_mean=[0.0] * CHANNELS, latents_std=[1.0] * CHANNELS,
        ).eval(),
        scheduler=UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0),
        transformer=WanVACETransformer3DModel(
            num_attention_heads=width // 64, attention_head_dim=64, in_channels=CHANNELS, out_channels=CHANNELS,
            text_dim=TEXT_WIDTH, freq_dim=64, ffn_dim=4 * width, num_layers=layers, cross_attn_norm=True,
            vace_layers=list(range(0, layers, 2)), vace_in_channels=2 * CHANNELS + 64,
        ).eval(),
    )  # fmt: skip
    pipeline.save_pretrained(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True, metavar="FILE")
    parser.add_argument("--width", type=int, default=640, help="of the transformer, a multiple of 64")
    parser.add_argument("--layers", type=int, default=10)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(1)
    quiet_libraries()
    with tempfile.TemporaryDirectory() as folder:
        saved_pipeline(Path(folder), width=args.width, layers=args.layers)
        record = measure(folder, steps=args.steps, rounds=args.rounds)
    Path(args.out).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(record))


def measure(folder: str, *, steps: int, rounds: int) -> dict[str, Any]:
    """CPU seconds of both ways of sampling one clip, in turn, and whether their frames are equal."""
    model: Any = load_backbone(folder, BackboneConfig(), torch.device("cpu"))
    options = sampler_options(model.promise, steps=steps, chunk=FRAMES)
    control = np.random.default_rng(0).integers(0, 256, (FRAMES, HEIGHT_PX, WIDTH_PX, 3), np.uint8)
    camera = Camera.from_fov(WIDTH_PX, HEIGHT_PX, 70.0)
    request = Conditions(FRAMES, FPS, text=WORDS, camera=camera, controls={"depth": control}, seed=3)
    direct = WanVACEPipeline.from_pretrained(folder)
    direct.set_progress_bar_config(disable=True)
    with torch.no_grad():
        embeds, negative = direct.encode_prompt(
            WORDS, model.promise.default_negative, max_sequence_length=512, device=torch.device("cpu")
        )
    model.encode_words([WORDS, model.promise.default_negative])  # both ways have their words encoded before
    seconds: dict[str, list[float]] = {"worldgen": [], "diffusers": []}
    frames = {}
    for _ in range(rounds):
        start = time.process_time()
        frames["worldgen"] = model([request], options)[0].frames
        seconds["worldgen"].append(time.process_time() - start)
        start = time.process_time()
        generator = torch.Generator("cpu").manual_seed(stable_hash("chunk noise", request.seed, 0))
        result = direct(
            prompt_embeds=embeds, negative_prompt_embeds=negative, video=[control.astype(np.float32) / 255],
            mask=[np.ones(control.shape, np.float32)], height=HEIGHT_PX, width=WIDTH_PX, num_frames=FRAMES,
            num_inference_steps=steps, guidance_scale=options.guidance["text"], generator=generator, output_type="np",
        )  # fmt: skip
        frames["diffusers"] = np.rint(result.frames[0] * 255).astype(np.uint8)
        seconds["diffusers"].append(time.process_time() - start)
    best = {name: min(values) for name, values in seconds.items()}
    evaluations = steps * 2  # with and without the words
    return {
        "what": "CPU seconds of one clip, the same call through worldgen and through diffusers, in turn, one thread",
        "frames": FRAMES, "size_px": [WIDTH_PX, HEIGHT_PX], "steps": steps, "parameters": model.counts,
        "seconds": {name: [round(value, 3) for value in values] for name, values in seconds.items()},
        "seconds_per_step": round(best["diffusers"] / steps, 3), "evaluations": evaluations,
        "overhead": round(best["worldgen"] / best["diffusers"] - 1, 4), "aim": AIM,
        "equal_frames": bool(np.array_equal(frames["worldgen"], frames["diffusers"])),
        "versions": {"torch": torch.__version__, "diffusers": diffusers.__version__},
        "python": platform.python_version(),
    }  # fmt: skip


if __name__ == "__main__":
    main()
