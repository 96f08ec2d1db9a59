"""Small labelled streets whose masks, ground and sizes are known: people are ellipses, twice as tall as wide."""

from __future__ import annotations

import json

import cv2
import numpy as np

from worldgen.data.ingest.labelled.labelled_samples import read_labelled
from worldgen.data.ingest.labelled.picture_set import PictureSet
from worldgen.data.video.image_files import write_image

WIDTH, HEIGHT, HORIZON = 200, 150, 50
SLOPE = 0.6
"""Height of a person over the distance of the foot from the horizon."""


def person_mask(x, bottom, tall):
    """A filled ellipse ``(H, W)`` bool that stands on a row."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    centre = (x, bottom - tall // 2)
    cv2.ellipse(mask, centre, (max(2, tall // 5), tall // 2), 0, 0, 360, 1, cv2.FILLED)
    return mask.astype(bool)


def street(rng, people, *, light=1.0):
    """A picture ``(H, W, 3)`` uint8 of grey ground and bluish sky with people (x, bottom row), and their masks."""
    picture = np.full((HEIGHT, WIDTH, 3), (120, 120, 115), np.float32)
    picture[:HORIZON] = (150, 170, 210)
    picture += rng.normal(0, 4, picture.shape)
    masks = []
    for x, bottom in sorted(people, key=lambda one: one[1]):
        mask = person_mask(x, bottom, round(SLOPE * (bottom - HORIZON)))
        stripes = np.where((np.arange(HEIGHT) // 3 % 2)[:, None, None], (200, 40, 40), (40, 20, 60))
        picture = np.where(mask[..., None], stripes, picture)
        masks.append(mask)
    return np.clip(picture * light, 0, 255).astype(np.uint8), masks


def box_of_mask(mask):
    """x, y, width, height of a mask."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return [int(columns[0]), int(rows[0]), int(np.ptp(columns) + 1), int(np.ptp(rows) + 1)]


def write_set(folder, *, pictures=8, people=3, split="train", drive="street", light=1.0, maps=False):
    """A COCO folder of streets with people side by side; returns the folder."""
    rng = np.random.default_rng(3)
    record = {"categories": [{"id": 1, "name": "pedestrian"}], "images": [], "annotations": []}
    for number in range(pictures):
        places = [(30 + 65 * k + int(rng.integers(-8, 8)), int(rng.integers(95, 140))) for k in range(people)]
        picture, masks = street(rng, places, light=light)
        name = f"{drive}_{number:03d}.png"
        write_image(folder / "images" / name, picture)
        if maps:
            (folder / "maps").mkdir(exist_ok=True)
            values = np.where(np.any(masks, axis=0), 9, np.where(np.arange(HEIGHT) < HORIZON, 0, 3)[:, None])
            cv2.imwrite(str(folder / "maps" / name), values.astype(np.uint8))
        record["images"].append({"id": number, "file_name": f"images/{name}", "width": WIDTH, "height": HEIGHT})
        record["annotations"] += [
            {"id": 10 * number + k, "image_id": number, "category_id": 1, "bbox": box_of_mask(mask)}
            for k, mask in enumerate(masks)
        ]
    (folder / "annotations").mkdir(exist_ok=True)
    (folder / "annotations" / f"{split}.json").write_text(json.dumps(record), "utf-8")
    return folder


def samples_of(folder):
    """The pictures of a folder as samples of one frame."""
    return list(read_labelled(folder, PictureSet(frames=1)))
