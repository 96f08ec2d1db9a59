"""Image files: reading, writing, and folders of them in natural order."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np

from worldgen.core.errors import InputError

IMAGE_SUFFIXES = (".jpg", ".png")
"""Formats that are written."""
READ_SUFFIXES = (".jpg", ".jpeg", ".png")
JPEG_QUALITY = 95


def encode_image(image: np.ndarray, suffix: str) -> bytes:
    """An image ``(H, W, 3)`` uint8 RGB as the bytes of a ``.png`` (lossless) or ``.jpg`` (quality 95, 4:4:4) file."""
    sampling = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY, *sampling] if suffix == ".jpg" else []
    done, data = cv2.imencode(suffix, np.ascontiguousarray(image[..., ::-1]), options)
    assert done, f"{suffix} encoding failed for {image.shape}"
    return data.tobytes()


def write_image(path: Path, image: np.ndarray) -> None:
    """Write an image ``(H, W, 3)`` uint8 RGB, and its folder. The suffix, of ``IMAGE_SUFFIXES``, chooses the format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_image(image, path.suffix))


def read_image(path: Path) -> np.ndarray:
    """An image file as ``(H, W, 3)`` uint8 RGB, upright by its EXIF tag.

    Raises:
        InputError: the file does not decode.
    """
    pixels = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR) if path.stat().st_size else None
    if pixels is None:
        raise InputError("picture", str(path), "a JPEG or PNG that decodes")
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


def image_files(folder: Path) -> tuple[Path, ...]:
    """The image files in a folder (``READ_SUFFIXES``, not hidden), in natural order of their names."""
    files = [p for p in folder.iterdir() if p.suffix.lower() in READ_SUFFIXES and not p.name.startswith(".")]
    return tuple(sorted(files, key=lambda path: natural_order(path.name)))


def natural_order(name: str) -> list[tuple[int, int, str]]:
    """Sort key that compares numbers in names by value, so frame 9 comes before frame 10."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", name)]
