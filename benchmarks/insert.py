"""Inserts in real pictures, measured: speed, recognition, sizes at known distances, and a test of real against made.

  python benchmarks/insert.py SET --masks DIR --mask-value road=3 --detector yolox_nano.onnx --out insert.json
  python benchmarks/insert.py --kitti kitti/training --out insert_kitti.json
  python benchmarks/insert.py SET --judge --out judges.json

The real/made test trains a small classifier on crops of labelled objects and of inserts of the same class, with the
same share of background, and asks it about crops of other pictures. Accuracy 0.5 means that it cannot tell them apart.
It is repeated with each step of the fitting left out. Pictures that may only be used for measuring are never written.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from worldgen.core.labels import CLASSES
from worldgen.core.seeds import numpy_rng
from worldgen.data.ingest.labelled.picture_set import PictureSet
from worldgen.generation.insert.cast_insert import cast_insert
from worldgen.generation.insert.fitting import FitSteps
from worldgen.generation.insert.insert_judge import InsertJudge
from worldgen.generation.insert.insert_plan import InsertPlan
from worldgen.generation.insert.inserted_picture import insert_into
from worldgen.generation.insert.labelled_sets.insert_config import InsertCell, InsertConfig, SetGrounds
from worldgen.generation.insert.labelled_sets.still_files import StillFile, mask_reader, read_stills
from worldgen.generation.insert.picture_ground import HEIGHT_M, PictureGround, camera_of
from worldgen.generation.insert.picture_light import PictureLight
from worldgen.generation.insert.placing import wishes_of
from worldgen.generation.insert.verifier_judge import FOUND, TALL_PX, VerifierJudge, reason_of
from worldgen.instruments.detector.coco_detector import CocoDetector

Crops = list[tuple[str, np.ndarray]]
"""Names of pictures, and features of a crop of each."""
CROP_PX, CELLS = 48, 4
STEPS = ("exposure", "colour", "contrast", "shadow", "blur", "noise", "jpeg")
MARGIN = 0.25
MOST_CROPS = 400
FAULTS = ("empty", "shifted", "erased")
"""Boxes that a judge must refuse."""


def features(crop: np.ndarray) -> np.ndarray:
    """What a simple judge sees in a crop ``(h, w, 3)``: outlines, colours, sharpness and noise, ``(D,)`` float32.

    Gradient histograms of cells as in Dalal & Triggs 2005, mean and deviation of Lab in cells, and the energy of four
    bands of detail at the resolution of the crop, where blur, noise and encoding show.
    """
    small = cv2.resize(crop, (CROP_PX, CROP_PX), interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB).astype(np.float32)
    gx, gy = cv2.Sobel(lab[..., 0], cv2.CV_32F, 1, 0), cv2.Sobel(lab[..., 0], cv2.CV_32F, 0, 1)
    size, angle = np.hypot(gx, gy), ((np.arctan2(gy, gx) % math.pi) / math.pi * 8).astype(int).clip(0, 7)
    parts: list[np.ndarray] = []
    step = CROP_PX // CELLS
    for row in range(CELLS):
        for column in range(CELLS):
            area = (slice(row * step, (row + 1) * step), slice(column * step, (column + 1) * step))
            turn = np.bincount(angle[area].ravel(), size[area].ravel(), 8)
            cell = lab[area].reshape(-1, 3)
            parts += [turn / (turn.sum() + 1), cell.mean(0) / 128, cell.std(0) / 32]
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32)
    last = grey
    for sigma in (0.6, 1.0, 1.8, 3.0):
        smooth = cv2.GaussianBlur(grey, (0, 0), sigma)
        band = last - smooth
        parts.append(np.log1p([band.std(), np.median(np.abs(band)), np.abs(band).max() / 10]))
        last = smooth
    return np.concatenate(parts).astype(np.float32)


def crop_of(frame: np.ndarray, box: np.ndarray) -> np.ndarray:
    """A box with a margin of its surroundings, cut at the border."""
    pad = MARGIN * float((box[2:] - box[:2]).max())
    x0, y0 = np.maximum(np.floor(box[:2] - pad), 0).astype(int)
    x1, y1 = np.minimum(np.ceil(box[2:] + pad), frame.shape[1::-1]).astype(int)
    return frame[y0:y1, x0:x1]


def told_apart(
    real: list[tuple[str, np.ndarray]], made: list[tuple[str, np.ndarray]], folds: int = 5
) -> dict[str, Any]:
    """Held-out accuracy of ridge regression on standardised features, classes balanced, folds by picture.

    real, made: (name of the picture, features). A linear judge with as many features as crops is a strong one here;
    its regularisation is chosen on the training folds.
    """
    count = min(len(real), len(made))
    rng = numpy_rng("real or made", count)
    rows = [(n, f, 1.0) for n, f in (real[i] for i in rng.permutation(len(real))[:count])]
    rows += [(n, f, -1.0) for n, f in (made[i] for i in rng.permutation(len(made))[:count])]
    fold = np.array([int(numpy_rng("fold", name).integers(folds)) for name, _, _ in rows])
    x, y = np.stack([f for _, f, _ in rows]), np.array([label for _, _, label in rows])
    right = np.zeros(len(y), bool)
    for k in range(folds):
        train, test = fold != k, fold == k
        if not test.any():
            continue
        mean, spread = x[train].mean(0), x[train].std(0) + 1e-3
        a, b = (x[train] - mean) / spread, (x[test] - mean) / spread
        kernel = a @ a.T
        weight = np.linalg.solve(kernel + 0.3 * x.shape[1] * np.eye(len(a)), y[train])
        right[test] = np.sign(b @ (a.T @ weight)) == y[test]
    share = float(right.mean())
    half = 1.96 * math.sqrt(max(share * (1 - share), 1e-6) / len(y))
    return {"crops": len(y), "accuracy": round(share, 3), "interval": [round(share - half, 3), round(share + half, 3)]}


def real_crops(stills: list[StillFile], name: str, heights: tuple[float, float]) -> Crops:
    """Features of labelled objects of a class and of a range of heights."""
    out = []
    for number in numpy_rng("real crops", name).permutation(len(stills)):
        if len(out) >= MOST_CROPS:
            break
        still = stills[int(number)]
        rows = (still.class_id == CLASSES.index(name)) & ~still.ignore
        tall = still.box_px[:, 3] - still.box_px[:, 1]
        rows &= (tall >= heights[0]) & (tall <= heights[1])
        if rows.any():
            frame = still.picture().frame
            out += [(still.name, features(crop_of(frame, box))) for box in still.box_px[rows]]
    return out


def measured_set(args: argparse.Namespace) -> dict[str, Any]:
    """Speed, recognition and the real/made test of one set."""
    classes = dict(word.split("=") for word in args.category)
    stills = list(read_stills(args.set, PictureSet(frames=1, classes=classes)).files)
    masks = mask_reader(args.masks, args.mask_value)
    grounds = SetGrounds(stills, InsertConfig((InsertCell(args.what),)))
    heights = (args.low, args.high)
    wishes = wishes_of(args.what, heights)
    judge = InsertJudge(CocoDetector.load(args.detector)) if args.detector else None
    order = numpy_rng("benchmark", args.seed).permutation(len(stills))[: args.pictures]
    arms = {"all": FitSteps(), **{f"without {name}": FitSteps().without(name) for name in STEPS}}
    arms["none"] = FitSteps(**dict.fromkeys((*STEPS, "haze"), False))
    made: dict[str, Crops] = {name: [] for name in arms}
    reasons: dict[str, int] = {}
    seconds, inserts = 0.0, 0
    for number in order:
        picture = stills[number].picture(masks)
        try:
            ground = grounds.of(int(number))
        except ValueError as error:
            print(error, file=sys.stderr)
            continue
        for arm, steps in arms.items():
            if arm not in ("all", *args.arm):
                continue
            start = time.process_time()
            done = insert_into(picture, ground, wishes, seed=args.seed, steps=steps)
            if arm == "all":
                seconds, inserts = seconds + time.process_time() - start, inserts + len(done.put)
            for put in done.put:
                made[arm].append((picture.name, features(crop_of(done.frame, np.array(put.box_px)))))
                if arm == "all" and judge is not None:
                    reason = judge.verdict(done.frame, put).reason
                    reasons[reason] = reasons.get(reason, 0) + 1
    real = real_crops(stills, wishes[0].class_name, heights)
    result = {
        "set": Path(args.set).name, "what": args.what, "height_px": heights, "pictures": len(order), "inserts": inserts,
        "inserts_per_minute_per_core": round(60 * inserts / max(seconds, 1e-6), 1),
        "detector": dict(sorted(reasons.items())),
        "real_crops": len(real),
        "real_or_made": {arm: told_apart(real, rows) for arm, rows in made.items() if min(len(rows), len(real)) >= 20},
    }  # fmt: skip
    if len(real) >= 40:
        half = len(real) // 2
        result["real_or_real"] = told_apart(real[:half], real[half:])
    return result


def kitti_rows(folder: Path) -> list[dict[str, Any]]:
    """Whole, unhidden objects of ``label_2`` with their boxes, sizes and places."""
    rows = []
    for path in sorted((folder / "label_2").glob("*.txt")):
        for line in path.read_text().splitlines():
            words = line.split()
            kinds = {"Car": ("car", "sedan"), "Pedestrian": ("pedestrian", "adult"), "Van": ("van", "van"),
                     "Truck": ("truck", "box_truck"), "Cyclist": ("cyclist", "bicycle")}  # fmt: skip
            if words[0] in kinds and float(words[1]) == 0 and words[2] == "0":
                v = [float(word) for word in words[4:15]]
                rows.append({"file": path.stem, "kind": kinds[words[0]], "box": v[:4], "hwl": v[4:7], "xyz": v[7:10],
                             "turn": v[10]})  # fmt: skip
    return rows


def measured_kitti(folder: Path) -> dict[str, Any]:
    """Heights of inserts at the places and sizes of KITTI's cuboids against its boxes.

    The focal length follows from both: an object of height h at depth z is f h / z high. The principal point and the
    height of the camera follow from the rows and columns of the contacts.
    """
    rows = kitti_rows(folder)
    image = cv2.imread(str(sorted((folder / "image_2").glob("*.png"))[0]))
    size = (image.shape[1], image.shape[0])
    box, hwl, xyz = (np.array([r[name] for r in rows]) for name in ("box", "hwl", "xyz"))
    turn = np.array([r["turn"] for r in rows])
    # The side that faces the camera is nearer than the middle, and makes the box as high as it is.
    near = xyz[:, 2] - (hwl[:, 2] * np.abs(np.sin(turn)) + hwl[:, 1] * np.abs(np.cos(turn))) / 2
    focal = float(np.median((box[:, 3] - box[:, 1]) * near / hwl[:, 0]))
    centre = float(np.median(box[:, 3] - focal * xyz[:, 1] / near))
    middle = float(np.median((box[:, 0] + box[:, 2]) / 2 - focal * xyz[:, 0] / xyz[:, 2]))
    light = PictureLight(0.0, 0.0, 0.0, 0.0, np.ones(3, np.float32))
    errors, overlaps = [], []
    for r in rows:
        h, w, length = r["hwl"]
        x, y, z = r["xyz"]
        camera = camera_of(size, centre, y, 2 * math.degrees(math.atan(size[0] / 2 / focal)))
        ground = PictureGround(camera, 0.0, 0.0, 0.0, 0, "cuboids")
        shift = middle - size[0] / 2
        kind, variant = r["kind"]
        plan = InsertPlan(kind, "car" if kind == "van" else kind, variant, (length, w, h), z,
                          -(x + shift * z / focal), -r["turn"] - math.pi / 2)  # fmt: skip
        patch = cast_insert(plan, ground.camera, light)
        if patch is None:
            continue
        made, real = np.array(patch.whole_box_px), np.array(r["box"])
        errors.append((made[3] - made[1]) / (real[3] - real[1]) - 1)
        shared = np.clip(np.minimum(made[2:], real[2:]) - np.maximum(made[:2], real[:2]), 0, None).prod()
        overlaps.append(shared / ((made[2:] - made[:2]).prod() + (real[2:] - real[:2]).prod() - shared))
    stills = list(read_stills(folder, PictureSet(frames=1)).files)
    return {
        "objects": len(errors), "focal_px": round(focal, 1), "principal_row_px": round(centre, 1),
        "height_error_median": round(float(np.median(np.abs(errors))), 4),
        "height_error_p90": round(float(np.percentile(np.abs(errors), 90)), 4),
        "box_overlap_median": round(float(np.median(overlaps)), 3), "from_labels_alone": _from_labels(stills, rows),
    }  # fmt: skip


def _from_labels(stills: list[StillFile], rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Heights from the ground that the labels alone give, each object judged without its own box in any picture.

    Once with the height that its class has on average, and once with its own in metres, as an insert has: then only
    the ground can be wrong.
    """
    errors, own = [], []
    grounds = SetGrounds(stills, InsertConfig((InsertCell("car"),)))
    for number in range(len(stills)):
        classes, boxes = grounds.boxes[number]
        for row in range(len(classes)):
            kept = np.arange(len(classes)) != row
            grounds.boxes[number] = (classes[kept], boxes[kept])
            grounds.priors = grounds.common()
            try:
                ground = grounds.of(number)
            except ValueError:
                continue
            told = ground.height_px(HEIGHT_M[CLASSES[int(classes[row])]][0], float(boxes[row, 3]))
            errors.append(told / (boxes[row, 3] - boxes[row, 1]) - 1)
            same = [r["hwl"][0] for r in rows if r["file"] == Path(stills[number].name).stem
                    and np.abs(np.array(r["box"]) - boxes[row]).max() < 1.5]  # fmt: skip
            if same:
                own.append(ground.height_px(same[0], float(boxes[row, 3])) / (boxes[row, 3] - boxes[row, 1]) - 1)
        grounds.boxes[number] = (classes, boxes)
    if not errors:
        return {"objects": 0}
    return {
        "objects": len(errors), "height_error_median": round(float(np.median(np.abs(errors))), 4),
        "objects_of_known_height": len(own),
        "size_error_median": round(float(np.median(np.abs(own))), 4) if own else None,
    }  # fmt: skip


def measured_judge(args: argparse.Namespace) -> dict[str, Any]:
    """What the verifier says of real labelled boxes, of inserts, and of faults: the same boxes moved to empty places or
    shifted by half, and the boxes of inserts that were taken out again. By height, the pair of thresholds that refuses
    most faults of those that refuse at most a tenth of the real boxes."""
    classes = dict(word.split("=") for word in args.category)
    stills = list(read_stills(args.set, PictureSet(frames=1, classes=classes)).files)
    judge, masks = VerifierJudge.load(), mask_reader(args.masks, args.mask_value)
    grounds = SetGrounds(stills, InsertConfig((InsertCell(args.what),)))
    wishes = wishes_of(args.what, (args.low, args.high))
    name = wishes[0].class_name
    said: dict[str, list[tuple[float, float, float]]] = {"real": [], "insert": [], **{fault: [] for fault in FAULTS}}

    def ask(kind: str, frame: np.ndarray, box: np.ndarray) -> None:
        said[kind].append((float(box[3] - box[1]), *judge.answers_of(frame, name, box)[:2]))

    for number in numpy_rng("judge", args.seed).permutation(len(stills))[: args.pictures]:
        still = stills[int(number)]
        picture = still.picture(masks)
        tall = still.box_px[:, 3] - still.box_px[:, 1]
        rows = (still.class_id == CLASSES.index(name)) & ~still.ignore & (tall >= args.low) & (tall <= args.high)
        for box in still.box_px[rows]:
            ask("real", picture.frame, box)
            width = box[2] - box[0]
            ask("shifted", picture.frame, box + np.array([0.5 * width, 0] * 2))
            for way in (-3, 3, -6, 6):
                other = box + np.array([way * width, 0] * 2)
                apart = (other[2:] <= still.box_px[:, :2]) | (other[:2] >= still.box_px[:, 2:])
                if other[0] > 0 and other[2] < picture.size_px[0] and apart.any(1).all():
                    ask("empty", picture.frame, other)
                    break
        with contextlib.suppress(ValueError):
            done = insert_into(picture, grounds.of(int(number)), wishes, seed=args.seed)
            for put in done.put:
                ask("insert", done.frame, np.array(put.box_px))
                ask("erased", picture.frame, np.array(put.box_px))
    answers = {kind: np.array(rows).reshape(-1, 3) for kind, rows in said.items()}
    heights = (args.low, TALL_PX, args.high + 1)
    return {
        "set": Path(args.set).name, "judge": "verifier", "what": args.what, "height_px": [args.low, args.high],
        "boxes": {kind: len(rows) for kind, rows in answers.items()},
        "as_shipped": {
            f"{low:g} to {high:g} px": _found(answers, low, high) for low, high in pairwise(heights)
        },
        "at_most_a_tenth_of_real_refused": {
            f"{low:g} to {high:g} px": _gentle(
                {kind: rows[(rows[:, 0] >= low) & (rows[:, 0] < high)] for kind, rows in answers.items()}
            ) for low, high in [(heights[0], heights[2]), *pairwise(heights)]
        },
    }  # fmt: skip


def _found(answers: dict[str, np.ndarray], low: float, high: float) -> dict[str, float | None]:
    """Share of boxes of a range of heights that the judge as it is finds, by what they are."""
    parts = {name: rows[(rows[:, 0] >= low) & (rows[:, 0] < high)] for name, rows in answers.items()}
    return {name: round(float(np.mean([reason_of(*row) == FOUND for row in rows.tolist()])), 3) if len(rows) else None
            for name, rows in parts.items()}  # fmt: skip


def _kept(answers: dict[str, np.ndarray], kind: float, fit: float) -> dict[str, float | None]:
    """Share of boxes that are found, by what they are."""
    return {name: round(float(((rows[:, 1] >= kind) & (rows[:, 2] >= fit)).mean()), 3) if len(rows) else None
            for name, rows in answers.items()}  # fmt: skip


def _gentle(answers: dict[str, np.ndarray]) -> dict[str, Any]:
    """The thresholds that keep 90 % of the real boxes and refuse most faults, each fault counted alike."""
    real = answers["real"]
    if len(real) < 20:
        return {"real_boxes": len(real)}
    best: tuple[float, float, float] = (-1.0, 0.0, 0.0)
    for kind in np.unique(np.concatenate([[0.0], real[:, 1]])):
        good = np.sort(real[real[:, 1] >= kind, 2])[::-1]
        need = math.ceil(0.9 * len(real))
        if len(good) >= need:
            fit = float(good[need - 1])
            kept = _kept(answers, float(kind), fit)
            refused = float(np.mean([1 - float(kept[name] or 0.0) for name in FAULTS if len(answers[name])]))
            best = max(best, (refused, float(kind), fit))
    return {"least_kind": round(best[1], 5), "least_fit": round(best[2], 5), "real_boxes": len(real),
            "kept": _kept(answers, best[1], best[2])}  # fmt: skip


def main() -> None:
    """Measure and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", nargs="?", default="")
    parser.add_argument("--kitti", default="", help="folder with image_2 and label_2")
    parser.add_argument("--what", default="pedestrian")
    parser.add_argument("--low", type=float, default=24.0)
    parser.add_argument("--high", type=float, default=160.0)
    parser.add_argument("--pictures", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--masks", default="")
    parser.add_argument("--mask-value", action="append", default=[])
    parser.add_argument("--category", action="append", default=[])
    parser.add_argument("--detector", default="")
    parser.add_argument(
        "--arm", action="append", default=[], help='real/made test of "none" or "without STEP"; repeated'
    )
    parser.add_argument("--judge", action="store_true", help="only: how often the verifier finds boxes")
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    if args.kitti:
        result = measured_kitti(Path(args.kitti))
    else:
        result = measured_judge(args) if args.judge else measured_set(args)
    Path(args.out).parent.mkdir(parents=True, exist_ok=True)
    Path(args.out).write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
