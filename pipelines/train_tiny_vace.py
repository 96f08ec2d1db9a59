"""Train a small Wan VACE on rendered clips and record whether it obeys its control.

Purpose: proof that controls, masks, files and labels line up, without pretrained weights; `pipelines/tiny_vace.sh` runs
it. Hardware: one CPU core, 2 GB of memory. Time: see the record, which has the CPU seconds of each part.

    worldgen scenes render --count 160 --grid weather,light --size 224x128 --frames 9 --fps 8 --out scenes
    python pipelines/train_tiny_vace.py scenes --out model --record eval/results/tiny_vace.json

Expected: a folder that `worldgen sample --model model` reads, and a record whose shuffled controls are worse beyond the
interval; the program fails otherwise. A stopped training goes on from `--work`.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import torch
from tiny_vace_training.tiny_checkpoints import kept_latents
from tiny_vace_training.tiny_clips import read_clips
from tiny_vace_training.tiny_codec_training import conditioning_of, encoded, scaled, train_codec
from tiny_vace_training.tiny_parts import save_pipeline, tiny_codec, tiny_text, tiny_transformer
from tiny_vace_training.tiny_training import TinyTrainer, obedience

from worldgen.models.backbones.wan_text import encode_wan_words

SEED = 3


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="rendered clips")
    parser.add_argument("--out", required=True, help="folder of the model")
    parser.add_argument("--work", default="", help="folder that keeps the state of a stopped training")
    parser.add_argument("--record", default="", help="JSON file of the result")
    parser.add_argument("--control", default="sketch", help="sketch, or a control that was rendered with the clips")
    parser.add_argument("--clips", type=int, default=0, help="clips that are read, 0 for all")
    parser.add_argument("--held-out", type=int, default=16, help="clips at the end that are measured on (default 16)")
    parser.add_argument("--frames", type=int, default=9, help="frames of each clip that are used (default 9)")
    parser.add_argument("--codec-steps", type=int, default=300)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    clips = read_clips(args.data, args.control, num_frames=args.frames, limit=args.clips)
    count = len(clips.frames) - args.held_out
    training, held = clips.part(0, count), clips.part(count, len(clips.frames))
    if args.work:
        Path(args.work).mkdir(parents=True, exist_ok=True)
    seconds: dict[str, int] = {}
    start_s = time.process_time()
    codec = tiny_codec()
    psnr_db = train_codec(codec, training, steps=args.codec_steps, seed=SEED, kept=_kept(args.work, "codec"))
    seconds["codec"] = round(time.process_time() - start_s)
    print(f"codec: {psnr_db:.1f} dB", file=sys.stderr, flush=True)
    tokenizer, encoder = tiny_text(list(clips.prompts))

    def states(texts: tuple[str, ...]) -> torch.Tensor:
        with torch.no_grad():
            return torch.cat([encode_wan_words(tokenizer, encoder, text, torch.device("cpu")) for text in texts])

    start_s = time.process_time()
    latents = kept_latents(_kept(args.work, "frames"), lambda: encoded(codec, scaled(clips.frames)))
    controls = latents
    if args.control != "sketch":
        controls = kept_latents(_kept(args.work, "controls"), lambda: encoded(codec, scaled(clips.controls)))
    empty = torch.full_like(scaled(clips.controls[:1]), -1.0)
    grey, nothing = encoded(codec, torch.zeros_like(empty)), encoded(codec, empty)
    conditions, none = (conditioning_of(codec, each, grey) for each in (controls, nothing))
    seconds["latents"] = round(time.process_time() - start_s)
    network = tiny_transformer()
    trainer = TinyTrainer(network, latents[:count], conditions[:count], (states(training.prompts), states(("",))))
    given = latents[count:], conditions[count:], states(held.prompts)
    start_s = time.process_time()
    trainer.train(none[0], steps=args.steps, batch=args.batch, seed=SEED, kept=_kept(args.work, "transformer"))
    seconds["transformer"] = round(time.process_time() - start_s)
    result = obedience(network, *given, seed=SEED)
    save_pipeline(args.out, tokenizer, encoder, codec=codec, network=network)
    record = {
        "what": f"held-out loss of a small Wan VACE with the true and with another clip's {args.control} control",
        "command": "pipelines/tiny_vace.sh", "control": args.control, "size_px": list(clips.frames.shape[3:1:-1]),
        "frames": args.frames, "training_clips": count, "codec_steps": args.codec_steps, "steps": args.steps,
        "batch": args.batch, "parameters": sum(p.numel() for p in network.parameters()),
        "codec_parameters": sum(p.numel() for p in codec.parameters()), "codec_psnr_db": round(psnr_db, 2),
        "cpu_s_of_the_last_start": seconds, "loss": result,
    }  # fmt: skip
    if args.record:
        Path(args.record).write_text(json.dumps(record, indent=2) + "\n")
    print(json.dumps(record))
    return 0 if result["worse_beyond_interval"] else 1


def _kept(work: str, part: str) -> Path | None:
    return Path(work) / f"{part}.safetensors" if work else None


if __name__ == "__main__":
    sys.exit(main())
