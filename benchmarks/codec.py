"""Reconstruction of the codec on held-out clips, one row per source, beside a public codec of equal stride.

    python benchmarks/codec.py DATA_SET... [--reference DIR] [--out benchmarks/results/codec.json]

PSNR and SSIM (Wang et al. 2004, Gaussian window, as scikit-image computes it) are means over frames. ``--reference`` is
a folder with ``taef2_encoder.safetensors`` and ``taef2_decoder.safetensors`` (TAESD family, MIT): 8x, 32 channels.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn

from worldgen.core.clip import Clip
from worldgen.data.dataset.index import DataSet
from worldgen.files.shipped import assets_dir
from worldgen.models.native.codec import PatchCodec, decode_video, encode_video, patches_of
from worldgen.models.native.loading import load_codec
from worldgen.models.native.pixels import clips_from_video, video_from_clips
from worldgen.models.weights import weights_hash

FIT_CLIPS = 100
"""Training clips of each data set to which the plain transforms are fitted."""


class PooledBlock(nn.Module):
    """Residual block of the TAESD family: three 3x3 convolutions, with ``pooled`` after a normalised 1x1 branch."""

    def __init__(self, width: int, pooled: bool):
        super().__init__()
        relu, conv = nn.ReLU, lambda: nn.Conv2d(width, width, 3, padding=1)
        self.conv = nn.Sequential(conv(), relu(), conv(), relu(), conv())
        self.pool = None
        if pooled:
            wide = 4 * width
            self.pool = nn.Sequential(
                nn.Conv2d(width, wide, 1, bias=False),
                nn.GroupNorm(4, wide),
                relu(),
                nn.Conv2d(wide, width, 1, bias=False),
            )

    def forward(self, x):
        x = x if self.pool is None else x + self.pool(x)
        return torch.relu(self.conv(x) + x)


class SoftClamp(nn.Module):
    def forward(self, x):
        return torch.tanh(x / 3) * 3


def reference_codec(folder: Path) -> tuple[nn.Module, nn.Module]:
    """Encoder and decoder whose layers have the numbers of the keys in the files."""
    width, channels = 64, 32
    down = lambda: nn.Conv2d(width, width, 3, stride=2, padding=1, bias=False)  # noqa: E731
    plain = lambda: nn.Conv2d(width, width, 3, padding=1, bias=False)  # noqa: E731
    blocks = lambda n, pooled=False: [PooledBlock(width, pooled) for _ in range(n)]  # noqa: E731
    encoder = nn.Sequential(
        nn.Conv2d(3, width, 3, padding=1), *blocks(1), down(), *blocks(3), down(), *blocks(3), down(), *blocks(3, True),
        nn.Conv2d(width, channels, 3, padding=1),
    )  # fmt: skip
    up = lambda: nn.Upsample(scale_factor=2)  # noqa: E731
    decoder = nn.Sequential(
        SoftClamp(),
        nn.Conv2d(channels, width, 3, padding=1),
        nn.ReLU(),
        *blocks(3, True),
        up(),
        plain(),
        *blocks(3),
        up(),
        plain(),
        *blocks(3),
        up(),
        plain(),
        *blocks(1),
        nn.Conv2d(width, 3, 3, padding=1),
    )
    encoder.load_state_dict(load_file(folder / "taef2_encoder.safetensors"))
    decoder.load_state_dict(load_file(folder / "taef2_decoder.safetensors"))
    return encoder.eval(), decoder.eval()


def quality(clip: Clip, rebuilt: Clip) -> dict[str, float]:
    """PSNR in dB and SSIM, means over frames. It needs scikit-image, which worldgen does not install."""
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    pairs = list(zip(clip.frames, rebuilt.frames, strict=True))
    settings = {"channel_axis": -1, "gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    return {
        "psnr_db": float(np.mean([peak_signal_noise_ratio(a, b) for a, b in pairs])),
        "ssim": float(np.mean([structural_similarity(a, b, **settings) for a, b in pairs])),
    }


@torch.no_grad()
def transforms(urls: list[str], channels: list[int]) -> dict[str, PatchCodec]:
    """Codecs without a trained decoder, with several numbers of channels, fitted to the training clips of the data
    sets."""
    total, outer, count = 0.0, 0.0, 0
    for url in urls:
        data = DataSet(url)
        training = [i for i, row in enumerate(data.rows) if row["split"] == "train" and row["accepted"]]
        for i in training[:: max(1, len(training) // FIT_CLIPS)]:
            clip = data.load(i).clip
            height, width = clip.height_px // 16 * 16, clip.width_px // 16 * 16
            frames = Clip(np.ascontiguousarray(clip.frames[::6, :height, :width]), clip.fps)
            rows = patches_of(video_from_clips([frames])[0].movedim(1, 0)).double()
            total, outer, count = total + rows.sum(0), outer + rows.T @ rows, count + len(rows)
    mean = total / count
    fitted = {}
    for number in channels:
        codec = PatchCodec(number, width=8)
        codec.fit(mean, outer / count - torch.outer(mean, mean))
        fitted[f"transform_{number}"] = codec
    return fitted


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+")
    parser.add_argument("--codec", default="")
    parser.add_argument("--reference", default="")
    parser.add_argument(
        "--transforms", type=int, nargs="*", default=[], metavar="C", help="also plain transforms of C channels"
    )
    parser.add_argument(
        "--fit", nargs="*", default=[], metavar="DATA_SET", help="data sets to which the plain transforms are fitted"
    )
    parser.add_argument("--clips", type=int, default=6, help="clips per source, spread evenly")
    parser.add_argument("--out", default="benchmarks/results/codec.json")
    args = parser.parse_args()
    codec = load_codec(args.codec or assets_dir() / "model")
    reference = reference_codec(Path(args.reference)) if args.reference else None
    plain = transforms(args.fit or args.data, args.transforms)
    rows = defaultdict(list)
    encode_s = decode_s = 0.0
    frames = 0
    for url in args.data:
        data = DataSet(url)
        by_source = defaultdict(list)
        for i, row in enumerate(data.rows):
            name = "rendered" if row["drive"].startswith("scene_") else row["drive"]
            by_source[name, row["split"]].append(i)
        for (name, split), indices in by_source.items():
            if name == "rendered" and split == "train":
                continue
            for i in np.unique(np.linspace(0, len(indices) - 1, args.clips).astype(int)):
                sample = data.load(indices[i])
                clip = Clip(sample.clip.frames[::6], sample.clip.fps)
                height, width = clip.height_px // 16 * 16, clip.width_px // 16 * 16
                clip = Clip(np.ascontiguousarray(clip.frames[:, :height, :width]), clip.fps)
                video = video_from_clips([clip])
                start = time.perf_counter()
                latents = encode_video(codec, video)
                middle = time.perf_counter()
                rebuilt = decode_video(codec, latents)
                decode_s += time.perf_counter() - middle
                encode_s += middle - start
                frames += len(clip)
                record = quality(clip, clips_from_video(rebuilt, clip.fps)[0])
                for label, other in plain.items():
                    again = clips_from_video(decode_video(other, encode_video(other, video)), clip.fps)[0]
                    record |= {f"{label}_{k}": v for k, v in quality(clip, again).items()}
                if reference is not None:
                    batch = video[0].movedim(0, 1) / 2 + 0.5
                    there = (reference[1](reference[0](batch)) * 2 - 1).movedim(0, 1)[None]
                    record |= {
                        f"reference_{k}": v for k, v in quality(clip, clips_from_video(there, clip.fps)[0]).items()
                    }
                rows[name, split].append(record)
    table = [
        {"source": name, "split": split, "clips": len(records)}
        | {key: round(float(np.mean([r[key] for r in records])), 4) for key in records[0]}
        for (name, split), records in sorted(rows.items())
    ]
    result = {
        "what": "codec reconstruction", "weights_hash": weights_hash(codec.state_dict()), "frames": frames,
        "encode_frames_per_s": round(frames / encode_s, 1), "decode_frames_per_s": round(frames / decode_s, 1),
        "threads": torch.get_num_threads(), "torch": torch.__version__, "sources": table,
    }  # fmt: skip
    Path(args.out).write_text(json.dumps(result, indent=2) + "\n")
    for row in table:
        print(" ".join(f"{k}={v}" for k, v in row.items()))


if __name__ == "__main__":
    main()
