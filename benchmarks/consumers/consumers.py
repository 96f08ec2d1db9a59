"""Give exports and shards of a data set to the projects that train on them, and write what came of it as JSON.

    python benchmarks/consumers/consumers.py --coco coco --yolo yolo --kitti kitti --shards set [--out FILE]

Runs in an environment of its own (README.md beside this file); it imports nothing of worldgen. Each reader is another
project's own code. A reader that fails is recorded with its error, and the exit status is then 1.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import math
import platform
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path

SHOWN_ERROR = 400
"""Characters of an error that are kept."""


def masks_of_every_annotation(coco: Path) -> dict:
    """pycocotools: ``annToMask`` of every annotation of every split; counts of empty masks and of crowd."""
    from pycocotools.coco import COCO

    counts: Counter[str] = Counter()
    for path in sorted((coco / "annotations").glob("*.json")):
        data = COCO(str(path))
        for annotation in data.loadAnns(data.getAnnIds()):
            mask = data.annToMask(annotation)
            width, height = annotation["bbox"][2:]
            counts["annotations"] += 1
            counts["crowd"] += int(annotation["iscrowd"])
            counts["empty_masks"] += int(not mask.any())
            counts["boxes_without_area"] += int(width <= 0 or height <= 0)
        counts["images"] += len(data.getImgIds())
    return {name: counts[name] for name in ("images", "annotations", "crowd", "empty_masks", "boxes_without_area")}


def detection_steps(coco: Path, steps: int, batch: int) -> dict:
    """torchvision: training steps of Faster R-CNN with random weights over images spread over the train split.

    Targets are made as torchvision's own reference script does: crowd left out, boxes x0 y0 x1 y1.
    """
    import torch
    from torchvision.datasets import CocoDetection
    from torchvision.models.detection import fasterrcnn_mobilenet_v3_large_320_fpn
    from torchvision.transforms.functional import to_tensor

    torch.manual_seed(0)
    data = CocoDetection(str(coco), str(coco / "annotations" / "train.json"))
    names = sorted(data.coco.cats)
    model = fasterrcnn_mobilenet_v3_large_320_fpn(weights=None, weights_backbone=None, num_classes=len(names) + 1)
    model.train()
    optimiser = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.002, momentum=0.9)
    losses, boxes = [], 0
    for step in range(steps):
        chosen = [(step * batch + i) * len(data) // (steps * batch) for i in range(batch)]
        pictures, targets = [], []
        for picture, known in (data[i] for i in chosen):
            kept = [a for a in known if not a["iscrowd"]]
            box = torch.tensor([a["bbox"] for a in kept], dtype=torch.float32).reshape(-1, 4)
            box[:, 2:] += box[:, :2]
            labels = torch.tensor([names.index(a["category_id"]) + 1 for a in kept], dtype=torch.int64)
            pictures.append(to_tensor(picture))
            targets.append({"boxes": box, "labels": labels})
            boxes += len(kept)
        loss = sum(model(pictures, targets).values())
        assert math.isfinite(float(loss)), f"loss {float(loss)} at step {step}"
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(round(float(loss), 4))
    assert_takes_every_target(data, names)
    return {"images_of_train": len(data), "steps": steps, "batch": batch, "boxes": boxes, "losses": losses}


def assert_takes_every_target(data, names: list[int]) -> None:
    """Torchvision's own check of targets, on all images: no box without area. Training reads all of them in time."""
    for image in data.ids:
        for annotation in data.coco.loadAnns(data.coco.getAnnIds(image)):
            width, height = annotation["bbox"][2:]
            assert annotation["iscrowd"] or (width > 0 and height > 0), annotation
            assert annotation["category_id"] in names, annotation


def ultralytics_check(yolo: Path) -> dict:
    """ultralytics: ``check_det_dataset``, then its own loader over every image and label file of both splits."""
    from ultralytics.data import YOLODataset
    from ultralytics.data.utils import check_det_dataset

    facts = check_det_dataset(str(yolo / "data.yaml"), autodownload=False)
    record: dict = {"classes": len(facts["names"])}
    for split in ("train", "val"):
        data = YOLODataset(img_path=facts[split], data=facts, task="detect", augment=False, imgsz=224)
        boxes = sum(len(label["bboxes"]) for label in data.labels)
        cached = data.get_labels()
        files = len(list(Path(facts[split]).glob("*")))
        assert len(cached) == files, f"{split}: {len(cached)} of {files} images read"
        record[split] = {"images": files, "images_read": len(cached), "boxes": boxes}
        assert data[0]["img"].shape[0] == 3
    return record


def supervision_loaders(coco: Path, yolo: Path) -> dict:
    """supervision: ``DetectionDataset.from_coco`` and ``from_yolo``, with every picture and its boxes read."""
    import supervision

    record = {}
    sets = {
        "coco": supervision.DetectionDataset.from_coco(str(coco), str(coco / "annotations" / "train.json")),
        "yolo": supervision.DetectionDataset.from_yolo(
            str(yolo / "images" / "train"), str(yolo / "labels" / "train"), str(yolo / "data.yaml")
        ),
    }
    for name, data in sets.items():
        boxes = flat = 0
        for _, picture, detections in data:
            assert picture is not None and picture.ndim == 3
            boxes += len(detections)
            flat += int((detections.area <= 0).sum())
        record[name] = {"images": len(data), "boxes": boxes, "boxes_without_area": flat, "classes": len(data.classes)}
        assert not flat, f"{name}: {flat} boxes without area"
    return record


def kitti_files(kitti: Path) -> dict:
    """torchvision: its ``Kitti`` data set over the export, every picture and label line."""
    from torchvision.datasets import Kitti

    with tempfile.TemporaryDirectory() as root:
        raw = Path(root) / "Kitti" / "raw"
        raw.mkdir(parents=True)
        (raw / "training").symlink_to((kitti / "training").resolve())
        data = Kitti(root, train=True)
        types: Counter[str] = Counter()
        flat = 0
        for picture, target in data:
            assert picture.size[0] > 0
            types.update(each["type"] for each in target)
            flat += sum(each["bbox"][2] <= each["bbox"][0] or each["bbox"][3] <= each["bbox"][1] for each in target)
    assert not flat, f"{flat} boxes without area"
    return {"images": len(data), "types": dict(types)}


def shards_of_hub_library(shards: Path) -> dict:
    """Hugging Face datasets: ``load_dataset("webdataset", ...)`` on the shards, whole and streamed, every sample read.

    Videos are decoded by PyAV from the bytes that the library returns, because its own decoder needs more libraries.
    """
    import io

    import av
    from datasets import Video, load_dataset

    files = sorted(str(path) for path in shards.glob("accepted-*.tar"))
    data = load_dataset("webdataset", data_files={"train": files}, split="train")
    record = {"samples": len(data), "features": {name: str(kind)[:60] for name, kind in data.features.items()}}
    rows = frames = 0
    for row in data.cast_column("mp4", Video(decode=False)):
        labels = row["labels.json"]
        rows += len(labels["track_id"])
        assert len(labels["frame_index"]) == len(labels["box_px"]), row["__key__"]
        with av.open(io.BytesIO(row["mp4"]["bytes"])) as video:
            decoded = sum(1 for _ in video.decode(video=0))
        assert decoded == labels["num_frames"], row["__key__"]
        frames += decoded
    stream = load_dataset("webdataset", data_files=files, split="train", streaming=True)
    streamed = sum(1 for _ in stream.cast_column("mp4", Video(decode=False)))
    unique = len(set(data["__key__"]))
    return {**record, "unique_keys": unique, "label_rows": rows, "frames": frames, "streamed_samples": streamed}


def webdataset_reader(shards: Path) -> dict:
    """webdataset: every sample of the shards with its members."""
    import webdataset

    files = sorted(str(path) for path in shards.glob("accepted-*.tar"))
    members: Counter[str] = Counter()
    for sample in webdataset.WebDataset(files, shardshuffle=False):
        members.update(name for name in sample if not name.startswith("__"))
    return {"members": dict(members)}


def outcome(reader: Callable[[], dict]) -> dict:
    start_s = time.process_time()
    try:
        record = {"ok": True, **reader()}
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        words = f"{type(error).__name__}: {error}"[:SHOWN_ERROR]
        record = {"ok": False, "error": words, "at": f"{Path(place.filename).name}:{place.lineno}"}
    return {**record, "cpu_s": round(time.process_time() - start_s, 1)}


def version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("coco", "yolo", "kitti"):
        parser.add_argument(
            f"--{name}", type=Path, required=True, help=f"output of worldgen data export --format {name}"
        )
    parser.add_argument("--shards", type=Path, required=True, help="the data set itself")
    parser.add_argument("--steps", type=int, default=10, help="training steps of the detector (default 10)")
    parser.add_argument("--batch", type=int, default=4, help="pictures of a step (default 4)")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/consumers.json"))
    args = parser.parse_args()
    readers: dict[str, Callable[[], dict]] = {
        "pycocotools annToMask": lambda: masks_of_every_annotation(args.coco),
        "torchvision Faster R-CNN": lambda: detection_steps(args.coco, args.steps, args.batch),
        "torchvision Kitti": lambda: kitti_files(args.kitti),
        "ultralytics": lambda: ultralytics_check(args.yolo),
        "supervision": lambda: supervision_loaders(args.coco, args.yolo),
        "datasets webdataset": lambda: shards_of_hub_library(args.shards),
        "webdataset": lambda: webdataset_reader(args.shards),
    }
    packages = ("torch", "torchvision", "ultralytics", "supervision", "pycocotools", "datasets", "webdataset", "av")
    record = {
        "python": platform.python_version(), "versions": {name: version(name) for name in packages},
        "readers": {},
    }  # fmt: skip
    for name, reader in readers.items():
        record["readers"][name] = outcome(reader)
        print(name, json.dumps(record["readers"][name])[:300], flush=True)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    sys.exit(0 if all(each["ok"] for each in record["readers"].values()) else 1)


if __name__ == "__main__":
    main()
