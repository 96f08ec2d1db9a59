"""Cost of a LoRA step of Wan VACE from random weights: time, memory against the preflight, model FLOP use.

Purpose:  what a fine-tune of Wan2.1-VACE-1.3B costs on a GPU, without its weights: cost depends on shapes only.
Run:      python benchmarks/finetune_step.py --out benchmarks/results/finetune_step.json
          python benchmarks/finetune_step.py --tiny --device cpu --out step.json     (the same code at tiny size)
          python benchmarks/finetune_step.py --plan --out benchmarks/results/finetune_plan.json     (memory and FLOPs
          of a step of Wan VACE 1.3B and of Cosmos 3 Nano, counted without a GPU and without weights)
Hardware: one GPU with 24 GB for the default size, 480x832x49; --tiny needs any CPU.
Time:     a few minutes on a GPU, most of them for random weights.
Expected: peak memory within 20 % of the preflight; model FLOP use of 40 % is the aim with --peak-tflops of the GPU.

Source: config of Wan-AI/Wan2.1-VACE-1.3B-diffusers. FLOPs are counted by PyTorch (`FlopCounterMode`) over forward and
backward pass of one step; model FLOPs leave out what gradient checkpointing computes again.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from worldgen.models.backbones.memory_check import RESERVED_BYTES
from worldgen.models.native.loading import quiet_libraries
from worldgen.training.backbones.tune_memory import activation_bytes

PUBLISHED = dict(
    num_attention_heads=12, attention_head_dim=128, in_channels=16, out_channels=16, text_dim=4096, freq_dim=256,
    ffn_dim=8960, num_layers=30, cross_attn_norm=True, vace_layers=list(range(0, 30, 2)), vace_in_channels=96,
)  # fmt: skip
TINY = dict(
    num_attention_heads=2, attention_head_dim=12, in_channels=4, out_channels=4, text_dim=16, freq_dim=16, ffn_dim=32,
    num_layers=2, cross_attn_norm=True, vace_layers=[0, 1], vace_in_channels=72, rope_max_seq_len=64,
)  # fmt: skip
TARGETS = ("to_q", "to_k", "to_v", "to_out.0", "ffn.net.0.proj", "ffn.net.2")
CODEC_BYTES = 4 * 127_000_000
"""Of the codec in float32, which lies on the GPU in a run but not here."""
AIM = 0.4
CARDS_TFLOPS = {"RTX 4090": 165, "A100": 312, "H100": 989}
"""Dense bfloat16 peak of cards, from their data sheets (the RTX 4090 with float32 sums)."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--size", default="832x480")
    parser.add_argument("--frames", type=int, default=49)
    parser.add_argument("--rank", type=int, default=32)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--no-checkpointing", action="store_true", help="keep activations")
    parser.add_argument("--peak-tflops", type=float, default=0.0, help="of the GPU in bfloat16, dense: 989 for an H100")
    parser.add_argument("--tiny", action="store_true", help="a network of a few thousand weights at 32x32x5")
    parser.add_argument("--plan", action="store_true", help="count only")
    args = parser.parse_args()
    quiet_libraries()
    if args.plan:
        write(args.out, plan(args))
        return
    if args.device == "cuda" and not torch.cuda.is_available():
        parser.error("no CUDA device here; --tiny --device cpu runs the same code at tiny size")
    if args.tiny:
        args.size, args.frames, args.rank = "32x32", 5, 4
    write(args.out, measure(args))


def write(path: Path, record: dict[str, Any]) -> None:
    """Record and print a result."""
    path.write_text(json.dumps(record, indent=1) + "\n")
    print(json.dumps(record))


def plan(args: argparse.Namespace) -> dict[str, Any]:
    """Gigabytes and FLOPs of a step with bfloat16 weights and gradient checkpointing, batch 1, counted from shapes."""
    from diffusers import Cosmos3OmniTransformer, WanVACETransformer3DModel

    flops = counted(PUBLISHED, args)
    with torch.device("meta"):
        vace, cosmos = WanVACETransformer3DModel(**PUBLISHED), Cosmos3OmniTransformer()
    latent_frames, rows, columns = latent_shape(args)
    wide = torch.bfloat16.itemsize
    cosmos_tokens = latent_frames * (rows // 4) * (columns // 4)  # 16 pixels a latent cell, two cells a side of a token
    config = cosmos.config
    sizes = {
        "wan_vace_1.3b": (vace, planned_activations(PUBLISHED, args, torch.bfloat16)),
        "cosmos3_nano": (cosmos, activation_bytes(
            cosmos_tokens, width=config.hidden_size, hidden=config.intermediate_size, blocks=config.num_hidden_layers,
            wide=wide, checkpointing=True,
        )),
    }  # fmt: skip
    found: dict[str, Any] = {}
    for name, (network, activations) in sizes.items():
        parameters = sum(p.numel() for p in network.parameters())
        found[name] = {
            "parameters": parameters, "weights_gb": round(parameters * wide / 1e9, 2),
            "activations_gb": round(activations / 1e9, 2),
            "card_gb": round((parameters * wide + activations + CODEC_BYTES + RESERVED_BYTES) / 1e9, 1),
        }  # fmt: skip
    found["wan_vace_1.3b"] |= {
        "model_tflop_a_step": round(flops / 1e12, 1),
        "seconds_a_step_at_aim": {
            card: round(flops / 1e12 / (AIM * peak), 2) for card, peak in CARDS_TFLOPS.items()
        },
    }  # fmt: skip
    return {
        "command": "python benchmarks/finetune_step.py --plan", "size": args.size, "frames": args.frames,
        "rank": args.rank, "aim": AIM, "without": "text encoder, whose states are encoded before", **found,
    }  # fmt: skip


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Time and memory of optimiser steps of one network on one device."""
    device, dtype = torch.device(args.device), torch.float32 if args.tiny else torch.bfloat16
    config: dict[str, Any] = TINY if args.tiny else PUBLISHED
    network = adapted(config, args, device, dtype)
    trained = [p for p in network.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4)
    inputs = random_inputs(config, args, device, dtype)
    frozen = sum(p.numel() * p.element_size() for p in network.parameters() if not p.requires_grad)
    own = sum(p.numel() for p in trained) * 4
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    seconds = [step(network, optimizer, inputs) for _ in range(args.steps + 1)][1:]
    peak = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else 0
    network.disable_gradient_checkpointing()
    flops = counted(config, args)
    best = min(seconds)
    planned = frozen + 4 * own + planned_activations(config, args, dtype)
    return {
        "command": "python benchmarks/finetune_step.py" + " --tiny --device cpu" * args.tiny,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "size": args.size, "frames": args.frames, "batch": args.batch, "rank": args.rank,
        "gradient_checkpointing": not args.no_checkpointing, "dtype": str(dtype).removeprefix("torch."),
        "tokens": inputs["hidden_states"][0, 0].numel() // 4 * args.batch,
        "seconds": [round(s, 4) for s in seconds], "model_tflop_a_step": round(flops / 1e12, 6),
        "tflop_per_s": round(flops / best / 1e12, 4),
        "model_flop_use": round(flops / best / 1e12 / args.peak_tflops, 4) if args.peak_tflops else None, "aim": AIM,
        "planned_gb": round(planned / 1e9, 4), "peak_gb": round(peak / 1e9, 4) if peak else None,
        "peak_over_planned": round(peak / planned, 3) if peak else None,
        "card_gb": round((planned + CODEC_BYTES + RESERVED_BYTES) / 1e9, 2), "torch": torch.__version__,
    }  # fmt: skip


def adapted(config: dict[str, Any], args: argparse.Namespace, device: torch.device, dtype: torch.dtype) -> Any:
    """The network with random weights, frozen, and fresh float32 adapters on its main blocks."""
    from diffusers import WanVACETransformer3DModel
    from peft import LoraConfig

    torch.manual_seed(0)
    with device:
        network: Any = WanVACETransformer3DModel(**config).to(dtype)
    names = [
        name for name, layer in network.named_modules()
        if isinstance(layer, torch.nn.Linear) and name.startswith("blocks.") and name.endswith(TARGETS)
    ]  # fmt: skip
    network.requires_grad_(False)
    network.add_adapter(LoraConfig(r=args.rank, lora_alpha=args.rank, target_modules=names))
    for parameter in network.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    if not args.no_checkpointing:
        network.enable_gradient_checkpointing()
    return network.to(device).train()


def latent_shape(args: argparse.Namespace) -> tuple[int, int, int]:
    """Latent frames, rows and columns."""
    width, height = map(int, args.size.split("x"))
    return (args.frames - 1) // 4 + 1, height // 8, width // 8


def random_inputs(config: dict[str, Any], args: argparse.Namespace, device: Any, dtype: Any) -> dict[str, Any]:
    """What the network is called with, of random numbers."""
    shape = latent_shape(args)
    return {
        "hidden_states": torch.randn(args.batch, config["in_channels"], *shape, device=device, dtype=dtype),
        "control_hidden_states": torch.randn(
            args.batch, config["vace_in_channels"], *shape, device=device, dtype=dtype
        ),
        "encoder_hidden_states": torch.randn(args.batch, 512, config["text_dim"], device=device, dtype=dtype),
        "timestep": torch.full((args.batch,), 500.0, device=device), "return_dict": False,
    }  # fmt: skip


def step(network: Any, optimizer: torch.optim.Optimizer, inputs: dict[str, Any]) -> float:
    """Seconds of one optimiser step."""
    device = inputs["hidden_states"].device
    wait = torch.cuda.synchronize if device.type == "cuda" else (lambda: None)
    wait()
    start_s = time.perf_counter()
    optimizer.zero_grad(set_to_none=True)
    with torch.autocast(device.type, torch.bfloat16, enabled=inputs["hidden_states"].dtype == torch.bfloat16):
        loss = network(**inputs)[0].float().square().mean()
    loss.backward()
    optimizer.step()
    wait()
    return time.perf_counter() - start_s


def counted(config: dict[str, Any], args: argparse.Namespace) -> int:
    """FLOPs of forward and backward pass without checkpointing, counted on the meta device."""
    plain = argparse.Namespace(**{**vars(args), "no_checkpointing": True})
    device = torch.device("meta")
    network = adapted(config, plain, device, torch.float32)
    inputs = random_inputs(config, args, device, torch.float32)
    with FlopCounterMode(display=False) as counter:
        network(**inputs)[0].float().square().mean().backward()
    return counter.get_total_flops()


def planned_activations(config: dict[str, Any], args: argparse.Namespace, dtype: torch.dtype) -> int:
    """Activations as the preflight of a run counts them."""
    latent_frames, rows, columns = latent_shape(args)
    width = config["num_attention_heads"] * config["attention_head_dim"]
    return activation_bytes(
        args.batch * latent_frames * rows * columns // 4, width=width, hidden=config["ffn_dim"],
        blocks=config["num_layers"] + len(config["vace_layers"]), wide=dtype.itemsize,
        checkpointing=not args.no_checkpointing,
    )  # fmt: skip


if __name__ == "__main__":
    main()
