"""Still pictures as files."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

IMAGE_SUFFIXES = (".jpg", ".png")
JPEG_QUALITY = 95


def encode_image(picture: np.ndarray, suffix: str) -> bytes:
    """A picture ``(H, W, 3)`` uint8 RGB as the bytes of a ``.png`` (exact) or ``.jpg`` (quality 95, full chroma) file."""
    sampling = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY, *sampling] if suffix == ".jpg" else []
    done, data = cv2.imencode(suffix, np.ascontiguousarray(picture[..., ::-1]), options)
    assert done, f"{suffix} encoding failed for {picture.shape}"
    return data.tobytes()


def write_image(path: Path, picture: np.ndarray) -> None:
    """Write a picture into a folder that becomes visible as a whole; the suffix chooses the format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_image(picture, path.suffix))
