"""Train a small Wan VACE on rendered clips and record whether it obeys its control.

Purpose: proof that controls, masks, files and labels line up, without pretrained weights; `pipelines/tiny_vace.sh` runs
it. Hardware: one CPU core. Time: about 0.2 s a step of the codec and 0.4 s a step of the transformer on a free core.

    worldgen scenes render --count 192 --grid weather,light --size 96x64 --frames 9 --controls depth --out scenes
    python pipelines/train_tiny_vace.py scenes --out model --record eval/results/tiny_vace.json

Expected: a folder that `worldgen sample --model model` reads, and a record whose shuffled controls are worse beyond the
interval; the program fails otherwise.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from tiny_vace_training.tiny_clips import read_clips
from tiny_vace_training.tiny_parts import save_pipeline, tiny_codec, tiny_text, tiny_transformer
from tiny_vace_training.tiny_training import TinyTrainer, conditioning, encoded, obedience, scaled, train_codec

from worldgen.models.backbones.wan_text import encode_wan_words

SEED = 3


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="rendered clips with a depth control")
    parser.add_argument("--out", required=True, help="folder of the model")
    parser.add_argument("--record", default="", help="JSON file of the result")
    parser.add_argument("--held-out", type=int, default=24, help="clips at the end that are measured on (default 24)")
    parser.add_argument("--frames", type=int, default=9, help="frames of each clip that are used (default 9)")
    parser.add_argument("--codec-steps", type=int, default=1500)
    parser.add_argument("--steps", type=int, default=2500)
    parser.add_argument("--batch", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    clips = read_clips(args.data, "depth", num_frames=args.frames)
    training, held = clips.part(0, len(clips.frames) - args.held_out), clips.part(-args.held_out, len(clips.frames))
    codec = tiny_codec()
    psnr_db = train_codec(codec, training, steps=args.codec_steps, rng=np.random.default_rng(SEED))
    print(f"codec: {psnr_db:.1f} dB", file=sys.stderr, flush=True)
    tokenizer, encoder = tiny_text(list(training.prompts))

    def states(texts: tuple[str, ...]) -> torch.Tensor:
        with torch.no_grad():
            return torch.cat([encode_wan_words(tokenizer, encoder, text, torch.device("cpu")) for text in texts])

    network = tiny_transformer()
    trainer = TinyTrainer(
        network, encoded(codec, scaled(training.frames)), conditioning(codec, scaled(training.controls)),
        (states(training.prompts), states(("",))),
    )  # fmt: skip
    nothing = conditioning(codec, torch.zeros_like(scaled(training.controls[:1])))
    latents = encoded(codec, scaled(held.frames))
    given = conditioning(codec, scaled(held.controls)), states(held.prompts)
    start_s = time.process_time()
    before = obedience(network.eval(), latents, *given, seed=SEED)
    trainer.train(nothing[0], steps=args.steps, batch=args.batch, rng=torch.Generator().manual_seed(SEED))
    result = obedience(network, latents, *given, seed=SEED)
    save_pipeline(args.out, tokenizer, encoder, codec=codec, network=network)
    record = {
        "what": "held-out loss of a small Wan VACE with the true and with another clip's depth control",
        "command": "pipelines/tiny_vace.sh", "training_clips": len(training.frames), "steps": args.steps,
        "codec_steps": args.codec_steps,
        "batch": args.batch,
        "parameters": sum(p.numel() for p in network.parameters()), "codec_psnr_db": round(psnr_db, 2),
        "cpu_s": round(time.process_time() - start_s), "loss": result, "loss_before_training": before,
    }  # fmt: skip
    if args.record:
        Path(args.record).write_text(json.dumps(record, indent=2) + "\n")
    print(json.dumps(record))
    return 0 if result["worse_beyond_interval"] else 1


if __name__ == "__main__":
    sys.exit(main())
