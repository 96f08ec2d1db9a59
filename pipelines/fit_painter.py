"""Fit a painter without a network: only its lens, from the spectra of drawn and recorded pictures.

    python pipelines/fit_painter.py DRAWN RECORDED --out runs/painter_lens [--record FILE.json]

DRAWN, RECORDED: data sets of one picture size, such as those of configs/train/painter.yaml. The network of that config
starts from the same lens. Time: under a minute.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path


def main() -> None:
    """Fit, save, and record what it was fitted to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("drawn")
    parser.add_argument("recorded")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--record", type=Path)
    args = parser.parse_args()

    from worldgen.data.dataset.index import DataSet
    from worldgen.models.native.painter.scene_painter import ScenePainter
    from worldgen.models.weights import weights_hash
    from worldgen.training.data.clips import Clips
    from worldgen.training.data.painter_items import PainterItems
    from worldgen.training.train_config import DataConfig

    rows = DataSet(args.recorded).rows
    size = rows[0]["width_px"], rows[0]["height_px"]
    data = DataConfig(urls=(args.drawn, args.recorded), width_px=size[0], height_px=size[1], num_frames=1)
    items = PainterItems(Clips(data), drawn=0.5)
    sigma_px = items.lens_sigma_px()
    painter = ScenePainter(width=0, blocks=0)
    painter.set_lens(sigma_px)
    painter.save_pretrained(args.out)
    drives = Counter(row["drive"] for row in rows if row["split"] == "train")
    record = {
        "part": "painter", "lens_sigma_px": round(sigma_px, 4), "size_px": list(size), "network": None,
        "drawn_clips": len(items.kinds[False]), "recorded_clips": dict(sorted(drives.items())),
        "weights_hash": weights_hash(painter.state_dict()),
    }  # fmt: skip
    if args.record:
        args.record.parent.mkdir(parents=True, exist_ok=True)
        args.record.write_text(json.dumps(record, indent=2) + "\n")
    print(f"{args.out}: lens of {sigma_px:.3f} px from {record['drawn_clips']} drawn clips and {len(drives)} drives")


if __name__ == "__main__":
    main()
