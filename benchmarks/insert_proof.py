"""Proofs and plans of inserts in stills: nothing else changes, labels fit, the order in depth, 10,000 pictures.

  python benchmarks/insert_proof.py camvid --masks camvid/masks --mask-value road=3 --out proof.json

Bit-equality and labels: inserts are put into real pictures one by one until there are ``--inserts``; each pixel that is
not of the insert must be equal, and the label's box and seen pixels are compared with the silhouette as cast and cut by
what is nearer. Order: 100 scenes made by hand of boxes at known depths. Plan: a set of 10,000 pictures, links to the
pictures of SET under new names, planned by ``worldgen generate plan``. Pictures are never written elsewhere.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from worldgen.core.labels import CLASSES
from worldgen.core.seeds import numpy_rng
from worldgen.data.ingest.labelled.picture_set import PictureSet
from worldgen.generation.insert.compositing import PutInsert, restored
from worldgen.generation.insert.insert_plan import MASK_CODES, LabelledPicture, box_of
from worldgen.generation.insert.inserted_picture import insert_into
from worldgen.generation.insert.labelled_sets.insert_config import InsertCell, InsertConfig, SetGrounds
from worldgen.generation.insert.labelled_sets.still_files import StillFile, mask_reader, read_stills
from worldgen.generation.insert.nearer_objects import NearerObjects
from worldgen.generation.insert.placing import wishes_of
from worldgen.instruments.detector.detector import box_iou

WISHES = "pedestrian, cyclist, motorcycle, car parked"
SCENES, OBJECTS = 100, 5
SIZE, HORIZON_PX, FOCAL_PX, CAMERA_M = (320, 200), 80.0, 277.0, 1.5
PLANNED = 10_000
QUOTAS = "[{what: pedestrian crossing, count: 500}, {what: cyclist, count: 300}]"


def measured_inserts(stills: list[StillFile], args: argparse.Namespace) -> dict[str, Any]:
    """Pixels outside of inserts that changed, overlaps of labels, and speed."""
    masks = mask_reader(args.masks, args.mask_value)
    grounds = SetGrounds(stills, InsertConfig((InsertCell("car"),)))
    wishes = wishes_of(WISHES, (24.0, 200.0))
    wrong = unrestored = made = tried = 0
    boxes: list[float] = []
    seconds = 0.0
    seed = 0
    order = numpy_rng("insert proof", args.seed).permutation(len(stills))
    while made < args.inserts and seed < 20:
        for number in order:
            if made >= args.inserts:
                break
            picture = stills[int(number)].picture(masks)
            try:
                ground = grounds.of(int(number))
            except ValueError:
                continue
            start_s = time.process_time()
            done = insert_into(picture, ground, [wishes[(tried + seed) % len(wishes)]], seed=seed)
            seconds += time.process_time() - start_s
            tried += 1
            for put in done.put:
                made += 1
                wrong += int((done.frame != picture.frame).any(-1)[~changed_pixels(put, picture)].sum())
                unrestored += int((restored(done.frame, put) != picture.frame).any(-1).sum())
                hidden = NearerObjects(picture).hiding(put.window, put.patch.contact_px)
                truth = box_of((put.patch.alpha >= 0.5) & ~hidden, put.patch.left_px, put.patch.top_px)
                boxes.append(float(box_iou(np.array([truth], np.float32), np.array([put.box_px], np.float32))[0, 0]))
        seed += 1
    return {
        "pictures_tried": tried, "inserts": made, "changed_pixels_outside": wrong, "pixels_not_restored": unrestored,
        "label_iou": {"mean": round(float(np.mean(boxes)), 4), "least": round(float(np.min(boxes)), 4)},
        "inserts_per_minute_per_core": round(60 * made / max(seconds, 1e-6), 1),
    }  # fmt: skip


def changed_pixels(put: PutInsert, picture: LabelledPicture) -> np.ndarray:
    """``(H, W)`` bool, the pixels that an insert says it changed."""
    out = np.zeros(picture.frame.shape[:2], bool)
    left, top, width, height = put.window
    out[top : top + height, left : left + width] = put.changed
    return out


def measured_order() -> dict[str, Any]:
    """Pixels of an object that nearer ones hide, against boxes at known depths."""
    decided, wrong, scenes_wrong = 0, 0.0, 0
    for seed in range(SCENES):
        rng = numpy_rng("order", seed)
        depth_m = rng.uniform(4, 40, OBJECTS)
        column = rng.uniform(60, 260, OBJECTS)
        contact = HORIZON_PX + FOCAL_PX * CAMERA_M / depth_m
        tall, wide = 1.7 * FOCAL_PX / depth_m, 0.6 * FOCAL_PX / depth_m
        boxes = np.stack([column - wide / 2, contact - tall, column + wide / 2, np.minimum(contact, SIZE[1])], 1)
        boxes = np.maximum(boxes, 0).round()
        codes = np.full((SIZE[1], SIZE[0]), MASK_CODES["road"], np.uint8)
        truth = np.zeros(codes.shape, bool)
        for k in range(1, OBJECTS):
            x0, y0, x1, y1 = boxes[k].astype(int)
            codes[y0:y1, x0:x1] = MASK_CODES["pedestrian"]
            truth[y0:y1, x0:x1] |= depth_m[k] < depth_m[0]
        picture = LabelledPicture(
            np.full((*codes.shape, 3), 110, np.uint8), np.full(OBJECTS - 1, CLASSES.index("pedestrian")), boxes[1:],
            np.zeros(OBJECTS - 1, bool), f"scene {seed}", codes,
        )  # fmt: skip
        order = NearerObjects(picture)
        if not order.sure(boxes[0], float(contact[0])):
            continue
        decided += 1
        x0, y0, x1, y1 = boxes[0].astype(int)
        hidden = order.hiding((x0, y0, x1 - x0, y1 - y0), float(contact[0]))
        share = float((hidden != truth[y0:y1, x0:x1]).mean())
        wrong = max(wrong, share)
        scenes_wrong += share > 0.04
    return {"scenes": SCENES, "sure": decided, "wrong_order": scenes_wrong, "worst_wrong_pixels": round(wrong, 4)}


def measured_plan(stills: list[StillFile], split: str) -> dict[str, Any]:
    """``worldgen generate plan`` on a set of ``PLANNED`` pictures, and how long the plan itself takes."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "many"
        (root / "images").mkdir(parents=True)
        (root / "annotations").mkdir()
        images: list[dict[str, Any]] = []
        rows: list[dict[str, Any]] = []
        for k in range(PLANNED):
            still = stills[k % len(stills)]
            name = f"images/{k:05}{still.file.suffix}"
            (root / name).symlink_to(still.file.resolve())
            images.append({"id": k, "file_name": name, "width": still.size_px[0], "height": still.size_px[1]})
            for class_id, (x0, y0, x1, y1) in zip(still.class_id, still.box_px.tolist(), strict=True):
                rows.append({"id": len(rows) + 1, "image_id": k, "category_id": int(class_id) + 1,
                             "bbox": [x0, y0, x1 - x0, y1 - y0]})  # fmt: skip
        categories = [{"id": number + 1, "name": name} for number, name in enumerate(CLASSES)]
        content = {"images": images, "annotations": rows, "categories": categories}
        (root / "annotations" / f"{split}.json").write_text(json.dumps(content))
        start_s = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "worldgen.cli.main", "generate", "plan", "--json", "--config",
             "configs/insert/rare_road_users.yaml", f"insert={QUOTAS}", "judge=''", f"set={root}",
             f"output={folder}/out"],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        return json.loads(done.stdout) | {"plan_s": round(time.monotonic() - start_s, 1), "quotas": QUOTAS}


def main() -> None:
    """Measure and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", help="labelled stills")
    parser.add_argument("--inserts", type=int, default=200)
    parser.add_argument("--pictures", type=int, default=0, help="at most so many of the set (default: all)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--masks", default="")
    parser.add_argument("--mask-value", action="append", default=[])
    parser.add_argument("--category", action="append", default=[])
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    classes = dict(word.split("=") for word in args.category)
    stills = list(read_stills(args.set, PictureSet(frames=1, classes=classes)).first(args.pictures).files)
    parts = {
        "order": measured_order, "plan": lambda: measured_plan(stills, stills[0].split),
        "inserts": lambda: measured_inserts(stills, args),
    }  # fmt: skip
    result: dict[str, Any] = {"set": Path(args.set).name}
    Path(args.out).parent.mkdir(parents=True, exist_ok=True)
    for name, measure in parts.items():
        result[name] = measure()
        Path(args.out).write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
