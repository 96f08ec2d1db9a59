"""Fine-tuning of small models of three pretrained families: does the loss fall, and is ego motion used?

Purpose:  proof of the training path with the real classes and a trained codec, without published weights.
Run:      pipelines/tiny_vace.sh BASE
          python benchmarks/finetune_families.py BASE/model --work WORK --out benchmarks/results/finetune_families.json
Hardware: one CPU core, 3 GB of memory.
Time:     see `cpu_s` in the result; about 20 minutes. WORK keeps clips, models and runs: the same command goes on.
Expected: for each family a held-out loss below its first value, and a gain of true over shuffled ego motion whose 95 %
          interval, paired over held-out windows, lies above 0.

Wan VACE starts from the small trained model of the recipe, Wan picture to video (in the form of TI2V-5B) from the main
blocks of it. Cosmos 3 has a random transformer of the same width: low-rank adapters of high rank are all that learns.
All have the trained codec of that model. Cosmos 3 gets ego motion as its own actions, the others by the embedding at
the diffusion time.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

import worldgen
from worldgen.cli.main import main as worldgen_command
from worldgen.data.dataset.index import DataSet, build_index
from worldgen.data.dataset.shards import ShardWriter
from worldgen.training.loop.record import read_metrics

CONFIGS = Path(__file__).resolve().parents[1] / "configs" / "train"
FRAMES, FPS, SIZE_PX = 9, 10, (112, 64)
"""Nine frames are three latent frames; ten frames a second are the rate of Cosmos 3's actions."""
SEED = 910_000
WIDTH, HEADS, BLOCKS = 128, 4, 3
STEPS = {"wan_vace": 300, "wan_i2v": 200, "cosmos3": 200}
FAMILIES = {"wan_vace": "wan_vace_lora", "wan_i2v": "wan_i2v_lora", "cosmos3": "cosmos3_lora"}


class NoGuardrail:
    """In place of Cosmos 3's content checker, which is a part of published weights: nothing is sampled from random ones
    here but the sheets of a run."""

    def check_text_safety(self, prompt: str) -> bool:
        return True

    def check_video_safety(self, frames: Any) -> Any:
        return frames

    def to(self, device: Any) -> NoGuardrail:
        return self


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", type=Path, help="model folder of pipelines/tiny_vace.sh")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/finetune_families.json"))
    parser.add_argument("--families", default=",".join(FAMILIES), help="some of them, separated by commas")
    parser.add_argument("--clips", type=int, default=100, help="rendered clips")
    parser.add_argument("--held-out", type=int, default=40)
    parser.add_argument("--steps", type=int, default=0, help="0 for the number of each family")
    parser.add_argument("--batch", type=int, default=4)
    args = parser.parse_args()
    torch.set_num_threads(1)
    replace_guardrail()
    record = json.loads(args.out.read_text()) if args.out.exists() else {"families": {}}
    record |= {
        "command": "python benchmarks/finetune_families.py BASE/model --work WORK",
        "clips": {"training": args.clips - args.held_out, "held_out": args.held_out, "frames": FRAMES, "fps": FPS,
                  "size_px": list(SIZE_PX)},
        "batch": args.batch,
    }  # fmt: skip
    data = clips(args)
    for family in args.families.split(","):
        start_s = time.process_time()
        run = args.work / "runs" / family
        finetuned(args, family, base_model(args, family), data, run)
        earlier_s = record["families"].get(family, {}).get("cpu_s", 0)
        record["families"][family] = found(run) | {"cpu_s": earlier_s + round(time.process_time() - start_s)}
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(record, indent=1) + "\n")
        print(family, json.dumps(record["families"][family], indent=1), flush=True)


def replace_guardrail() -> None:
    """Random weights come without a checker."""
    from worldgen.models.backbones.cosmos import cosmos3

    cosmos3.required_guardrail = lambda family: NoGuardrail()


def clips(args: argparse.Namespace) -> str:
    """Rendered clips through all manoeuvres; the last ones are held out."""
    rendered, out = args.work / "rendered", args.work / "clips"
    if (out / "dataset.json").exists():
        return str(out)
    command = ["scenes", "render", "--count", str(args.clips), "--shard-size", "20", "--grid", "manoeuvre,light"]
    command += ["--renderer", "sketch"]
    command += ["--size", "x".join(map(str, SIZE_PX)), "--frames", str(FRAMES), "--fps", str(FPS)]
    code = worldgen_command([*command, "--seed", str(SEED), "--out", str(rendered)])
    if code:
        raise SystemExit(code)
    whole = DataSet(str(rendered))
    keys = sorted(row["key"] for row in whole.rows)
    with ShardWriter(str(out), "shard-0") as writer:
        for number, key in enumerate(keys):
            split = "val" if number >= len(keys) - args.held_out else "train"
            writer.write(replace(whole.load(key), split=split))
    build_index(str(out))
    return str(out)


def base_model(args: argparse.Namespace, family: str) -> Path:
    """The folder of the model that a family starts from."""
    if family == "wan_vace":
        return args.base
    folder = args.work / "models" / family
    if not (folder / "model_index.json").exists():
        torch.manual_seed(SEED)
        pipeline = {"wan_i2v": small_i2v, "cosmos3": random_cosmos3}[family](args.base)
        pipeline.save_pretrained(folder, safe_serialization=True)
    return folder


def small_i2v(base: Path) -> Any:
    """Wan picture to video in the form of TI2V-5B: a noise level for each token, the first latent frame clean.

    Its transformer starts from the main blocks of the trained one.
    """
    from diffusers import WanImageToVideoPipeline, WanTransformer3DModel, WanVACEPipeline

    parts = WanVACEPipeline.from_pretrained(base)
    channels = parts.vae.config.z_dim
    transformer = WanTransformer3DModel(
        patch_size=(1, 2, 2), num_attention_heads=HEADS, attention_head_dim=WIDTH // HEADS, in_channels=channels,
        out_channels=channels, text_dim=parts.text_encoder.config.d_model, freq_dim=64, ffn_dim=3 * WIDTH,
        num_layers=BLOCKS, cross_attn_norm=True, rope_max_seq_len=128,
    )  # fmt: skip
    trained = {k: v for k, v in parts.transformer.state_dict().items() if not k.startswith("vace_")}
    transformer.load_state_dict(trained)
    return WanImageToVideoPipeline(
        tokenizer=parts.tokenizer, text_encoder=parts.text_encoder, vae=parts.vae, scheduler=parts.scheduler,
        transformer=transformer, expand_timesteps=True,
    )  # fmt: skip


def random_cosmos3(base: Path) -> Any:
    """Cosmos 3 with actions."""
    from diffusers import AutoencoderKLWan, Cosmos3OmniPipeline, Cosmos3OmniTransformer, UniPCMultistepScheduler

    codec = AutoencoderKLWan.from_pretrained(base / "vae")
    channels, head = codec.config.z_dim, WIDTH // HEADS
    transformer = Cosmos3OmniTransformer(
        head_dim=head, hidden_size=WIDTH, intermediate_size=3 * WIDTH, latent_channel=channels, latent_patch_size=2,
        num_attention_heads=HEADS, num_hidden_layers=BLOCKS, num_key_value_heads=HEADS, patch_latent_dim=4 * channels,
        rope_axes_dim=[head // 4, head // 8, head // 8], vocab_size=256, action_gen=True, action_dim=16,
    )  # fmt: skip
    scheduler = UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0)
    return Cosmos3OmniPipeline(
        transformer=transformer, text_tokenizer=chat_tokenizer(), vae=codec, scheduler=scheduler,
        enable_safety_checker=False,
    )  # fmt: skip


def chat_tokenizer() -> Any:
    """A word-level tokenizer with the special tokens of the family and a chat template."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    special = ["<unk>", "<|endoftext|>", "<|vision_start|>", "<|im_start|>", "<|im_end|>"]
    words = ["day", "night", "dusk", "dawn", "road", "street", "turning", "left", "right", "braking", "straight"]
    core = Tokenizer(models.WordLevel({w: n for n, w in enumerate([*special, *words])}, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, unk_token="<unk>", eos_token="<|endoftext|>", pad_token="<|endoftext|>",
        additional_special_tokens=special[2:],
    )  # fmt: skip
    tokenizer.chat_template = "{% for m in messages %}<|im_start|> {{ m['content'] }} <|im_end|>{% endfor %}"
    return tokenizer


def finetuned(args: argparse.Namespace, family: str, base: Path, data: str, run: Path) -> None:
    """Train the adapter of a family with the config that is published for it, at this size."""
    if (run / "run.json").exists() and "finished" in json.loads((run / "run.json").read_text()):
        return
    rank, steps = WIDTH if family == "cosmos3" else 32, args.steps or STEPS[family]
    worldgen.train(
        CONFIGS / f"{FAMILIES[family]}.yaml",
        [
            f"data.urls=[{data}]", f"output={run}", f"init.pipeline={base}", f"steps={steps}",
            f"batch={args.batch}", "accumulate=1", f"data.width_px={SIZE_PX[0]}", f"data.height_px={SIZE_PX[1]}",
            f"data.num_frames={FRAMES}", "data.strides=[1]", "tune.known_frames=[1]", "tune.ego=true",
            "tune.require_ego=false", "tune.gradient_checkpointing=false", f"tune.sensitivity_windows={args.held_out}",
            "tune.text_dropout=0.1", "tune.ego_dropout=0.05", f"adapter.rank={rank}", f"adapter.alpha={rank}",
            "optim.lr=2e-3", "optim.warmup=20", "optim.ema_decay=0.98", f"validate_every={steps // 4}",
            "validate_clips=12", "sheet_every=0", "save_every=100", "keep=1", "precision=fp32", "device=cpu",
        ],
        log=lambda line: print(f"{family}: {line}", flush=True),
    )  # fmt: skip


def found(run: Path) -> dict[str, Any]:
    """What a finished run says of itself."""
    values = read_metrics(run / "metrics.jsonl", "val")
    finished = json.loads((run / "run.json").read_text())["finished"]
    losses = {str(row["step"]): round(row["loss"], 4) for row in values}
    first, last = values[0]["loss"], values[-1]["loss"]
    return {
        "steps": values[-1]["step"], "held_out_loss": losses, "change": round(last / first - 1, 3),
        "ego_motion": finished.get("ego_sensitivity"),
    }  # fmt: skip


if __name__ == "__main__":
    main()
