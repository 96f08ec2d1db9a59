"""Turn finished training runs into the shipped model: half-precision weights, a record of the training, and a card.

    python pipelines/publish_model.py RUN... [--codec-run DIR_OR_JSON] [--average 2] [--out assets/model]
    python pipelines/publish_model.py --card-only [--out assets/model]

RUN: folders of ``worldgen train``, in order; the last one holds the model. ``--average N``: the transformer's weights
are the mean of those of the last N runs, each of which started from the one before (Wortsman et al. 2022,
arXiv:2203.05482). Every number of the card comes from ``training.json`` beside it, from ``benchmarks/results/*.json``
and from ``eval/results/*.json``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from model_card import card

REPOSITORY = Path(__file__).resolve().parents[1]
LIMIT_MB = 32.0
"""All shipped weights together, so that a clone and a wheel stay small."""


def run_record(run: Path) -> dict:
    """Settings and validation curve of a run, from the files that every run writes."""
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


def _portable(value: Any) -> Any:
    """The value with paths cut to their last part, because the rest belongs to one machine."""
    if isinstance(value, dict):
        return {k: _portable(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_portable(v) for v in value]
    if isinstance(value, str) and "/" in value and " " not in value:
        return Path(value).name
    return value


def data_record(urls: list[str]) -> list[dict]:
    """Clips, hours, splits, licences and sources of each training data set."""
    from collections import Counter

    from worldgen.data.dataset.index import DataSet

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


def publish(models: list[Path], runs: list[Path], codec_run: str, out: Path, notes: list[str]) -> None:
    """Write the last of ``models`` to ``out``, with the mean transformer of all of them, and ``training.json``."""
    import torch

    import worldgen
    from worldgen.models.native.loading import NETWORKS, load_painter, load_pipeline, pipeline_hash

    pipeline = load_pipeline(models[-1])
    if pipeline.painter is None and (out / "painter").is_dir():  # a run from random weights: the painter there stays
        pipeline.register_modules(painter=load_painter(out / "painter"))
    pipeline.transformer.load_state_dict(_mean([load_pipeline(model).transformer.state_dict() for model in models]))
    trained_hash = pipeline_hash(pipeline)
    for name in NETWORKS:
        getattr(pipeline, name).half()
    pipeline.save_pretrained(out)
    for file in (out / "model_index.json", *out.glob("*/config.json")):
        config = json.loads(file.read_text())
        config.pop("_name_or_path", None)  # a folder of the machine that trained it
        file.write_text(json.dumps(config, indent=2) + "\n")
    for file in out.rglob("*.safetensors"):
        file.chmod(0o644)
    shipped = load_pipeline(out)
    size_mb = sum(f.stat().st_size for f in out.rglob("*.safetensors")) / 1e6
    if size_mb > LIMIT_MB:
        raise SystemExit(f"weights: {size_mb:.1f} MB, at most {LIMIT_MB} MB")
    urls = settings(runs[-1] if runs else Path(codec_run))["data"]["urls"]
    codec = {}
    if codec_run:
        path = Path(codec_run)
        codec = json.loads(path.read_text()) if path.is_file() else run_record(path)
    record = {
        "worldgen": worldgen.__version__,
        "torch": torch.__version__,
        "weights_mb": round(size_mb, 2),
        "weights_hash": pipeline_hash(shipped),
        "trained_hash": trained_hash,
        "parameters": {name: sum(p.numel() for p in getattr(shipped, name).parameters()) for name in NETWORKS},
        "accepts": list(shipped.accepts),
        "size_px": list(shipped.size_px),
        "fps": shipped.transformer.config.fps,
        "data": data_record(list(urls)),
        "notes": notes,
        "codec_run": codec,
        "averaged_runs": len(models),
        "runs": [run_record(run) for run in runs],
    }
    (out / "training.json").write_text(json.dumps(record, indent=2) + "\n")


def _mean(states: list[dict]) -> dict:
    return {name: sum(state[name].float() for state in states) / len(states) for name in states[-1]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="*", type=Path)
    parser.add_argument("--codec-run", default="")
    parser.add_argument(
        "--model", type=Path, help="a pipeline in place of the last run's; without RUN, an untrained one"
    )
    parser.add_argument(
        "--average", type=int, default=1, metavar="N", help="average the transformers of the last N runs (default 1)"
    )
    parser.add_argument("--out", type=Path, default=REPOSITORY / "assets" / "model")
    parser.add_argument(
        "--note", action="append", default=[], help="a difference between these runs and the recipe; may be repeated"
    )
    parser.add_argument("--card-only", action="store_true")
    args = parser.parse_args()
    if not args.card_only:
        if not (args.runs or (args.model and args.codec_run)):
            parser.error("name at least one run, or --model with --codec-run, or --card-only")
        if not 1 <= args.average <= max(1, len(args.runs)) or (args.model and args.average > 1):
            parser.error(f"--average: received {args.average}, expected 1 to the number of runs, 1 with --model")
        models = [args.model] if args.model else [run / "model" for run in args.runs[-args.average :]]
        publish(models, args.runs, args.codec_run, args.out, args.note)
    (args.out / "README.md").write_text(card(args.out))


if __name__ == "__main__":
    main()
