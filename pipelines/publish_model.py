"""Turn finished training runs into the shipped model: half-precision weights, a record of the training, and a card.

    python pipelines/publish_model.py RUN... [--codec-run DIR_OR_JSON] [--out assets/model]
    python pipelines/publish_model.py --card-only [--out assets/model]

RUN: folders of ``worldgen train``, in order; the last one holds the model. Every number of the card comes from
``training.json`` beside it and from ``benchmarks/results/*.json``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
RESULTS = REPOSITORY / "benchmarks" / "results"
LIMIT_MB = 32.0
"""All shipped weights together, so that a clone and a wheel stay small."""


def run_record(run: Path) -> dict:
    """What a run was and how its validation went, from the files every run writes."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    train = [line for line in lines if line["kind"] == "train"]
    return {
        "run": run.name, "steps": train[-1]["step"], "minutes": round(train[-1]["elapsed_s"] / 60, 1),
        "settings": _portable(settings(run)), "validation": [
            {k: round(v, 4) if isinstance(v, float) else v for k, v in line.items() if k not in ("kind", "elapsed_s")}
            for line in lines if line["kind"] == "val"
        ],
    }  # fmt: skip


def settings(run: Path) -> dict:
    """The resolved configuration of a run."""
    from omegaconf import OmegaConf

    return OmegaConf.to_container(OmegaConf.load(run / "config.yaml"))


def _portable(value):
    """Paths cut to their last part: a record speaks of the run, not of the machine."""
    if isinstance(value, dict):
        return {k: _portable(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_portable(v) for v in value]
    if isinstance(value, str) and "/" in value and " " not in value:
        return Path(value).name
    return value


def data_record(urls: list[str]) -> list[dict]:
    from collections import Counter

    from worldgen.data.index import DataSet

    out = []
    for url in urls:
        rows = DataSet(url).rows
        sources = Counter("rendered scenes" if row["drive"].startswith("scene_") else row["drive"] for row in rows)
        out.append({
            "name": Path(url).name, "clips": len(rows), "splits": dict(Counter(row["split"] for row in rows)),
            "hours": round(sum(row["num_frames"] / row["fps"] for row in rows) / 3600, 3),
            "licences": sorted({row["licence"] for row in rows}), "sources": dict(sources),
        })  # fmt: skip
    return out


def publish(runs: list[Path], codec_run: str, out: Path, notes: list[str]) -> None:
    import torch

    import worldgen
    from worldgen.models.bundle import NETWORKS, load_pipeline, pipeline_hash

    pipeline = load_pipeline(runs[-1] / "model")
    trained_hash = pipeline_hash(pipeline)
    for name in NETWORKS:
        getattr(pipeline, name).half()
    pipeline.save_pretrained(out)
    for file in (out / "model_index.json", *out.glob("*/config.json")):
        config = json.loads(file.read_text())
        config.pop("_name_or_path", None)  # where it lay on the machine that trained it
        file.write_text(json.dumps(config, indent=2) + "\n")
    for file in out.rglob("*.safetensors"):
        file.chmod(0o644)
    shipped = load_pipeline(out)
    size_mb = sum(f.stat().st_size for f in out.rglob("*.safetensors")) / 1e6
    if size_mb > LIMIT_MB:
        raise SystemExit(f"weights: {size_mb:.1f} MB, at most {LIMIT_MB} MB")
    urls = settings(runs[-1])["data"]["urls"]
    codec = {}
    if codec_run:
        path = Path(codec_run)
        codec = json.loads(path.read_text()) if path.is_file() else run_record(path)
    record = {
        "worldgen": worldgen.__version__, "torch": torch.__version__, "weights_mb": round(size_mb, 2),
        "weights_hash": pipeline_hash(shipped), "trained_hash": trained_hash,
        "parameters": {name: sum(p.numel() for p in getattr(shipped, name).parameters()) for name in NETWORKS},
        "accepts": list(shipped.accepts), "size_px": list(shipped.size_px), "fps": shipped.transformer.config.fps,
        "data": data_record(list(urls)), "notes": notes, "codec_run": codec, "runs": [run_record(run) for run in runs],
    }  # fmt: skip
    (out / "training.json").write_text(json.dumps(record, indent=2) + "\n")


def card(out: Path) -> str:
    record = json.loads((out / "training.json").read_text())
    results = {p.stem: json.loads(p.read_text()) for p in sorted(RESULTS.glob("*.json"))}
    parameters = ", ".join(f"{name} {count / 1e6:.2f} M" for name, count in record["parameters"].items())
    lines = [
        "# The shipped model", "",
        "A small driving world model: past frames, ego motion, words and a scene layout in, video latents out. It is a "
        "reference and a working default for a laptop CPU, **not photorealistic and not for judging real systems**. It "
        "shows road, lane marks, light and weather; objects are soft and lose their shape within a second or two of a "
        "rollout. Labels of a sample come from the scene; nothing yet checks that the pixels agree with them.", "",
        "| | |", "| --- | --- |",
        f"| size and rate | {record['size_px'][0]} x {record['size_px'][1]} at {record['fps']:g} frames/s |",
        f"| conditions honoured | {', '.join(record['accepts'])} |",
        f"| parameters | {parameters} |",
        f"| weights | {record['weights_mb']} MB, float16 safetensors, hash `{record['weights_hash']}` |",
        "| licence | Apache-2.0 |", "",
        "## Data", "", "| data set | clips | hours | licences | sources |", "| --- | --- | --- | --- | --- |",
    ]  # fmt: skip
    for data in record["data"]:
        sources = ", ".join(f"{name} {count}" for name, count in sorted(data["sources"].items()))
        lines.append(f"| {data['name']} | {data['clips']} | {data['hours']} | {', '.join(data['licences'])} | {sources} |")
    lines += [
        "", "Rendered scenes have exact ego motion, captions and layouts. Real clips have captions, and ego motion where a log "
        "gives it. Splits are by drive.", "", "## Training", "",
        "The recipe is `pipelines/train_default.sh`. The runs behind these weights, in order (records in `training.json`):", "",
        "| run | steps | minutes | validation error, first to last |", "| --- | --- | --- | --- |",
    ]  # fmt: skip
    if record["codec_run"]:
        lines.append(_run_row("codec", record["codec_run"]))
    lines += [_run_row(run["run"], run) for run in record["runs"]]
    lines += [
        "", "The validation error of a world run is the mean velocity error over the noise levels in `training.json`; each "
        "run's curve compares with itself only, because the first run predicted velocity and later ones the clean frame, whose "
        "error counts most at the lowest level.",
    ]  # fmt: skip
    notes = record.get("notes", []) + [note for run in [record["codec_run"], *record["runs"]] for note in run.get("notes", ())]
    lines += ["", *[f"- {note}" for note in notes]] if notes else []
    if "codec" in results:
        lines += _codec_table(results["codec"])
    if "speed" in results:
        lines += _speed_table(results["speed"])
    return "\n".join(lines) + "\n"


def _run_row(name: str, run: dict) -> str:
    key = "psnr_db" if run["validation"] and "psnr_db" in run["validation"][0] else "loss"
    curve = [v[key] for v in run["validation"]]
    shown = f"{key} {curve[0]:.3f} to {curve[-1]:.3f}" if curve else "not measured"
    return f"| {name} | {run['steps']} | {run['minutes']} | {shown} |"


def _codec_table(result: dict) -> list[str]:
    referenced = any("reference_psnr_db" in row for row in result["sources"])
    head = "| source | split | PSNR dB | SSIM |" + (" reference PSNR dB | reference SSIM |" if referenced else "")
    lines = [
        "", "## Codec", "",
        f"{result['frames']} frames; encodes {result['encode_frames_per_s']} and decodes {result['decode_frames_per_s']} "
        f"frames/s on {result['threads']} threads. `python benchmarks/codec.py`. The reference is a public autoencoder of "
        "equal stride with twice the latent channels. Sources other than the training data are used for measuring only.",
        "", head, "| --- " * head.count(" | ") + "| --- |",
    ]  # fmt: skip
    for row in result["sources"]:
        cells = [row["source"], row["split"], f"{row['psnr_db']:.2f}", f"{row['ssim']:.3f}"]
        if referenced:
            cells += [f"{row['reference_psnr_db']:.2f}", f"{row['reference_ssim']:.3f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _speed_table(result: dict) -> list[str]:
    rollout = result["rollout"]
    late = next(k for k in rollout if k.startswith("s_per_frame_at_") and k != "s_per_frame_at_20")
    rows = [
        ("`worldgen sample`, 25 frames, cold start", f"{result['sample_25_frames_cold']['seconds']} s, peak {result['sample_25_frames_cold']['peak_mib']} MiB"),
        ("`worldgen --help`", f"{result['help_s']} s"),
        ("forward, share of the matrix-product peak", f"{result['forward']['share_of_peak']:.0%}"),
        ("training step, share of the matrix-product peak", f"{result['training_step']['share_of_peak']:.0%}"),
        (f"rollout, s a frame at 20 and at {late.rsplit('_', 1)[1]}", f"{rollout['s_per_frame_at_20']} and {rollout[late]}, ratio {rollout['ratio']}"),
    ]  # fmt: skip
    return [
        "", "## Speed", "", f"{result['threads']} CPU threads, PyTorch {result['torch']}. `python benchmarks/speed.py`.", "",
        "| what | measured |", "| --- | --- |", *[f"| {name} | {value} |" for name, value in rows],
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="*", type=Path)
    parser.add_argument("--codec-run", default="")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "assets" / "model")
    parser.add_argument("--note", action="append", default=[], help="how these runs differ from the recipe")
    parser.add_argument("--card-only", action="store_true")
    args = parser.parse_args()
    if not args.card_only:
        if not args.runs:
            parser.error("name at least one run, or --card-only")
        publish(args.runs, args.codec_run, args.out, args.note)
    (args.out / "README.md").write_text(card(args.out))


if __name__ == "__main__":
    main()
