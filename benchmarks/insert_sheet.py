"""A sheet of random inserts, to be looked at: how many look pasted on?

  python benchmarks/insert_sheet.py SET --what "pedestrian, cyclist, car parked" --count 40 --out sheet.png

Pictures, places and looks are drawn by the seed; none is chosen. Each tile shows an insert in the middle of its
surroundings. Pictures that may only be used for measuring are never published.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from worldgen.core.seeds import numpy_rng
from worldgen.data.ingest.labelled.picture_set import PictureSet
from worldgen.data.video.image_files import write_image
from worldgen.generation.insert.inserted_picture import insert_into
from worldgen.generation.insert.labelled_sets.insert_config import InsertCell, InsertConfig, SetGrounds
from worldgen.generation.insert.labelled_sets.still_files import mask_reader, read_stills
from worldgen.generation.insert.picture_light import night_of
from worldgen.generation.insert.placing import wishes_of

TILE_PX, COLUMNS, AROUND = 200, 8, 2.4


def main() -> None:
    """Make the sheet and print what each tile shows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set")
    parser.add_argument("--what", default="pedestrian, cyclist, car parked, motorcycle")
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--low", type=float, default=32.0)
    parser.add_argument("--high", type=float, default=200.0)
    parser.add_argument("--light", default="", choices=["", "day", "night"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--masks", default="")
    parser.add_argument("--mask-value", action="append", default=[])
    parser.add_argument("--category", action="append", default=[])
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    classes = dict(word.split("=") for word in args.category)
    stills = list(read_stills(args.set, PictureSet(frames=1, classes=classes)).files)
    masks = mask_reader(args.masks, args.mask_value)
    cell = InsertCell(args.what, args.light, (args.low, args.high))
    grounds, wishes = SetGrounds(stills, InsertConfig((cell,))), wishes_of(args.what, (args.low, args.high))
    tiles: list[np.ndarray] = []
    for tried, number in enumerate(numpy_rng("sheet", args.seed).permutation(len(stills)).tolist() * 4):
        if len(tiles) >= args.count:
            break
        picture = stills[number].picture(masks)
        try:
            ground = grounds.of(number)
        except ValueError:
            continue
        if not cell.fits(night_of(picture.frame, ground.camera.horizon_px)):
            continue
        done = insert_into(picture, ground, [wishes[tried % len(wishes)]], seed=args.seed + tried)
        for put in done.put:
            tiles.append(tile(done.frame, np.array(put.box_px)))
            print(len(tiles) - 1, put.patch.class_name, f"{put.patch.distance_m:.0f} m", done.light.word, picture.name)
    blank = np.zeros((TILE_PX, TILE_PX, 3), np.uint8)
    tiles += [blank] * (-len(tiles) % COLUMNS)
    rows = [np.hstack(tiles[k : k + COLUMNS]) for k in range(0, len(tiles), COLUMNS)]
    write_image(Path(args.out), np.vstack(rows))


def tile(frame: np.ndarray, box: np.ndarray) -> np.ndarray:
    """A square part of a frame around a box, at one size; black beyond the border."""
    side = max(AROUND * float((box[2:] - box[:2]).max()), 96.0)
    corner = np.round((box[:2] + box[2:]) / 2 - side / 2).astype(int)
    whole = round(side)
    out = np.zeros((whole, whole, 3), np.uint8)
    low, high = np.maximum(corner, 0), np.minimum(corner + whole, frame.shape[1::-1])
    a, b = low - corner, high - corner
    out[a[1] : b[1], a[0] : b[0]] = frame[low[1] : high[1], low[0] : high[0]]
    return np.asarray(cv2.resize(out, (TILE_PX, TILE_PX), interpolation=cv2.INTER_AREA if whole > TILE_PX else 1))


if __name__ == "__main__":
    main()
